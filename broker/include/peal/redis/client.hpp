#pragma once
// The one Redis client of Peal: pipelined commands and subscriptions over one server, Sentinel or a
// Cluster. hiredis is the codec, Asio the transport. A Client belongs to the one thread that runs
// its io_context: everything is called there, every callback comes there, and none from inside a
// call. It connects again by itself, with jittered pauses, until stop().
// Order: commands of one key are executed in the order of the calls. In a Cluster a command that is
// redirected, or told to try again, holds back all later ones of its slot. (Only a slot that leaves
// a node and comes back to it within the time of one answer can overtake that.)
// Subscriptions: between on_subscribed and on_broken of a channel everything that is published on
// it comes as on_message. After every on_broken the client subscribes again by itself, and
// on_subscribed is said anew: whoever mirrors a log compares heads then.

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "peal/redis/config.hpp"
#include "peal/redis/reply.hpp"
#include "peal/runtime/logger.hpp"

namespace boost::asio {
class io_context;  // NOLINT(readability-identifier-naming): Asio names it
}  // namespace boost::asio

namespace peal::runtime {
class Probe;
}  // namespace peal::runtime

namespace peal::redis {

/// Under whom a node is master. `config_epoch` grows with every failover that Sentinel or the
/// Cluster agreed on (0: a single server); `run_id` is another after every restart.
struct Mastership {
  std::uint64_t config_epoch = 0;
  std::string run_id{};

  friend bool operator==(const Mastership&, const Mastership&) = default;
};

/// A master that the client is connected to.
struct Node {
  std::string address{};  ///< as a person would write it
  std::string id{};       ///< in a Cluster, the node's name there; else empty
  Mastership mastership{};
};

struct Command {
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

  std::vector<std::string> args{};  ///< the first is the command
  /// In a Cluster, by its slot the command finds its node; empty: any master.
  std::string key{};
  /// args[mastership_at] and the next are set, as the command goes out, to the config epoch (in
  /// decimal) and the run id of the node that it goes to.
  std::size_t mastership_at = kNowhere;
  /// WAIT for so many replicas follows on the same connection, told in Answer::replicas. 0: none.
  std::size_t wait_replicas = 0;
  std::chrono::milliseconds wait_timeout{0};
};
using Done = std::function<void(Answer)>;

/// Something that others say, by PUBLISH or of their own accord (keyspace notifications).
struct Topic {
  std::string name{};
  bool pattern = false;     ///< `name` is one, as PSUBSCRIBE takes it
  bool everywhere = false;  ///< said at each master of a Cluster for itself, so it is heard at each

  friend auto operator<=>(const Topic&, const Topic&) = default;
};

/// Who listens to topics. With one that is said everywhere, on_listening and on_deaf come for each
/// master; between the two everything that is said there comes as on_heard.
class TopicOwner {
 public:
  virtual ~TopicOwner() = default;
  virtual void on_listening(const Topic& topic) = 0;
  virtual void on_deaf(const Topic& topic) = 0;
  virtual void on_heard(const Topic& topic, std::string_view channel, std::string_view payload) = 0;
};

/// Who owns a Client. Calls come in the order of the events, from the client's thread.
class ClientOwner {
 public:
  virtual ~ClientOwner() = default;
  /// The commands that a new connection begins with (FUNCTION LOAD …), before any other.
  virtual std::vector<std::vector<std::string>> setup(const Node& node) = 0;
  /// Their replies, errors too. Empty: go on; else why this node is of no use.
  virtual std::string judge_setup(const Node& node, const std::vector<Reply>& replies) = 0;
  /// Also when the mastership of a node that is connected has become another one.
  virtual void on_connected(const Node& node) = 0;
  virtual void on_disconnected(const Node& node, std::string_view reason) = 0;
  virtual void on_subscribed(std::string_view channel) = 0;
  virtual void on_broken(std::string_view channel) = 0;
  virtual void on_message(std::string_view channel, std::string_view payload) = 0;
  /// What one read of a socket brought has been told: a time to hand over batches.
  virtual void on_turn() = 0;
};

class Client {
 public:
  /// `owner` outlives it. Nothing happens before start().
  Client(boost::asio::io_context& context, Config config, ClientOwner& owner,
         runtime::Logger logger);
  /// On the client's thread, or after that has ended. After it nothing is called.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void start();
  /// Ends every command (refused or unknown) and every connection; `done` calls still come.
  void stop();

  /// All commands of a turn go out in one write per node. While the client is known not to be
  /// connected the command is refused at once.
  void command(Command command, Done done);
  /// Twice is once. In a Cluster by SSUBSCRIBE, else by SUBSCRIBE.
  void subscribe(std::string_view channel);
  /// No on_message of it after this call.
  void unsubscribe(std::string_view channel);

  /// From now on; before start(). `owner` outlives the client, and is the same for all topics.
  void listen(Topic topic, TopicOwner& owner);

  /// Somebody said that we, or the node of some key, are behind: asks Sentinel or the Cluster anew.
  void recheck();

  /// PUBLISH, or SPUBLISH in a Cluster: what reaches subscribe().
  std::string_view publish_verb() const;
  /// Empty, or why not every key can be reached.
  std::string trouble() const;
  const runtime::Probe& probe() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// The slot of a Cluster that a key belongs to, {tags} as Redis has them.
std::uint16_t slot_of(std::string_view key);

}  // namespace peal::redis
