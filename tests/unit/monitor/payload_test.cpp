#include "mapping/payload.hpp"

#include <gtest/gtest.h>

namespace peal::monitor {
namespace {

Change note_of(std::size_t bytes) {
  Change change;
  change.schema = "public";
  change.table = "no\"tes";
  change.new_row.emplace(std::vector{Column{"text", '"' + std::string(bytes, 'x') + '"'}});
  return change;
}

TEST(PayloadTest, IsLeftAsItIsUpToTheLimit) {
  const Change change = note_of(10);
  Ring ring;
  ring.payload = change_json(change, Event::insert);
  const std::string whole = ring.payload;
  EXPECT_FALSE(cut_to_size(ring, change, 2048));
  EXPECT_EQ(ring.payload, whole);
}

TEST(PayloadTest, NamesTheRowThatIsTooLarge) {
  const Change change = note_of(2048);
  Ring ring;
  ring.key = "1\n";
  ring.payload = change_json(change, Event::insert);
  EXPECT_TRUE(cut_to_size(ring, change, 2048));
  EXPECT_EQ(
      ring.payload,
      R"({"event":"insert","schema":"public","table":"no\"tes","key":"1\n","too_large":true})");
}

}  // namespace
}  // namespace peal::monitor
