#include "output.hpp"

#include <gtest/gtest.h>

namespace peal::cli {
namespace {

TEST(Printable, keeps_control_bytes_from_a_terminal) {
  EXPECT_EQ(printable("a\x1b[31mb\n\x7f"), "a?[31mb??");
  EXPECT_EQ(printable("\xC2\x9B"
                      "x"),
            "?x");
  EXPECT_EQ(printable("\xC3\xA9 \xE2\x82\xAC"), "\xC3\xA9 \xE2\x82\xAC");
}

TEST(Human, numbers_are_readable) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(12345678), "12,345,678");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_duration(5.25), "5.2s");
  EXPECT_EQ(human_duration(3723), "1h 2m");
}

TEST(Cells, count_code_points) {
  EXPECT_EQ(cells("\xC3\xA9"
                  "a"),
            2u);
}

}  // namespace
}  // namespace peal::cli
