#pragma once
// What one link session has asked and not been answered yet. Pure. Numbers count from 1 within a
// session; answers come nearly in order, so this is a ring whose front moves past what is answered.

#include <cstdint>
#include <deque>
#include <optional>

#include "peal/proto/bus_messages.hpp"

namespace peal::bus {

struct Asked {
  enum class What : std::uint8_t { publish, read, presence } what = What::publish;
  std::uint32_t port = 0;
  RequestId id = 0;
};

class Unanswered {
 public:
  /// The number to ask under.
  std::uint64_t ask(const Asked& asked) {
    ring_.push_back({asked, false});
    return first_ + ring_.size() - 1;
  }
  /// Null: never asked, or answered before, or of another kind.
  std::optional<Asked> answer(std::uint64_t number, Asked::What what) {
    if (number < first_ || number - first_ >= ring_.size()) return std::nullopt;
    Entry& entry = ring_[number - first_];
    if (entry.answered || entry.asked.what != what) return std::nullopt;
    entry.answered = true;
    const Asked found = entry.asked;
    while (!ring_.empty() && ring_.front().answered) {
      ring_.pop_front();
      ++first_;
    }
    return found;
  }
  /// Each that is unanswered, oldest first, with its number; then there is none.
  template <class Each>
  void drain(Each&& each) {
    for (const Entry& entry : ring_) {
      if (!entry.answered) each(first_, entry.asked);
      ++first_;
    }
    ring_.clear();
  }
  std::size_t size() const { return ring_.size(); }

 private:
  struct Entry {
    Asked asked;
    bool answered;
  };
  std::deque<Entry> ring_;
  std::uint64_t first_ = 1;
};

}  // namespace peal::bus
