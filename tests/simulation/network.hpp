#pragma once
// The network between machines, as TCP shows it to processes. A Line is one connection: what is
// sent arrives late, whole and in order, or the line is reset. A pair of machines can be held in
// one direction or both: what is under way then waits (as retransmitted segments do), and new lines
// can't be made. When a process dies its machine resets its lines; when a machine dies nobody is
// told, until something reaches it after it has come back. How much may be under way and unread is
// bounded per line, in bytes (streams) or messages.

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "machine.hpp"

namespace peal::simulation {

class Network;

/// What travels together: a message of two frames, or bytes of a stream (in `body`).
struct Parcel {
  std::string header;
  std::string body;
};

class Line : public std::enable_shared_from_this<Line> {
 public:
  enum class Measure : std::uint8_t { bytes, messages };
  Line(Network& network, Machine& from, Machine& to, Measure measure, std::size_t window)
      : network_(network), measure_(measure), window_(window), ends_{End{&from}, End{&to}} {}

  /// How much more the end may send.
  std::size_t room(int end) const;
  bool sendable(int end) const { return !ends_[end].finished && !ends_[end].reset; }
  void send(int end, Parcel parcel);
  /// Nothing more is sent: what was still arrives, then the other one sees the end.
  void finish(int end);
  /// The end's socket is closed.
  void close(int end);
  /// The process behind the end is dead. `silent`: so is its machine, which says nothing.
  void kill(int end, bool silent);

  /// Both ends are told that it is gone, as by a firewall.
  void cut() {
    move(0, Moving::What::reset, {});
    move(1, Moving::What::reset, {});
  }

  bool readable(int end) const { return !ends_[end].inbox.empty(); }
  /// The other end has closed, and everything was read.
  bool ended(int end) const { return ends_[end].ended && ends_[end].inbox.empty(); }
  bool reset(int end) const { return ends_[end].reset; }
  Parcel& front(int end) { return ends_[end].inbox.front(); }
  /// Takes the first parcel.
  Parcel take(int end);
  /// Takes up to `size` bytes of a stream.
  std::string take_bytes(int end, std::size_t size);

  /// Called when something has come, ended or made room. The end may be closed from within.
  void on_change(int end, std::function<void()> call) { ends_[end].call = std::move(call); }
  Machine& machine(int end) const { return *ends_[end].machine; }

  /// What is under way was held and is let go.
  void release(int from);

 private:
  struct Moving {
    enum class What : std::uint8_t { parcel, end, reset } what;
    Time arrives;
    Parcel parcel{};
  };
  struct End {
    Machine* machine;
    std::deque<Parcel> inbox{};
    std::deque<Moving> coming{};  ///< to this end
    std::size_t unread = 0;       ///< of `inbox` and `coming`, as measured
    Time last_arrival{};
    bool finished = false, closed = false, ended = false, reset = false, dead = false;
    std::function<void()> call{};
  };
  std::size_t weight(const Parcel& parcel) const {
    return measure_ == Measure::bytes ? parcel.body.size() : 1;
  }
  void move(int to, Moving::What what, Parcel parcel);
  void pump_to(int to);
  void arrive(int to, Moving moving);
  void changed(int end);

  Network& network_;
  const Measure measure_;
  const std::size_t window_;
  std::array<End, 2> ends_;
};

using LinePtr = std::shared_ptr<Line>;  ///< shared by its two ends and by what is under way

class Network {
 public:
  explicit Network(World& world) : world_(world) {}
  World& world() { return world_; }

  /// Who takes new lines to a machine; its end is 1.
  void listen(const Machine& machine, std::function<void(LinePtr)> taker) {
    listeners_[machine.number] = std::move(taker);
  }
  void deafen(const Machine& machine) { listeners_.erase(machine.number); }
  /// `then` gets end 0, or null when there is nobody or nothing came through.
  void connect(Machine& from, Machine& to, Line::Measure measure, std::size_t window,
               std::function<void(LinePtr)> then);
  /// All processes of the machine's are dead.
  void kill_lines(const Machine& machine, bool silent);
  /// Resets the lines between two machines, as a proxy or a firewall may.
  void cut(const Machine& a, const Machine& b);

  bool held(const Machine& from, const Machine& to) const {
    return held_.contains({from.number, to.number});
  }
  void hold(const Machine& from, const Machine& to);
  void release(const Machine& from, const Machine& to);
  void release_all();

  Duration delay();
  /// How long a parcel takes: between these, rarely ten times as long.
  Duration delay_min = std::chrono::microseconds(100), delay_max = std::chrono::milliseconds(2);

 private:
  void try_connect(Machine& from, Machine& to, LinePtr line, Time until,
                   std::function<void(LinePtr)> then);
  template <class Each>
  void each_line(Each&& each);

  World& world_;
  std::map<std::uint32_t, std::function<void(LinePtr)>> listeners_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> held_;
  std::vector<std::weak_ptr<Line>> lines_;
};

}  // namespace peal::simulation
