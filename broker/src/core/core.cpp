#include "peal/broker/core.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "core/core_probe.hpp"
#include "core/interest_table.hpp"
#include "peal/proto/channel_name.hpp"

namespace peal::broker {
namespace {

/// Watches that one call of drop_peer ends.
constexpr std::size_t kDropsPerCall = 4096;

Error name_invalid() {
  return fail(ErrorCode::channel_name_invalid,
              "a channel name is 1 to 255 bytes of UTF-8 without control characters");
}

}  // namespace

struct Core::Impl {
  Impl(CoreOut& out_, OptionsOf options_of_, const Limits& limits_, RandomSource random_)
      : out(out_), options_of(std::move(options_of_)), limits(limits_), random(std::move(random_)) {}

  using ChannelId = InterestTable::ChannelId;

  void watch(PeerId peer, bus::Alias alias, std::string_view name, TimePoint now);
  void unwatch(PeerId peer, bus::Alias alias);
  void publish(PeerId peer, const bus::PublishRequest& request, TimePoint now);
  void publish_ephemeral(PeerId peer, const bus::PublishRequest& request,
                         std::span<const Target> targets);
  void read(PeerId peer, const bus::ReadRequest& request, TimePoint now);
  void answer_watch(PeerId peer, bus::Alias alias, ChannelId id);

  void refuse_watch(PeerId peer, bus::Alias alias, Error error);
  void refuse_publish(PeerId peer, bus::RequestId id, Error error);
  void refuse_read(PeerId peer, bus::RequestId id, Error error);
  void interest_changed() { probe.interest_changed(table.channels(), table.watches()); }

