#include "load/scenarios.hpp"

namespace peal::bench {

std::vector<Scenario> scenarios(bool full) {
  std::vector<Scenario> all{
      {"counts", "encodes, system calls and allocations of a publication to 1,000 subscribers", counts},
      {"fanout", "1,000 subscribers of one channel, 128 bytes, server on one core", fanout},
  };
  if (!full) return all;
  all.insert(all.end(), {
      {"throttle", "the same, publishing as fast as it goes, and more than that", throttle},
  });
  return all;
}

}  // namespace peal::bench
