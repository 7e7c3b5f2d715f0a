#include "peal/broker/core.hpp"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/core_presence.hpp"
#include "core/core_probe.hpp"
#include "core/interest_table.hpp"
#include "core/tail_checks.hpp"
#include "peal/proto/bus_refusals.hpp"
#include "peal/proto/channel_name.hpp"

namespace peal::broker {
namespace {

/// Watches that one call of drop_peer ends.
constexpr std::size_t kDropsPerCall = 4096;
/// Logs that one tick looks at, whether they have fallen silent.
constexpr std::size_t kTailsPerTick = 65'536;

Error name_invalid() {
  return fail(ErrorCode::channel_name_invalid,
              "a channel name is 1 to 255 bytes of UTF-8 without control characters");
}

bool needs_a_log(const bus::PublishRequest& request) {
  return request.expect || request.previous || request.expect_end || request.replace ||
         request.place || request.expect_value != bus::ExpectValue::any ||
         !request.idempotency_key.empty();
}

}  // namespace

struct Core::Impl final : LogStoreSink {
  Impl(CoreOut& out_, OptionsOf options_of_, const Limits& limits_, EpochSource epochs,
       StoreChoice choice)
      : out(out_),
        options_of(std::move(options_of_)),
        limits(limits_),
        presence(out_, limits_, probe),
        store(make_store(std::move(choice), std::move(epochs))) {
    presence.meet_in(store->presence());
  }

  using ChannelId = InterestTable::ChannelId;
  /// What InterestTable keeps for us per channel: 0 for one that the store knows nothing of, else a
  /// number that differs each time a channel is made, so that late words about one that is gone are
  /// told apart; odd for one with a log.
  static constexpr std::uint32_t kNotStored = 0;
  static bool has_log(const InterestTable::Channel& channel) { return channel.user % 2 == 1; }
  LogId log_of(ChannelId id) const { return (LogId{table.at(id).user} << 32U) | id; }
  /// The channel whose log this is, or kNone when it is gone.
  ChannelId channel_of(LogId log) const {
    const auto id = static_cast<ChannelId>(log);
    const auto user = static_cast<std::uint32_t>(log >> 32U);
    return table.user_of(id) == user ? id : InterestTable::kNone;
  }
  /// A watch whose head the store has been asked for.
  struct Waiting {
    PeerId peer;
    bus::Alias alias;
    bool admitted;  ///< it was answered before, and gets publications already
  };

  std::unique_ptr<LogStore> make_store(StoreChoice choice, EpochSource epochs) {
    if (!choice.make) return make_memory_log_store(*this, options_of, limits, std::move(epochs));
    if (!choice.wake) choice.wake = [] {};
    if (!choice.home) choice.home = [](std::string_view) { return true; };
    return choice.make({*this, options_of, limits, std::move(epochs), std::move(choice.wake),
                        std::move(choice.home), &presence});
  }
  void watch(PeerId peer, bus::Alias alias, std::string_view name, TimePoint now,
             const std::optional<Epoch>& seen);
  void unwatch(PeerId peer, bus::Alias alias, TimePoint now);
  void publish(PeerId peer, const bus::PublishRequest& request, TimePoint now);
  void publish_ephemeral(PeerId peer, const bus::PublishRequest& request,
                         std::span<const Target> targets, TimePoint now);
  void read(PeerId peer, const bus::ReadRequest& request, TimePoint now);
  void answer_watch(ChannelId id, const Waiting& watch, TimePoint now);

  void on_head(LogId log, const Result<Head>& head) override;
  void on_reset(LogId log, const Head& head) override;
  void on_appended(LogId log, const Epoch& epoch, const PublicationView& publication) override;
  void on_outcome(PeerId peer, const bus::Published& outcome) override;
  void on_page(PeerId peer, const bus::Page& page) override;

  void tell_all(ChannelId id, const Head& head);
  void check_tails(TimePoint now);

  void refuse_watch(PeerId peer, bus::Alias alias, Error error);
  void refuse_publish(PeerId peer, bus::RequestId id, Error error);
  void refuse_read(PeerId peer, bus::RequestId id, Error error);
  void interest_changed() { probe.interest_changed(table.channels(), table.watches()); }

