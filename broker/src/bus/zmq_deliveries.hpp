#pragma once
// From the bus thread to the ports: one open message per port and turn, filled with results, posted once.
// It also knows which arrived messages of the link all ports have done with: only those are consumed, so
// the link's credit reaches from the broker's queue into the shards'. The bus thread's.

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "bus/zmq_port.hpp"

namespace peal::bus {

class ZmqDeliveries {
 public:
  explicit ZmqDeliveries(std::vector<ZmqPort*> ports) : lanes_(ports.size()) {
    for (std::size_t i = 0; i < ports.size(); ++i) lanes_[i].port = ports[i];
  }

  TurnResults& results(std::uint32_t port) { return open(port).results; }

  /// Every port is told, after what it has been told so far.
  void say(const BusState& state) {
    for (std::uint32_t i = 0; i < lanes_.size(); ++i) {
      post(lanes_[i]);
      open(i).state = state;
    }
  }

  void post_all() {
    for (Lane& lane : lanes_) post(lane);
  }

  /// The next message of the link weighs this.
  void arrived(const wire::PerClass<std::uint32_t>& bytes) {
    ++arrivals_;
    waiting_.push_back(bytes);
    for (const auto value : bytes.values) waiting_bytes_ += value;
  }
  /// A port has done with a message.
  void take_back(ResultMessage* message) {
    Lane& lane = lanes_[message->port];
    lane.outstanding.pop_front();
    lane.idle.push_back(message);
  }
  /// Calls `each` with the weights of all messages that are done.
  template <class Each>
  void consume(Each&& each) {
    std::uint64_t done = arrivals_;
    for (const Lane& lane : lanes_) {
      if (!lane.outstanding.empty()) done = std::min(done, lane.outstanding.front() - 1);
      if (lane.open != nullptr) done = std::min(done, lane.open->first_arrival - 1);
    }
    while (!waiting_.empty() && arrivals_ - waiting_.size() < done) {
      for (const auto value : waiting_.front().values) waiting_bytes_ -= value;
      each(waiting_.front());
      waiting_.pop_front();
    }
  }
  /// Another link: what came on the old one no longer counts.
  void forget() {
    waiting_.clear();
    waiting_bytes_ = 0;
  }
  std::size_t waiting_bytes() const { return waiting_bytes_; }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Lane {
    ZmqPort* port = nullptr;
    ResultMessage* open = nullptr;
    std::vector<ResultMessage*> idle;
    std::deque<std::uint64_t> outstanding;  ///< first arrivals of what the port has
  };

  ResultMessage& open(std::uint32_t index) {
    Lane& lane = lanes_[index];
    if (lane.open != nullptr) return *lane.open;
    if (lane.idle.empty()) {
      messages_.push_back(std::make_unique<ResultMessage>());
      messages_.back()->port = index;
      lane.idle.push_back(messages_.back().get());
    }
    lane.open = lane.idle.back();
    lane.idle.pop_back();
    // Without an arrival it holds up nothing.
    lane.open->first_arrival = waiting_.empty() ? arrivals_ + 1 : arrivals_;
    return *lane.open;
  }

  void post(Lane& lane) {
    if (lane.open == nullptr) return;
    lane.outstanding.push_back(lane.open->first_arrival);
    lane.port->post(std::exchange(lane.open, nullptr));
  }

  std::vector<Lane> lanes_;
  std::vector<std::unique_ptr<ResultMessage>> messages_;
  std::deque<wire::PerClass<std::uint32_t>> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t arrivals_ = 0;
};

}  // namespace peal::bus
