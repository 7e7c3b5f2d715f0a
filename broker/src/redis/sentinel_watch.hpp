#pragma once
// Hears from a Sentinel, at once, that there is another master: the old one may live, and take
// writes that will be lost, until it is told. One connection to one of the Sentinels, another one
// when it ends. It is only quicker than asking now and then, which goes on beside it.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "redis/connection.hpp"

namespace peal::redis {

class SentinelWatch final : public ConnectionOwner,
                            public std::enable_shared_from_this<SentinelWatch> {
 public:
  /// `told` gets the Sentinel that said so. `config` outlives it.
  SentinelWatch(boost::asio::io_context& context, const Config& config,
                std::shared_ptr<TlsContext> tls, std::vector<Endpoint> sentinels,
                std::function<void(const Endpoint&)> told);
  ~SentinelWatch() override;

  void start();
  void stop();

 private:
  struct Timer;

  std::vector<std::vector<std::string>> setup(Connection&) override { return {}; }
  std::string judge_setup(Connection&, const std::vector<Reply>&) override { return {}; }
  void on_ready(Connection& connection) override;
  void on_push(Connection& connection, Reply reply) override;
  void on_turn() override {}
  void on_closed(Connection& connection, const std::string& reason) override;

  boost::asio::io_context& context_;
  const Config& config_;
  std::shared_ptr<TlsContext> tls_;
  std::vector<Endpoint> sentinels_;
  std::function<void(const Endpoint&)> told_;
  std::unique_ptr<Timer> timer_;
  std::shared_ptr<Connection> connection_{};
  std::size_t next_ = 0, failures_ = 0;
};

}  // namespace peal::redis
