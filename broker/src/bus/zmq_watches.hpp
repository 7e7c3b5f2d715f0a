#pragma once
// What all ports of one process watch, by name, so that a new link session can watch it again.
// Pure, the bus thread's. A cursor walks it at the pace of the link's credit.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peal/proto/bus_messages.hpp"

namespace peal::bus {

class ZmqWatches {
 public:
  explicit ZmqWatches(std::size_t ports) : ports_(ports) {}

  void add(std::uint32_t port, Alias alias, std::string_view channel) {
    auto& entries = ports_[port];
    if (alias.index >= entries.size()) entries.resize(alias.index + std::size_t{1});
    entries[alias.index] = {std::string(channel), alias.generation, true, false};
  }
  bool remove(std::uint32_t port, Alias alias) {
    Entry* const entry = find(port, alias);
    if (entry == nullptr) return false;
    *entry = {};
    return true;
  }
  void answered(std::uint32_t port, Alias alias, bool recoverable) {
    if (Entry* const entry = find(port, alias)) entry->recoverable = recoverable;
  }

  /// Starts a walk over all, or over those known to keep a log.
  void rewind(bool only_recoverable) {
    walk_ = Walk{0, 0, only_recoverable};
    again_ = false;
  }
  /// Walks those known to keep a log, from the first on: what was lost while a walk is under way
  /// may be behind it. A walk over all goes to its end before that.
  void rewind_recoverable() {
    if (walk_ && !walk_->only_recoverable) {
      again_ = true;
    } else {
      rewind(true);
    }
  }
  void stop() {
    walk_.reset();
    again_ = false;
  }
  bool walking() const { return walk_.has_value(); }
  /// Whether the walk is still to come to this one.
  bool ahead(std::uint32_t port, Alias alias) const {
    if (!walk_ || walk_->only_recoverable) return false;
    return port > walk_->port || (port == walk_->port && alias.index >= walk_->index);
  }
  struct Watch {
    std::uint32_t port;
    Alias alias;
    std::string_view channel;
  };
  /// The next of the walk; none ends it.
  std::optional<Watch> next() {
    while (walk_) {
      if (walk_->port == ports_.size()) {
        walk_.reset();
        if (again_) rewind(true);
        continue;
      }
      const auto& entries = ports_[walk_->port];
      if (walk_->index == entries.size()) {
        ++walk_->port;
        walk_->index = 0;
        continue;
      }
      const std::uint32_t index = walk_->index++;
      const Entry& entry = entries[index];
      if (!entry.watched || (walk_->only_recoverable && !entry.recoverable)) continue;
      return Watch{walk_->port, {index, entry.generation}, entry.channel};
    }
    return std::nullopt;
  }

 private:
  struct Entry {
    std::string channel;
    std::uint32_t generation = 0;
    bool watched = false;
    bool recoverable = false;
  };
  struct Walk {
    std::uint32_t port;
    std::uint32_t index;
    bool only_recoverable;
  };
  Entry* find(std::uint32_t port, Alias alias) {
    auto& entries = ports_[port];
    if (alias.index >= entries.size()) return nullptr;
    Entry& entry = entries[alias.index];
    return entry.watched && entry.generation == alias.generation ? &entry : nullptr;
  }

  std::vector<std::vector<Entry>> ports_;
  std::optional<Walk> walk_;
  bool again_ = false;
};

}  // namespace peal::bus