  CoreOut& out;
  const OptionsOf options_of;
  const Limits limits;
  const RandomSource random;
  InterestTable table;
  CoreProbe probe;
};

void Core::Impl::refuse_watch(PeerId peer, bus::Alias alias, Error error) {
  probe.refused(error.code);
  bus::HeadNotice notice;
  notice.alias = alias;
  notice.answer = true;
  notice.error = std::move(error);
  out.head(peer, notice);
}

void Core::Impl::refuse_publish(PeerId peer, bus::RequestId id, Error error) {
  probe.refused(error.code);
  if (id == 0) return;
  bus::Published outcome;
  outcome.id = id;
  outcome.status = bus::Published::Status::refused;
  outcome.error = std::move(error);
  out.published(peer, outcome);
}

void Core::Impl::refuse_read(PeerId peer, bus::RequestId id, Error error) {
  probe.refused(error.code);
  bus::Page page;
  page.id = id;
  page.error = std::move(error);
  out.page(peer, page);
}

void Core::Impl::watch(PeerId peer, bus::Alias alias, std::string_view name, TimePoint) {
  if (alias.index >= limits.channels_max) {
    return refuse_watch(peer, alias,
                        fail(ErrorCode::overloaded, "the alias is above limits.channels_max"));
  }
  const std::uint64_t hash = stable_hash(name);
  ChannelId id = table.find(name, hash);
  const auto before = table.watch_at(peer, alias.index);
  if (before.channel != InterestTable::kNone) {
    if (before.alias == alias && before.channel == id) return answer_watch(peer, alias, id);
    unwatch(peer, before.alias);  // the peer uses the index anew; it may have been the last one
    id = table.find(name, hash);
  }
  if (id == InterestTable::kNone) {
    if (!ChannelName::valid(name)) return refuse_watch(peer, alias, name_invalid());
    if (table.channels() >= limits.channels_max) {
      return refuse_watch(
          peer, alias, fail(ErrorCode::overloaded, "this core has limits.channels_max channels"));
    }
    id = table.create(name, hash);
  }
  table.watch(peer, alias, id);
  interest_changed();
  table.admit(peer, alias, id);
  answer_watch(peer, alias, id);
}

void Core::Impl::answer_watch(PeerId peer, bus::Alias alias, ChannelId) {
  bus::HeadNotice notice;
  notice.alias = alias;
  notice.answer = true;
  out.head(peer, notice);
}

void Core::Impl::unwatch(PeerId peer, bus::Alias alias) {
  const ChannelId id = table.unwatch(peer, alias);
  if (id == InterestTable::kNone) return;
  if (table.idle(id)) table.forget(id);
  interest_changed();
}

void Core::Impl::publish(PeerId peer, const bus::PublishRequest& request, TimePoint) {
  if (request.publication.payload.size() > limits.message_bytes_max) {
    return refuse_publish(peer, request.id,
                          fail(ErrorCode::message_too_large,
                               "the payload is larger than limits.message_bytes_max"));
  }
  const ChannelId id = table.find(request.channel, stable_hash(request.channel));
  if (id != InterestTable::kNone) {
    return publish_ephemeral(peer, request, table.at(id).targets.view());
  }
  if (!ChannelName::valid(request.channel)) {
    return refuse_publish(peer, request.id, name_invalid());
  }
  publish_ephemeral(peer, request, {});
}

void Core::Impl::publish_ephemeral(PeerId peer, const bus::PublishRequest& request,
                                   std::span<const Target> targets) {
  if (request.expect || request.previous || !request.idempotency_key.empty()) [[unlikely]] {
    return refuse_publish(peer, request.id,
                          fail(ErrorCode::not_recoverable,
                               "the channel keeps no log, so expect, previous and "
                               "Idempotency-Key cannot be honoured"));
  }
  if (!targets.empty()) {
    if (request.publication.offset.value == 0) [[likely]] {
      out.deliver(targets, Epoch{}, request.publication);
    } else {
      PublicationView publication = request.publication;
      publication.offset = {};
      out.deliver(targets, Epoch{}, publication);
    }
  }
  probe.published(targets.size(), request.publication.payload.size());
  if (request.id == 0) return;
  bus::Published outcome;
  outcome.id = request.id;
  out.published(peer, outcome);
}

void Core::Impl::read(PeerId peer, const bus::ReadRequest& request, TimePoint) {
  if (!ChannelName::valid(request.channel)) return refuse_read(peer, request.id, name_invalid());
  refuse_read(peer, request.id,
              fail(ErrorCode::not_recoverable, "the channel keeps no log: there is no history"));
}

Core::Core(CoreOut& out, OptionsOf options_of, const Limits& limits, RandomSource random)
    : impl_(std::make_unique<Impl>(out, std::move(options_of), limits, std::move(random))) {}
Core::~Core() = default;

void Core::watch(PeerId peer, bus::Alias alias, std::string_view channel, TimePoint now) {
  impl_->watch(peer, alias, channel, now);
}
void Core::unwatch(PeerId peer, bus::Alias alias, TimePoint) { impl_->unwatch(peer, alias); }
void Core::publish(PeerId peer, const bus::PublishRequest& request, TimePoint now) {
  impl_->publish(peer, request, now);
}
void Core::read(PeerId peer, const bus::ReadRequest& request, TimePoint now) {
  impl_->read(peer, request, now);
}

bool Core::drop_peer(PeerId peer) {
  InterestTable::Watch watch;
  for (std::size_t i = 0; i < kDropsPerCall; ++i) {
    if (!impl_->table.last_watch(peer, watch)) return false;
    impl_->unwatch(peer, watch.alias);
  }
  return impl_->table.last_watch(peer, watch);
}

void Core::tick(TimePoint) {}

void Core::channels(std::string_view after, std::size_t limit,
                    const std::function<void(const ChannelInfo&)>& each) const {
  // A heap of the `limit` smallest names above `after`, so that a page of a million costs little memory.
  std::vector<ChannelInfo> found;
  const auto by_name = [](const ChannelInfo& a, const ChannelInfo& b) { return a.name < b.name; };
  impl_->table.each_channel([&](InterestTable::ChannelId, const InterestTable::Channel& channel) {
    if (limit == 0 || channel.name <= after) return;
    if (found.size() == limit) {
      if (channel.name >= found.front().name) return;
      std::ranges::pop_heap(found, by_name);
      found.pop_back();
    }
    found.push_back({channel.name, channel.targets.size(), std::nullopt});
    std::ranges::push_heap(found, by_name);
  });
  std::ranges::sort_heap(found, by_name);
  for (const ChannelInfo& channel : found) each(channel);
}

const runtime::Probe& Core::probe() const { return impl_->probe; }

}  // namespace peal::broker
