#include "postgres/notify_reader.hpp"

#include <poll.h>

#include <chrono>

#include "peal/proto/channel_name.hpp"

namespace peal::monitor {
namespace {

using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

constexpr seconds kSayEvery{60};

}  // namespace

NotifyReader::NotifyReader(const MonitorConfig& config, Waiter& waiter,
                           const runtime::Logger& logger, MonitorProbe& probe)
    : SourceReader(config, waiter, logger.with("notify"), probe) {
  for (const ListenConfig& listen : config.listens)
    listens_.push_back(*Listen::compile(listen));
}

/// A query that can't run is a mistake of the configuration; what it can't take comes later.
Result<void> NotifyReader::check(Connection& connection) {
  if (auto prepared = prepare(connection); !prepared) return prepared;
  for (const Listen& listen : listens_) {
    if (listen.fetch().empty()) continue;
    auto prepared = connection.run("prepare peal_check as " + listen.fetch());
    if (!prepared) {
      return fail(prepared.error().code,
                  "listen: " + listen.name() + ": fetch: " + prepared.error().message);
    }
    if (auto done = connection.run("deallocate peal_check"); !done) return done;
  }
  return {};
}

/// A session for as long as it takes; what a fetch finds is written as the role has it.
Result<void> NotifyReader::prepare(Connection& connection) {
  connection.explain_denied("a fetch runs with the monitor's role: GRANT it what the query reads");
  return connection.run("set idle_session_timeout = 0");
}

/// Monitors that listen to the same names in a database are one source.
int NotifyReader::lock_key() const {
  std::string names;
  for (const Listen& listen : listens_)
    names += listen.name() + '\n';
  return static_cast<int>(stable_hash(names) & 0x7fffffff) | 2;
}

Result<void> NotifyReader::pump(Connection& connection) {
  auto asking = connect(config_.dsn);
  if (!asking) return asking.error();
  if (auto prepared = prepare(*asking); !prepared) return prepared;
  for (const Listen& listen : listens_) {
    auto listening = connection.run("listen " + connection.quoted(listen.name()));
    if (!listening) return listening;
  }
  // A number of this session's own, for what is repeated within it: the database's clock.
  auto clock = connection.ask("select (extract(epoch from clock_timestamp()) * 1000000)::bigint");
  if (!clock) return clock.error();
  sequence_ = {clock->number(0, 0), 0};
  is_active("postgres-notify:" + std::to_string(lock_key()));
  for (const Listen& listen : listens_)
    publish(listen.reset());
  wait_published();
  while (!waiter_.stopping()) {
    if (auto measured = measure(*asking); !measured) return measured;
    const auto came = connection.notified();
    if (!came) return came.error();
    heard_ = Clock::now();
    Result<void> heard;
    for (std::size_t i = 0; heard && i < came->size(); ++i)
      heard = hear(*asking, (*came)[i]);
    probe_.took(came->size());
    wait_published();
    if (!heard) return heard;
    if (came->empty() && !waiter_.stopping())
      waiter_.wait(connection.fd(), POLLIN, Clock::now() + seconds(1));
  }
  return {};
}

Result<void> NotifyReader::hear(Connection& asking, const Notification& said) {
  for (std::size_t i = 0; i < listens_.size(); ++i) {
    const Listen& listen = listens_[i];
    if (listen.name() != said.channel) continue;
    std::string payload = said.payload;
    if (!listen.fetch().empty()) {
      auto fetched = fetch(asking, listen, said.payload);
      if (!fetched) return fetched.error();
      payload = fetched->value_or("null");
    }
    auto ring = listen.ring(payload, reader_);
    if (ring) {
      publish(std::move(*ring));
    } else {
      told_unmapped(i, ring.error());
    }
  }
  return {};
}

Result<Cell> NotifyReader::fetch(Connection& asking, const Listen& listen,
                                 const std::string& said) {
  auto answer = asking.ask(listen.fetch().c_str(), {said});
  if (answer) return answer->rows() == 0 ? Cell() : answer->at(0, 0);
  if (answer.error().temporary() || answer.error().code == ErrorCode::draining)
    return answer.error();
  logger_.warn("what NOTIFY said can't be fetched",
               {{"listen", listen.name()}, {"reason", answer.error().message}});
  return Cell();
}

/// What was said and not read waits in a queue that all databases of the server share.
Result<void> NotifyReader::measure(Connection& asking) {
  const auto now = Clock::now();
  if (now - measured_ < kMeasureEvery) return {};
  measured_ = now;
  auto answer = asking.ask("select pg_notification_queue_usage() * 1000000");
  if (!answer) return answer.error();
  const auto millionths = answer->number(0, 0);
  const auto waits = publisher_->pending() == 0
                         ? seconds(0)
                         : std::chrono::duration_cast<std::chrono::milliseconds>(now - heard_);
  probe_.lag_measured(publisher_->pending(), publisher_->pending_bytes(),
                      static_cast<std::uint64_t>(waits.count()), 0);
  probe_.queue_used(millionths);
  if (millionths > config_.queue_warn_percent * 10'000 && now - warned_ >= kSayEvery) {
    warned_ = now;
    logger_.warn("NOTIFY will fail when its queue is full", {{"percent", millionths / 10'000}});
  }
  return {};
}

void NotifyReader::publish(Ring ring) {
  ++sequence_.minor;
  publisher_->publish({std::move(ring), sequence_.minor, sequence_});
}

void NotifyReader::on_done(const Done& done) {
  if (!done.error) return;
  probe_.rejected();
  logger_.error("what NOTIFY said can't be published", {{"reason", done.error->message}});
}

}  // namespace peal::monitor
