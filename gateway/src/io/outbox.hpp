#pragma once
// What a connection still has to send, and the Outlet through which a shard sends it.
// Within a turn frames are only gathered: a connection holds a list of pointers whose nodes are the
// Outlet's. At the end of the turn each dirty connection is flushed with one system call. Only when
// the kernel takes no more does a connection own a queue (Backlog), until that has drained. Bytes
// go out in the order of `append` and a frame once begun is always finished; after `seal` (a Close
// frame was the last) nothing is taken. Frames marked droppable may leave the backlog when it is
// full. One Outlet a shard; all of it belongs to the shard's thread.

#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/frame.hpp"
#include "io/transport.hpp"

namespace peal::gateway {

/// What a send came to.
enum class SendStatus : std::uint8_t {
  ok,            ///< will be sent with the turn
  backpressure,  ///< queued behind what the kernel does not take
  dropped,       ///< not taken: sealed, or the queue is full
};

struct Backlog {
  struct Piece {
    const Frame* frame;
    std::uint32_t queued_ms;
    bool droppable;
  };
  std::vector<Piece> pieces;
  std::size_t first = 0;         ///< pieces before it are sent
  std::uint32_t first_sent = 0;  ///< bytes of the first piece that are sent
  bool begun = false;            ///< the first piece is of a message whose beginning is sent

  ~Backlog();
  bool empty() const { return first == pieces.size(); }
  const Piece& front() const { return pieces[first]; }
  void pop();
  /// The first piece that may be forgotten: behind the message that has begun to leave.
  std::size_t forgettable() const;
};

class Outbox {
 public:
  Outbox() = default;
  /// Bytes that wait, in the turn's list and in the backlog.
  std::uint32_t bytes() const { return bytes_; }
  bool empty() const { return bytes_ == 0; }
  bool blocked() const { return backlog_ != nullptr; }
  bool sealed() const { return sealed_; }

 private:
  friend class Outlet;
  static constexpr std::uint32_t kNone = 0xffffffff;
  std::uint32_t head_ = kNone;
  std::uint32_t tail_ = kNone;
  std::uint32_t bytes_ = 0;
  std::uint32_t dirty_at_ = kNone;  ///< its place in the Outlet's line, counted since ever
  bool sealed_ = false;
  /// Sealed, or a frame had to be refused: what is behind the gap is refused as well, until what
  /// waits is dropped.
  bool refusing_ = false;
  std::unique_ptr<Backlog> backlog_;
};

/// The part of a connection that the Outlet works on.
struct Endpoint {
  int fd = -1;
  std::uint32_t index = 0;
  Outbox outbox;
  TlsStreamPtr tls;
  Transport transport() const { return {fd, tls.get()}; }
};

/// What the owner of the connections does about what happens while sending. It must not free
/// endpoints.
class OutletOwner {
 public:
  virtual ~OutletOwner() = default;
  virtual void on_blocked(Endpoint& endpoint) = 0;    ///< wait for writability, then flush()
  virtual void on_unblocked(Endpoint& endpoint) = 0;  ///< the backlog is empty again
  virtual void on_drained(Endpoint& endpoint) = 0;    ///< sealed, and all is sent
  virtual void on_send_failed(Endpoint& endpoint) = 0;
  virtual void on_overflow(Endpoint& endpoint) = 0;  ///< too slow: its queue is full, or too old
};

struct OutletCounts {
  std::uint64_t flushes = 0;   ///< system calls that sent
  std::uint64_t frames = 0;    ///< frames handed to the kernel
  std::uint64_t messages = 0;  ///< publications among them
  std::uint64_t bytes = 0;
  std::uint64_t blocked = 0;      ///< times the kernel took no more
  std::uint64_t dropped = 0;      ///< messages that left a full backlog, or never entered it
  std::uint64_t allocations = 0;  ///< backlogs made
};

class Outlet {
 public:
  Outlet(OutletOwner& owner, std::size_t queue_bytes_max)
      : owner_(owner), queue_bytes_max_(queue_bytes_max) {}
  ~Outlet();

