#pragma once
// Encoded bytes as they go to the wire: whole WebSocket (or SSE) frames, made once, then shared by
// every connection and shard that sends them. A frame may hold several messages of one channel back
// to back; it is the unit that is queued, dropped and counted. A large message whose middle many
// share is several frames, all but the last `continued`: they are queued and dropped together.
// Immutable after it was made; freed by the last holder, on whichever thread that is.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace peal::gateway {

class Frame {
 public:
  std::string_view bytes() const { return {data(), size_}; }
  const char* data() const { return reinterpret_cast<const char*>(this + 1); }
  std::uint32_t size() const { return size_; }
  /// How many messages are inside: what metrics count as deliveries.
  std::uint32_t messages() const { return messages_; }
  /// The frame behind it is of the same message.
  bool continued() const { return continued_; }

  void retain(std::uint32_t n = 1) const { references_.fetch_add(n, std::memory_order_relaxed); }
  void release() const {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
  }

 private:
  friend class FrameRef;
  Frame(std::uint32_t size, std::uint32_t messages, bool continued)
      : size_(size), messages_(messages), continued_(continued) {}
  void destroy() const {
    this->~Frame();
    ::operator delete(const_cast<Frame*>(this));
  }

  mutable std::atomic<std::uint32_t> references_{1};
  std::uint32_t size_;
  std::uint32_t messages_;
  bool continued_;
};

class FrameRef {
 public:
  FrameRef() = default;
  /// Copies `bytes` into a new frame.
  static FrameRef make(std::string_view bytes, std::uint32_t messages, bool continued = false) {
    void* memory = ::operator new(sizeof(Frame) + bytes.size());
    auto* frame = new (memory) Frame(static_cast<std::uint32_t>(bytes.size()), messages, continued);
    std::memcpy(static_cast<char*>(memory) + sizeof(Frame), bytes.data(), bytes.size());
    return FrameRef(frame);
  }
  /// Takes over one reference.
  static FrameRef adopt(const Frame* frame) { return FrameRef(frame); }

  FrameRef(const FrameRef& other) : frame_(other.frame_) {
    if (frame_ != nullptr) frame_->retain();
  }
  FrameRef(FrameRef&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  FrameRef& operator=(FrameRef other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~FrameRef() {
    if (frame_ != nullptr) frame_->release();
  }

  const Frame* get() const { return frame_; }
  const Frame* operator->() const { return frame_; }
  const Frame& operator*() const { return *frame_; }
  explicit operator bool() const { return frame_ != nullptr; }

 private:
  explicit FrameRef(const Frame* frame) : frame_(frame) {}
  const Frame* frame_ = nullptr;
};

}  // namespace peal::gateway
