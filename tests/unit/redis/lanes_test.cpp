#include "redis/lanes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

namespace peal::redis {
namespace {

using testing::ElementsAre;

/// Writes down what is sent, as "3>" (the master), "3>b" or "3?b" (by ASKING), and pauses as "~".
struct Wire {
  std::vector<std::string> sent{};
  Lanes lanes{{.send =
                   [this](Lanes::Id id, std::uint16_t, const Route& route) {
                     sent.push_back(std::to_string(id) + (route.asking ? "?" : ">") +
                                    route.endpoint);
                   },
               .pause = [this](std::uint16_t) { sent.emplace_back("~"); }}};

  std::vector<std::string> take() { return std::exchange(sent, {}); }
};

TEST(RedisLanes, LetCommandsGoAsTheyCome) {
  Wire wire;
  wire.lanes.add(1, 7);
  wire.lanes.add(2, 7);
  wire.lanes.add(3, 8);
  EXPECT_THAT(wire.take(), ElementsAre("1>", "2>", "3>"));
  for (const int id : {1, 2})
    wire.lanes.ended(id, 7);
  wire.lanes.ended(3, 8);
  EXPECT_EQ(wire.lanes.size(), 0U);
}

TEST(RedisLanes, ARedirectedCommandHoldsBackTheLaterOnes) {
  Wire wire;
  for (const int id : {1, 2, 3})
    wire.lanes.add(id, 7);
  wire.take();
  wire.lanes.came_back(1, 7, {}, false);
  wire.lanes.add(4, 7);
  wire.lanes.came_back(2, 7, {}, false);
  EXPECT_THAT(wire.take(), ElementsAre());  // 3 is under way still
  wire.lanes.came_back(3, 7, {}, false);
  EXPECT_THAT(wire.take(), ElementsAre("1>", "2>", "3>", "4>"));
  wire.lanes.add(5, 7);
  EXPECT_THAT(wire.take(), ElementsAre("5>"));
}

TEST(RedisLanes, NothingGoesBesideADetour) {
  Wire wire;
  wire.lanes.add(1, 7);
  wire.take();
  wire.lanes.came_back(1, 7, {.endpoint = "b", .asking = true}, false);
  wire.lanes.add(2, 7);
  EXPECT_THAT(wire.take(), ElementsAre("1?b"));
  wire.lanes.ended(1, 7);
  EXPECT_THAT(wire.take(), ElementsAre("2>"));
}

TEST(RedisLanes, PauseBeforeTryingAgain) {
  Wire wire;
  wire.lanes.add(1, 7);
  wire.lanes.add(2, 7);
  wire.take();
  wire.lanes.came_back(1, 7, {}, true);
  wire.lanes.ended(2, 7);  // it was executed: nothing can be done about it
  EXPECT_THAT(wire.take(), ElementsAre("~"));
  wire.lanes.add(3, 7);
  EXPECT_THAT(wire.take(), ElementsAre());
  wire.lanes.resume(7);
  EXPECT_THAT(wire.take(), ElementsAre("1>", "3>"));
}

TEST(RedisLanes, WhatWaitsTooLongLeavesAndTheOthersGoOn) {
  Wire wire;
  wire.lanes.add(1, 7);
  wire.take();
  wire.lanes.came_back(1, 7, {}, true);
  wire.lanes.add(2, 7);
  EXPECT_THAT(wire.lanes.take_expired([](Lanes::Id id) { return id == 1; }), ElementsAre(1));
  wire.lanes.resume(7);
  EXPECT_THAT(wire.take(), ElementsAre("~", "2>"));
  wire.lanes.ended(2, 7);
  EXPECT_EQ(wire.lanes.size(), 0U);
}

/// Two nodes; a slot whose one channel's keys move from one to the other and back, a step at a
/// time, and connections that answer in the order they were asked. A node gets the slot back only
/// after it has answered what it was asked meanwhile. Whatever happens else, what is executed is in
/// the order of the ids.
class Nodes {
 public:
  explicit Nodes(unsigned seed) : random_(seed) {}

  void run() {
    std::size_t steps = 0;
    while ((next_ <= kCommands || lanes_.size() > 0) && ++steps < kStepsMax)
      step();
    EXPECT_LT(steps, kStepsMax);
    EXPECT_EQ(executed_.size(), kCommands);
    EXPECT_TRUE(std::ranges::is_sorted(executed_));
    EXPECT_GT(turned_away_, 0U);
  }

 private:
  static constexpr std::size_t kCommands = 100;
  static constexpr std::size_t kStepsMax = 100000;
  enum class Keys : std::uint8_t { here, partly, gone };
  struct Sent {
    Lanes::Id id;
    bool asking;
  };

  std::string other() const { return owner_ == "a" ? "b" : "a"; }

  void step() {
    switch (random_() % 8) {
      case 0:
      case 1:
      case 2:
        if (next_ <= kCommands) lanes_.add(next_++, 7);
        break;
      case 3:
        move();
        break;
      case 4:
        if (std::exchange(paused_, false)) lanes_.resume(7);
        break;
      default:
        answer(random_() % 2 == 0 ? "a" : "b");
    }
  }

  void move() {
    if (keys_ == Keys::here) {
      if (queues_[other()].empty() && known_ == owner_) keys_ = Keys::partly;
    } else if (keys_ == Keys::partly) {
      keys_ = Keys::gone;
    } else {
      owner_ = other();
      keys_ = Keys::here;
    }
  }

  void answer(const std::string& node) {
    auto& queue = queues_[node];
    if (queue.empty()) return;
    const Sent sent = queue.front();
    queue.pop_front();
    const bool owner = node == owner_;
    if (owner ? keys_ == Keys::here : sent.asking && keys_ == Keys::gone) {
      executed_.push_back(sent.id);
      return lanes_.ended(sent.id, 7);
    }
    ++turned_away_;
    if (!owner && (!sent.asking || keys_ == Keys::here)) {
      known_ = owner_;
      return lanes_.came_back(sent.id, 7, {}, false);
    }
    if (keys_ == Keys::partly) return lanes_.came_back(sent.id, 7, {}, true);
    lanes_.came_back(sent.id, 7, {other(), true}, false);
  }

  std::mt19937 random_;
  std::string owner_ = "a", known_ = "a";
  Keys keys_ = Keys::here;
  bool paused_ = false;
  std::size_t turned_away_ = 0;
  Lanes::Id next_ = 1;
  std::vector<Lanes::Id> executed_{};
  std::map<std::string, std::deque<Sent>> queues_{};
  Lanes lanes_{{.send =
                    [this](Lanes::Id id, std::uint16_t, const Route& route) {
                      queues_[route.endpoint.empty() ? known_ : route.endpoint].push_back(
                          {id, route.asking});
                    },
                .pause = [this](std::uint16_t) { paused_ = true; }}};
};

TEST(RedisLanes, KeepTheOrderWhereverTheSlotGoes) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Nodes(seed).run();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace peal::redis
