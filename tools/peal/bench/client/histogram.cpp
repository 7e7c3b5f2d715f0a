#include "bench/client/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace peal::bench {
namespace {

// Below 2^11 a slot a value; above, 1,024 slots for each power of two.
constexpr unsigned kExactBits = 11;
constexpr std::uint64_t kExact = std::uint64_t{1} << kExactBits;
constexpr std::uint64_t kHalf = kExact / 2;
constexpr std::size_t kSlots = kExact + (64 - kExactBits) * kHalf;

}  // namespace

Histogram::Histogram() : slots_(kSlots) {}

std::size_t Histogram::slot_of(std::uint64_t value) {
  if (value < kExact) {
    return static_cast<std::size_t>(value);
  }
  const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kExactBits;
  return static_cast<std::size_t>(kExact + (shift - 1) * kHalf + ((value >> shift) - kHalf));
}

std::uint64_t Histogram::highest_in(std::size_t slot) {
  if (slot < kExact) {
    return slot;
  }
  const std::uint64_t above = slot - kExact;
  const unsigned shift = static_cast<unsigned>(above / kHalf) + 1;
  const std::uint64_t low = (above % kHalf + kHalf) << shift;
  return low + ((std::uint64_t{1} << shift) - 1);
}

void Histogram::add(std::uint64_t value, std::uint64_t times) {
  slots_[slot_of(value)] += times;
  count_ += times;
  max_ = std::max(max_, value);
  sum_ += static_cast<double>(value) * static_cast<double>(times);
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = 0; i < kSlots; ++i) {
    slots_[i] += other.slots_[i];
  }
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
}

double Histogram::mean() const {
  return count_ == 0 ? 0 : sum_ / static_cast<double>(count_);
}

std::uint64_t Histogram::quantile(double share) const {
  const auto wanted = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_))));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kSlots && count_ > 0; ++i) {
    seen += slots_[i];
    if (seen >= wanted) {
      return std::min(highest_in(i), max_);
    }
  }
  return 0;
}

}  // namespace peal::bench
