// Presence against a naive model, over random histories of gateways that link, enter, leave, lose
// their links and come back. Each listening gateway also keeps a set of its own out of what it was
// told, which has to be the core's whenever it is not told to look again. PEAL_SEED=n repeats one
// history, PEAL_HISTORIES=n runs more.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "peal/broker/core.hpp"
#include "recording_out.hpp"

namespace peal::broker {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kGateways = 3, kChannels = 3, kSessions = 4;
constexpr milliseconds kLease{1000};

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::string channel_name(std::size_t channel) {
  return "room:" + std::to_string(channel);
}

/// What a gateway tells the core, and the digest that it holds of what it was told.
struct GatewayModel {
  PeerId peer = 0;
  bool linked = false;
  TimePoint since{};   ///< of the link, or of its loss
  bool known = false;  ///< to the core, as far as leases go
  std::array<std::map<std::string, std::string>, kChannels> sessions;  ///< what should be in
  std::array<bool, kChannels> watched{};
  std::array<std::optional<std::uint64_t>, kChannels> digest;
};

/// A member as the core has to have it: it may have been left behind by a lost link.
struct MemberModel {
  std::string user;
  std::size_t gateway;
  bool confirmed;
};

class PresenceHistory final : private CoreOut {
 public:
  explicit PresenceHistory(std::uint64_t seed)
      : random_(seed),
        core_(
            *this,
            [](std::string_view) {
              ChannelOptions options;
              options.presence = true;
              return options;
            },
            limits(), [] { return 1; }) {}

  void run() {
    const auto steps = 50 + pick(200);
    for (std::uint64_t i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      SCOPED_TRACE("step " + std::to_string(i));
      step();
      expire();
      compare();
    }
  }

 private:
  static Limits limits() {
    Limits limits;
    limits.presence_lease = kLease;
    return limits;
  }
  std::uint64_t pick(std::uint64_t below) { return random_() % below; }
  bus::Alias alias(std::size_t channel) const { return {static_cast<std::uint32_t>(channel), 1}; }

  void step() {
    const std::size_t which = pick(kGateways);
    GatewayModel& gateway = gateways_[which];
    const std::size_t channel = pick(kChannels);
    const std::string session = std::to_string(which) + '-' + std::to_string(pick(kSessions));
    switch (pick(12)) {
      case 0:
        now_ += milliseconds(pick(700));
        core_.expire(now_);
        return;
      case 1:
        return gateway.linked ? lose(which) : link(which);
      case 2:
        if (!gateway.linked) return link(which);
        return unwatch(which, channel);
      case 3:
      case 4:
      case 5: {
        const bool was_there = gateway.sessions[channel].erase(session) != 0;
        if (!was_there || !gateway.linked) return;
        core_.leave(gateway.peer, alias(channel), session);
        model_[channel].erase(session);
        if (gateway.sessions[channel].empty()) gateway.digest[channel].reset();
        return;
      }
      default: {
        const std::string user = pick(3) == 0 ? "" : "user" + std::to_string(pick(4));
        if (!gateway.linked || gateway.sessions[channel].contains(session)) return;
        gateway.sessions[channel][session] = user;
        return enter(which, channel, session, user);
      }
    }
  }

  void link(std::size_t which) {
    GatewayModel& gateway = gateways_[which];
    gateway.peer = next_peer_++;
    gateway.linked = true;
    core_.adopt_peer(gateway.peer, which + 1, now_);
    if (gateway.known) deadline_[which] = now_ + kLease;
    gateway.known = true;
    for (std::size_t channel = 0; channel < kChannels; ++channel) {
      for (auto& [session, member] : model_[channel])
        if (member.gateway == which) member.confirmed = false;
      gateway.watched[channel] = false;
      for (const auto& [session, user] : gateway.sessions[channel])
        enter(which, channel, session, user);
    }
  }

  void lose(std::size_t which) {
    core_.expire(now_);
    while (core_.drop_peer(gateways_[which].peer)) {
    }
    gateways_[which].linked = false;
    gateways_[which].digest = {};
    deadline_[which] = now_ + kLease;
  }

  void enter(std::size_t which, std::size_t channel, const std::string& session,
             const std::string& user) {
    GatewayModel& gateway = gateways_[which];
    if (!std::exchange(gateway.watched[channel], true))
      core_.watch(gateway.peer, alias(channel), channel_name(channel), now_);
    core_.enter(gateway.peer, alias(channel), {session, user, {}});
    model_[channel][session] = {user, which, true};
    if (!gateway.digest[channel]) gateway.digest[channel] = ask(channel, 0).digest;
  }

