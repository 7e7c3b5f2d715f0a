#pragma once
// A bus that the test plays: it writes down what the shard's port is asked for, and says what the
// test makes it say, on the shard's thread. Any thread.

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "peal/bus/bus_port.hpp"

namespace peal::test {

class FakeBus final : public bus::Bus {
 public:
  FakeBus();
  ~FakeBus() override;

  struct Watch {
    bus::Alias alias;
    std::string channel;
  };
  struct Publish {
    bus::RequestId id;
    std::string channel;
    std::string payload;
  };
  struct Read {
    bus::RequestId id;
    std::string channel;
    std::uint64_t after;
    bus::ReadRequest::Mode mode = bus::ReadRequest::Mode::forward;
    std::optional<Epoch> epoch{};
    std::size_t limit = 0;
  };

  struct Coming {
    bus::Alias alias;
    std::string session;
    std::string user;
    std::string data;
    bool leaves;
  };
  struct Who {
    bus::RequestId id;
    std::string channel;
    std::string after;
    std::size_t limit;
  };

  // What was asked so far.
  std::vector<Watch> watches() const;
  std::vector<bus::Alias> unwatches() const;
  std::vector<Publish> publishes() const;
  std::vector<Read> reads() const;
  std::vector<Coming> comings() const;  ///< enters and leaves
  std::vector<Who> whos() const;

  /// Runs on the shard's thread, inside its port's next turn.
  void say(std::function<void(bus::BusSink&)> words);
  /// Waits until all that was to be said has been said.
  void settle();
  void link(bool linked);
  void answer_watch(bus::Alias alias, std::optional<Head> head = std::nullopt,
                    std::optional<Error> error = std::nullopt);
  void answer_publish(bus::RequestId id, bus::Published::Status status = bus::Published::Status::ok,
                      std::optional<Error> error = std::nullopt);
  /// A page with the publications of these offsets, each with its offset as payload.
  void answer_read(const Read& read, const Head& head, const std::vector<std::uint64_t>& offsets,
                   std::uint64_t to);
  void refuse_read(const Read& read, ErrorCode code, const Head& head = {});
  void deliver(bus::Alias alias, const std::string& payload, const Epoch& epoch = {},
               std::uint64_t offset = 0);

  bus::BusPort& attach(bus::BusSink& sink, bus::Waker& waker) override;
  Result<void> start() override { return {}; }
  void stop() override {}
  bus::BusState state() const override { return {}; }
  void answer_with(bus::ClusterHandler) override {}
  void ask(const bus::ClusterQuery&, bus::ClusterDone done) override { done({}); }

 private:
  class Port;
  std::unique_ptr<Port> port_;  ///< one shard is enough for these tests
};

}  // namespace peal::test
