#include <algorithm>
#include <atomic>
#include <cstdio>
#include <map>
#include <random>
#include <utility>

#include "peal/proto/channel_name.hpp"
#include "peal/proto/glob.hpp"
#include "session/shard.hpp"
#include "session/shard_thread.hpp"

namespace peal::gateway {
namespace {

class Shards final : public ShardSet {
 public:
  Shards(ShardConfig config, runtime::Logger logger, runtime::ProbeRegistry& probes)
      : config_(std::move(config)), logger_(std::move(logger)), probes_(probes) {
    shared_.incarnation = std::random_device{}();
  }
  ~Shards() override { stop(); }

  Result<void> start(bus::Bus& bus) override {
    auto listeners = open_listeners(config_.listen, std::max<std::size_t>(config_.shards, 1));
    if (!listeners) return listeners.error();
    listeners_ = std::move(*listeners);
    for (std::size_t i = 0; i < listeners_.sockets.size(); ++i)
      shards_.push_back(std::make_unique<ShardThread>(config_, i, std::move(listeners_.sockets[i]),
                                                      shared_, logger_.with("shard"), probes_));
    for (auto& shard : shards_) {
      shard->attach(bus);
      shard->start();
    }
    return {};
  }

  std::string address() const override { return listeners_.address; }
  std::size_t size() const override { return shards_.size(); }
  Shard& shard(std::size_t index) override { return *shards_[index]; }
  bool healthy(std::chrono::milliseconds age) const override {
    return std::ranges::all_of(shards_,
                               [&](const auto& shard) { return shard->ticked_within(age); });
  }

  void sessions(std::string after, std::size_t limit,
                std::function<void(SessionPage)> then) override {
    unsigned shard = 0, index = 0, generation = 0, incarnation = 0;
    const bool given =
        std::sscanf(after.c_str(), "%8x-%2x-%x-%x", &incarnation, &shard, &index, &generation) == 4;
    page_on(given ? shard : 0, given ? index + 1 : 0, std::max<std::size_t>(limit, 1), {},
            std::move(then));
  }

  void channels(std::string after, std::string prefix, std::size_t limit,
                std::function<void(ChannelPage)> then) override {
    auto listing = std::make_shared<Listing>(Listing{
        std::move(after),
        [prefix = std::move(prefix)](std::string_view name) { return name.starts_with(prefix); },
        std::max<std::size_t>(limit, 1), std::move(then)});
    list_on(0, listing);
  }

  void answer(bus::ClusterQuery query, bus::ClusterDone then) override {
    auto answering = std::make_shared<Answering>(Answering{std::move(query), std::move(then), {}});
    answer_on(0, answering);
  }

  void disconnect(std::string session_id, CloseCode code, std::string reason,
                  std::function<void(bool)> then) override {
    unsigned incarnation = 0, shard = 0, index = 0, generation = 0;
    const bool given = std::sscanf(session_id.c_str(), "%8x-%2x-%x-%x", &incarnation, &shard,
                                   &index, &generation) == 4;
    ShardThread* thread = given && shard < shards_.size() ? shards_[shard].get() : nullptr;
    if (thread == nullptr) return then(false);
    const bool posted = thread->post([thread, session_id, code, reason = std::move(reason), then] {
      then(thread->disconnect(session_id, code, reason));
    });
    if (!posted) then(false);
  }

  void drain(std::chrono::milliseconds time, std::function<void()> then) override {
    const auto left = std::make_shared<std::atomic<std::size_t>>(shards_.size());
    const auto done = [left, then = std::move(then)] {
      if (left->fetch_sub(1) == 1) then();
    };
    for (auto& shard : shards_) {
      ShardThread* thread = shard.get();
      if (!thread->post([thread, time, done] { thread->drain(time, done); })) done();
    }
  }

  void shed(std::size_t count) override {
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      // Connections are spread evenly, so each shard gives its part.
      const std::size_t part = count / shards_.size() + (i < count % shards_.size() ? 1 : 0);
      ShardThread* thread = shards_[i].get();
      if (part > 0) thread->post([thread, part] { thread->shed(part); });
    }
  }

  void use_tls(std::shared_ptr<TlsContext> tls) override {
    for (auto& shard : shards_) {
      ShardThread* thread = shard.get();
      thread->post([thread, tls] { thread->use_tls(tls); });
    }
  }

  void publish(std::string channel, Publication publication, PublishDone then) override {
    if (shards_.empty()) return then(stopped());
    ShardThread* thread = shards_[stable_hash(channel) % shards_.size()].get();
    const bool posted = thread->post(
        [thread, channel = std::move(channel), publication = std::move(publication), then] {
          bus::PublishRequest request;
          request.channel = channel;
          request.publication = view_of(publication);
          thread->engine().publish_trusted(
              request, then ? then : [](const bus::Published&) {});
        });
    if (!posted && then) then(stopped());
  }

