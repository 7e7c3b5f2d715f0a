#include "peal/broker/epoch_source.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace peal::broker {
namespace {

/// In the order of their characters, so that texts compare as numbers do.
constexpr std::string_view kDigits =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::uint64_t kNumbers = 218'340'105'584'896;  // 62^8
constexpr std::uint64_t kTicksPerMillisecond = 128;
/// Where the clock is behind, epochs begun at different moments are different within 131 s.
constexpr std::uint64_t kApart = std::uint64_t{1} << 24U;
constexpr std::uint64_t kBegin = 1'735'689'600'000;  // 2025-01-01

Epoch epoch_of(std::uint64_t number) {
  std::array<char, Epoch::kSize> text{};
  for (std::size_t i = text.size(); i-- > 0; number /= kDigits.size())
    text[i] = kDigits[number % kDigits.size()];
  return *Epoch::parse({text.data(), text.size()});
}

std::uint64_t number_of(const Epoch& epoch) {
  std::uint64_t number = 0;
  for (const char digit : epoch.view())
    number = number * kDigits.size() + kDigits.find(digit);
  return number;
}

/// The first number from `least` on that is the broker's at `place`.
std::uint64_t from(std::uint64_t least, std::uint64_t place, std::uint64_t places) {
  return least + (place + places - least % places) % places;
}

}  // namespace

EpochSource EpochSource::ordered(Numbers clock, std::uint32_t place, std::uint32_t places) {
  auto draw = [clock = std::move(clock), place, places, last = std::uint64_t{0}]() mutable {
    const std::uint64_t milliseconds = std::max(clock(), kBegin) - kBegin;
    last = from(std::max(milliseconds * kTicksPerMillisecond, last + 1), place, places);
    return last;
  };
  return EpochSource(std::make_shared<State>(State{std::move(draw), place, places}));
}

Epoch EpochSource::next() {
  return epoch_of(state_->draw() % kNumbers);
}

Epoch EpochSource::above(const Epoch& seen) {
  const std::uint64_t drawn = state_->draw() % kNumbers;
  const std::uint64_t least = number_of(seen) + 1;
  if (drawn >= least) return epoch_of(drawn);
  // Not the very next one: who forgot what it gave would give it again for the same `seen`.
  const std::uint64_t next = from(least + drawn % kApart, state_->place, state_->places);
  // Above the very last there is nothing: another one must do.
  return epoch_of(next < kNumbers ? next : drawn);
}

}  // namespace peal::broker
