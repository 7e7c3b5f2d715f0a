#pragma once
// Machines and what runs on them. A Machine has a clock of its own (it may jump ahead), may stand
// still for a while, and may be dead. A Strand is a thread that runs on one: it takes a turn soon
// after it was woken, or when the time that its last turn asked for has passed, and never while its
// machine stands still. What a turn constructs or calls below the product's own code (sockets,
// wake-ups) finds its strand by Strand::current.

#include <functional>
#include <memory>
#include <string>

#include "world.hpp"

namespace peal::simulation {

class Machine {
 public:
  Machine(World& its_world, std::uint32_t its_number, std::string its_name)
      : world(its_world), number(its_number), name(std::move(its_name)) {}

  Time clock() const { return world.now() + ahead; }
  /// What its calendar shows: milliseconds since 1970.
  std::uint64_t calendar() const {
    constexpr std::chrono::milliseconds kStart{1'790'000'000'000};
    const auto since =
        std::chrono::floor<std::chrono::milliseconds>(clock() - World::kBegin + calendar_ahead);
    return static_cast<std::uint64_t>((kStart + since).count());
  }
  bool still() const { return world.now() < still_until; }

  World& world;
  const std::uint32_t number;
  const std::string name;
  Duration ahead{0};
  Duration calendar_ahead{0};  ///< of the clock that only grows
  Time still_until{};
  bool up = true;  ///< the machine itself; its processes may be dead on it
};

class Strand {
 public:
  /// Its turn: how long it may sleep afterwards (0: not at all).
  using Turn = std::function<Duration()>;

  Strand(Machine& machine, Turn turn) : machine_(machine), turn_(std::move(turn)) {}
  ~Strand() { *alive_ = false; }
  Strand(const Strand&) = delete;
  Strand& operator=(const Strand&) = delete;

  Machine& machine() const { return machine_; }
  void wake();
  /// For what the strand owns and the network calls back.
  std::shared_ptr<const bool> alive() const { return alive_; }

  static Strand* current() { return running; }
  /// While it is made and unmade, too, the strand is the current one.
  class Here {
   public:
    explicit Here(Strand& strand) : before_(running) { running = &strand; }
    ~Here() { running = before_; }
    Here(const Here&) = delete;
    Here& operator=(const Here&) = delete;

   private:
    Strand* before_;
  };

 private:
  void plan(Time when);
  void run();

  static inline thread_local Strand* running = nullptr;
  Machine& machine_;
  const Turn turn_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  ///< plans outlive the strand
  Time due_ = Time::max();
};

}  // namespace peal::simulation