  void presence(std::string channel, std::string after, std::size_t limit,
                PresenceDone then) override {
    if (shards_.empty()) return then(nobody_answers());
    ShardThread* thread = shards_[stable_hash(channel) % shards_.size()].get();
    const bool posted =
        thread->post([thread, channel = std::move(channel), after = std::move(after), limit, then] {
          thread->engine().presence_trusted({0, channel, after, limit}, then);
        });
    if (!posted) then(nobody_answers());
  }

  void stop() override {
    for (auto& shard : shards_)
      shard->stop();
  }

 private:
  static bus::Published stopped() {
    bus::Published outcome;
    outcome.status = bus::Published::Status::refused;
    outcome.error = fail(ErrorCode::draining, "the gateway has stopped");
    return outcome;
  }

  static bus::PresenceAnswer nobody_answers() {
    bus::PresenceAnswer answer;
    answer.error = fail(ErrorCode::draining, "the gateway has stopped");
    return answer;
  }

  /// Fills the page from this shard and goes on to the next one when there is room.
  void page_on(std::size_t shard, std::uint32_t from, std::size_t limit, SessionPage page,
               std::function<void(SessionPage)> then) {
    if (shard >= shards_.size() || page.sessions.size() >= limit) {
      if (page.sessions.size() >= limit) page.next = page.sessions.back().id;
      return then(std::move(page));
    }
    ShardThread* thread = shards_[shard].get();
    auto task = [this, thread, shard, from, limit, page, then]() mutable {
      thread->list(from, limit, page);
      page_on(shard + 1, 0, limit, std::move(page), std::move(then));
    };
    if (!thread->post(std::move(task))) then({});
  }

  /// A page of channels in the making; it wanders from shard to shard.
  struct Listing {
    std::string after;
    NameFilter wanted;
    std::size_t limit;
    std::function<void(ChannelPage)> then;
    std::map<std::string, std::size_t> subscribers{};
  };

  void list_on(std::size_t shard, const std::shared_ptr<Listing>& listing) {
    if (shard >= shards_.size()) {
      ChannelPage page;
      for (const auto& [name, subscribers] : listing->subscribers) {
        if (page.channels.size() == listing->limit) {
          page.next = page.channels.back().name;
          break;
        }
        page.channels.push_back({name, subscribers});
      }
      return listing->then(std::move(page));
    }
    ShardThread* thread = shards_[shard].get();
    // One more than asked, so that the end shows whether there is a next page.
    const bool posted = thread->post([this, thread, shard, listing] {
      thread->list_channels(listing->after, listing->wanted, listing->limit + 1,
                            listing->subscribers);
      list_on(shard + 1, listing);
    });
    if (!posted) listing->then({});
  }

  /// An answer in the making; it wanders likewise.
  struct Answering {
    bus::ClusterQuery query;
    bus::ClusterDone then;
    bus::ClusterAnswer answer;
  };

  void answer_on(std::size_t shard, const std::shared_ptr<Answering>& answering) {
    if (shard >= shards_.size()) return list_answered(answering);
    ShardThread* thread = shards_[shard].get();
    const bool posted = thread->post([this, thread, shard, answering] {
      thread->answer(answering->query, answering->answer);
      answer_on(shard + 1, answering);
    });
    if (!posted) answering->then(bus::failed_answer(stopped().error.value()));
  }

  void list_answered(const std::shared_ptr<Answering>& answering) {
    answering->answer.asked = answering->answer.answered = 1;
    const bus::ClusterQuery& query = answering->query;
    if (query.channels.empty() || query.limit == 0) return answering->then(answering->answer);
    const auto wanted = [answering](std::string_view name) {
      return std::ranges::any_of(answering->query.channels,
                                 [&](const std::string& glob) { return glob_matches(glob, name); });
    };
    const auto listed = [answering,
                         bytes_max = config_.limits.query_bytes_max](const ChannelPage& page) {
      std::size_t bytes = 0;
      for (const ChannelInfo& channel : page.channels) {
        if (bytes > bytes_max) break;
        bytes += channel.name.size();
        answering->answer.channels.push_back({channel.name, channel.subscribers});
      }
      answering->answer.more =
          !page.next.empty() || answering->answer.channels.size() < page.channels.size();
      answering->then(answering->answer);
    };
    list_on(0, std::make_shared<Listing>(Listing{query.after, wanted, query.limit, listed}));
  }

  const ShardConfig config_;
  runtime::Logger logger_;
  runtime::ProbeRegistry& probes_;
  ShardShared shared_;
  ListenerSet listeners_;
  std::vector<std::unique_ptr<ShardThread>> shards_;
};

}  // namespace

std::unique_ptr<ShardSet> make_shard_set(ShardConfig config, runtime::Logger logger,
                                         runtime::ProbeRegistry& probes) {
  return std::make_unique<Shards>(std::move(config), std::move(logger), probes);
}

}  // namespace peal::gateway
