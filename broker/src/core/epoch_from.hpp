#pragma once
// An epoch's eight digits from a random number.

#include <array>
#include <cstdint>
#include <string_view>

#include "peal/proto/position.hpp"

namespace peal::broker {

inline Epoch epoch_from(std::uint64_t number) {
  static constexpr std::string_view kDigits =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::array<char, Epoch::kSize> text{};
  for (char& digit : text) {
    digit = kDigits[number % kDigits.size()];
    number /= kDigits.size();
  }
  return *Epoch::parse({text.data(), text.size()});
}

}  // namespace peal::broker
