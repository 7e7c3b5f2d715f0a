#pragma once
// What all ports of one process watch, by name, and which broker has been told so on which of its
// links: so that it can be told again when a link comes back, and another one when the channel
// moves. Pure, the bus thread's. A cursor walks them at the pace of the links' credit.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peal/proto/bus_messages.hpp"
#include "peal/proto/channel_name.hpp"

namespace peal::bus {

class ZmqWatches {
 public:
  struct Watch {
    std::string channel;
    std::uint64_t hash = 0;  ///< stable_hash of the channel
    Epoch seen;              ///< of a channel that keeps a log
    std::uint32_t generation = 0;
    std::uint32_t told = 0;    ///< the serial of the link on which it was said; 0: of none
    std::uint8_t broker = 0;   ///< and of which broker
    std::uint8_t refused = 0;  ///< how often nobody took it, since it was added
    bool watched = false;
    bool recoverable = false;
    bool answered = false;  ///< the port has heard of it
    bool again = false;     ///< it was said, and is to be said again for its answer

    bool told_to(std::size_t to, std::uint32_t link) const {
      return link != 0 && told == link && broker == to;
    }
  };

  explicit ZmqWatches(std::size_t ports) : ports_(ports) {}

  Watch& add(std::uint32_t port, Alias alias, std::string_view channel) {
    auto& watches = ports_[port];
    if (alias.index >= watches.size()) watches.resize(alias.index + std::size_t{1});
    Watch& watch = watches[alias.index];
    watch = {};
    watch.channel = channel;
    watch.hash = stable_hash(channel);
    watch.generation = alias.generation;
    watch.watched = true;
    return watch;
  }
  void remove(Watch& watch) { watch = {}; }
  /// Null: it is not watched, or was before.
  Watch* find(std::uint32_t port, Alias alias) {
    auto& watches = ports_[port];
    if (alias.index >= watches.size()) return nullptr;
    Watch& watch = watches[alias.index];
    return watch.watched && watch.generation == alias.generation ? &watch : nullptr;
  }

  /// What was lost on a broker's link may be of any channel there that keeps a log. The broker has
  /// their watches all the same: what is said of them meanwhile, as that they end, has to reach it.
  void ask_again(std::size_t broker) {
    for (auto& watches : ports_) {
      for (Watch& watch : watches)
        if (watch.recoverable && watch.broker == broker) watch.again = true;
    }
  }

  /// Starts a walk over all, from the first on.
  void rewind() { walk_ = Walk{0, 0}; }
  void stop() { walk_.reset(); }
  bool walking() const { return walk_.has_value(); }
  struct Step {
    std::uint32_t port;
    Alias alias;
    Watch& watch;
  };
  /// The next of the walk; none ends it.
  std::optional<Step> next() {
    while (walk_) {
      if (walk_->port == ports_.size()) {
        walk_.reset();
        break;
      }
      auto& watches = ports_[walk_->port];
      if (walk_->index == watches.size()) {
        ++walk_->port;
        walk_->index = 0;
        continue;
      }
      const std::uint32_t index = walk_->index++;
      Watch& watch = watches[index];
      if (watch.watched) return Step{walk_->port, {index, watch.generation}, watch};
    }
    return std::nullopt;
  }
  /// The next one will be that of the last step again.
  void stay() {
    if (walk_) --walk_->index;
  }

 private:
  struct Walk {
    std::uint32_t port;
    std::uint32_t index;
  };

  std::vector<std::vector<Watch>> ports_;
  std::optional<Walk> walk_;
};

}  // namespace peal::bus
