#pragma once
// Subscribers being gathered: opens connections, so many at a time, subscribes each to its channel,
// and knows when all are there. Owns the loop; what comes after that goes to the benchmark through
// the hooks.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/client/client_loop.hpp"
#include "bench/client/histogram.hpp"
#include "bench/plan.hpp"

namespace peal::cli {

class Crowd final : public bench::ClientEvents {
 public:
  struct Member {
    bench::ClientId id = 0;
    bool speaks_only = false;  ///< a publisher: no subscription
    bool ready = false;
    std::uint64_t began_ns = 0;
  };

  Crowd(const BenchPlan& plan, std::vector<bench::Target> targets);

  /// Opens `subscribers` members, then `publishers`. Fails when the gateway isn't there or refuses;
  /// counts single failures. Ends early on a signal.
  Outcome<void> gather(std::uint64_t subscribers, std::uint64_t publishers, Console& console);

  bench::ClientLoop& loop() { return loop_; }
  const std::vector<Member>& members() const { return members_; }
  const bench::Histogram& ready_times() const { return ready_times_; }
  std::uint64_t failures() const { return failures_; }
  const std::string& last_failure() const { return last_failure_; }
  std::uint64_t ready() const { return ready_; }

  /// Every text after its member was ready; and every end of one.
  std::function<void(std::size_t member, std::string_view text)> on_text_hook;
  std::function<void(std::size_t member, int code, std::string_view why)> on_closed_hook;

 private:
  void on_open(bench::ClientId id) override;
  void on_text(bench::ClientId id, std::string_view text) override;
  void on_closed(bench::ClientId id, int code, std::string_view why) override;
  void became_ready(Member& member);
  void open_more();
  void failed(std::string_view why);

  const BenchPlan& plan_;
  std::vector<bench::Target> targets_;
  bench::ClientLoop loop_;
  std::vector<Member>
      members_;  ///< index = ClientId: every connect succeeds in getting an id, or is a failure
  bench::Histogram ready_times_;
  std::uint64_t subscribers_ = 0;
  std::uint64_t wanted_ = 0;
  std::uint64_t begun_ = 0;
  std::uint64_t ready_ = 0;
  std::uint64_t failures_ = 0;
  std::string last_failure_;
};

}  // namespace peal::cli
