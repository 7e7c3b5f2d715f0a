#include "io/loop.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace peal::gateway {
namespace {

std::uint64_t pack(Watched watched) {
  return (std::uint64_t{watched.generation} << 32) | watched.index;
}

}  // namespace

Loop::Loop() {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (epoll_ < 0 || event_ < 0 || !add(event_, {kWaker, 0}, EPOLLIN)) {
    const int error = errno;
    if (epoll_ >= 0) ::close(epoll_);
    if (event_ >= 0) ::close(event_);
    throw std::system_error(error, std::generic_category(), "can't make an epoll set");
  }
}

Loop::~Loop() {
  ::close(event_);
  ::close(epoll_);
}

bool Loop::add(int fd, Watched watched, std::uint32_t events) {
  epoll_event event{.events = events, .data = {.u64 = pack(watched)}};
  return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void Loop::modify(int fd, Watched watched, std::uint32_t events) {
  epoll_event event{.events = events, .data = {.u64 = pack(watched)}};
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
}

void Loop::remove(int fd) {
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
}

std::span<const LoopEvent> Loop::wait(std::chrono::microseconds timeout) {
  int expected = awake;
  if (timeout.count() > 0 && !state_.compare_exchange_strong(expected, sleeping)) timeout = {};
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
  const timespec time{.tv_sec = seconds.count(), .tv_nsec = (timeout - seconds).count() * 1000};
  int count = ::epoll_pwait2(epoll_, raw_.data(), kEventsPerTurn, &time, nullptr);
  if (count < 0 && errno == ENOSYS) [[unlikely]] {
    // A kernel before 5.11, or valgrind: whole milliseconds, rounded up.
    const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(timeout);
    count = ::epoll_wait(epoll_, raw_.data(), kEventsPerTurn, static_cast<int>(rounded.count()));
  }
  // Reads what the waker wrote, so that what it left before waking is seen by this turn.
  state_.exchange(awake, std::memory_order_acq_rel);
  std::size_t used = 0;
  for (int i = 0; i < count; ++i) {
    const auto packed = raw_[static_cast<std::size_t>(i)].data.u64;
    const Watched watched{static_cast<std::uint32_t>(packed),
                          static_cast<std::uint32_t>(packed >> 32)};
    if (watched.index == kWaker) {
      std::uint64_t value = 0;
      [[maybe_unused]] const ssize_t n = ::read(event_, &value, sizeof value);
      continue;
    }
    events_[used++] = {watched, raw_[static_cast<std::size_t>(i)].events};
  }
  return {events_.data(), used};
}

void Loop::wake() noexcept {
  if (state_.exchange(woken) != sleeping) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(event_, &one, sizeof one);
}

}  // namespace peal::gateway
