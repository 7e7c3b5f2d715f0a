// What a store finds after the one before it: stopped, killed, torn, damaged, or not a store.
#include <chrono>
#include <fstream>
#include <random>

#include "disk_fixture.hpp"

namespace peal::broker::test {
namespace {

namespace fs = std::filesystem;
using Status = bus::Published::Status;

void flip_byte(const fs::path& file, std::uintmax_t at) {
  std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
  bytes.seekg(static_cast<std::streamoff>(at));
  const char flipped = static_cast<char>(~bytes.get());
  bytes.seekp(static_cast<std::streamoff>(at));
  bytes.put(flipped);
  ASSERT_TRUE(bytes.good());
}

class DiskRestart : public DiskTest {};

TEST_F(DiskRestart, WhatWasAcknowledgedIsThereAfterAKillInTheSameEpoch) {
  open();
  std::string all;
  for (int i = 1; i <= 50; ++i) {
    const std::string payload = std::to_string(i);
    ASSERT_EQ(publish_and_wait("a", payload, "source", i).status, Status::ok);
    all += (i == 1 ? "" : " ") + payload;
    if (i % 10 != 0) continue;
    const Head before = *head_of("a");
    crash();
    open();
    EXPECT_EQ(payloads("a"), all);
    EXPECT_EQ(head_of("a"), before);
    EXPECT_TRUE(publish_and_wait("a", payload, "source", i).duplicate);
  }
  EXPECT_EQ(publish_and_wait("a", "next").position->offset, Offset{51});
}

// The publishes go on without waiting, so the copy catches commits half-way.
TEST_F(DiskRestart, WheneverItIsKilledALogIsWhatWasAskedUpToSomePointNotBeforeTheLastAcknowledged) {
  open();
  std::optional<Epoch> epoch;
  std::size_t number = 0;
  std::mt19937 random(4);
  for (int kill = 0; kill < 10; ++kill) {
    outcomes.clear();
    std::map<bus::RequestId, std::size_t> asked;
    const std::size_t before = number;
    const std::size_t most = before + 1 + random() % 200;
    while (number < most) {
      ++number;
      asked.emplace(publish("a", std::to_string(number)), number);
      if (random() % 3 == 0) store->turn(now);
    }
    std::size_t acknowledged = before;
    for (const auto& [id, outcome] : outcomes) {
      if (outcome.status == Status::ok) acknowledged = std::max(acknowledged, asked[id]);
      if (!epoch) epoch = outcome.position->epoch;
    }
    crash();
    open();
    const std::string kept = payloads("a");
    number = head_of("a")->top.value;
    EXPECT_GE(number, acknowledged);
    EXPECT_LE(number, most);
    EXPECT_EQ(head_of("a")->epoch, epoch.value_or(head_of("a")->epoch));
    std::string wanted;
    for (std::size_t i = 1; i <= number; ++i)
      wanted += (i == 1 ? "" : " ") + std::to_string(i);
    EXPECT_EQ(kept, wanted);
  }
}

// Torn is what was never acknowledged, so the guard doesn't count it yet.
TEST_F(DiskRestart, ATailTornAnywhereIsCutAndAllBeforeItIsThere) {
  open();
  publish_and_wait("a", "first");
  publish_and_wait("a", "second");
  fs::copy_file(folder() / "commits", folder() / "commits-before");
  const auto whole = fs::file_size(newest(".log"));
  publish_and_wait("a", "third");
  const auto with_third = fs::file_size(newest(".log"));
  ASSERT_GT(with_third, whole);
  close();
  for (auto size = whole; size < with_third; size += 7) {
    crash();
    fs::resize_file(newest(".log"), size);
    fs::rename(folder() / "commits-before", folder() / "commits");
    open();
    EXPECT_EQ(payloads("a"), "first second") << size << " bytes of " << with_third;
    const auto next = publish_and_wait("a", "another");
    EXPECT_EQ(next.position->offset, Offset{3});
    close();
    step_back();
  }
}

TEST_F(DiskRestart, DamageBeforeTheTailRefusesToStartAndSaysWhatToDo) {
  open();
  for (int i = 0; i < 20; ++i)
    publish_and_wait("a", std::string(200, 'x'));
  crash();
  flip_byte(newest(".log"), fs::file_size(newest(".log")) / 2);
  const auto opened = try_open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::storage_unavailable);
  EXPECT_NE(opened.error().message.find(folder().string()), std::string::npos);
  EXPECT_NE(opened.error().message.find("Restore a backup"), std::string::npos);
}

TEST_F(DiskRestart, DamageThatLooksLikeATornTailIsKnownByWhatIsMissing) {
  open();
  for (int i = 0; i < 20; ++i)
    publish_and_wait("a", std::string(200, 'x'));
  close();
  const auto size = fs::file_size(newest(".log"));
  for (auto at = std::uintmax_t{0}; at < size; at += 97) {
    crash();
    flip_byte(newest(".log"), at);
    EXPECT_FALSE(try_open()) << "byte " << at << " of " << size;
    step_back();
  }
  crash();
  fs::resize_file(newest(".log"), size / 2);
  EXPECT_NE(try_open().error().message.find("acknowledged publications are missing"),
            std::string::npos);
}

class DiskDamagedTable : public DiskRestart {
 protected:
  /// What was in the write-ahead log is in a table file after the next start.
  void damage_a_table() {
    open();
    for (int i = 0; i < 20; ++i)
      publish_and_wait("a", std::string(200, 'x'));
    close();
    open();
    close();
    crash();
    flip_byte(newest(".sst"), 100);
  }
};

TEST_F(DiskDamagedTable, IsFoundWhenStarting) {
  damage_a_table();
  const auto opened = try_open();
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("is damaged"), std::string::npos);
}