  CoreOut& out;
  const OptionsOf options_of;
  const Limits limits;
  InterestTable table;
  std::unordered_map<ChannelId, std::vector<Waiting>> waiting;
  TailChecks tails{limits.position_interval / 2};
  std::unordered_set<LogId> silent;  ///< whose heads the store has been asked for
  CoreProbe probe;
  CorePresence presence;
  std::unique_ptr<LogStore> store;
  std::uint32_t channels_made = 0;
  TimePoint latest{};  ///< the time of the last watch, publish or tick
};

void Core::Impl::refuse_watch(PeerId peer, bus::Alias alias, Error error) {
  probe.refused(error.code);
  out.head(peer, bus::refused_watch(alias, std::move(error)));
}

void Core::Impl::refuse_publish(PeerId peer, bus::RequestId id, Error error) {
  probe.refused(error.code);
  if (id != 0) out.published(peer, bus::refused_publish(id, std::move(error)));
}

void Core::Impl::refuse_read(PeerId peer, bus::RequestId id, Error error) {
  probe.refused(error.code);
  out.page(peer, bus::failed_page(id, std::move(error)));
}

void Core::Impl::watch(PeerId peer, bus::Alias alias, std::string_view name, TimePoint now,
                       const std::optional<Epoch>& seen) {
  latest = now;
  if (alias.index >= limits.channels_max) {
    return refuse_watch(peer, alias,
                        fail(ErrorCode::overloaded, "the alias is above limits.channels_max"));
  }
  const std::uint64_t hash = stable_hash(name);
  ChannelId id = table.find(name, hash);
  const auto before = table.watch_at(peer, alias.index);
  if (before.channel != InterestTable::kNone) {
    if (before.alias == alias && before.channel == id) {
      if (seen && has_log(table.at(id))) store->outrun(name, *seen, now);
      return answer_watch(id, {peer, alias, true}, now);
    }
    unwatch(peer, before.alias, now);  // the peer uses the index anew; it may have been the last
    id = table.find(name, hash);
  }
  if (id == InterestTable::kNone) {
    if (!ChannelName::valid(name)) return refuse_watch(peer, alias, name_invalid());
    if (table.channels() >= limits.channels_max) {
      return refuse_watch(
          peer, alias, fail(ErrorCode::overloaded, "this core has limits.channels_max channels"));
    }
    id = table.create(name, hash);
    const ChannelOptions options = options_of(name);
    presence.channel_made(name, options);
    if (options.recoverable || store->carries_ephemeral()) {
      channels_made += channels_made + 2 == kNotStored ? 4 : 2;
      table.at(id).user = options.recoverable ? channels_made - 1 : channels_made;
    }
  }
  if (seen && has_log(table.at(id))) store->outrun(name, *seen, now);
  table.watch(peer, alias, id);
  interest_changed();
  answer_watch(id, {peer, alias, false}, now);
}

void Core::Impl::answer_watch(ChannelId id, const Waiting& watch, TimePoint now) {
  if (table.at(id).user != kNotStored) {
    waiting[id].push_back(watch);
    return store->watch(log_of(id), table.at(id).name, now);
  }
  if (!watch.admitted) table.admit(watch.peer, watch.alias, id);
  presence.watched(watch.peer, watch.alias, table.at(id).name);
  bus::HeadNotice notice;
  notice.alias = watch.alias;
  notice.answer = true;
  out.head(watch.peer, notice);
}

// One head answers all who wait: what is appended after it reaches each of them.
void Core::Impl::on_head(LogId log, const Result<Head>& head) {
  const ChannelId id = channel_of(log);
  if (silent.erase(log) > 0 && id != InterestTable::kNone && head) tell_all(id, *head);
  const auto found = waiting.find(id);
  if (found == waiting.end()) return;
  const auto watches = std::move(found->second);
  waiting.erase(found);
  for (const Waiting& watch : watches) {
    if (!head) {
      table.unwatch(watch.peer, watch.alias);
      refuse_watch(watch.peer, watch.alias, head.error());
      continue;
    }
    if (!watch.admitted) table.admit(watch.peer, watch.alias, id);
    presence.watched(watch.peer, watch.alias, table.at(id).name);
    bus::HeadNotice notice;
    notice.alias = watch.alias;
    notice.answer = true;
    if (has_log(table.at(id))) notice.head = *head;
    out.head(watch.peer, notice);
  }
  if (head || !table.idle(id)) return;
  store->unwatch(log, latest);
  table.forget(id);
}

void Core::Impl::on_reset(LogId log, const Head& head) {
  const ChannelId id = channel_of(log);
  if (id != InterestTable::kNone) tell_all(id, head);
}

void Core::Impl::tell_all(ChannelId id, const Head& head) {
  bus::HeadNotice notice;
  notice.head = head;
  for (const Target& target : table.at(id).targets.view()) {
    notice.alias = target.alias;
    out.head(target.peer, notice);
  }
}

// The store is asked, so that what is told is in order with what it appends.
void Core::Impl::check_tails(TimePoint now) {
  if (limits.position_interval.count() <= 0) return;
  std::vector<LogId> quiet;
  tails.due(now, kTailsPerTick, [&](LogId log) { quiet.push_back(log); });
  for (const LogId log : quiet) {
    const ChannelId id = channel_of(log);
    if (id == InterestTable::kNone) continue;
    table.at(id).tail = TailChecks::kNone;
    silent.insert(log);
    store->watch(log, table.at(id).name, now);
  }
}

void Core::Impl::on_appended(LogId log, const Epoch& epoch, const PublicationView& publication) {
  const ChannelId id = channel_of(log);
  if (id == InterestTable::kNone) return;
  const auto targets = table.at(id).targets.view();
  if (!targets.empty()) {
    out.deliver(targets, epoch, publication);
    if (publication.offset.value != 0) tails.appended(table.at(id).tail, log, latest);
  }
  probe.delivered(targets.size());
}

void Core::Impl::on_outcome(PeerId peer, const bus::Published& outcome) {
  if (outcome.duplicate) probe.duplicate_found();
  if (outcome.error) probe.refused(outcome.error->code);
  if (outcome.id != 0) out.published(peer, outcome);
}

void Core::Impl::on_page(PeerId peer, const bus::Page& page) {
  probe.page_read();
  if (page.error) probe.refused(page.error->code);
  out.page(peer, page);
}

void Core::Impl::unwatch(PeerId peer, bus::Alias alias, TimePoint now) {
  const ChannelId id = table.unwatch(peer, alias);
  if (id == InterestTable::kNone) return;
  if (const auto found = waiting.find(id); found != waiting.end()) {
    std::erase_if(found->second,
                  [&](const Waiting& watch) { return watch.peer == peer && watch.alias == alias; });
    if (found->second.empty()) waiting.erase(found);
  }
  presence.unwatched(peer, alias, table.at(id).name);
  if (table.idle(id)) {
    if (table.at(id).user != kNotStored) {
      store->unwatch(log_of(id), now);
      tails.forget(table.at(id).tail);
      silent.erase(log_of(id));
    }
    table.forget(id);
  }
  interest_changed();
}

void Core::Impl::publish(PeerId peer, const bus::PublishRequest& request, TimePoint now) {
  if (bytes_of(request.publication) > limits.message_bytes_max) {
    return refuse_publish(peer, request.id,
                          fail(ErrorCode::message_too_large,
                               "the message, with its key, type and source, is larger than "
                               "limits.message_bytes_max"));
  }
  const ChannelId id = table.find(request.channel, stable_hash(request.channel));
  bool recoverable = false;
  if (id != InterestTable::kNone) {
    const InterestTable::Channel& channel = table.at(id);
    recoverable = has_log(channel);
    if (!recoverable) return publish_ephemeral(peer, request, channel.targets.view(), now);
  } else {
    if (!ChannelName::valid(request.channel)) {
      return refuse_publish(peer, request.id, name_invalid());
    }
    recoverable = options_of(request.channel).recoverable;
    if (!recoverable) return publish_ephemeral(peer, request, {}, now);
  }
  const bool deletes = request.publication.kind == Kind::deletion && !request.place;
  if (deletes && options_of(request.channel).refuse_when_full) {
    return refuse_publish(peer, request.id,
                          fail(ErrorCode::command_invalid,
                               "a file is appended to or replaced; nothing of it is deleted"));
  }
  probe.published(request.publication.payload.size());
  latest = now;
  store->append(peer, request, now);
}

void Core::Impl::publish_ephemeral(PeerId peer, const bus::PublishRequest& request,
                                   std::span<const Target> targets, TimePoint now) {
  if (needs_a_log(request)) [[unlikely]] {
    return refuse_publish(peer, request.id,
                          fail(ErrorCode::not_recoverable,
                               "the channel keeps no log, so expectations, previous, replace and "
                               "Idempotency-Key cannot be honoured"));
  }
  if (store->carries_ephemeral()) {
    probe.published(request.publication.payload.size());
    return store->append(peer, request, now);
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
  probe.published(request.publication.payload.size());
  probe.delivered(targets.size());
  if (request.id == 0) return;
  bus::Published outcome;
  outcome.id = request.id;
  out.published(peer, outcome);
}

void Core::Impl::read(PeerId peer, const bus::ReadRequest& request, TimePoint now) {
  if (!ChannelName::valid(request.channel)) return refuse_read(peer, request.id, name_invalid());
  if (!options_of(request.channel).recoverable) {
    return refuse_read(
        peer, request.id,
        fail(ErrorCode::not_recoverable, "the channel keeps no log: there is no history"));
  }
  store->read(peer, request, now);
}

Core::Core(CoreOut& out, OptionsOf options_of, const Limits& limits, EpochSource epochs,
           StoreChoice store)
    : impl_(std::make_unique<Impl>(out, std::move(options_of), limits, std::move(epochs),
                                   std::move(store))) {}
Core::~Core() = default;

void Core::watch(PeerId peer, bus::Alias alias, std::string_view channel, TimePoint now,
                 const std::optional<Epoch>& seen) {
  impl_->watch(peer, alias, channel, now, seen);
}
void Core::unwatch(PeerId peer, bus::Alias alias, TimePoint now) {
  impl_->unwatch(peer, alias, now);
}
void Core::publish(PeerId peer, const bus::PublishRequest& request, TimePoint now) {
  impl_->publish(peer, request, now);
}
void Core::read(PeerId peer, const bus::ReadRequest& request, TimePoint now) {
  impl_->read(peer, request, now);
}

void Core::turn(TimePoint now) {
  impl_->store->turn(now);
}
void Core::stop() {
  impl_->store->stop();
}

void Core::adopt_peer(PeerId peer, std::uint64_t incarnation, TimePoint now) {
  impl_->presence.attach(peer, incarnation, now);
}
void Core::enter(PeerId peer, bus::Alias alias, const bus::Member& member) {
  const auto id = impl_->table.watched(peer, alias);
  if (id == InterestTable::kNone) return;
  const std::string& name = impl_->table.at(id).name;
  impl_->presence.enter(peer, alias, name, impl_->options_of(name).presence, member);
}
void Core::leave(PeerId peer, bus::Alias alias, std::string_view session) {
  const auto id = impl_->table.watched(peer, alias);
  if (id != InterestTable::kNone) impl_->presence.leave(peer, impl_->table.at(id).name, session);
}
void Core::presence(PeerId peer, const bus::PresenceRequest& request) {
  impl_->presence.answer(peer, request, impl_->options_of(request.channel).presence);
}
void Core::start_quiet(TimePoint now) {
  impl_->presence.start_quiet(now);
}
bool Core::expire(TimePoint now) {
  impl_->latest = now;
  return impl_->presence.expire(now);
}

void Core::end_epochs(const LogStore::WhichChannels& which, TimePoint now) {
  impl_->store->end_epochs(which, now);
}

bool Core::drop_peer(PeerId peer) {
  impl_->store->drop_peer(peer);
  impl_->presence.detach(peer, impl_->latest);
  InterestTable::Watch watch;
  for (std::size_t i = 0; i < kDropsPerCall; ++i) {
    if (!impl_->table.last_watch(peer, watch)) return false;
    impl_->unwatch(peer, watch.alias, impl_->latest);
  }
  return impl_->table.last_watch(peer, watch);
}

void Core::tick(TimePoint now) {
  impl_->latest = now;
  impl_->store->tick(now);
  impl_->check_tails(now);
  const LogStoreStats stats = impl_->store->stats();
  impl_->probe.logs_changed(stats.logs, stats.bytes, stats.epochs_ended);
}

void Core::channels(std::string_view after, std::size_t limit,
                    const std::function<void(const ChannelInfo&)>& each) const {
  // A heap of the `limit` smallest names above `after`: a page of a million costs little memory.
  std::vector<ChannelInfo> found;
  const auto by_name = [](const ChannelInfo& a, const ChannelInfo& b) { return a.name < b.name; };
  const auto add = [&](const ChannelInfo& channel) {
    if (limit == 0 || channel.name <= after) return;
    if (found.size() == limit) {
      if (channel.name >= found.front().name) return;
      std::ranges::pop_heap(found, by_name);
      found.pop_back();
    }
    found.push_back(channel);
    std::ranges::push_heap(found, by_name);
  };
  const InterestTable& table = impl_->table;
  table.each_channel([&](InterestTable::ChannelId, const InterestTable::Channel& channel) {
    if (!Impl::has_log(channel)) {
      add({channel.name, channel.targets.size(), std::nullopt});
    }
  });
  impl_->store->each([&](std::string_view name, const Head& head) {
    const auto id = table.find(name);
    add({name, id == InterestTable::kNone ? 0 : table.at(id).targets.size(), head});
  });
  std::ranges::sort_heap(found, by_name);
  for (const ChannelInfo& channel : found)
    each(channel);
}

const runtime::Probe& Core::probe() const {
  return impl_->probe;
}

}  // namespace peal::broker
