#include "core/core_presence.hpp"

#include <algorithm>

#include "peal/proto/channel_name.hpp"

namespace peal::broker {
namespace {

/// Members and watches that one call of expire ends, and channels it announces.
constexpr std::size_t kExpiresPerCall = 4096;
constexpr std::size_t kAnnouncedPerCall = 512;
/// Names of sessions and users as gateways make them are far below.
constexpr std::size_t kNameBytesMax = 1024;

}  // namespace

CorePresence::CorePresence(CoreOut& out, const Limits& limits, CoreProbe& probe)
    : out_(out),
      limits_(limits),
      probe_(probe),
      leases_(limits.presence_lease),
      table_(leases_, *this),
      occupancy_(leases_, [this](Occupancy what, std::string_view channel) {
        if (store_ != nullptr) return store_->occupancy(what, channel);
        on_occupancy(what, channel);
      }) {}

void CorePresence::meet_in(PresenceStore* store) {
  store_ = store;
  table_.meet_in(store);
}

void CorePresence::attach(PeerId peer, std::uint64_t incarnation, TimePoint now) {
  leases_.attach(peer, incarnation, now);
}

void CorePresence::detach(PeerId peer, TimePoint now) {
  leases_.detach(peer, now);
}

void CorePresence::start_quiet(TimePoint now) {
  if (store_ != nullptr) return;
  table_.set_quiet(true);
  occupancy_.set_quiet();
  quiet_until_ = now + leases_.lease();
}

void CorePresence::channel_made(std::string_view channel, const ChannelOptions& options) {
  if (options.occupancy) occupancy_.add(channel);
}

void CorePresence::watched(PeerId peer, bus::Alias alias, std::string_view channel) {
  if (occupancy_.known(channel)) occupancy_.watched(leases_.holder_of(peer), alias, channel);
}

void CorePresence::unwatched(PeerId peer, bus::Alias alias, std::string_view channel) {
  const auto holder = leases_.find(peer);
  if (!holder) return;
  if (occupancy_.known(channel)) occupancy_.unwatched(*holder, alias, channel);
  if (table_.members() == 0) return;
  table_.leave_all(*holder, alias, channel);
  members_changed();
}

void CorePresence::enter(PeerId peer, bus::Alias alias, std::string_view channel, bool kept,
                         const bus::Member& member) {
  const bool fits = !member.session.empty() && member.session.size() <= kNameBytesMax &&
                    member.user.size() <= kNameBytesMax &&
                    member.data.size() <= limits_.presence_data_bytes_max;
  if (!kept || !fits || table_.members() >= limits_.presence_members_max) {
    probe_.member_refused();
    bus::PresenceEvent event;
    event.alias = alias;
    event.what = bus::PresenceEvent::What::refused;
    event.member.session = member.session;
    return out_.presence_event(peer, event);
  }
  table_.enter(leases_.holder_of(peer), alias, channel, member);
  members_changed();
}

void CorePresence::leave(PeerId peer, std::string_view channel, std::string_view session) {
  const auto holder = leases_.find(peer);
  if (!holder) return;
  table_.leave(*holder, channel, session);
  members_changed();
}

void CorePresence::answer(PeerId peer, const bus::PresenceRequest& request, bool kept) {
  bus::PresenceAnswer answer;
  answer.id = request.id;
  if (!ChannelName::valid(request.channel)) {
    answer.error = fail(ErrorCode::channel_name_invalid,
                        "a channel name is 1 to 255 bytes of UTF-8 without control characters");
  } else if (!kept) {
    answer.error = fail(ErrorCode::permission_denied,
                        "no channel rule at the core keeps who is in this channel");
  } else {
    bus::PresenceRequest bounded = request;
    bounded.limit = std::min(request.limit, limits_.presence_page_max);
    if (store_ != nullptr) return store_->ask(peer, bounded, limits_.page_bytes_max);
    table_.answer(bounded, limits_.page_bytes_max, page_, answer);
  }
  out_.presence(peer, answer);
}

bool CorePresence::expire(TimePoint now) {
  if (quiet_until_ && now >= *quiet_until_) {
    quiet_until_.reset();
    table_.set_quiet(false);
    announcing_ = true;
  }
  if (announcing_) announcing_ = occupancy_.announce(kAnnouncedPerCall);
  const auto holder = leases_.due(now);
  if (!holder) return announcing_;
  // No short circuit: both have their share of each call.
  const bool members = table_.expire(*holder, kExpiresPerCall);
  const bool watches = occupancy_.expire(*holder, kExpiresPerCall);
  members_changed();
  if (!members && !watches) leases_.settled(*holder);
  return true;
}

void CorePresence::on_presence_event(PeerId peer, const bus::PresenceEvent& event) {
  probe_.presence_told();
  out_.presence_event(peer, event);
}

void CorePresence::on_entered(std::string_view channel, std::string_view session) {
  table_.hear(channel, session);
}

void CorePresence::on_event(std::string_view channel, bus::PresenceEvent::What what,
                            const bus::Member& member) {
  table_.tell(channel, what, member);
}

void CorePresence::on_answer(PeerId peer, const bus::PresenceAnswer& answer) {
  out_.presence(peer, answer);
}

void CorePresence::on_occupancy(Occupancy what, std::string_view channel) {
  probe_.occupancy_told();
  out_.occupancy(what, channel);
}

void CorePresence::each_of_ours(const Each& each) const {
  table_.each_member(each);
  occupancy_.each_occupied([&](std::string_view channel) { each(channel, nullptr); });
}

}  // namespace peal::broker
