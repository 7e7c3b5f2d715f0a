#include "signals.hpp"

#include <csignal>
#include <cstdint>

#include <sys/eventfd.h>
#include <unistd.h>

namespace peal::cli {
namespace {

// A handler may touch only what is lock-free and global.
volatile std::sig_atomic_t signals_seen = 0;
int event_fd = -1;

void on_signal(int number) {
  if (signals_seen != 0) {
    _exit(128 + number);
  }
  signals_seen = 1;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(event_fd, &one, sizeof one);
}

}  // namespace

void install_signals() {
  if (event_fd >= 0) {
    return;
  }
  event_fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  struct sigaction action {};
  action.sa_handler = on_signal;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, nullptr);
}

bool interrupted() {
  return signals_seen != 0;
}
int interrupt_fd() {
  return event_fd;
}

}  // namespace peal::cli
