#pragma once
// The core's part that knows who is there: leases, members and occupancy together, between Core and
// CoreOut. A gateway's members and watches outlive its link by one lease (limits.presence_lease).
// `start_quiet` is for a core that was started alone, so that others may already have told their
// clients something: for one lease it says nothing, then what has to be said. With a PresenceStore
// this core's members and watches are here, and what is told of a channel comes from the store.
// Pure, the core's thread; calls CoreOut, which calls nothing back.

#include <optional>
#include <string_view>
#include <vector>

#include "core/core_probe.hpp"
#include "core/occupancy_table.hpp"
#include "core/presence_table.hpp"

namespace peal::broker {

class CorePresence final : public PresenceStoreSink, private PresenceSink {
 public:
  CorePresence(CoreOut& out, const Limits& limits, CoreProbe& probe);
  /// Before anything else: other cores are met there. Null: this one is alone.
  void meet_in(PresenceStore* store);

  void attach(PeerId peer, std::uint64_t incarnation, TimePoint now);
  void detach(PeerId peer, TimePoint now);
  void start_quiet(TimePoint now);

  /// A channel is seen that nobody watched.
  void channel_made(std::string_view channel, const ChannelOptions& options);
  /// A watch is answered, maybe once more.
  void watched(PeerId peer, bus::Alias alias, std::string_view channel);
  /// It ended (not: its peer has gone).
  void unwatched(PeerId peer, bus::Alias alias, std::string_view channel);

  /// `channel` is what the peer watches under the alias; `kept`: its rule says presence.
  void enter(PeerId peer, bus::Alias alias, std::string_view channel, bool kept,
             const bus::Member& member);
  void leave(PeerId peer, std::string_view channel, std::string_view session);
  void answer(PeerId peer, const bus::PresenceRequest& request, bool kept);

  /// Ends leases and the quiet time; bounded work. True: call again soon.
  bool expire(TimePoint now);

 private:
  void on_presence_event(PeerId peer, const bus::PresenceEvent& event) override;
  void on_entered(std::string_view channel, std::string_view session) override;
  void on_event(std::string_view channel, bus::PresenceEvent::What what,
                const bus::Member& member) override;
  void on_answer(PeerId peer, const bus::PresenceAnswer& answer) override;
  void on_occupancy(Occupancy what, std::string_view channel) override;
  void each_of_ours(const Each& each) const override;
  void members_changed() { probe_.members_changed(table_.members(), table_.channels()); }

  CoreOut& out_;
  const Limits limits_;
  CoreProbe& probe_;
  PresenceLeases leases_;
  PresenceTable table_;
  OccupancyTable occupancy_;
  PresenceStore* store_ = nullptr;
  std::optional<TimePoint> quiet_until_;
  bool announcing_ = false;
  std::vector<bus::Member> page_;
};

}  // namespace peal::broker
