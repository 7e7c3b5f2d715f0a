#include "line_reader.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <poll.h>
#include <unistd.h>

namespace peal::cli {

namespace {
constexpr std::size_t kChunk = 64 * 1024;
}

bool LineReader::fill() {
  pollfd ready{fd_, POLLIN, 0};
  if (ended_ || ::poll(&ready, 1, 0) <= 0) {
    return !ended_;
  }
  buffer_.erase(0, start_);
  scanned_ -= std::min(scanned_, start_);
  start_ = 0;
  const std::size_t old_size = buffer_.size();
  buffer_.resize(old_size + kChunk);
  const ssize_t n = ::read(fd_, buffer_.data() + old_size, kChunk);
  buffer_.resize(old_size + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
    ended_ = true;
  }
  if (skipping_) {
    const auto newline = buffer_.find('\n');
    skipping_ = newline == std::string::npos;
    buffer_.erase(0, skipping_ ? std::string::npos : newline + 1);
    scanned_ = 0;
  } else if (!has_line() && buffer_.size() > kLineBytesMax) {
    ++too_long_;
    skipping_ = true;
    buffer_.clear();
    scanned_ = 0;
  }
  return !ended_;
}

bool LineReader::has_line() const {
  return buffer_.find('\n', std::max(start_, scanned_)) != std::string::npos ||
         (ended_ && start_ < buffer_.size() && !skipping_);
}

bool LineReader::take(std::string& line) {
  const auto newline = buffer_.find('\n', std::max(start_, scanned_));
  if (newline == std::string::npos) {
    scanned_ = buffer_.size();
    if (!ended_ || start_ >= buffer_.size() || skipping_) {
      return false;
    }
    line = buffer_.substr(start_);
    start_ = buffer_.size();
  } else {
    line = buffer_.substr(start_, newline - start_);
    start_ = newline + 1;
    scanned_ = start_;
  }
  if (!line.empty() && line.back() == '\r') {
    line.pop_back();
  }
  return true;
}

Outcome<std::string> read_all(int fd) {
  std::string all;
  char chunk[kChunk];
  for (;;) {
    const ssize_t n = ::read(fd, chunk, sizeof chunk);
    if (n == 0) {
      return all;
    }
    if (n < 0 && errno != EINTR) {
      return usage(std::string("cannot read standard input: ") + std::strerror(errno));
    }
    if (n > 0) {
      all.append(chunk, static_cast<std::size_t>(n));
    }
    if (all.size() > LineReader::kLineBytesMax) {
      return Failure{Exit::refused, "message_too_large", "the message is above 16 MiB"};
    }
  }
}

}  // namespace peal::cli
