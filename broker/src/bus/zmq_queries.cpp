#include "bus/zmq_queries.hpp"

#include <utility>

#include "bus/zmq_session.hpp"

namespace peal::bus {
namespace {

Error unavailable(const char* why) {
  return fail(ErrorCode::broker_unavailable, why);
}

bool over(const std::weak_ptr<ZmqSession*>& link) {
  const auto session = link.lock();
  return !session || !(*session)->link().linked();
}

}  // namespace

void ZmqQueries::ask(ClusterQuery query, ClusterDone done) {
  {
    const std::lock_guard lock(mutex_);
    if (!finished_) {
      asked_.push_back({std::move(query), std::exchange(done, nullptr)});
      waiting_ = true;
    }
  }
  if (done) return done(failed_answer(unavailable("the bus was stopped")));
  wake_.wake();
}

void ZmqQueries::turn(std::span<ZmqSession* const> linked, LinkTime now) {
  if (waiting_) {
    std::vector<Asked> asked;
    std::vector<Given> given;
    {
      const std::lock_guard lock(mutex_);
      asked.swap(asked_);
      given.swap(given_);
      waiting_ = false;
    }
    for (Given& mine : given) {
      if (!over(mine.link)) (*mine.link.lock())->cluster_answer(mine.id, mine.answer);
    }
    for (Asked& mine : asked)
      send(std::move(mine), linked, now);
  }
  end_lost(now);
}

void ZmqQueries::send(Asked asked, std::span<ZmqSession* const> linked, LinkTime now) {
  for (ZmqSession* const session : linked) {
    if (session->link().version() < wire::kVersionQueries) continue;
    const RequestId id = next_++;
    under_way_.emplace(
        id, UnderWay{session->handle(), now + asked.query.within + kGrace, std::move(asked.done)});
    return session->cluster_query(id, asked.query);
  }
  asked.done(failed_answer(linked.empty()
                               ? unavailable("no broker is linked that could ask the others")
                               : fail(ErrorCode::version_unsupported,
                                      "the brokers are too old to be asked about the cluster")));
}

void ZmqQueries::end_lost(LinkTime now) {
  for (auto at = under_way_.begin(); at != under_way_.end();) {
    const bool lost = over(at->second.link);
    if (!lost && now < at->second.until) {
      ++at;
      continue;
    }
    const ClusterDone done = std::move(at->second.done);
    at = under_way_.erase(at);
    done(failed_answer(unavailable(lost ? "the link with the broker that was asked is over"
                                        : "the broker that was asked does not answer")));
  }
}

void ZmqQueries::on_query(ZmqSession& from, RequestId id, const ClusterQuery& query) {
  if (!handler_) return;  // the broker asks only who said that it answers
  handler_(query, [this, link = Link(from.handle()), id](const ClusterAnswer& answer) {
    {
      const std::lock_guard lock(mutex_);
      given_.push_back({link, id, answer});
      waiting_ = true;
    }
    wake_.wake();
  });
}

void ZmqQueries::on_answer(const ZmqSession& from, RequestId id, const ClusterAnswer& answer) {
  const auto found = under_way_.find(id);
  if (found == under_way_.end() || found->second.link.lock() != from.handle()) return;
  const ClusterDone done = std::move(found->second.done);
  under_way_.erase(found);
  done(answer);
}

void ZmqQueries::finish() {
  std::vector<Asked> asked;
  {
    const std::lock_guard lock(mutex_);
    finished_ = true;
    asked.swap(asked_);
  }
  const ClusterAnswer stopped = failed_answer(unavailable("the bus was stopped meanwhile"));
  for (const Asked& mine : asked)
    mine.done(stopped);
  for (const auto& [id, mine] : std::exchange(under_way_, {}))
    mine.done(stopped);
}

}  // namespace peal::bus
