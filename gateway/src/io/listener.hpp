#pragma once
// The listening sockets of one gateway: one per shard on the same address (SO_REUSEPORT), so the
// kernel spreads connections without a lock of ours. SO_REUSEPORT would also let a second process
// of the same user share the port unnoticed; so a probe bind without it and an abstract socket
// named after the address, held for life, refuse that. Accepted sockets inherit what is set here:
// no delay, a bounded send buffer.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "peal/proto/result.hpp"

namespace peal::gateway {

/// A file descriptor with an owner.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { reset(); }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();

 private:
  int fd_ = -1;
};

struct ListenerSet {
  std::vector<Fd> sockets;  ///< one per shard
  Fd lock;                  ///< keep it as long as the address is in use
  std::string address;      ///< as bound: the port is a real one
};

/// `listen` is "host:port" with a numeric host ("[::1]:8420" for IPv6) or localhost; port 0: any
/// free one.
Result<ListenerSet> open_listeners(const std::string& listen, std::size_t count);

}  // namespace peal::gateway
