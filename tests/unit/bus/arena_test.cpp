#include "bus/arena.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "allocations.hpp"

namespace peal::bus {
namespace {

TEST(Arena, KeepsEveryCopyWhereItIsUntilItIsReset) {
  Arena arena;
  std::vector<std::pair<std::string, std::string_view>> copies;
  for (std::size_t i = 0; i < 500; ++i) {
    const std::string text(i * 7 % 3000, static_cast<char>('a' + i % 26));
    copies.emplace_back(text, arena.copy(text));
  }
  for (const auto& [text, copy] : copies)
    EXPECT_EQ(text, copy);
}

TEST(Arena, TakesWhatIsLargerThanAChunk) {
  Arena arena;
  const std::string small = "small", large(1 << 20, 'L');
  const auto first = arena.copy(small);
  const auto second = arena.copy(large);
  const auto third = arena.copy(small);
  EXPECT_EQ(first, small);
  EXPECT_EQ(second, large);
  EXPECT_EQ(third, small);
  EXPECT_EQ(arena.used(), large.size() + 2 * small.size());
}

TEST(Arena, CopiesEveryFieldOfAPublication) {
  Arena arena;
  const Publication publication{Kind::deletion, {7},    "payload", "key", "type",   "{}",
                                "source",       {1, 2}, "origin",  1234,  "unknown"};
  const PublicationView copy = arena.copy(view_of(publication));
  EXPECT_EQ(copy.payload, "payload");
  EXPECT_NE(copy.payload.data(), publication.payload.data());
  EXPECT_EQ(copy.key, "key");
  EXPECT_EQ(copy.type, "type");
  EXPECT_EQ(copy.tags, "{}");
  EXPECT_EQ(copy.source, "source");
  EXPECT_EQ(copy.origin, "origin");
  EXPECT_EQ(copy.unknown_fields, "unknown");
  EXPECT_EQ(copy.kind, Kind::deletion);
  EXPECT_EQ(copy.sequence, (Sequence{1, 2}));
}

TEST(Arena, KeepsNoMoreThanABurstsWorthAfterAReset) {
  Arena arena;
  for (int i = 0; i < 64; ++i)
    arena.allocate(60'000);
  arena.reset();
  EXPECT_EQ(arena.used(), 0U);
  const std::string text = "after";
  EXPECT_EQ(arena.copy(text), text);
}

}  // namespace
}  // namespace peal::bus
