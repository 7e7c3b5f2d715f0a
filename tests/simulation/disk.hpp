#pragma once
// A disk and the store on it, as far as crashes can tell them from the product's (DiskLogStore):
// appends are gathered, committed some milliseconds later all together, then told, then
// acknowledged. A crash loses what was gathered and nothing else. The rules are Log's, and what is
// on the disk is what Log told its journal.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "machine.hpp"
#include "saved_log.hpp"
#include "truth.hpp"

namespace peal::simulation {

/// A broker's disk: outlives its processes.
struct Disk {
  explicit Disk(const Limits& its_limits) : limits(its_limits) {}
  struct File {
    broker::ChannelOptions options;
    std::unique_ptr<broker::test::SavedLog> log;
  };
  const Limits limits;  ///< logs on it outlive the broker whose limits they are
  std::map<std::string, File, std::less<>> files{};
};

/// Mistakes that a disk store could make.
struct DiskMistakes {
  bool acknowledges_before_commit = false;
};

/// Made in the life of a broker on `machine`; `strand_due` asks for a turn after some time.
broker::MakeLogStore make_disk_store(Disk& disk, Machine& machine, Truth& truth,
                                     std::function<void(Duration)> turn_due, DiskMistakes mistakes);

}  // namespace peal::simulation
