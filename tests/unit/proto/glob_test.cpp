#include "peal/proto/glob.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <string>

namespace peal {
namespace {

TEST(Glob, MatchesTheWholeNameLiterally) {
  EXPECT_TRUE(glob_matches("room:1", "room:1"));
  EXPECT_FALSE(glob_matches("room:1", "room:12"));
  EXPECT_FALSE(glob_matches("room:1", "aroom:1"));
  EXPECT_FALSE(glob_matches("room:1", "room:"));
  EXPECT_TRUE(glob_matches("a.b[c]{d}+\\(e)", "a.b[c]{d}+\\(e)"));
  EXPECT_FALSE(glob_matches("a.b", "axb"));
  EXPECT_TRUE(glob_matches("", ""));
  EXPECT_FALSE(glob_matches("", "a"));
}

TEST(Glob, AStarStandsForAnyBytes) {
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_TRUE(glob_matches("*", "anything/at:all"));
  EXPECT_TRUE(glob_matches("demo:*", "demo:"));
  EXPECT_TRUE(glob_matches("demo:*", "demo:a:b"));
  EXPECT_FALSE(glob_matches("demo:*", "demo"));
  EXPECT_TRUE(glob_matches("*:load", "demo:x:load"));
  EXPECT_FALSE(glob_matches("*:load", "demo:loads"));
  EXPECT_TRUE(glob_matches("a*b*c", "a__b_b__c"));
  EXPECT_FALSE(glob_matches("a*b*c", "a__c__b"));
  EXPECT_TRUE(glob_matches("**a**", "bab"));
  EXPECT_TRUE(glob_matches("*ab", "aab"));
  EXPECT_TRUE(glob_matches("*\xC3\xA9", "caf\xC3\xA9"));
}

TEST(Glob, AQuestionMarkStandsForOneCodePoint) {
  EXPECT_TRUE(glob_matches("?", "a"));
  EXPECT_FALSE(glob_matches("?", ""));
  EXPECT_FALSE(glob_matches("?", "ab"));
  EXPECT_TRUE(glob_matches("?", "\xC3\xA9"));
  EXPECT_TRUE(glob_matches("?", "\xE2\x82\xAC"));
  EXPECT_TRUE(glob_matches("?", "\xF0\x9F\x94\x94"));
  EXPECT_FALSE(glob_matches("??", "\xF0\x9F\x94\x94"));
  EXPECT_FALSE(glob_matches("*??", "\xF0\x9F\x94\x94"));
  EXPECT_TRUE(glob_matches("*?b",
                           "\xC3\xA9"
                           "b"));
  EXPECT_TRUE(glob_matches("room:?", "room:1"));
  EXPECT_FALSE(glob_matches("room:?", "room:12"));
}

/// The definition, by exponential search; names of this test are ASCII.
bool naive(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern[0] == '*') {
    for (std::size_t i = 0; i <= name.size(); ++i) {
      if (naive(pattern.substr(1), name.substr(i))) return true;
    }
    return false;
  }
  if (name.empty() || (pattern[0] != '?' && pattern[0] != name[0])) return false;
  return naive(pattern.substr(1), name.substr(1));
}

TEST(Glob, AgreesWithItsDefinition) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  int matched = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string pattern, name;
    for (auto n = random() % 7; n > 0; --n)
      pattern += "ab*?"[random() % 4];
    for (auto n = random() % 8; n > 0; --n)
      name += "ab"[random() % 2];
    const bool expected = naive(pattern, name);
    matched += expected ? 1 : 0;
    ASSERT_EQ(glob_matches(pattern, name), expected) << pattern << " on " << name;
  }
  EXPECT_GT(matched, 1000);
}

TEST(Glob, AHostileNameCostsLittle) {
  std::string pattern;
  for (int i = 0; i < 80; ++i)
    pattern += "*a";
  pattern += "*b";
  const std::string name(255, 'a');
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i)
    ASSERT_FALSE(glob_matches(pattern, name));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

}  // namespace
}  // namespace peal
