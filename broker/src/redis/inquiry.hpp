#pragma once
// The same questions to several servers, three at a time; the first good answers count. So the
// Sentinels are asked who is master, and a Cluster's nodes who serves what. It keeps itself alive
// until it has called `done`, or was cancelled.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "redis/connection.hpp"

namespace peal::redis {

class Inquiry final : public ConnectionOwner, public std::enable_shared_from_this<Inquiry> {
 public:
  struct Plan {
    Greeting::Kind kind;
    std::vector<Endpoint> endpoints{};  ///< in this order
    std::vector<std::vector<std::string>> questions{};
    /// Empty: taken; else why not.
    std::function<std::string(const std::vector<Reply>&, const Endpoint&)> judge{};
    /// Empty, or what each of them said.
    std::function<void(std::string error)> done{};
  };

  Inquiry(boost::asio::io_context& context, const Config& config, std::shared_ptr<TlsContext> tls,
          Plan plan);

  void start();
  void cancel();

 private:
  std::vector<std::vector<std::string>> setup(Connection& connection) override;
  std::string judge_setup(Connection& connection, const std::vector<Reply>& replies) override;
  void on_ready(Connection& connection) override;
  void on_push(Connection& connection, Reply reply) override;
  void on_turn() override {}
  void on_closed(Connection& connection, const std::string& reason) override;

  void ask_next();
  void end(std::string error);

  boost::asio::io_context& context_;
  const Config& config_;
  std::shared_ptr<TlsContext> tls_;
  Plan plan_;
  std::shared_ptr<Inquiry> self_{};  ///< while it runs
  std::vector<std::shared_ptr<Connection>> asked_{};
  std::size_t next_ = 0;
  std::string errors_{};
};

}  // namespace peal::redis
