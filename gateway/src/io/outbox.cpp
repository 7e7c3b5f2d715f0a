#include "io/outbox.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace peal::gateway {

Backlog::~Backlog() {
  for (std::size_t i = first; i < pieces.size(); ++i)
    pieces[i].frame->release();
}

void Backlog::pop() {
  first_sent = 0;
  begun = pieces[first].frame->continued();
  if (++first < 64 || first * 2 < pieces.size()) return;
  pieces.erase(pieces.begin(), pieces.begin() + static_cast<std::ptrdiff_t>(first));
  first = 0;
}

std::size_t Backlog::forgettable() const {
  std::size_t piece = first;
  if (!begun && first_sent == 0) return piece;
  while (piece < pieces.size() && pieces[piece++].frame->continued()) {
  }
  return piece;
}

Outlet::~Outlet() {
  for (std::size_t i = next_dirty_; i < dirty_.size(); ++i)
    if (dirty_[i] != nullptr) release_all(dirty_[i]->outbox);
}

SendStatus Outlet::append_slowly(Endpoint& endpoint, const Frame* frame, bool droppable) {
  Outbox& box = endpoint.outbox;
  if (!box.refusing_ && !make_room(endpoint, frame->size(), droppable)) {
    drop(frame);
    return SendStatus::dropped;
  }
  if (box.refusing_ || endpoint.fd < 0) {
    if (box.sealed_)
      frame->release();
    else
      drop(frame);
    return SendStatus::dropped;
  }
  take(endpoint, frame, droppable);
  return box.backlog_ ? SendStatus::backpressure : SendStatus::ok;
}

SendStatus Outlet::append(Endpoint& endpoint, std::span<const FrameRef> parts) {
  Outbox& box = endpoint.outbox;
  std::size_t bytes = 0;
  std::uint32_t messages = 0;
  for (const FrameRef& part : parts) {
    bytes += part->size();
    messages += part->messages();
  }
  if (!box.refusing_ && make_room(endpoint, bytes, false) && !box.refusing_ && endpoint.fd >= 0) {
    for (const FrameRef& part : parts) {
      part->retain();
      take(endpoint, part.get(), false);
    }
    return box.backlog_ ? SendStatus::backpressure : SendStatus::ok;
  }
  if (!box.sealed_) counts_.dropped += messages;
  return SendStatus::dropped;
}

bool Outlet::make_room(Endpoint& endpoint, std::size_t bytes, bool droppable) {
  Outbox& box = endpoint.outbox;
  if (box.bytes_ == 0 || box.bytes_ + bytes <= queue_bytes_max_) return true;
  // A turn may gather more than the limit for a client that reads well: only what the kernel
  // refuses counts.
  if (!box.backlog_) flush(endpoint);
  const std::size_t room = queue_bytes_max_ - std::min<std::size_t>(queue_bytes_max_, bytes);
  if (box.backlog_ && box.bytes_ > room && !drop_droppable(box, room, 0) && !droppable)
    overflow(endpoint);
  return !box.backlog_ || box.bytes_ <= room;
}

void Outlet::take(Endpoint& endpoint, const Frame* frame, bool droppable) {
  Outbox& box = endpoint.outbox;
  if (!box.backlog_) return push(endpoint, frame, droppable);
  box.backlog_->pieces.push_back({frame, now_ms_, droppable});
  box.bytes_ += frame->size();
}

void Outlet::seal(Endpoint& endpoint) {
  if (endpoint.outbox.sealed_) return;
  endpoint.outbox.sealed_ = endpoint.outbox.refusing_ = true;
  if (endpoint.outbox.dirty_at_ == Outbox::kNone && !endpoint.outbox.backlog_) mark_dirty(endpoint);
}

bool Outlet::flush_dirty(std::size_t limit) {
  copied_count_ = 0;
  for (; limit > 0 && next_dirty_ < dirty_.size(); --limit) {
    Endpoint* endpoint = dirty_[next_dirty_++];
    if (next_dirty_ < dirty_.size()) __builtin_prefetch(dirty_[next_dirty_]);
    if (endpoint != nullptr) flush(*endpoint);
  }
  if (next_dirty_ == dirty_.size() || next_dirty_ >= 8192) {
    dirty_.erase(dirty_.begin(), dirty_.begin() + static_cast<std::ptrdiff_t>(next_dirty_));
    dirty_base_ += static_cast<std::uint32_t>(next_dirty_);
    next_dirty_ = 0;
  }
  return dirty();
}

