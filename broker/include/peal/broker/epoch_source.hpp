#pragma once
// Where the epochs of logs come from. Brokers that stand in for each other need to know which of
// two epochs of a channel is the later one, so theirs are ordered, as text and as numbers: by time
// (1/128 ms since 2025, until 2079), and by broker when they begin at the same moment. A copy draws
// from the same source. One thread's.

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>

#include "peal/proto/position.hpp"

namespace peal::broker {

class EpochSource {
 public:
  /// Any numbers, such as random ones: epochs without an order.
  using Numbers = std::function<std::uint64_t()>;
  template <std::invocable Draw>
  requires(!std::same_as<std::remove_cvref_t<Draw>, EpochSource>)
      EpochSource(Draw draw)  // NOLINT(google-explicit-constructor): a function is one
      : state_(std::make_shared<State>(State{Numbers(std::move(draw)), 0, 1})) {}

  /// Ordered ones, for the broker at `place` among so many: `clock` gives milliseconds since 1970.
  /// Each is higher than the one before, also when the clock goes back.
  static EpochSource ordered(Numbers clock, std::uint32_t place, std::uint32_t places);

  Epoch next();
  /// One that is above `seen`.
  Epoch above(const Epoch& seen);

 private:
  struct State {
    Numbers draw;
    std::uint64_t place;
    std::uint64_t places;
  };
  explicit EpochSource(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;
};

}  // namespace peal::broker
