#pragma once
// Publishes what a source has, in order per channel and exactly once, however often the link or the
// broker goes meanwhile. Everything carries {source, sequence}; on a channel with a log each also
// names the one before (`previous`), so that many may be under way and none can overtake another.
// The first of a channel goes alone. After anything but `ok` the channel waits for what is under
// way and begins again at the first that is not done: what had been appended answers `duplicate`.
// On a channel without a log there is no such memory: what was unknown may come twice.
//   Lane (a channel): alone -> chained; failed: drains -> waits -> alone.
// Owned by the monitor's thread, like the port; never waits, and reads no clock.

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "peal/bus/bus_port.hpp"
#include "peal/monitor/ring.hpp"

namespace peal::monitor {

/// A ring on its way; `anew` counts on a channel with a log.
struct Outgoing : Ring {
  std::uint64_t ticket = 0;  ///< the owner's; told again in on_done
  Sequence sequence;
};

/// What became of one: it is there (then `error` is empty), or can never be.
struct Done {
  std::uint64_t ticket = 0;
  std::optional<Error> error;
  /// It was there at its first sending already, and as what: whoever used the sequence before was
  /// not this publisher.
  std::optional<Sequence> met;
};

class PublisherOut {
 public:
  virtual ~PublisherOut() = default;
  virtual void on_done(const Done& done) = 0;
  virtual void on_link(bool linked, const std::string& detail) = 0;
};

class Publisher final : public bus::BusSink {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Counts {
    std::uint64_t published = 0, duplicates = 0, retries = 0;
  };

  Publisher(std::string source, std::size_t under_way_bytes_max, PublisherOut& out);
  void attach(bus::BusPort& port) { port_ = &port; }

  /// From now on under another name; only while nothing is pending.
  void rename(std::string source);
  void publish(Outgoing outgoing);
  std::size_t pending() const { return pending_; }
  std::size_t pending_bytes() const { return pending_bytes_; }
  bool linked() const { return linked_; }
  const Counts& counts() const { return counts_; }
  /// Sends what may be sent; then the port's turn is due.
  void send(Time now);
  /// When to `send` again at the latest although nothing came; null: no such time.
  std::optional<Time> next() const;

  void on_batch(std::span<const bus::Delivery>) override {}
  void on_heads(std::span<const bus::HeadNotice>) override {}
  void on_published(std::span<const bus::Published> outcomes) override;
  void on_page(const bus::Page&) override {}
  void on_presence(const bus::PresenceAnswer&) override {}
  void on_presence_events(std::span<const bus::PresenceEvent>) override {}
  void on_state(const bus::BusState& state) override;

 private:
  struct Item {
    Outgoing outgoing;
    bus::RequestId id = 0;  ///< 0: not under way
    bool sent_before = false;
    bool done = false;
  };
  struct Lane {
    std::deque<Item> items;
    std::size_t next = 0;  ///< the first that was not sent in this attempt
    std::size_t under_way = 0;
    std::optional<Sequence> last;  ///< what the log remembers of the source; null: go alone
    bool log = true;               ///< until the channel says that it keeps none
    bool busy = false;             ///< it stands in busy_
    bool failed = false;
    bool wait = false;  ///< it failed by something that takes its time
    std::chrono::milliseconds pause{0};
    Time not_before{};
  };

  void send(const std::string& channel, Lane& lane, Time now);
  void send(const std::string& channel, Lane& lane, Item& item);
  void settle(Lane& lane, Item& item, const bus::Published& outcome);
  void finish(Item& item, std::optional<Error> error, std::optional<Sequence> met);
  void begin_again(Lane& lane, Time now);
  void forget_idle_lanes();

  std::string source_;
  const std::size_t under_way_bytes_max_;
  PublisherOut& out_;
  bus::BusPort* port_ = nullptr;
  using Lanes = std::unordered_map<std::string, Lane>;
  Lanes lanes_;
  std::vector<Lanes::value_type*> busy_;  ///< those with something to do
  /// Requests under way: where their answer belongs.
  std::unordered_map<bus::RequestId, std::string> channels_;
  bus::RequestId requests_ = 0;
  std::size_t under_way_bytes_ = 0;
  std::size_t pending_ = 0;
  std::size_t pending_bytes_ = 0;
  bool linked_ = false;
  Counts counts_;
};

}  // namespace peal::monitor
