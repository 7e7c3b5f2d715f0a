#pragma once
// A latency histogram in the manner of HDR: every value is kept to 1/1024 of itself, from 1 ns to
// hours, in a fixed 400 KB, and adding one is a shift and an increment.

#include <cstdint>
#include <vector>

namespace peal::bench {

class Histogram {
 public:
  Histogram();
  void add(std::uint64_t value, std::uint64_t times = 1);
  void merge(const Histogram& other);
  std::uint64_t count() const { return count_; }
  std::uint64_t max() const { return max_; }
  double mean() const;
  /// The smallest value that at least this share (0 to 1) of all values do not exceed, rounded up
  /// within its precision; 0 when empty.
  std::uint64_t quantile(double share) const;

 private:
  static std::size_t slot_of(std::uint64_t value);
  static std::uint64_t highest_in(std::size_t slot);

  std::vector<std::uint64_t> slots_;
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace peal::bench
