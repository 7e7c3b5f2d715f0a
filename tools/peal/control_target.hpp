#pragma once
// Which process a verb talks to: --control ENDPOINT, --node NAME, or the only one whose socket is
// in the runtime folder ($XDG_RUNTIME_DIR/peal, or /run/peal). Sockets that nobody answers on any
// more (their process was killed) are passed over.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "control_client.hpp"

namespace peal::cli {

struct ControlOptions {
  std::string control;     ///< an endpoint; empty: find it
  std::string node;        ///< NAME of NAME.control in the runtime folder
  std::string curve_key;   ///< file with this side's secret key
  std::string server_key;  ///< the other side's public key: Z85, or a file with it
  bool insecure = false;   ///< tcp:// to another machine without CURVE
  std::chrono::milliseconds timeout{5000};
};
void describe(Arguments& arguments, ControlOptions& options);
void describe_curve(Arguments& arguments, ControlOptions& options);

/// ENDPOINT as a person types it: a bare path is ipc://.
std::string endpoint_of(const std::string& text);
/// The brokers of one word: an endpoint, or "NAME=ENDPOINT,NAME=ENDPOINT".
std::vector<std::string> brokers_of(std::string_view list);
/// The keys of a link to `endpoint`, or to all of brokers_of(endpoint); refuses to go to another
/// machine without any, unless told to.
Outcome<runtime::CurveConfig> curve_keys(const ControlOptions& options,
                                         const std::string& endpoint);
/// The endpoint of the one process that has a ".control" or ".ingest" socket here.
Outcome<std::string> find_endpoint(const ControlOptions& options, std::string_view suffix);

/// Linked and ready for requests.
Outcome<std::unique_ptr<ControlClient>> open_control(const ControlOptions& options);
/// One command to the chosen process: its result as JSON.
Outcome<std::string> ask(const ControlOptions& options, std::string_view action,
                         std::string_view payload);

}  // namespace peal::cli
