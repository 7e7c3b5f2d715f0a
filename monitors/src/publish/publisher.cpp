#include "peal/monitor/publisher.hpp"

#include <algorithm>

namespace peal::monitor {
namespace {

using std::chrono::milliseconds;
using Status = bus::Published::Status;

constexpr milliseconds kPauseMin{50};
constexpr milliseconds kPauseMax{2000};
/// Channels whose last sequence is remembered; above, those with nothing to do are forgotten.
constexpr std::size_t kLanesMax = 20'000;

/// What each costs besides its texts: small ones are no less bounded.
constexpr std::size_t kItemBytes = 256;

std::size_t size_of(const Outgoing& outgoing) {
  return kItemBytes + outgoing.payload.size() + outgoing.channel.size() + outgoing.key.size();
}

}  // namespace

Publisher::Publisher(std::string source, std::size_t under_way_bytes_max, PublisherOut& out)
    : source_(std::move(source)), under_way_bytes_max_(under_way_bytes_max), out_(out) {}

void Publisher::rename(std::string source) {
  source_ = std::move(source);
  busy_.clear();
  lanes_.clear();
}

void Publisher::publish(Outgoing outgoing) {
  ++pending_;
  pending_bytes_ += size_of(outgoing);
  auto& entry = *lanes_.try_emplace(outgoing.channel).first;
  if (!entry.second.busy) busy_.push_back(&entry);
  entry.second.busy = true;
  entry.second.items.push_back({std::move(outgoing)});
}

void Publisher::send(Time now) {
  if (!linked_ || pending_ == 0) return;
  std::erase_if(busy_, [](Lanes::value_type* entry) {
    entry->second.busy = !entry->second.items.empty();
    return !entry->second.busy;
  });
  for (Lanes::value_type* entry : busy_)
    send(entry->first, entry->second, now);
  if (lanes_.size() > kLanesMax) forget_idle_lanes();
}

void Publisher::send(const std::string& channel, Lane& lane, Time now) {
  if (lane.failed) {
    if (lane.under_way != 0) return;
    begin_again(lane, now);
  }
  if (lane.not_before > now) return;
  while (lane.next < lane.items.size() && under_way_bytes_ < under_way_bytes_max_) {
    if (lane.log && !lane.last && lane.under_way != 0) return;
    Item& item = lane.items[lane.next++];
    if (!item.done) send(channel, lane, item);
  }
}

void Publisher::send(const std::string& channel, Lane& lane, Item& item) {
  bus::PublishRequest request;
  request.id = item.id = ++requests_;
  request.channel = channel;
  request.publication.kind = item.outgoing.deletion ? Kind::deletion : Kind::value;
  request.publication.payload = item.outgoing.payload;
  request.publication.key = item.outgoing.key;
  request.publication.source = source_;
  request.publication.sequence = item.outgoing.sequence;
  if (lane.log) {
    request.previous = lane.last;
    request.replace = item.outgoing.anew;
    // Only once it was answered is it known that the log remembers the source.
    if (lane.last) lane.last = item.outgoing.sequence;
  }
  channels_.emplace(item.id, channel);
  ++lane.under_way;
  under_way_bytes_ += size_of(item.outgoing);
  port_->publish(request);
}

void Publisher::on_published(std::span<const bus::Published> outcomes) {
  for (const bus::Published& outcome : outcomes) {
    const auto at = channels_.find(outcome.id);
    if (at == channels_.end()) continue;
    Lane& lane = lanes_[at->second];
    channels_.erase(at);
    const auto item = std::ranges::find(lane.items, outcome.id, &Item::id);
    --lane.under_way;
    under_way_bytes_ -= size_of(item->outgoing);
    settle(lane, *item, outcome);
    item->id = 0;
    item->sent_before = true;
    while (!lane.items.empty() && lane.items.front().done) {
      lane.items.pop_front();
      if (lane.next != 0) --lane.next;
    }
  }
}

void Publisher::settle(Lane& lane, Item& item, const bus::Published& outcome) {
  if (outcome.status == Status::ok) {
    lane.pause = milliseconds(0);
    if (outcome.position || outcome.duplicate) {
      lane.log = true;
      if (!lane.last && !lane.failed) lane.last = item.outgoing.sequence;
    } else {
      lane.log = false;
    }
    ++(outcome.duplicate ? counts_.duplicates : counts_.published);
    const bool met = outcome.duplicate && !item.sent_before;
    return finish(item, std::nullopt, met ? outcome.last : std::nullopt);
  }
  const Error error = outcome.error.value_or(Error{});
  if (outcome.status == Status::refused && error.code == ErrorCode::not_recoverable && lane.log) {
    lane.log = false;  // it kept one before, or the first answer is still to come
    lane.failed = true;
    return;
  }
  if (outcome.status == Status::refused && !error.temporary()) {
    lane.failed = true;  // the next ones name it as the one before
    return finish(item, error, std::nullopt);
  }
  ++counts_.retries;
  lane.failed = true;
  if (error.code != ErrorCode::sequence_gap) lane.wait = true;
}

void Publisher::finish(Item& item, std::optional<Error> error, std::optional<Sequence> met) {
  item.done = true;
  --pending_;
  pending_bytes_ -= size_of(item.outgoing);
  out_.on_done({item.outgoing.ticket, std::move(error), met});
}

void Publisher::begin_again(Lane& lane, Time now) {
  lane.failed = false;
  lane.last.reset();
  lane.next = 0;
  if (!lane.wait) return;
  lane.wait = false;
  lane.pause = std::clamp(lane.pause * 2, kPauseMin, kPauseMax);
  lane.not_before = now + lane.pause;
}

std::optional<Publisher::Time> Publisher::next() const {
  std::optional<Time> soonest;
  if (!linked_ || pending_ == 0) return soonest;
  for (const Lanes::value_type* entry : busy_) {
    const Lane& lane = entry->second;
    if (lane.items.empty() || lane.under_way != 0) continue;
    const Time at = lane.failed ? Time{} : lane.not_before;
    if (!soonest || at < *soonest) soonest = at;
  }
  return soonest;
}

void Publisher::on_state(const bus::BusState& state) {
  if (state.linked && !linked_) {
    for (Lanes::value_type* entry : busy_)
      entry->second.not_before = {};
  }
  linked_ = state.linked;
  out_.on_link(state.linked, state.detail);
}

void Publisher::forget_idle_lanes() {
  std::erase_if(lanes_, [](const auto& each) { return !each.second.busy; });
}

}  // namespace peal::monitor
