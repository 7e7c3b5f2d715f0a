#pragma once
// Questions among the gateways that meet in Redis, each of which is in a list there for a few
// seconds at a time:
//   ask: one script reads the list and publishes the question -> answers come on a channel of who
//     asks -> all have answered, or the time is over
// A gateway that was in the list within the last minute, and hasn't taken itself off, counts as
// asked, so an answer never looks more complete than it is. What is sent is what the bus's wire
// has. Belongs to the client's thread; `ask`, `answer_with` and what a handler calls are for any.

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/cluster_answers.hpp"
#include "peal/broker/cluster_relay.hpp"
#include "peal/proto/limits.hpp"
#include "peal/redis/client.hpp"

namespace peal::redis_store {

class RedisQueries final : public broker::ClusterRelay,
                           public std::enable_shared_from_this<RedisQueries> {
 public:
  /// `prefix`: of its keys and channels, with a tag that decides the slot.
  RedisQueries(boost::asio::io_context& context, redis::Client& client, std::string prefix,
               std::string name, const Limits& limits);

  void answer_with(bus::ClusterHandler handler) override;
  void ask(const bus::ClusterQuery& query, bus::ClusterDone done) override;

  // The client's thread:
  void start();
  void stop();
  // Of its own channels only:
  void on_subscribed(std::string_view channel);
  void on_broken(std::string_view channel);
  void on_message(std::string_view channel, std::string_view message);
  void beat();

 private:
  using Clock = std::chrono::steady_clock;
  struct Open {
    std::chrono::milliseconds within;
    Clock::time_point deadline;
    bus::ClusterDone done;
    broker::ClusterAnswers answers;
    bool listed = false;                           ///< it is known who is asked
    std::map<std::string, std::string> waiting{};  ///< names by incarnation
    std::map<std::string, bus::ClusterAnswer> early{};
  };
  using Opened = std::map<std::uint64_t, Open>;
  /// Asked before Redis was listened to, as right after the start.
  struct Held {
    bus::ClusterQuery query;
    Clock::time_point deadline;
    bus::ClusterDone done;
  };

  void post(std::function<void()> task);
  void send(const bus::ClusterQuery& query, bus::ClusterDone done);
  void hold(const bus::ClusterQuery& query, bus::ClusterDone done);
  void send_held();
  Clock::time_point end_held(Clock::time_point now);
  void on_list(std::uint64_t id, const redis::Answer& answer);
  void read_list(Open& open, const redis::Reply& list);
  void on_query(std::string_view asker, std::uint64_t id, const bus::ClusterQuery& query);
  void give(const std::string& asker, std::uint64_t id, const bus::ClusterAnswer& answer);
  void on_answer(const std::string& from, std::uint64_t id, const bus::ClusterAnswer& answer);
  Opened::iterator finish(Opened::iterator at);
  void wait_for_deadline();
  void register_here();
  redis::Command script(std::string_view operation, std::string argument) const;

  boost::asio::io_context& context_;
  redis::Client& client_;
  const std::string list_, asked_on_, answered_on_, incarnation_, name_;
  const std::string prefix_;
  const Limits limits_;
  boost::asio::steady_timer timer_;

  // Any thread:
  std::mutex mutex_;
  bool closed_ = true;  ///< nothing is posted any more
  bus::ClusterHandler handler_;

  // The client's thread:
  bool hears_questions_ = false, hears_answers_ = false;
  Clock::time_point next_registration_{};
  Opened open_;
  std::vector<Held> held_;
  std::uint64_t next_ = 1;
};

}  // namespace peal::redis_store
