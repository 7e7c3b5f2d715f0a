#include "ready_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace peal::runtime {
namespace {

Error cannot_write(const std::string& path, int error) {
  return fail(ErrorCode::config_invalid,
              "ready_file: cannot write " + path + ": " + std::generic_category().message(error));
}

std::string aside_of(const std::string& path) {
  return path + "." + std::to_string(getpid());
}

}  // namespace

Result<void> ReadyFile::prepare() {
  if (path_.empty()) return {};
  const std::string aside = aside_of(path_);
  const int fd = open(aside.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return cannot_write(path_, errno);
  close(fd);
  unlink(aside.c_str());
  unlink(path_.c_str());
  return {};
}

Result<void> ReadyFile::write(std::string_view json) {
  if (path_.empty()) return {};
  const std::string aside = aside_of(path_);
  const int fd = open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return cannot_write(path_, errno);
  const auto written = ::write(fd, json.data(), json.size());
  const int error = errno;
  close(fd);
  if (written != static_cast<ssize_t>(json.size())) {
    unlink(aside.c_str());
    return cannot_write(path_, written < 0 ? error : ENOSPC);
  }
  if (rename(aside.c_str(), path_.c_str()) != 0) {
    const int reason = errno;
    unlink(aside.c_str());
    return cannot_write(path_, reason);
  }
  written_ = true;
  return {};
}

void ReadyFile::remove() {
  if (written_) unlink(path_.c_str());
  written_ = false;
}

}  // namespace peal::runtime