TEST_F(DiskDamagedTable, IsToldToReadersAndOffReadinessWhenItWasNotVerified) {
  damage_a_table();
  ASSERT_TRUE(try_open(false));
  EXPECT_EQ(payloads("a"), "?");
  EXPECT_NE(commits->trouble(), "");
  EXPECT_TRUE(said->said("the store is damaged"));
}

TEST_F(DiskRestart, ASecondProcessIsRefused) {
  open();
  const auto second = disk::Database::open({.folder = database_folder()});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("used by another process"), std::string::npos);
}

TEST_F(DiskRestart, AnotherFormatAndAFolderThatIsNotOursAreRefusedUntouched) {
  open();
  close();
  std::ofstream(folder() / "peal-store") << "peal store, format 2\n";
  EXPECT_NE(try_open().error().message.find("format 2"), std::string::npos);
  std::ofstream(folder() / "peal-store") << "";
  EXPECT_NE(try_open().error().message.find("damaged"), std::string::npos);
  fs::remove(folder() / "peal-store");
  EXPECT_NE(try_open().error().message.find("not a store of Peal's"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder() / "peal-store"));
}

TEST_F(DiskRestart, TwentyThousandChannelsAreOpenInSecondsAndLoadedOneByOne) {
  constexpr int kChannels = 20'000;
  open();
  for (int i = 0; i < kChannels; ++i)
    publish("channel-" + std::to_string(i), "x");
  ASSERT_TRUE(until([&] { return outcomes.size() == kChannels; }));
  crash();
  const auto began = std::chrono::steady_clock::now();
  open();
  const std::chrono::duration<double> opened = std::chrono::steady_clock::now() - began;
  EXPECT_EQ(store->stats().logs, kChannels);
  EXPECT_EQ(store->stats().bytes, 0U) << "nothing was loaded";
  EXPECT_EQ(payloads("channel-12345"), "x");
  EXPECT_LT(opened.count(), 20.0);
  RecordProperty("seconds", std::to_string(opened.count()));
  std::cout << kChannels << " channels opened in " << opened.count() << " s\n";
}

TEST_F(DiskRestart, ALogThatIsPutOutOfMemoryIsReadAgain) {
  limits.log_bytes_max = 2000;
  open();
  for (int i = 0; i < 30; ++i) {
    const std::string channel = "channel-" + std::to_string(i % 10);
    ASSERT_EQ(publish_and_wait(channel, std::to_string(i)).status, Status::ok);
  }
  EXPECT_LE(store->stats().bytes, 2000U);
  EXPECT_EQ(payloads("channel-3"), "3 13 23");
  EXPECT_EQ(publish_and_wait("channel-3", "33").position->offset, Offset{4});
}

TEST_F(DiskRestart, ANameThatWasOnlyAskedForIsForgottenAfterADay) {
  open();
  EXPECT_EQ(payloads("asked for"), "");
  publish_and_wait("a", "x");
  now += std::chrono::hours(23);
  turn_and_tick();
  EXPECT_TRUE(head_of("asked for"));
  now += std::chrono::hours(2);
  EXPECT_TRUE(until([&] {
    turn_and_tick();
    return !head_of("asked for") && store->stats().logs == 1;
  }));
  EXPECT_EQ(payloads("a"), "x");
}

TEST_F(DiskRestart, OptionsThatChangedHoldFromTheNextStartOn) {
  open();
  for (int i = 1; i <= 6; ++i)
    publish_and_wait("a", std::to_string(i));
  close();
  options.history_length_max = 3;
  open();
  EXPECT_EQ(publish_and_wait("a", "7").status, Status::ok);
  EXPECT_EQ(payloads("a"), "5 6 7");
  crash();
  open();
  EXPECT_EQ(payloads("a"), "5 6 7");
}

}  // namespace
}  // namespace peal::broker::test