void Outlet::flush(Endpoint& endpoint) {
  Outbox& box = endpoint.outbox;
  if (endpoint.fd < 0) return;
  if (box.dirty_at_ != Outbox::kNone) {
    const std::uint32_t at = box.dirty_at_ - dirty_base_;
    if (at >= next_dirty_ && at < dirty_.size()) dirty_[at] = nullptr;
    box.dirty_at_ = Outbox::kNone;
  }
  if (box.backlog_)
    flush_backlog(endpoint);
  else if (box.head_ != Outbox::kNone)
    flush_list(endpoint);
  if (endpoint.fd >= 0 && box.sealed_ && box.bytes_ == 0 && !box.backlog_)
    owner_.on_drained(endpoint);
}

void Outlet::flush_list(Endpoint& endpoint) {
  Outbox& box = endpoint.outbox;
  bool begun = false;  // the message of the first one in the list
  while (box.head_ != Outbox::kNone) {
    std::size_t bytes = 0;
    const std::size_t count = gather_list(box, bytes);
    const IoResult result = write(endpoint, count, bytes);
    if (result.status == IoResult::Status::failed || result.status == IoResult::Status::closed) {
      release_all(box);
      owner_.on_send_failed(endpoint);
      return;
    }
    if (result.bytes == bytes && result.status == IoResult::Status::ok) [[likely]] {
      for (std::size_t i = 0; i < count; ++i) {
        const Frame* frame = pop_node(box);
        begun = frame->continued();
        sent(frame);
      }
      continue;
    }
    ++counts_.blocked;
    std::size_t left = result.bytes;
    while (box.head_ != Outbox::kNone && left >= nodes_[box.head_].frame->size()) {
      const Frame* frame = pop_node(box);
      left -= frame->size();
      begun = frame->continued();
      sent(frame);
    }
    move_to_backlog(endpoint, left, begun);
    return;
  }
  box.bytes_ = 0;
}

void Outlet::flush_backlog(Endpoint& endpoint) {
  Outbox& box = endpoint.outbox;
  Backlog& backlog = *box.backlog_;
  do {
    std::size_t bytes = 0;
    const std::size_t count = gather_backlog(backlog, bytes);
    const IoResult result = write(endpoint, count, bytes);
    if (result.status == IoResult::Status::failed || result.status == IoResult::Status::closed) {
      release_all(box);
      owner_.on_send_failed(endpoint);
      return;
    }
    consume_backlog(box, result.bytes);
    if (result.status == IoResult::Status::again || result.bytes < bytes) return;
  } while (!backlog.empty());
  box.backlog_.reset();
  box.bytes_ = 0;
  owner_.on_unblocked(endpoint);
}

void Outlet::consume_backlog(Outbox& box, std::size_t bytes) {
  Backlog& backlog = *box.backlog_;
  box.bytes_ -= static_cast<std::uint32_t>(bytes);
  while (!backlog.empty()) {
    const Frame* frame = backlog.front().frame;
    const std::size_t rest = frame->size() - backlog.first_sent;
    if (bytes < rest) {
      backlog.first_sent += static_cast<std::uint32_t>(bytes);
      return;
    }
    bytes -= rest;
    backlog.pop();
    sent(frame);
  }
}

IoResult Outlet::write(Endpoint& endpoint, std::size_t count, std::size_t bytes) {
  ++counts_.flushes;
  if (count < 2 || bytes > kCopyBytes || bytes > count * 1024) {
    const IoResult result = endpoint.transport().write({pieces_.data(), count});
    counts_.bytes += result.bytes;
    return result;
  }
  bool same = count == copied_count_ && bytes == copied_bytes_;
  for (std::size_t i = 0; same && i < count; ++i)
    same = pieces_[i].iov_base == copied_pieces_[i];
  if (!same) {
    char* to = copy_.data();
    for (std::size_t i = 0; i < count; ++i) {
      std::memcpy(to, pieces_[i].iov_base, pieces_[i].iov_len);
      to += pieces_[i].iov_len;
      copied_pieces_[i] = pieces_[i].iov_base;
    }
    copied_count_ = count;
    copied_bytes_ = bytes;
  }
  const iovec whole{copy_.data(), bytes};
  const IoResult result = endpoint.transport().write({&whole, 1});
  counts_.bytes += result.bytes;
  return result;
}

std::size_t Outlet::gather_list(const Outbox& box, std::size_t& bytes) {
  std::size_t count = 0;
  for (std::uint32_t at = box.head_; at != Outbox::kNone && count < kPiecesMax;
       at = nodes_[at].next) {
    const Frame* frame = nodes_[at].frame;
    pieces_[count++] = {const_cast<char*>(frame->data()), frame->size()};
    bytes += frame->size();
  }
  return count;
}

std::size_t Outlet::gather_backlog(const Backlog& backlog, std::size_t& bytes) {
  std::size_t count = 0;
  std::size_t skip = backlog.first_sent;
  for (std::size_t i = backlog.first; i < backlog.pieces.size() && count < kPiecesMax; ++i) {
    const Frame* frame = backlog.pieces[i].frame;
    pieces_[count++] = {const_cast<char*>(frame->data()) + skip, frame->size() - skip};
    bytes += frame->size() - skip;
    skip = 0;
  }
  // A copy that begins inside a frame must not be taken for the copy of the whole.
  copied_count_ = 0;
  return count;
}