  /// Takes over one reference of `frame`, whatever comes of it.
  SendStatus append(Endpoint& endpoint, const Frame* frame, bool droppable) {
    Outbox& box = endpoint.outbox;
    if (box.refusing_ || (box.bytes_ != 0 && box.bytes_ + frame->size() > queue_bytes_max_) ||
        box.backlog_) [[unlikely]]
      return append_slowly(endpoint, frame, droppable);
    push(endpoint, frame, droppable);
    return SendStatus::ok;
  }
  SendStatus append(Endpoint& endpoint, const FrameRef& frame) {
    frame->retain();
    return append(endpoint, frame.get(), false);
  }
  /// Takes one message that is several frames, all of them or none.
  SendStatus append(Endpoint& endpoint, std::span<const FrameRef> parts);
  /// Nothing is taken any more; on_drained comes when all is out.
  void seal(Endpoint& endpoint);
  /// Forgets what waits, except the rest of a message that has begun.
  void drop_unsent(Endpoint& endpoint);
  /// Sends what waits, now. Also to be called when a blocked endpoint may be written again.
  void flush(Endpoint& endpoint);
  /// Flushes at most `limit` dirty endpoints; true when there are more.
  bool flush_dirty(std::size_t limit);
  bool dirty() const { return next_dirty_ != dirty_.size(); }
  std::size_t dirty_count() const { return dirty_.size() - next_dirty_; }
  /// Forgets everything of an endpoint that goes away.
  void forget(Endpoint& endpoint);
  /// Drops droppable frames older than that; on_overflow when another one is. Blocked endpoints
  /// only.
  void expire(Endpoint& endpoint, std::uint32_t age_max_ms);

  /// Bytes gathered in lists, all endpoints together.
  std::size_t gathered_bytes() const { return gathered_bytes_; }
  void set_now(std::uint32_t now_ms) { now_ms_ = now_ms; }
  const OutletCounts& counts() const { return counts_; }
  std::size_t nodes_used() const { return nodes_.size() - free_count_; }

 private:
  struct Node {
    const Frame* frame;
    std::uint32_t next;
    bool droppable;
  };
  static constexpr std::size_t kPiecesMax = 64;
  static constexpr std::size_t kCopyBytes = 16 * 1024;

  SendStatus append_slowly(Endpoint& endpoint, const Frame* frame, bool droppable);
  bool make_room(Endpoint& endpoint, std::size_t bytes, bool droppable);
  void take(Endpoint& endpoint, const Frame* frame, bool droppable);
  void push(Endpoint& endpoint, const Frame* frame, bool droppable) {
    Outbox& box = endpoint.outbox;
    std::uint32_t index = free_;
    if (index == Outbox::kNone) [[unlikely]] {
      index = static_cast<std::uint32_t>(nodes_.size());
      nodes_.emplace_back();
    } else {
      free_ = nodes_[index].next;
      --free_count_;
    }
    nodes_[index] = {frame, Outbox::kNone, droppable};
    if (box.tail_ == Outbox::kNone)
      box.head_ = index;
    else
      nodes_[box.tail_].next = index;
    box.tail_ = index;
    box.bytes_ += frame->size();
    gathered_bytes_ += frame->size();
    if (box.dirty_at_ == Outbox::kNone) mark_dirty(endpoint);
  }
  void mark_dirty(Endpoint& endpoint) {
    endpoint.outbox.dirty_at_ = dirty_base_ + static_cast<std::uint32_t>(dirty_.size());
    dirty_.push_back(&endpoint);
  }
  void overflow(Endpoint& endpoint);
  void flush_list(Endpoint& endpoint);
  void flush_backlog(Endpoint& endpoint);
  IoResult write(Endpoint& endpoint, std::size_t pieces, std::size_t bytes);
  std::size_t gather_list(const Outbox& box, std::size_t& bytes);
  std::size_t gather_backlog(const Backlog& backlog, std::size_t& bytes);
  const Frame* pop_node(Outbox& box);
  void consume_backlog(Outbox& box, std::size_t bytes);
  void release_all(Outbox& box);
  void move_to_backlog(Endpoint& endpoint, std::size_t first_sent, bool begun);
  bool drop_droppable(Outbox& box, std::size_t bytes_max, std::uint32_t queued_before_ms);
  void sent(const Frame* frame);
  void drop(const Frame* frame);

  OutletOwner& owner_;
  std::size_t queue_bytes_max_;
  std::uint32_t now_ms_ = 0;
  std::size_t gathered_bytes_ = 0;
  std::vector<Node> nodes_;
  std::uint32_t free_ = Outbox::kNone;
  std::size_t free_count_ = 0;
  std::vector<Endpoint*> dirty_;  ///< in the order they became so; null: gone meanwhile
  std::size_t next_dirty_ = 0;
  std::uint32_t dirty_base_ = 0;  ///< the place of dirty_[0]
  // The pieces of the flush at hand, and the last ones that were copied together: endpoints with
  // the same subscriptions have the same pieces, and share the copy. Valid within one flush_dirty.
  std::array<iovec, kPiecesMax> pieces_;
  std::array<const void*, kPiecesMax> copied_pieces_;
  std::size_t copied_count_ = 0;
  std::size_t copied_bytes_ = 0;
  std::array<char, kCopyBytes> copy_;
  OutletCounts counts_;
};

}  // namespace peal::gateway
