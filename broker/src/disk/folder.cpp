#include "disk/folder.hpp"

#include <sys/statvfs.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "disk/rows.hpp"

namespace peal::disk {
namespace {

constexpr std::string_view kMarker = "peal-store";
constexpr std::string_view kFirstWords = "peal store, format ";

Error unusable(const std::string& path, const std::string& why) {
  return fail(ErrorCode::storage_unavailable, "store.path " + path + " " + why);
}

Result<void> check_marker(const std::string& path, const std::filesystem::path& marker) {
  std::string line;
  std::getline(std::ifstream(marker), line);
  std::uint32_t format = 0;
  const bool ours = line.starts_with(kFirstWords);
  if (ours) {
    std::from_chars(line.data() + kFirstWords.size(), line.data() + line.size(), format);
  }
  if (format == kFormat) return {};
  if (format == 0) {
    return unusable(path, "has a " + std::string(kMarker) + " that is damaged: restore a backup");
  }
  return unusable(path, "is in format " + std::to_string(format) + ", this version knows " +
                            std::to_string(kFormat) +
                            ": start the version that made it, or move the folder away");
}

}  // namespace

Result<std::string> prepare_folder(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return unusable(path, "cannot be made: " + error.message());
  const fs::path marker = fs::path(path) / kMarker;
  // Renamed into place, so that there is never half of it.
  const fs::path draft = marker.string() + ".new";
  fs::remove(draft, error);
  const bool marked = fs::exists(marker, error);
  if (!error && !marked) {
    const bool empty = fs::is_empty(path, error);
    if (!error && !empty) return unusable(path, "is not empty and not a store of Peal's");
    std::ofstream file(draft);
    file << kFirstWords << kFormat << '\n';
    file.close();
    if (!file) return unusable(path, "cannot be written");
    if (!error) fs::rename(draft, marker, error);
  }
  if (error) return unusable(path, "cannot be used: " + error.message());
  if (auto good = check_marker(path, marker); !good) return good.error();
  return (fs::path(path) / "db").string();
}

std::string default_path(const std::string& name) {
  const char* state = std::getenv("XDG_STATE_HOME");
  const bool given = state != nullptr && *state != '\0';
  return (given ? std::string(state) : std::string("/var/lib")) + "/peal/" + name;
}

std::uint64_t free_bytes(const std::string& path) {
  struct statvfs about {};
  if (statvfs(path.c_str(), &about) != 0) return 0;
  return std::uint64_t{about.f_bavail} * about.f_frsize;
}

}  // namespace peal::disk
