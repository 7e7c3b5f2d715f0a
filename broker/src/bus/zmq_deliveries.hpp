#pragma once
// From the bus thread to the ports: one open message per port and turn, filled with results, posted
// once. Bytes posted and not yet given back are bounded per port, so a shard that stands still
// holds up neither the link nor its siblings: above the bound an ephemeral publication is dropped
// and counted, a recoverable one becomes its channel's latest Head once there is room again. The
// bus thread's.

#include <deque>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bus/zmq_port.hpp"
#include "bus/zmq_probe.hpp"

namespace peal::bus {

class ZmqDeliveries {
 public:
  ZmqDeliveries(const std::vector<ZmqPort*>& ports, std::size_t bytes_max, ZmqBusProbe& probe)
      : bytes_max_(bytes_max), probe_(probe), lanes_(ports.size()) {
    for (std::size_t i = 0; i < ports.size(); ++i)
      lanes_[i].port = ports[i];
  }

  TurnResults& results(std::uint32_t port) { return open(port).results; }

  void deliver(std::uint32_t port, Alias alias, const Epoch& epoch,
               const PublicationView& publication) {
    Lane& lane = lanes_[port];
    if (has_room(lane)) [[likely]] {
      TurnResults& to = open(port).results;
      return to.deliver(alias, epoch, to.keep(publication));
    }
    if (publication.offset.value == 0) return probe_.dropped();
    probe_.replaced_by_head();
    HeadNotice notice;
    notice.alias = alias;
    notice.head = Head{epoch, publication.offset, {}};
    lane.behind.insert_or_assign(alias.index, notice);
  }

  /// Every port is told, after what it has been told so far.
  void say(const BusState& state) {
    for (std::uint32_t i = 0; i < lanes_.size(); ++i) {
      post(lanes_[i]);
      open(i).state = state;
    }
  }

  void post_all() {
    for (std::uint32_t i = 0; i < lanes_.size(); ++i) {
      Lane& lane = lanes_[i];
      while (!lane.behind.empty() && has_room(lane)) {
        open(i).results.head(lane.behind.begin()->second);
        lane.behind.erase(lane.behind.begin());
      }
      post(lane);
    }
  }

  /// A port has done with a message.
  void take_back(ResultMessage* message) {
    Lane& lane = lanes_[message->port];
    lane.outstanding -= message->bytes;
    lane.idle.push_back(message);
  }

  /// Whether some port lags so that its room is awaited.
  bool wants_room() const {
    for (const Lane& lane : lanes_) {
      if (!lane.behind.empty() || lane.outstanding >= bytes_max_) return true;
    }
    return false;
  }

 private:
  struct Lane {
    ZmqPort* port = nullptr;
    ResultMessage* open = nullptr;
    std::vector<ResultMessage*> idle;
    std::size_t outstanding = 0;                           ///< bytes posted and not given back
    std::unordered_map<std::uint32_t, HeadNotice> behind;  ///< by alias index
  };

  bool has_room(const Lane& lane) const {
    const std::size_t gathered = lane.open == nullptr ? 0 : lane.open->results.bytes();
    return lane.outstanding + gathered < bytes_max_;
  }

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
    return *lane.open;
  }

  void post(Lane& lane) {
    if (lane.open == nullptr) return;
    lane.open->bytes = lane.open->results.bytes();
    lane.outstanding += lane.open->bytes;
    lane.port->post(std::exchange(lane.open, nullptr));
  }

  const std::size_t bytes_max_;
  ZmqBusProbe& probe_;
  std::vector<Lane> lanes_;
  std::vector<std::unique_ptr<ResultMessage>> messages_;
};

}  // namespace peal::bus
