#include "journal.hpp"

#include <charconv>
#include <stdexcept>

namespace peal::swarm {

Journal::Journal(const std::string& path) : file_(std::fopen(path.c_str(), "w")) {
  if (file_ == nullptr) {
    throw std::runtime_error("cannot write " + path);
  }
}

Journal::~Journal() {
  flush();
  std::fclose(file_);
}

void Journal::append(std::uint64_t number) {
  char digits[24];
  digits[0] = ' ';
  const auto end = std::to_chars(digits + 1, digits + sizeof digits, number).ptr;
  buffer_.append(digits, end);
}

void Journal::append(const char* word) {
  buffer_ += ' ';
  buffer_ += word;
}

void Journal::flush() {
  if (std::fwrite(buffer_.data(), 1, buffer_.size(), file_) != buffer_.size() ||
      std::fflush(file_) != 0) {
    throw std::runtime_error("cannot write the journal");
  }
  buffer_.clear();
}

}  // namespace peal::swarm
