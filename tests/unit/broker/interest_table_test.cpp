#include "core/interest_table.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "peal/proto/channel_name.hpp"

namespace peal::broker {
namespace {

using Id = InterestTable::ChannelId;
constexpr Id kNone = InterestTable::kNone;

Id watch(InterestTable& table, PeerId peer, bus::Alias alias, const std::string& name) {
  Id id = table.find(name);
  if (id == kNone) id = table.create(name, stable_hash(name));
  table.watch(peer, alias, id);
  table.admit(peer, alias, id);
  return id;
}

void unwatch(InterestTable& table, PeerId peer, bus::Alias alias) {
  const Id id = table.unwatch(peer, alias);
  if (id != kNone && table.idle(id)) table.forget(id);
}

TEST(InterestTable, KeepsAllTargetsOfAChannelInOneArray) {
  InterestTable table;
  const Id id = watch(table, 1, {0, 1}, "a");
  EXPECT_EQ(watch(table, 2, {7, 3}, "a"), id);
  EXPECT_EQ(watch(table, 3, {1, 1}, "a"), id);
  ASSERT_EQ(table.at(id).targets.view().size(), 3U);
  EXPECT_EQ(table.at(id).targets.view()[1].peer, 2U);
  EXPECT_EQ(table.at(id).targets.view()[1].alias, (bus::Alias{7, 3}));
}

TEST(InterestTable, ForgetsAChannelThatNobodyWatches) {
  InterestTable table;
  watch(table, 1, {0, 1}, "a");
  watch(table, 2, {0, 1}, "a");
  unwatch(table, 1, {0, 1});
  EXPECT_NE(table.find("a"), kNone);
  unwatch(table, 2, {0, 1});
  EXPECT_EQ(table.find("a"), kNone);
  EXPECT_EQ(table.channels() + table.watches() + table.peers(), 0U);
}

TEST(InterestTable, TellsGenerationsOfAnAliasApart) {
  InterestTable table;
  watch(table, 1, {4, 2}, "a");
  EXPECT_EQ(table.unwatch(1, {4, 1}), kNone);
  EXPECT_EQ(table.watched(1, {4, 1}), kNone);
  EXPECT_NE(table.watched(1, {4, 2}), kNone);
  EXPECT_EQ(table.watch_at(1, 4).alias.generation, 2U);
}

TEST(InterestTable, AWaitingWatchIsNoTargetYet) {
  InterestTable table;
  const Id id = table.create("a", stable_hash("a"));
  table.watch(1, {0, 1}, id);
  EXPECT_TRUE(table.at(id).targets.empty());
  EXPECT_FALSE(table.idle(id));
  EXPECT_EQ(table.unwatch(1, {0, 1}), id);
  EXPECT_TRUE(table.idle(id));
}

TEST(InterestTable, FindsAWatchOfAPeerUntilItHasNone) {
  InterestTable table;
  watch(table, 9, {3, 1}, "a");
  watch(table, 9, {8, 1}, "b");
  InterestTable::Watch found;
  ASSERT_TRUE(table.last_watch(9, found));
  EXPECT_EQ(found.alias.index, 8U);
  unwatch(table, 9, found.alias);
  ASSERT_TRUE(table.last_watch(9, found));
  EXPECT_EQ(found.alias.index, 3U);
  unwatch(table, 9, found.alias);
  EXPECT_FALSE(table.last_watch(9, found));
}

// The index has no tombstones, so every erase moves cells; a map says what must be found.
TEST(InterestTable, AgreesWithAMapThroughManyChanges) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  InterestTable table;
  std::map<std::pair<PeerId, std::uint32_t>, std::pair<std::string, std::uint32_t>> model;
  std::uint32_t generation = 0;
  for (int step = 0; step < 60'000; ++step) {
    const PeerId peer = random() % 5;
    const std::uint32_t index = random() % 700;
    const auto known = model.find({peer, index});
    if (known != model.end()) {
      unwatch(table, peer, {index, known->second.second});
      model.erase(known);
    } else if (step < 40'000 || step % 3 == 0) {
      const std::string name = "channel:" + std::to_string(random() % 3000);
      watch(table, peer, {index, ++generation}, name);
      model[{peer, index}] = {name, generation};
    }
  }
  std::map<std::string, std::set<std::pair<PeerId, std::uint32_t>>> expected;
  for (const auto& [key, value] : model)
    expected[value.first].insert(key);
  EXPECT_EQ(table.channels(), expected.size());
  EXPECT_EQ(table.watches(), model.size());
  for (const auto& [name, targets] : expected) {
    const Id id = table.find(name);
    ASSERT_NE(id, kNone) << name;
    std::set<std::pair<PeerId, std::uint32_t>> found;
    for (const Target& target : table.at(id).targets.view()) {
      found.insert({target.peer, target.alias.index});
    }
    EXPECT_EQ(found, targets) << name;
  }
}

}  // namespace
}  // namespace peal::broker
