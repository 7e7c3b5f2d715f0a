#include "peal/monitor/ring.hpp"

#include <gtest/gtest.h>

namespace peal::monitor {
namespace {

std::string parse_error(const RingTemplate::Texts& texts) {
  const auto made = RingTemplate::parse(texts);
  return made ? "" : made.error().message;
}

Result<std::string> reset_channel(std::string_view channel, const std::string& reset) {
  return RingTemplate::parse({channel, "", ""})->reset_channel(reset, "news");
}

TEST(RingTemplateTest, SaysWhichTextIsWrong) {
  EXPECT_EQ(parse_error({"", "", ""}), "channel is missing");
  EXPECT_TRUE(parse_error({"a{", "", ""}).starts_with("channel: "));
  EXPECT_TRUE(parse_error({"a", "{", ""}).starts_with("key: "));
  EXPECT_TRUE(parse_error({"a", "", "{"}).starts_with("payload: "));
}

TEST(RingTemplateTest, TellsOfGapsWhereAllOfItRingsOrWhereItIsTold) {
  EXPECT_EQ(reset_channel("fixed", "").value(), "fixed");
  EXPECT_EQ(reset_channel("of:{table}", "").value(), "of:news");
  EXPECT_EQ(reset_channel("user:{name}", "all").value(), "all");
  EXPECT_FALSE(reset_channel("user:{name}", ""));
  EXPECT_FALSE(reset_channel("fixed", std::string("a\nb")));
}

}  // namespace
}  // namespace peal::monitor
