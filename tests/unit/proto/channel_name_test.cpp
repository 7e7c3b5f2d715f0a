#include "peal/proto/channel_name.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <unordered_set>

namespace peal {
namespace {

TEST(ChannelNameTest, TakesAnyUtf8WithoutControlCharacters) {
  for (const char* name : {"a", "room:1", "https://example.org/a?b=c#d", " ", "caf\xc3\xa9",
                           "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xc2\xa0", "\xef\xbf\xbf",
                           "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(ChannelName::valid(name)) << name;
    ASSERT_TRUE(ChannelName::parse(name)) << name;
    EXPECT_EQ(ChannelName::parse(name)->view(), name);
  }
}

TEST(ChannelNameTest, RefusesControlCharactersAndBrokenUtf8) {
  const std::vector<std::string> names = {"",
                                          std::string(1, '\0'),
                                          "a\nb",
                                          "\x1f",
                                          "\x7f",
                                          "\xc2\x80",
                                          "\xc2\x9f",
                                          "\x80",
                                          "\xc3",
                                          "\xc0\xaf",
                                          "\xc1\xbf",
                                          "\xe0\x9f\xbf",
                                          "\xe2\x82",
                                          "\xed\xa0\x80",
                                          "\xf0\x8f\xbf\xbf",
                                          "\xf0\x9f",
                                          "\xf4\x90\x80\x80",
                                          "\xf5\x80\x80\x80",
                                          "\xff",
                                          "a\xc3("};
  for (const std::string& name : names) {
    EXPECT_FALSE(ChannelName::valid(name)) << testing::PrintToString(name);
    EXPECT_TRUE(ChannelName::parse(name).has_error()) << testing::PrintToString(name);
  }
}

TEST(ChannelNameTest, MayHave255BytesAndNoMore) {
  EXPECT_TRUE(ChannelName::valid(std::string(255, 'x')));
  const auto result = ChannelName::parse(std::string(256, 'x'));
  ASSERT_TRUE(result.has_error());
  EXPECT_EQ(result.error().code, ErrorCode::channel_name_invalid);
  EXPECT_THAT(result.error().message, testing::HasSubstr("255"));
}

TEST(ChannelNameTest, AgreesWithASlowUtf8Decoder) {
  // Every sequence of up to three bytes from the edges of UTF-8's classes.
  const std::vector<unsigned> edges = {0x00, 0x1f, 0x20, 0x7e, 0x7f, 0x80, 0x8f, 0x90, 0x9f,
                                       0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xc3, 0xdf, 0xe0, 0xe1,
                                       0xec, 0xed, 0xee, 0xef, 0xf0, 0xf4, 0xf5, 0xff};
  const auto slow = [](const std::string& text) {
    std::size_t i = 0;
    while (i < text.size()) {
      const auto lead = static_cast<unsigned char>(text[i]);
      const std::size_t length = lead < 0x80   ? 1
                                 : lead < 0xc0 ? 0
                                 : lead < 0xe0 ? 2
                                 : lead < 0xf0 ? 3
                                               : 4;
      if (length == 0 || lead >= 0xf8 || i + length > text.size()) return false;
      std::uint32_t c = length == 1 ? lead : lead & (0xffU >> (length + 1));
      for (std::size_t k = 1; k < length; ++k) {
        const auto tail = static_cast<unsigned char>(text[i + k]);
        if ((tail & 0xc0U) != 0x80U) return false;
        c = c << 6U | (tail & 0x3fU);
      }
      constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
      if (c < kLeast[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return false;
      if (c < 0x20 || (c >= 0x7f && c < 0xa0)) return false;
      i += length;
    }
    return true;
  };
  for (const unsigned a : edges) {
    for (const unsigned b : edges) {
      for (const unsigned c : edges) {
        const std::string text = {static_cast<char>(a), static_cast<char>(b), static_cast<char>(c)};
        for (std::size_t n = 1; n <= 3; ++n) {
          ASSERT_EQ(ChannelName::valid(text.substr(0, n)), slow(text.substr(0, n)))
              << testing::PrintToString(text.substr(0, n));
        }
      }
    }
  }
}

TEST(StableHashTest, NeverChanges) {
  // These values decide which broker owns a channel: a change here moves every channel.
  EXPECT_EQ(stable_hash("room:1"), 16737239622105607708U);
  EXPECT_EQ(stable_hash("demo:load"), 1514543191677618766U);
}

TEST(StableHashTest, SpreadsSimilarNamesEvenly) {
  constexpr std::size_t kShards = 8;
  std::map<std::size_t, int> counts;
  for (int i = 0; i < 8000; ++i)
    ++counts[stable_hash("room:" + std::to_string(i)) % kShards];
  ASSERT_EQ(counts.size(), kShards);
  for (const auto& [shard, count] : counts) {
    EXPECT_GT(count, 850) << shard;
    EXPECT_LT(count, 1150) << shard;
  }
}

TEST(ChannelNameTest, CanBeAKey) {
  std::unordered_set<ChannelName> names;
  names.insert(*ChannelName::parse("a"));
  names.insert(*ChannelName::parse("a"));
  names.insert(*ChannelName::parse("b"));
  EXPECT_EQ(names.size(), 2U);
}

}  // namespace
}  // namespace peal
