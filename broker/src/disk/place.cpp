#include "disk/place.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <optional>

namespace peal::disk {
namespace {

std::string path_of(const std::string& folder) {
  return folder + "/place";
}

/// What the file of this descriptor has to say. Where births aren't told, the inode must do.
std::optional<std::string> place_of(int file) {
  struct statx about {};
  if (statx(file, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &about) != 0) return std::nullopt;
  std::array<char, 32> nanoseconds{};
  std::snprintf(nanoseconds.data(), nanoseconds.size(), "%09u", about.stx_btime.tv_nsec);
  return "inode " + std::to_string(about.stx_ino) + ", born " +
         std::to_string(about.stx_btime.tv_sec) + '.' + nanoseconds.data() + '\n';
}

/// Whole and on the disk.
bool write(int file, const std::string& text) {
  return ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
         fsync(file) == 0;
}

}  // namespace

bool in_place(const std::string& folder) {
  const int file = ::open(path_of(folder).c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  std::array<char, 128> text{};
  const ssize_t size = ::read(file, text.data(), text.size());
  const auto place = place_of(file);
  ::close(file);
  return size > 0 && place && *place == std::string_view(text.data(), static_cast<size_t>(size));
}

Result<void> take_place(const std::string& folder) {
  const std::string path = path_of(folder);
  const std::string draft = path + ".new";
  ::unlink(draft.c_str());
  const int file = ::open(draft.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  const auto place = file < 0 ? std::nullopt : place_of(file);
  const bool written =
      place && write(file, *place) && std::rename(draft.c_str(), path.c_str()) == 0;
  const int why = errno;
  if (file >= 0) ::close(file);
  if (written) return {};
  return fail(ErrorCode::storage_unavailable, path + " cannot be written: " + std::strerror(why));
}

}  // namespace peal::disk
