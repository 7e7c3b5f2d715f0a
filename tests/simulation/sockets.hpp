#pragma once
// What the product's own code has below it in a simulation. The programs link these definitions
// instead of the product's: ZmqSocket and WakeDescriptor (zmq_sockets.cpp), Transport and Loop
// (client_sockets.cpp), so that everything above them is the code that users run. A socket belongs
// to the strand that made it; its machine's Network carries what it sends.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "io/loop.hpp"
#include "network.hpp"

namespace peal::simulation {

/// One end of a line.
struct LineEnd {
  LinePtr line;
  int end = 0;
  explicit operator bool() const { return line != nullptr; }
};

/// What one run's sockets share; the seams find it by Sockets::current().
class Sockets {
 public:
  explicit Sockets(Network& network) : network_(network) { installed = this; }
  ~Sockets() { installed = nullptr; }
  Sockets(const Sockets&) = delete;
  Sockets& operator=(const Sockets&) = delete;
  static Sockets& current() { return *installed; }

  Network& network() { return network_; }
  /// The name that endpoints use: "tcp://NAME:8422".
  void name(Machine& machine) { machines_[machine.name] = &machine; }
  Machine* machine(const std::string& endpoint) const;

  // Descriptors of clients' connections: above any that the process itself could have.
  int open(LineEnd end);
  /// None when it was closed.
  LineEnd at(int descriptor) const {
    const auto found = open_.find(descriptor);
    return found == open_.end() ? LineEnd{} : found->second;
  }
  void close(int descriptor);

  /// Numbers for strands that are to be woken from afar.
  int add_waker(Strand* strand) {
    wakers_.push_back(strand);
    return static_cast<int>(wakers_.size() - 1);
  }
  void wake(int waker) {
    if (wakers_[static_cast<std::size_t>(waker)] != nullptr)
      wakers_[static_cast<std::size_t>(waker)]->wake();
  }
  void remove_waker(int waker) { wakers_[static_cast<std::size_t>(waker)] = nullptr; }

  /// What a Loop watches: by descriptor.
  struct Watch {
    gateway::Watched watched;
    std::uint32_t events;
  };
  std::map<int, Watch>& watches(int loop) { return watches_[loop]; }
  void remove_watches(int loop) { watches_.erase(loop); }
  void forget_watch(int descriptor) {
    for (auto& [loop, watches] : watches_)
      watches.erase(descriptor);
  }

 private:
  static constexpr int kFirstDescriptor = 1 << 30;
  static inline thread_local Sockets* installed = nullptr;

  Network& network_;
  std::map<std::string, Machine*> machines_;
  std::map<int, LineEnd> open_;
  int next_ = kFirstDescriptor;
  std::vector<Strand*> wakers_;
  std::map<int, std::map<int, Watch>> watches_;  ///< by the loop's waker
};

}  // namespace peal::simulation
