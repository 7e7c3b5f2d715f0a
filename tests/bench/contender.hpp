#pragma once
// What every contender does alike: prints "port N" once it accepts, then answers each line "stat"
// on standard input with one line of numbers about itself ("trim": after giving memory back), and
// ends with its input.
//   cpu_us user_us system_us rss_bytes allocations <more, of its own>

#include <sys/resource.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

namespace peal::bench {

inline std::uint64_t microseconds(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(time.tv_usec);
}

inline std::uint64_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  unsigned long total = 0, resident = 0;
  if (file != nullptr && std::fscanf(file, "%lu %lu", &total, &resident) != 2) resident = 0;
  if (file != nullptr) std::fclose(file);
  return resident * 4096;
}

/// Serves standard input until it ends. `more` appends further numbers.
inline void answer_questions(unsigned port, const std::function<std::uint64_t()>& allocations,
                             const std::function<std::string(std::string_view)>& more) {
  std::printf("port %u\n", port);
  std::fflush(stdout);
  char line[64];
  while (std::fgets(line, sizeof line, stdin) != nullptr) {
    const std::string own = more(line);
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const std::uint64_t user = microseconds(usage.ru_utime), system = microseconds(usage.ru_stime);
    std::printf("%llu %llu %llu %llu %llu %s\n", static_cast<unsigned long long>(user + system),
                static_cast<unsigned long long>(user), static_cast<unsigned long long>(system),
                static_cast<unsigned long long>(resident_bytes()),
                static_cast<unsigned long long>(allocations()), own.c_str());
    std::fflush(stdout);
  }
}

}  // namespace peal::bench