  void unwatch(std::size_t which, std::size_t channel) {
    GatewayModel& gateway = gateways_[which];
    if (!std::exchange(gateway.watched[channel], false)) return;
    core_.unwatch(gateway.peer, alias(channel), now_);
    // Stale ones of an older link are not that port's any more unless their alias is the same.
    std::erase_if(model_[channel], [&](const auto& at) { return at.second.gateway == which; });
    gateway.sessions[channel].clear();
    gateway.digest[channel].reset();
  }

  void expire() {
    while (core_.expire(now_)) {
    }
    for (auto at = deadline_.begin(); at != deadline_.end();) {
      if (at->second > now_) {
        ++at;
        continue;
      }
      const std::size_t which = at->first;
      const bool away = !gateways_[which].linked;
      for (auto& members : model_)
        std::erase_if(members, [&](const auto& member) {
          return member.second.gateway == which && (away || !member.second.confirmed);
        });
      if (away) gateways_[which].known = false;
      at = deadline_.erase(at);
    }
  }

  void compare() {
    for (std::size_t channel = 0; channel < kChannels; ++channel) {
      std::vector<std::string> wanted;
      std::set<std::string> users;
      std::uint64_t digest = 0;
      for (const auto& [session, member] : model_[channel]) {
        wanted.push_back(member.user.empty() ? session : session + ' ' + member.user);
        const bool first =
            users.insert(member.user.empty() ? "session " + session : "user " + member.user).second;
        if (first) digest ^= bus::presence_key({session, member.user, {}});
      }
      const auto answer = ask(channel, 100);
      ASSERT_EQ(members_, wanted) << channel_name(channel);
      ASSERT_EQ(answer.sessions, wanted.size());
      ASSERT_EQ(answer.users, users.size());
      ASSERT_EQ(answer.digest, digest);
      for (const GatewayModel& gateway : gateways_)
        if (gateway.linked && gateway.digest[channel]) {
          ASSERT_EQ(*gateway.digest[channel], digest) << "what " << gateway.peer << " was told";
        }
    }
  }

  bus::PresenceAnswer ask(std::size_t channel, std::size_t limit) {
    const std::string name = channel_name(channel);
    core_.presence(0, {1, name, {}, limit});
    return answer_;
  }

  void deliver(std::span<const Target>, const Epoch&, const PublicationView&) override {}
  void head(PeerId, const bus::HeadNotice&) override {}
  void published(PeerId, const bus::Published&) override {}
  void page(PeerId, const bus::Page&) override {}
  void occupancy(Occupancy, std::string_view) override {}
  void presence(PeerId, const bus::PresenceAnswer& answer) override {
    members_.clear();
    for (const bus::Member& member : answer.members)
      members_.push_back(test::RecordingOut::text_of(member));
    answer_ = answer;
    answer_.members = {};
  }
  void presence_event(PeerId peer, const bus::PresenceEvent& event) override {
    const auto to = std::ranges::find(gateways_, peer, &GatewayModel::peer);
    ASSERT_TRUE(to != gateways_.end() && to->linked) << "told to a link that is gone";
    auto& digest = to->digest[event.alias.index];
    if (digest) *digest ^= bus::presence_key(event.member);
  }

  std::mt19937_64 random_;
  TimePoint now_{};
  std::array<GatewayModel, kGateways> gateways_;
  std::array<std::map<std::string, MemberModel>, kChannels> model_;
  std::map<std::size_t, TimePoint> deadline_;  ///< of gateways that are away or came back
  std::vector<std::string> members_;
  bus::PresenceAnswer answer_;
  PeerId next_peer_ = 1;
  Core core_;
};

TEST(PresenceProperty, AnyHistoryOfGatewaysLeavesWhatTheModelHas) {
  const std::uint64_t first = from_environment("PEAL_SEED", std::random_device{}());
  const std::uint64_t histories =
      std::getenv("PEAL_SEED") != nullptr ? 1 : from_environment("PEAL_HISTORIES", 500);
  std::printf("seed %llu, %llu histories\n", static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(histories));
  for (std::uint64_t seed = first; seed < first + histories && !HasFailure(); ++seed) {
    SCOPED_TRACE("PEAL_SEED=" + std::to_string(seed));
    PresenceHistory(seed).run();
  }
}

}  // namespace
}  // namespace peal::broker
