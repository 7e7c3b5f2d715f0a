#include "disk/commit_guard.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace peal::disk {

Result<std::unique_ptr<CommitGuard>> CommitGuard::open(const std::string& path) {
  const int file = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0) {
    return fail(ErrorCode::storage_unavailable,
                path + " cannot be opened: " + std::strerror(errno));
  }
  std::array<std::uint64_t, 2> words{};
  const bool whole = pread(file, words.data(), sizeof words, 0) == sizeof words;
  const std::uint64_t count = whole && words[0] == ~words[1] ? words[0] : 0;
  return std::unique_ptr<CommitGuard>(new CommitGuard(file, count));
}

CommitGuard::~CommitGuard() {
  close(file_);
}

/// When it can't be written the count is only too low, which is allowed.
void CommitGuard::committed(std::uint64_t count) {
  count_ = count;
  const std::array<std::uint64_t, 2> words{count, ~count};
  [[maybe_unused]] const auto written = pwrite(file_, words.data(), sizeof words, 0);
}

}  // namespace peal::disk
