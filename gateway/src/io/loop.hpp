#pragma once
// A shard's epoll set: level-triggered, entries are {index, generation} so that what was announced
// for a closed connection is never taken for the one that has its index (or its fd) now. An eventfd
// wakes it; `wake` is any thread's and costs a system call only when the shard sleeps. Everything
// else is the shard thread's.

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <span>

#include "peal/bus/bus_port.hpp"

namespace peal::gateway {

/// What an epoll entry names.
struct Watched {
  std::uint32_t index;
  std::uint32_t generation;
  static constexpr std::uint32_t kListener = 0xffffffff;
};

struct LoopEvent {
  Watched watched;
  std::uint32_t events;  ///< EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR
};

class Loop final : public bus::Waker {
 public:
  static constexpr std::size_t kEventsPerTurn = 256;

  Loop();  ///< throws std::system_error when the kernel has no descriptors left
  ~Loop() override;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// False when the kernel refuses (no memory, too many watches).
  bool add(int fd, Watched watched, std::uint32_t events);
  void modify(int fd, Watched watched, std::uint32_t events);
  void remove(int fd);

  /// Waits at most `timeout` (zero: only looks). A wake ends it at once. Valid until the next call.
  std::span<const LoopEvent> wait(std::chrono::microseconds timeout);
  void wake() noexcept override;  ///< any thread

 private:
  enum State : int { awake, sleeping, woken };
  static constexpr std::uint32_t kWaker = 0xfffffffe;

  int epoll_ = -1;
  int event_ = -1;
  std::atomic<int> state_{awake};
  std::array<epoll_event, kEventsPerTurn> raw_;
  std::array<LoopEvent, kEventsPerTurn> events_;
};

}  // namespace peal::gateway