const Frame* Outlet::pop_node(Outbox& box) {
  const std::uint32_t index = box.head_;
  Node& node = nodes_[index];
  box.head_ = node.next;
  if (box.head_ == Outbox::kNone) box.tail_ = Outbox::kNone;
  box.bytes_ -= node.frame->size();
  gathered_bytes_ -= node.frame->size();
  node.next = free_;
  free_ = index;
  ++free_count_;
  return node.frame;
}

void Outlet::move_to_backlog(Endpoint& endpoint, std::size_t first_sent, bool begun) {
  Outbox& box = endpoint.outbox;
  box.backlog_ = std::make_unique<Backlog>();
  ++counts_.allocations;
  Backlog& backlog = *box.backlog_;
  const std::uint32_t bytes = box.bytes_;
  while (box.head_ != Outbox::kNone) {
    const bool droppable = nodes_[box.head_].droppable;
    backlog.pieces.push_back({pop_node(box), now_ms_, droppable});
  }
  backlog.first_sent = static_cast<std::uint32_t>(first_sent);
  backlog.begun = begun;
  box.bytes_ = bytes - backlog.first_sent;
  owner_.on_blocked(endpoint);
}

bool Outlet::drop_droppable(Outbox& box, std::size_t bytes_max, std::uint32_t queued_before_ms) {
  Backlog& backlog = *box.backlog_;
  const std::size_t begin = backlog.forgettable();
  std::size_t keep = begin;
  for (std::size_t i = begin; i < backlog.pieces.size(); ++i) {
    const Backlog::Piece piece = backlog.pieces[i];
    const bool old = static_cast<std::int32_t>(queued_before_ms - piece.queued_ms) > 0;
    if (piece.droppable && (box.bytes_ > bytes_max || (queued_before_ms != 0 && old))) {
      box.bytes_ -= piece.frame->size();
      drop(piece.frame);
    } else {
      backlog.pieces[keep++] = piece;
    }
  }
  backlog.pieces.resize(keep);
  return box.bytes_ <= bytes_max;
}

void Outlet::expire(Endpoint& endpoint, std::uint32_t age_max_ms) {
  Outbox& box = endpoint.outbox;
  if (!box.backlog_ || box.sealed_) return;
  const std::uint32_t oldest_allowed = std::max<std::uint32_t>(now_ms_ - age_max_ms, 1);
  drop_droppable(box, 0xffffffff, oldest_allowed);
  for (std::size_t i = box.backlog_->first; i < box.backlog_->pieces.size(); ++i) {
    const Backlog::Piece& piece = box.backlog_->pieces[i];
    if (piece.droppable) continue;
    if (static_cast<std::int32_t>(oldest_allowed - piece.queued_ms) > 0) overflow(endpoint);
    return;
  }
}

void Outlet::overflow(Endpoint& endpoint) {
  endpoint.outbox.refusing_ = true;
  owner_.on_overflow(endpoint);
}

void Outlet::drop_unsent(Endpoint& endpoint) {
  Outbox& box = endpoint.outbox;
  while (box.head_ != Outbox::kNone)
    drop(pop_node(box));
  box.refusing_ = box.sealed_;
  if (!box.backlog_) return;
  Backlog& backlog = *box.backlog_;
  const std::size_t keep = backlog.forgettable();
  for (std::size_t i = keep; i < backlog.pieces.size(); ++i) {
    box.bytes_ -= backlog.pieces[i].frame->size();
    drop(backlog.pieces[i].frame);
  }
  backlog.pieces.resize(std::min(keep, backlog.pieces.size()));
}

void Outlet::forget(Endpoint& endpoint) {
  Outbox& box = endpoint.outbox;
  if (box.dirty_at_ != Outbox::kNone) {
    const std::uint32_t at = box.dirty_at_ - dirty_base_;
    if (at < dirty_.size()) dirty_[at] = nullptr;
    box.dirty_at_ = Outbox::kNone;
  }
  release_all(box);
  box.sealed_ = box.refusing_ = true;
}

void Outlet::release_all(Outbox& box) {
  while (box.head_ != Outbox::kNone)
    pop_node(box)->release();
  box.backlog_.reset();
  box.bytes_ = 0;
}

void Outlet::sent(const Frame* frame) {
  ++counts_.frames;
  counts_.messages += frame->messages();
  frame->release();
}

void Outlet::drop(const Frame* frame) {
  counts_.dropped += frame->messages();
  frame->release();
}

}  // namespace peal::gateway
