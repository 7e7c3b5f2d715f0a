#pragma once
// A contiguous array of targets in 24 bytes: one lies inside, more on the heap. Order is of no
// meaning, so erasing moves the last one into the hole.

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

#include "peal/broker/core.hpp"

namespace peal::broker {

class TargetList {
 public:
  TargetList() : one_{} {}
  ~TargetList() { release(); }
  TargetList(const TargetList&) = delete;
  TargetList& operator=(const TargetList&) = delete;

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  std::span<const Target> view() const { return {data(), size_}; }

  void push_back(const Target& target) {
    if (size_ == capacity_) grow(capacity_ * 2);
    data()[size_++] = target;
  }

  /// Whether it was there.
  bool erase(PeerId peer, bus::Alias alias) {
    Target* const targets = data();
    for (std::uint32_t i = 0; i < size_; ++i) {
      if (targets[i].peer != peer || targets[i].alias != alias) continue;
      targets[i] = targets[--size_];
      if (size_ == 0) clear();
      return true;
    }
    return false;
  }

  void clear() {
    release();
    size_ = 0;
    capacity_ = 1;
  }

 private:
  const Target* data() const { return capacity_ == 1 ? &one_ : many_; }
  Target* data() { return capacity_ == 1 ? &one_ : many_; }

  void grow(std::uint32_t capacity) {
    auto* const wider = new Target[capacity];
    std::memcpy(wider, data(), size_ * sizeof(Target));
    release();
    many_ = wider;
    capacity_ = capacity;
  }

  void release() {
    if (capacity_ > 1) delete[] many_;
  }

  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 1;
  union {
    Target one_;
    Target* many_;
  };
};

}  // namespace peal::broker
