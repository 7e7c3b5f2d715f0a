#include "cluster_options.hpp"

#include <algorithm>

namespace peal::cli {
namespace {

constexpr std::chrono::milliseconds kMoment{3000};
/// So many of the missing are named.
constexpr std::size_t kNamed = 10;

}  // namespace

void describe(Arguments& arguments, ClusterOptions& options) {
  arguments.option("--within", "TIME", options.within,
                   "how long the gateways have to answer (default: 1s)");
  arguments.flag("--here", options.here, "only at the gateway that is asked, not at the others");
  describe(arguments, options.control);
}

void add(JsonBuilder& payload, const ClusterOptions& options) {
  payload.number("within_ms", static_cast<std::uint64_t>(options.within.count()));
  if (options.here) {
    payload.boolean("here", true);
  }
}

std::chrono::milliseconds patience(const ClusterOptions& options) {
  return std::max(options.control.timeout, options.within + kMoment);
}

Outcome<void> tell_answered(Console& console, const JsonObject& result) {
  const std::uint64_t asked = result.number("asked");
  const std::uint64_t answered = result.number("answered");
  std::string says = grouped(answered) + " of " + grouped(asked) +
                     (asked == 1 ? " gateway answered" : " gateways answered");
  if (answered == asked) {
    if (!console.json) {
      console.note(says);
    }
    return {};
  }
  std::size_t named = 0;
  for (const JsonObject& missing : result.objects("missing")) {
    if (named == kNamed) {
      break;
    }
    says += (named++ == 0 ? ": " : ", ") + printable(missing.text("node")) + " " +
            printable(missing.text("reason"));
  }
  if (named < asked - answered) {
    says += ", and " + grouped(asked - answered - named) + " more";
  }
  return Failure{Exit::partly, {}, std::move(says)};
}

}  // namespace peal::cli
