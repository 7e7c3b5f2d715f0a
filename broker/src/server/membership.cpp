#include "server/membership.hpp"

#include <algorithm>
#include <utility>

#include "peal/proto/channel_name.hpp"

namespace peal::broker {
namespace {

/// A quarrel lasts so long after it was heard last: those who quarrel try again every two seconds.
constexpr std::chrono::seconds kQuarrel{4};
/// Who stands in and doesn't stop when the first in rank is there again is waited for so long.
constexpr std::chrono::seconds kHandBack{1};

}  // namespace

Membership::Membership(Config config, TimePoint now)
    : config_(std::move(config)),
      ranks_(config_.members),
      self_(find(config_.name).value_or(0)),
      seen_(std::max<std::size_t>(1, config_.members.size())),
      since_(now) {}

std::optional<std::size_t> Membership::find(std::string_view name) const {
  const auto found = std::ranges::find(config_.members, name);
  if (found == config_.members.end()) return std::nullopt;
  return static_cast<std::size_t>(found - config_.members.begin());
}

void Membership::see(std::size_t member, bool linked, bool ready, std::uint32_t view) {
  seen_[member].linked = linked;
  seen_[member].ready = linked && ready;
  seen_[member].view = view;
}

void Membership::quarrel(std::string why, TimePoint now) {
  if (quarrel_.empty()) quarrel_ = std::move(why);  // of several, one is enough to say
  quarrelled_ = now;
}

void Membership::begin_again(TimePoint now) {
  since_ = now;
}

Membership::Changes Membership::turn(TimePoint now) {
  Changes changes;
  if (alone()) return changes;
  if (!quarrel_.empty()) {
    since_ = now;
    if (now - quarrelled_ >= kQuarrel) quarrel_.clear();
  }
  const bool came = std::exchange(comes_, now - since_ >= config_.settle);
  if (comes_ && !came) {
    comes_since_ = now;
    for (Seen& other : seen_) {
      other.awaited = other.ready && config_.store == StoreKind::memory;
      other.awaited_view = other.view;
    }
  }
  const bool ready = comes_ && others_stopped(now);
  changes.served = std::exchange(ready_, ready) != ready;
  some_away_ = false;
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    if (i == self_) continue;
    some_away_ = some_away_ || !seen_[i].ready;
    const bool before = std::exchange(seen_[i].was_ready, seen_[i].ready);
    if (before && !seen_[i].ready) changes.gone.push_back(i);
    if (!before && seen_[i].ready) changes.back.push_back(i);
  }
  return changes;
}

bool Membership::others_stopped(TimePoint now) {
  for (Seen& other : seen_)
    other.awaited = other.awaited && other.ready && other.view == other.awaited_view;
  return now - comes_since_ >= kHandBack ||
         std::ranges::none_of(seen_, [](const Seen& other) { return other.awaited; });
}

std::string Membership::why_not_ready() const {
  if (ready()) return {};
  if (!quarrel_.empty()) return quarrel_;
  return config_.name + " listens to the other brokers before it serves (limits.broker_settle)";
}

std::optional<std::size_t> Membership::server_of(std::string_view channel) const {
  if (alone()) return self_;
  if (config_.store == StoreKind::redis) return ready() ? std::optional(self_) : std::nullopt;
  const bool owned = config_.store == StoreKind::disk;
  const auto first =
      ranks_.first(stable_hash(channel), [&](std::size_t i) { return owned || serves(i); });
  return first && serves(*first) ? first : std::nullopt;
}

std::optional<Error> Membership::why_not(std::string_view channel) const {
  if (alone()) return std::nullopt;
  if (!ready()) return fail(ErrorCode::not_ready, why_not_ready());
  const auto server = server_of(channel);
  if (server == self_) return std::nullopt;
  if (server) {
    return fail(ErrorCode::not_owner,
                "the broker " + config_.members[*server] + " serves this channel");
  }
  return fail(ErrorCode::broker_unavailable,
              "the log of this channel is at the broker " +
                  config_.members[ranks_.owner(stable_hash(channel))] + ", which can't be reached");
}

bool Membership::stands_in(std::string_view channel) const {
  // While all serve nobody stands in for another: most of the time there is nothing to look up.
  if (!some_away_ || config_.store != StoreKind::memory) return false;
  return ranks_.owner(stable_hash(channel)) != self_;
}

bool Membership::comes_first(std::size_t member, std::string_view channel) const {
  return ranks_.before(member, self_, stable_hash(channel));
}

void Membership::stood_in(std::string_view channel) {
  const std::uint64_t hash = stable_hash(channel);
  for (std::size_t i = 0; i < seen_.size(); ++i)
    if (i != self_ && ranks_.before(i, self_, hash)) seen_[i].stood_in_for = true;
}

void Membership::hand_back(std::size_t member, const Epoch& mark) {
  seen_[member].stood_in_for = false;
  seen_[member].mark = mark;
}

}  // namespace peal::broker
