#pragma once
// Judges a run that has healed: what clients heard against what publishers were told (the system
// tests' checker, tests/system/swarm/continuity.hpp), both against what the logs have really taken,
// and who is there against who is said to be.

#include <string>

#include "peal/proto/position.hpp"

namespace peal::simulation {

class Run;

class Judge {
 public:
  explicit Judge(Run& run) : run_(run) {}
  void judge();

  /// Where the channel's log stands at who serves it.
  static Position current(Run& run, const std::string& channel);

 private:
  void judge_continuity();
  void judge_attempts();
  void judge_truth();
  void judge_silence();
  void judge_told();
  void judge_servers();
  void judge_presence();

  Run& run_;
};

}  // namespace peal::simulation
