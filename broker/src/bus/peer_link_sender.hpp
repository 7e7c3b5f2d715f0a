#pragma once
// The outgoing half of one link session: what is written gathers in one open batch, keeps its
// order, and leaves when the link may send. Pure; both sides use it. A batch is closed at
// batch_bytes_max or by flush(); without message credit batches wait here (bounded by the credit in
// bytes) and the open one goes on filling. Link numbers are given when a message leaves, so what is
// dropped before has none.

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "peal/bus/peer_link.hpp"

namespace peal::bus {

/// Where messages go: a socket, or in tests the other side.
class MessageSink {
 public:
  enum class Sent : std::uint8_t { ok, full, gone };
  virtual ~MessageSink() = default;
  /// Takes the message unless `full`.
  virtual Sent send(wire::Message& message) = 0;
};

class LinkSender {
 public:
  LinkSender(PeerLink& link, MessageSink& out, std::size_t batch_bytes_max);

  /// The batch to write one operation of the class to, charged with `bytes`.
  wire::Writer& write(wire::LinkClass c, std::size_t bytes);
  /// The open batch itself, for what must stay beside the operation written last.
  wire::Writer& append(wire::LinkClass c, std::size_t bytes);
  /// Grows when a batch is closed: what was written under an older number is in another message.
  std::uint64_t batch() const { return batch_; }
  /// The owner's number of what it writes now; `marker_sent` is the highest one that has left.
  void mark(std::uint64_t number) { marker_ = number; }
  std::uint64_t marker_sent() const { return marker_sent_; }

  void hello(LinkTime now);
  /// Tells the other side why the link has ended. Best effort.
  void refuse(const Error& why, LinkTime now);
  /// Sends what may leave now.
  void flush(LinkTime now);
  bool gone() const { return gone_; }
  /// ZeroMQ's queue was full: flush again soon.
  bool stuck() const { return stuck_.has_value(); }
  bool idle() const { return sealed_.empty() && open_.empty() && !stuck_; }

 private:
  struct Sealed {
    wire::Writer writer;
    wire::PerClass<std::uint32_t> bytes;
    std::uint64_t marker;
  };

  void seal();
  void pump(LinkTime now);
  void send(wire::Message message);

  PeerLink& link_;
  MessageSink& out_;
  const std::size_t batch_bytes_max_;
  wire::Writer open_;
  wire::PerClass<std::uint32_t> open_bytes_;
  std::deque<Sealed> sealed_;
  std::vector<wire::Writer> spare_;
  std::optional<wire::Message> stuck_;
  std::uint64_t batch_ = 1;
  std::uint64_t marker_ = 0;
  std::uint64_t marker_sent_ = 0;
  bool gone_ = false;
  LinkTime now_{};
};

}  // namespace peal::bus
