#pragma once
// What the verbs share that ask the whole cluster: whom and how long, and how it is told who has
// answered. When not all have, that is a failure of its own (Exit::partly), after what was found.

#include <chrono>
#include <string>

#include "control_target.hpp"
#include "json_text.hpp"
#include "output.hpp"

namespace peal::cli {

struct ClusterOptions {
  ControlOptions control;
  std::chrono::milliseconds within{1000};
  bool here = false;
};
void describe(Arguments& arguments, ClusterOptions& options);

/// Adds what is common to a command's payload.
void add(JsonBuilder& payload, const ClusterOptions& options);
/// Time for the answer: that of the question, and a moment.
std::chrono::milliseconds patience(const ClusterOptions& options);
/// "3 of 3 gateways answered" on standard error of a person; a failure when some have not.
Outcome<void> tell_answered(Console& console, const JsonObject& result);

}  // namespace peal::cli
