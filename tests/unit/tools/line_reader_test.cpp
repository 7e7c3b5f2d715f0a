#include "line_reader.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <vector>

namespace peal::cli {
namespace {

using Lines = std::vector<std::string>;

class LinesOfAPipe : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::pipe(ends_), 0); }
  void TearDown() override {
    ::close(ends_[0]);
    end();
  }
  void write(std::string_view text) {
    ASSERT_EQ(::write(ends_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void end() {
    if (ends_[1] >= 0) {
      ::close(ends_[1]);
      ends_[1] = -1;
    }
  }
  static Lines lines_of(LineReader& reader) {
    Lines lines;
    for (std::string line; reader.take(line);) {
      lines.push_back(line);
    }
    return lines;
  }
  int ends_[2] = {-1, -1};
};

TEST_F(LinesOfAPipe, are_given_out_when_their_newline_is_there) {
  LineReader reader(ends_[0]);
  EXPECT_TRUE(reader.fill());  // nothing to read: does not wait
  write("one\ntw");
  EXPECT_TRUE(reader.fill());
  EXPECT_EQ(lines_of(reader), Lines{"one"});
  write("o\r\n\nthree");
  EXPECT_TRUE(reader.fill());
  EXPECT_EQ(lines_of(reader), (Lines{"two", ""}));
  end();
  EXPECT_FALSE(reader.fill());
  EXPECT_TRUE(reader.has_line());
  EXPECT_EQ(lines_of(reader), Lines{"three"});
  EXPECT_FALSE(reader.has_line());
}

TEST_F(LinesOfAPipe, that_are_too_long_are_skipped_and_counted) {
  LineReader reader(ends_[0]);
  const std::string chunk(32 * 1024, 'x');
  for (std::size_t written = 0; written <= LineReader::kLineBytesMax; written += chunk.size()) {
    write(chunk);
    ASSERT_TRUE(reader.fill());
  }
  EXPECT_EQ(reader.too_long(), 1u);
  write("tail of it\nnext\n");
  EXPECT_TRUE(reader.fill());
  EXPECT_EQ(lines_of(reader), Lines{"next"});
}

TEST_F(LinesOfAPipe, are_read_all_at_once_too) {
  write("a\nb");
  end();
  auto all = read_all(ends_[0]);
  ASSERT_TRUE(all);
  EXPECT_EQ(*all, "a\nb");
}

}  // namespace
}  // namespace peal::cli
