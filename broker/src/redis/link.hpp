#pragma once
// A master, seen from here: one connection for commands, one that listens. The second is opened
// when the first is ready, and must reach the same process (by its run id). A probe message through
// both proves that what is published arrives; without it for probe_timeout the listening connection
// is given up. When the command connection ends, so does the other; the owner decides when to
// connect again. It belongs to its context's thread.

#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "peal/redis/client.hpp"
#include "redis/connection.hpp"

namespace peal::redis {

class Link;

/// Outlives its links, or lets go of them by retire().
class LinkOwner {
 public:
  virtual ~LinkOwner() = default;
  virtual std::vector<std::vector<std::string>> setup(const Link& link) = 0;
  virtual std::string judge_setup(const Link& link, const std::vector<Reply>& replies) = 0;
  virtual void on_up(Link& link) = 0;
  /// Also of an attempt that failed.
  virtual void on_down(Link& link, const std::string& reason) = 0;
  virtual void on_listening(Link& link) = 0;
  virtual void on_deaf(Link& link, const std::string& reason) = 0;
  virtual void on_push(Link& link, Reply reply) = 0;
  virtual void on_turn() = 0;
};

class Link final : public ConnectionOwner, public std::enable_shared_from_this<Link> {
 public:
  using Id = std::uint32_t;  ///< from 1

  Link(boost::asio::io_context& context, const Config& config, std::shared_ptr<TlsContext> tls,
       LinkOwner& owner, Id id, std::string node_id, Endpoint endpoint, std::uint64_t config_epoch);
  ~Link() override;

  void connect();
  /// Ends the connections; on_down follows.
  void close(const std::string& reason);
  /// Ends them, and the owner is called no more.
  void retire(const std::string& reason);

  /// Sets the mastership in the command's arguments.
  void send(Command& command, bool asking, Done done);
  /// To the listening connection.
  void say(const std::vector<std::string>& args);
  void stop_listening(const std::string& reason);
  /// Where to publish probes, which the owner listens to and tells of by heard(); empty: nowhere.
  void set_probe(std::string channel);
  void heard();

  Id id() const { return id_; }
  const std::string& probe() const { return probe_; }
  const Node& node() const { return node_; }
  const Endpoint& endpoint() const { return endpoint_; }
  void set_config_epoch(std::uint64_t epoch) { node_.mastership.config_epoch = epoch; }
  bool idle() const { return commands_ == nullptr; }
  bool up() const { return up_; }
  bool listening() const { return listening_; }

  /// For the owner: attempts that failed since it was up, and what was said of them.
  std::size_t failures = 0;
  bool was_up = false;
  std::set<std::string> reasons_told{};
  bool due = true;  ///< not pausing before the next attempt

 private:
  struct Timers;

  std::vector<std::vector<std::string>> setup(Connection& connection) override;
  std::string judge_setup(Connection& connection, const std::vector<Reply>& replies) override;
  void on_ready(Connection& connection) override;
  void on_push(Connection& connection, Reply reply) override;
  void on_turn() override;
  void on_closed(Connection& connection, const std::string& reason) override;

  void listen();
  void on_listener_ready();
  void on_listener_closed(const std::string& reason);
  void probe_later();
  void on_probe_time();
  void publish_probe();
  void end_connections(const std::string& reason);

  boost::asio::io_context& context_;
  const Config& config_;
  std::shared_ptr<TlsContext> tls_;
  LinkOwner* owner_;
  Id id_;
  Node node_;
  Endpoint endpoint_;
  std::shared_ptr<Connection> commands_{}, listener_{};
  std::unique_ptr<Timers> timers_;
  bool up_ = false, listening_ = false;
  std::size_t listener_failures_ = 0;
  std::string probe_{};
  std::chrono::steady_clock::time_point heard_at_{}, probe_due_{};
};

}  // namespace peal::redis
