#include "peal/runtime/descriptors.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <limits>

namespace peal::runtime {
namespace {

constexpr rlim_t kForOperators = 128;

}  // namespace

std::size_t raise_descriptor_limit() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return 0;
  const rlim_t before = files.rlim_cur;
  files.rlim_cur = files.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : before;
}

int client_descriptor_end() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return std::numeric_limits<int>::max();
  const rlim_t kept = std::min(kForOperators, files.rlim_cur / 4);
  constexpr rlim_t most = std::numeric_limits<int>::max();
  return static_cast<int>(std::min(files.rlim_cur - kept, most));
}

}  // namespace peal::runtime
