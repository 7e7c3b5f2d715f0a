#pragma once
// The thread of the Redis client, and what its cores share: the script in each node, the layout
// that everybody agrees on, who hears which channel.
//   not connected -> connected, layout asked for -> usable; from anywhere back, with why in
//   trouble()
// Calls before it is usable are refused. Seats are served in the order of their questions.

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "peal/broker/redis_storage.hpp"
#include "peal/redis/client.hpp"
#include "redis_store/log_script.hpp"
#include "redis_store/redis_queries.hpp"
#include "redis_store/seat_link.hpp"

namespace peal::redis_store {

class RedisThread final : private redis::ClientOwner {
 public:
  RedisThread(const broker::RedisStoreConfig& config, const runtime::Logger& logger);
  ~RedisThread() override;

  /// How often the seats that wish it are told that time passes.
  static constexpr std::chrono::milliseconds kBeat{250};

  /// Any thread.
  std::shared_ptr<SeatLink> attach(std::function<void()> wake);
  std::shared_ptr<RedisQueries> relay(std::string name, const Limits& limits);
  std::string trouble() const;
  const KeySpace& keys() const { return keys_; }
  std::string_view publish_verb() const { return client_.publish_verb(); }
  std::size_t wait_replicas() const { return config_.wait_replicas; }
  const runtime::Probe& probe() const { return client_.probe(); }

 private:
  /// Who hears a channel, by which of its subscriptions.
  struct Listener {
    std::shared_ptr<SeatLink> seat;
    std::uint64_t ticket = 0;
  };

  std::vector<std::vector<std::string>> setup(const redis::Node& node) override;
  std::string judge_setup(const redis::Node& node,
                          const std::vector<redis::Reply>& replies) override;
  void on_connected(const redis::Node& node) override;
  void on_disconnected(const redis::Node& node, std::string_view reason) override;
  void on_subscribed(std::string_view channel) override;
  void on_broken(std::string_view channel) override;
  void on_message(std::string_view channel, std::string_view payload) override;
  void on_turn() override;

  std::shared_ptr<RedisQueries> queries() const;
  bool tell(Came::What what, std::string_view channel, std::string_view payload = {});
  void serve();
  void serve(const std::shared_ptr<SeatLink>& seat);
  void call(const std::shared_ptr<SeatLink>& seat, Asked asked);
  void on_answer(const std::shared_ptr<SeatLink>& seat, std::uint64_t ticket,
                 const std::string& route, redis::Answer answer);
  void ask_layout();
  void on_layout(const redis::Answer& answer);
  void say(std::string trouble);
  void look_for_trouble();
  void beat();

  const broker::RedisStoreConfig config_;
  const runtime::Logger logger_;
  const KeySpace keys_;
  boost::asio::io_context context_;
  redis::Client client_;
  boost::asio::steady_timer timer_;
  std::thread thread_;

  // Any thread:
  std::atomic<bool> serving_{false};  ///< posted, and not begun
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<SeatLink>> seats_;
  std::shared_ptr<RedisQueries> queries_;  ///< set once
  std::string trouble_ = "Redis has not been reached yet";

  // The thread's:
  std::string sha_, presence_sha_;
  bool usable_ = false;
  bool troubled_ = true;
  std::string why_not_usable_ = "Redis has not been reached yet";
  std::map<std::string, bool> keeps_;  ///< by node: what it acknowledged, over a restart
  bool all_keep_ = false;
  std::unordered_map<std::string, Listener> listeners_;  ///< by what is told on
  std::vector<Asked> asked_;
};

}  // namespace peal::redis_store
