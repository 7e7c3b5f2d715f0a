#pragma once
// The named workloads. Each prints its figures with the bar beside them; those that assert (counts,
// not times) return false when they fail.

#include <string>
#include <vector>

#include "load/contender_process.hpp"

namespace peal::bench {

struct Options {
  std::string bin;
  bool full = false;
  std::string certificate, key;
};

struct Scenario {
  const char* name;
  const char* about;
  bool (*run)(const Options& options);
};

/// Those of a short run, or all of them.
std::vector<Scenario> scenarios(bool full);

bool counts(const Options& options);
bool fanout(const Options& options);
bool streams(const Options& options);
bool recoveries(const Options& options);
bool throttle(const Options& options);
bool channels(const Options& options);
bool idle(const Options& options);
bool idle_tls(const Options& options);
bool connects(const Options& options);
bool cycles(const Options& options);
bool stopped_reader(const Options& options);

}  // namespace peal::bench
