// A store's folder that was copied, or had older files put over it: nobody is to hear a position
// twice.
#include <fstream>

#include "disk_fixture.hpp"
#include "peal/broker/disk_storage.hpp"
#include "temp_folder.hpp"

namespace peal::broker::test {
namespace {

namespace fs = std::filesystem;

class DiskPlace : public DiskTest {
 protected:
  /// As a process does that opens the folder and is killed.
  void start() {
    const StoreConfig config{.driver = "disk", .path = folder().string()};
    const auto opened = DiskStorage::open(config, limits, runtime::Logger(said), probes);
    ASSERT_TRUE(opened) << opened.error().message;
  }
  /// The head of channel "a" after another start.
  Head head_after_start() {
    start();
    open();
    const Head head = head_of("a").value();
    close();
    return head;
  }
  /// A store in its place, where channel "a" has "1 2 3".
  Head make() {
    open();
    for (int i = 1; i <= 3; ++i)
      publish_and_wait("a", std::to_string(i), "source", static_cast<std::uint64_t>(i));
    publish_and_wait("b", "x");
    close();
    return head_after_start();
  }
  void expect_later(const Head& head, const Head& before) {
    EXPECT_GT(head.epoch, before.epoch);
    EXPECT_EQ(head.top, before.top);
    EXPECT_EQ(head.floor, before.floor);
  }
};

TEST_F(DiskPlace, AStoreThatStaysWhereItIsKeepsItsEpochs) {
  const Head made = make();
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(head_after_start(), made);
}

TEST_F(DiskPlace, ACopyGoesOnInALaterEpochWithAllThatItHas) {
  const Head made = make();
  open();
  const Head other = head_of("b").value();
  crash();
  const Head copied = head_after_start();
  expect_later(copied, made);
  EXPECT_TRUE(said->said("not where it was written"));
  open();
  expect_later(head_of("b").value(), other);
  EXPECT_EQ(payloads("a"), "1 2 3");
  EXPECT_TRUE(publish_and_wait("a", "again", "source", 3).duplicate);
  EXPECT_EQ(publish_and_wait("a", "4").position, (Position{copied.epoch, {4}}));
  close();
  EXPECT_EQ(head_after_start().epoch, copied.epoch) << "once";
}

TEST_F(DiskPlace, TwoCopiesOfOneBackupGoOnInDifferentEpochs) {
  make();
  crash();
  const Head first = head_after_start();
  step_back();
  crash();
  expect_later(head_after_start(), first);
}

TEST_F(DiskPlace, OlderFilesPutOverNewerOnesAreACopy) {
  const Head made = make();
  const peal::test::TempFolder backup;
  fs::copy(folder(), backup.path(), fs::copy_options::recursive);
  EXPECT_EQ(head_after_start(), made);
  const auto over = fs::copy_options::overwrite_existing;
  fs::remove_all(database_folder());
  fs::copy(backup.path(), folder(), over | fs::copy_options::recursive);
  expect_later(head_after_start(), made);
}

TEST_F(DiskPlace, AStoreThatCannotSayWhereItWasIsACopy) {
  const Head made = make();
  fs::remove(folder() / "place");
  const Head again = head_after_start();
  expect_later(again, made);
  std::ofstream(folder() / "place") << "inode 1, born 2.3\n";
  expect_later(head_after_start(), again);
}

TEST_F(DiskPlace, APlaceThatCannotBeWrittenIsRefused) {
  make();
  fs::create_directories(folder() / "place.new" / "in the way");
  const StoreConfig config{.driver = "disk", .path = folder().string()};
  const auto opened = DiskStorage::open(config, limits, runtime::Logger(said), probes);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("place cannot be written"), std::string::npos);
}

}  // namespace
}  // namespace peal::broker::test
