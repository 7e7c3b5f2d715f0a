#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "peal/runtime/control.hpp"

namespace peal::runtime {

std::string runtime_folder() {
  const char* const xdg = std::getenv("XDG_RUNTIME_DIR");
  std::string folder;
  if (xdg && *xdg == '/') {
    folder = std::string(xdg) + "/peal";
  } else if (geteuid() == 0) {
    folder = "/run/peal";
  } else {
    folder = "/tmp/peal-" + std::to_string(geteuid());
  }
  mkdir(folder.c_str(), 0700);
  return folder;
}

Result<void> check_runtime_folder(const std::string& folder) {
  struct stat status {};
  const auto refuse = [&](const std::string& why) {
    return fail(ErrorCode::config_invalid,
                "the folder for control sockets, " + folder + ", " + why);
  };
  if (lstat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return refuse("does not exist and cannot be made");
  }
  if (status.st_uid != geteuid()) return refuse("belongs to another user");
  if ((status.st_mode & 0022) != 0) return refuse("can be written by others");
  return {};
}

}  // namespace peal::runtime
