#pragma once
// Keeps the order of a Cluster's commands over redirects: one lane per slot. While nothing is wrong
// commands go out as they come. Once one comes back not begun (MOVED, ASK, TRYAGAIN), the lane
// holds: what is under way is waited for, what else came back lines up by its age, and only then do
// all go out again, oldest first. Pure: ids in, ids and routes out; the caller sends, and waits
// where it is told to pause. Expired ids leave only while they are certainly not executed.
//
//   open ── came back ──> holding ── nothing under way ──> (pause) ──> sent again ──> open

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace peal::redis {

/// Where to send: to the slot's master, or by detour to another node.
struct Route {
  std::string endpoint{};  ///< empty: the slot's master
  bool asking = false;

  friend bool operator==(const Route&, const Route&) = default;
};

class Lanes {
 public:
  using Id = std::uint64_t;  ///< grows with each command
  /// Called from inside the methods below; must not call back into them.
  struct Actions {
    std::function<void(Id, std::uint16_t slot, const Route&)> send;
    /// resume(slot) is to be called a moment later.
    std::function<void(std::uint16_t slot)> pause;
  };

  explicit Lanes(Actions actions) : actions_(std::move(actions)) {}

  void add(Id id, std::uint16_t slot);
  /// It ended, well or not.
  void ended(Id id, std::uint16_t slot);
  /// It was not begun, and goes by `route`; `pause`: but not at once.
  void came_back(Id id, std::uint16_t slot, Route route, bool pause);
  void resume(std::uint16_t slot);
  /// Of those that are held back: takes out all that `expired` says, for the caller to end.
  std::vector<Id> take_expired(const std::function<bool(Id)>& expired);
  std::size_t size() const { return lanes_.size(); }

 private:
  struct Held {
    Id id;
    Route route;
  };
  struct Lane {
    std::deque<Held> held{};  ///< by age
    std::size_t under_way = 0;
    bool detour = false;  ///< what is under way went by ASKING: nothing may go beside it
    bool pause = false;   ///< before going out again
    bool pausing = false;
  };

  void settle(std::uint16_t slot);
  void release(std::uint16_t slot, Lane& lane);

  Actions actions_;
  std::unordered_map<std::uint16_t, Lane> lanes_{};
};

}  // namespace peal::redis
