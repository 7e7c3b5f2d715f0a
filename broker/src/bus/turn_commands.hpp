#pragma once
// What a port's owner asked for during one turn, copied, in the order of the calls. It is replayed
// into a core once and then reset; all storage is kept for the next turn.

#include <cstdint>
#include <string_view>
#include <vector>

#include "bus/arena.hpp"
#include "peal/broker/core.hpp"
#include "peal/bus/bus_port.hpp"

namespace peal::bus {

class TurnCommands {
 public:
  void watch(Alias alias, std::string_view channel);
  void unwatch(Alias alias);
  void publish(const PublishRequest& request);
  void read(const ReadRequest& request);
  void enter(Alias alias, const Member& member);
  void leave(Alias alias, std::string_view session);
  void presence(const PresenceRequest& request);

  bool empty() const { return order_.empty(); }
  std::size_t bytes() const { return arena_.used() + publishes_.size() * sizeof(PublishRequest); }
  /// The publications handed to the core borrow from here until reset().
  void replay(broker::Core& core, broker::PeerId peer, broker::TimePoint now) const;
  /// Calls visitor.watch(alias, channel), unwatch(alias), publish(request), read(request),
  /// enter(alias, member), leave(alias, session) and presence(request), in order.
  template <class Visitor>
  void visit(Visitor& visitor) const {
    std::size_t watch = 0;
    std::size_t unwatch = 0;
    std::size_t publish = 0;
    std::size_t read = 0;
    std::size_t coming = 0;
    std::size_t presence = 0;
    for (const Run& run : order_) {
      for (std::uint32_t i = 0; i < run.count; ++i) {
        switch (run.kind) {
          case Kind::watch:
            visitor.watch(watches_[watch].alias, watches_[watch].channel);
            ++watch;
            break;
          case Kind::unwatch:
            visitor.unwatch(unwatches_[unwatch++]);
            break;
          case Kind::publish:
            visitor.publish(publishes_[publish++]);
            break;
          case Kind::read:
            visitor.read(reads_[read++]);
            break;
          case Kind::enter:
            visitor.enter(comings_[coming].alias, comings_[coming].member);
            ++coming;
            break;
          case Kind::leave:
            visitor.leave(comings_[coming].alias, comings_[coming].member.session);
            ++coming;
            break;
          case Kind::presence:
            visitor.presence(presences_[presence++]);
            break;
        }
      }
    }
  }
  /// Calls `each` with the id of every publish that wants an answer.
  template <class Each>
  void each_publish_id(Each&& each) const {
    for (const PublishRequest& request : publishes_) {
      if (request.id != 0) each(request.id);
    }
  }
  void reset();

 private:
  enum class Kind : std::uint8_t { watch, unwatch, publish, read, enter, leave, presence };
  /// So many commands of one kind in a row.
  struct Run {
    Kind kind;
    std::uint32_t count;
  };
  struct Watch {
    Alias alias;
    std::string_view channel;
  };

  struct Coming {
    Alias alias;
    Member member;
  };

  void ordered(Kind kind) {
    if (order_.empty() || order_.back().kind != kind) order_.push_back({kind, 0});
    ++order_.back().count;
  }

  Arena arena_;
  std::vector<Run> order_;
  std::vector<Watch> watches_;
  std::vector<Alias> unwatches_;
  std::vector<PublishRequest> publishes_;
  std::vector<ReadRequest> reads_;
  std::vector<Coming> comings_;  ///< enters and leaves
  std::vector<PresenceRequest> presences_;
};

}  // namespace peal::bus
