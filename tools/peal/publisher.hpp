#pragma once
// One way to hand publications over: the control socket, the ingest socket, HTTP or the bus. `send`
// gives one away, `wait` lets answers come in; each answer comes once, through the OnResult given
// at the start. A lost link fails `send` and `wait` as unreachable, after every unanswered
// publication got its result (publish_outcome_unknown); `connect` may then be called again. One
// thread.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "control_target.hpp"
#include "outcome.hpp"

namespace peal::cli {

/// A publication as the command line has it; raw JSON where it says so.
struct PublishText {
  std::string channel;
  std::string message;  ///< JSON; empty with `remove` or when `whole` is set
  std::string key;
  bool remove = false;
  std::string expect;  ///< "epoch-offset"
  std::string source, sequence, previous;
  std::string idempotency_key;
  std::string whole;  ///< a whole payload of the publish action, as JSON: instead of all above

  /// The payload of the publish action.
  std::string payload_json() const;
};

/// What became of one: a result (JSON), or the error's code and why.
struct PublishOutcome {
  std::string result;
  std::string code;
  std::string message;
  bool done() const { return code.empty(); }
};

class Publisher {
 public:
  using OnResult = std::function<void(std::uint64_t id, const PublishOutcome&)>;
  virtual ~Publisher() = default;
  virtual Outcome<void> connect(std::chrono::milliseconds timeout) = 0;
  virtual Outcome<void> send(std::uint64_t id, const PublishText& text) = 0;
  /// Until something comes, `fd` is readable (-1: none), a signal, or the time has passed.
  virtual Outcome<void> wait(int fd, std::chrono::milliseconds timeout) = 0;
  /// Everything was sent and answered: lets the last bytes leave.
  virtual void finish(std::chrono::milliseconds) {}
  /// How many may be unanswered at a time.
  virtual std::size_t window() const { return 1000; }
};

std::unique_ptr<Publisher> make_control_publisher(std::string endpoint, runtime::CurveConfig curve,
                                                  Publisher::OnResult on_result);
/// Fire and forget: a result means that the socket has taken it.
std::unique_ptr<Publisher> make_ingest_publisher(std::string endpoint, runtime::CurveConfig curve,
                                                 Publisher::OnResult on_result);
struct HttpOptions {
  std::string url;  ///< of the gateway: http://HOST:PORT
  std::string key;  ///< bearer key
  std::string ca;   ///< PEM file with the authority to trust, for https
};
Outcome<std::unique_ptr<Publisher>> make_http_publisher(HttpOptions options,
                                                        Publisher::OnResult on_result);
std::unique_ptr<Publisher> make_bus_publisher(std::string endpoint, runtime::CurveConfig curve,
                                              Publisher::OnResult on_result);

}  // namespace peal::cli
