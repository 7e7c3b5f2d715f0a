#include "process_probe.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "peal/runtime/version.hpp"

namespace peal::runtime {
namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double size = 0;
  double resident = 0;
  statm >> size >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double open_files() {
  std::error_code error;
  double count = -1;  // the listing's own descriptor
  for (std::filesystem::directory_iterator at("/proc/self/fd", error), end; !error && at != end;
       at.increment(error)) {
    count += 1;
  }
  return count < 0 ? 0 : count;
}

}  // namespace

void ProcessProbe::collect(MetricSink& sink) const {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  sink.counter("process_cpu_seconds_total", "CPU time spent, user and system",
               seconds(usage.ru_utime) + seconds(usage.ru_stime));
  sink.gauge("process_resident_memory_bytes", "Resident memory", resident_bytes());
  sink.gauge("process_open_fds", "Open file descriptors", open_files());
  sink.gauge("process_max_fds", "Limit of open file descriptors",
             static_cast<double>(files.rlim_cur));
  sink.gauge("peal_build_info", "Always 1; the label tells the version", 1,
             {{"version", version()}});
}

}  // namespace peal::runtime
