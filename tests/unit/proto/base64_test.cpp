#include "peal/proto/base64.hpp"

#include <gtest/gtest.h>

namespace peal {
namespace {

TEST(Base64, SaysAnyBytesAndReadsThemBack) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    std::string text;
    append_base64(text, bytes);
    EXPECT_EQ(text.size(), (bytes.size() + 2) / 3 * 4);
    EXPECT_EQ(decode_base64(text), bytes);
    bytes += static_cast<char>(i * 7);
  }
}

TEST(Base64, ReadsTheOneWayThereIs) {
  EXPECT_EQ(decode_base64("Zm9vYmE="), "fooba");
  EXPECT_EQ(decode_base64(""), "");
  for (const char* wrong : {"Zg", "Zg=", "Zg=a", "Zh==", "Z===", "====", "Zm9 ", "Zm9v\n"}) {
    EXPECT_FALSE(decode_base64(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace peal
