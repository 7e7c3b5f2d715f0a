#pragma once
// What a shard counts. Its thread writes through past-tense events, a scrape reads from any thread;
// the shards' numbers are summed under one name.

#include <array>
#include <cstdint>

#include "io/outbox.hpp"
#include "peal/proto/close_code.hpp"
#include "peal/proto/error_code.hpp"
#include "peal/runtime/probe.hpp"
#include "session/protocol.hpp"

namespace peal::gateway {

enum class SlowReason : std::uint8_t { bytes, age };
/// Why what a request or connection says of its client's address is not believed.
enum class ForwardedIgnored : std::uint8_t { untrusted, other_header, broken };

class GatewayProbe final : public runtime::Probe {
 public:
  void collect(runtime::MetricSink& sink) const override;

  void accepted() { connections_total_.add(); }
  void accept_refused() { accepts_refused_.add(); }
  void handshake_failed() { handshakes_failed_.add(); }
  void forwarded_ignored(ForwardedIgnored why) {
    forwarded_ignored_[static_cast<std::size_t>(why)].add();
  }
  void connection_count_changed(std::size_t now) { connections_.set(now); }
  void session_count_changed(std::size_t now) { sessions_.set(now); }
  void session_opened() { sessions_total_.add(); }
  void subscription_count_changed(std::size_t now) { subscriptions_.set(now); }
  void channel_count_changed(std::size_t now) { channels_.set(now); }
  void command_taken(Action action) { commands_[static_cast<std::size_t>(action)].add(); }
  void failed(ErrorCode code) { errors_[static_cast<std::size_t>(code)].add(); }
  void closed(CloseCode code);
  void encoded(std::uint64_t publications) { encodes_.add(publications); }
  void delivered(std::uint64_t messages) { deliveries_.add(messages); }
  void too_slow(SlowReason reason) { slow_[static_cast<std::size_t>(reason)].add(); }
  void requested() { http_requests_.add(); }
  void turned() { turns_.add(); }
  void feed_repaired() { repairs_.add(); }
  void feed_reset() { resets_.add(); }
  void read_asked() { reads_.add(); }
  void read_shared() { reads_shared_.add(); }
  void recovery_count_changed(std::size_t now) { recoveries_.set(now); }
  void page_given() { pages_given_.add(); }
  void recovery_lost() { recoveries_lost_.add(); }
  void listener_count_changed(std::size_t now) { listeners_.set(now); }
  void presence_pushed(std::uint64_t pushes) { presence_pushes_.add(pushes); }
  void sent(const OutletCounts& counts);

  std::uint64_t reads() const { return reads_.value(); }
  std::uint64_t pages_given() const { return pages_given_.value(); }
  std::uint64_t encodes() const { return encodes_.value(); }
  std::uint64_t deliveries() const { return deliveries_.value(); }
  std::uint64_t flushes() const { return flushes_.value(); }
  std::uint64_t sessions() const { return sessions_.value(); }
  std::uint64_t connections() const { return connections_.value(); }
  std::uint64_t subscriptions() const { return subscriptions_.value(); }
  std::uint64_t channels() const { return channels_.value(); }
  std::uint64_t failures(ErrorCode code) const {
    return errors_[static_cast<std::size_t>(code)].value();
  }
  std::uint64_t slow(SlowReason reason) const {
    return slow_[static_cast<std::size_t>(reason)].value();
  }
  std::uint64_t dropped() const { return dropped_.value(); }
  std::uint64_t accepts_refused() const { return accepts_refused_.value(); }

 private:
  static constexpr std::size_t kActions = 8;
  using Counter = runtime::Counter;

  Counter connections_total_, connections_, accepts_refused_, handshakes_failed_, sessions_,
      sessions_total_;
  Counter subscriptions_, channels_, encodes_, deliveries_, http_requests_, turns_, repairs_,
      resets_, reads_, reads_shared_, recoveries_, pages_given_, recoveries_lost_;
  Counter listeners_, presence_pushes_;
  Counter flushes_, frames_, messages_sent_, bytes_sent_, blocked_, dropped_;
  std::array<Counter, kActions> commands_;
  std::array<Counter, 2> slow_;
  std::array<Counter, 3> forwarded_ignored_;
  std::array<Counter, 64> errors_;
  std::array<Counter, 32> closes_;
};

}  // namespace peal::gateway
