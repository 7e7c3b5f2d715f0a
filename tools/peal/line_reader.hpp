#pragma once
// Lines from a descriptor as they come, without end: reads what is there, never more, so that a
// line is given out the moment its newline has arrived. A line above 16 MiB is skipped and counted.
// The last line needs no newline.

#include <cstdint>
#include <string>

#include "outcome.hpp"

namespace peal::cli {

class LineReader {
 public:
  static constexpr std::size_t kLineBytesMax = 16 << 20;
  explicit LineReader(int fd) : fd_(fd) {}

  /// Reads once, when something is readable now. False: the end.
  bool fill();
  bool has_line() const;
  bool take(std::string& line);
  std::uint64_t too_long() const { return too_long_; }

 private:
  int fd_;
  std::string buffer_;
  std::size_t start_ = 0;    ///< of the first line in the buffer
  std::size_t scanned_ = 0;  ///< up to here there is no newline
  bool skipping_ = false;
  bool ended_ = false;
  std::uint64_t too_long_ = 0;
};

Outcome<std::string> read_all(int fd);

}  // namespace peal::cli
