#pragma once
// One connection to a Redis: connect, greet, set up, then requests in a pipeline, or pushes. All
// requests of a turn go out in one write. Replies come in the order of the requests; one that is
// late ends the connection. When it ends, what was written is unknown and what was not is refused.
// It belongs to its context's thread, and calls its owner and `done` from there, never from inside
// a call.
//
//   connecting ── greeting's replies ──> setting up ── setup's replies ──> ready ──> closed

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "peal/redis/config.hpp"
#include "peal/redis/reply.hpp"
#include "redis/codec.hpp"
#include "redis/endpoint.hpp"
#include "redis/greeting.hpp"
#include "redis/stream.hpp"

namespace peal::redis {

class Connection;

/// Outlives its connections, or lets go of them by abandon().
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  /// What to begin with after the greeting; may be nothing.
  virtual std::vector<std::vector<std::string>> setup(Connection& connection) = 0;
  /// Empty, or why it is of no use.
  virtual std::string judge_setup(Connection& connection, const std::vector<Reply>& replies) = 0;
  virtual void on_ready(Connection& connection) = 0;
  /// A reply that no request waits for.
  virtual void on_push(Connection& connection, Reply reply) = 0;
  virtual void on_turn() = 0;
  /// The last call.
  virtual void on_closed(Connection& connection, const std::string& reason) = 0;
};

struct Request {
  std::string bytes{};
  bool asking = false;  ///< ASKING's reply comes before the one that counts
  bool waits = false;   ///< WAIT's comes behind it
  std::chrono::milliseconds patience{0};
  std::function<void(Answer)> done{};
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::io_context& context, const Config& config,
             std::shared_ptr<TlsContext> tls, Endpoint endpoint, Greeting::Kind kind,
             ConnectionOwner& owner);
  ~Connection();

  void open();
  /// Ends it as a failure would; the owner hears of it a moment later.
  void close(std::string reason);
  /// As close, but the owner is called no more.
  void abandon(std::string reason);

  /// While it is ready; after that it ends at once, refused.
  void request(Request request);
  /// Bytes whose replies come as pushes.
  void say(std::string_view bytes);

  bool ready() const { return phase_ == Phase::ready; }
  const Endpoint& endpoint() const { return endpoint_; }
  const Greeting& greeting() const { return greeting_; }

 private:
  enum class Phase : std::uint8_t { connecting, setting_up, ready, closed };
  using Clock = std::chrono::steady_clock;
  struct Waiting {
    Request request;
    Clock::time_point late_at;
    Reply reply{};
    std::int64_t replicas = -1;
    std::uint8_t replies = 0;
  };
  struct Timer;

  void on_connected(const std::string& error);
  void read();
  void on_read(const std::string& error, std::size_t bytes);
  void take(Reply reply);
  void take_first(Reply reply);
  void take_answer(Reply reply);
  void begin(const std::vector<std::vector<std::string>>& commands);
  void flush_soon();
  void flush();
  void watch(Clock::time_point until);
  void on_time();
  Answer answer_of(const Waiting& waiting) const;
  void end_requests();

  boost::asio::io_context& context_;
  std::chrono::milliseconds connect_timeout_, command_timeout_;
  std::shared_ptr<TlsContext> tls_;
  Endpoint endpoint_;
  Greeting greeting_;
  ConnectionOwner* owner_;
  std::unique_ptr<Timer> timer_;
  std::shared_ptr<Stream> stream_{};
  ReplyReader reader_;
  Phase phase_ = Phase::connecting;
  std::vector<Reply> first_replies_{};  ///< of the greeting, then of the setup
  std::size_t first_expected_ = 0;
  std::vector<char> input_;
  std::string unwritten_{}, writing_{};
  std::deque<Waiting> waiting_{};
  std::size_t written_ = 0;  ///< of `waiting_`, from the front
  bool flush_posted_ = false;
  bool watching_ = false;
  std::string reason_{};
};

}  // namespace peal::redis
