#pragma once
// A client's session as the TypeScript client keeps it (gateway/web/client/src/session.ts): makes a
// WebSocket to any gateway, keeps it under watch, makes it again with full jitter; commands with
// ids, and their replies. What is done with it is its owner's (SessionOwner).

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "json_text.hpp"
#include "network.hpp"
#include "websocket/codec.hpp"

namespace peal::simulation {

class SessionOwner {
 public:
  virtual ~SessionOwner() = default;
  virtual void on_connected() = 0;
  virtual void on_lost() = 0;
  virtual void on_push(const cli::JsonObject& push) = 0;
};

class Session {
 public:
  /// A reply to a command; null: the link was lost before it came.
  using Answer = std::function<void(const cli::JsonObject*)>;

  Session(Network& network, Machine& machine, const std::vector<Machine*>& gateways,
          SessionOwner& owner)
      : network_(network),
        world_(network.world()),
        machine_(machine),
        gateways_(gateways),
        owner_(owner) {}
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start();
  /// Cuts the connection, as a client that goes away does, and comes back after a while.
  void leave(Duration away);
  bool connected() const { return state_ == State::connected; }
  const std::string& id() const { return session_id_; }
  const Machine* gateway() const { return gateway_; }

  void send(std::string_view action, const std::string& payload, Answer answer);
  /// From now on nothing is lost: what is lost all the same is counted.
  void expect_calm() { calm_ = true; }
  std::uint64_t lost_in_calm() const { return lost_in_calm_; }

  /// Runs `then` after `time`, unless the link is another one by then.
  void later(Duration time, std::function<void()> then);

 private:
  enum class State : std::uint8_t { waiting, connecting, greeting, connected };

  void connect();
  void opened(LinePtr line);
  void on_change();
  void read();
  bool read_head();
  void read_frames();
  void on_message(std::string_view text);
  void greet();
  void heard();
  void check();
  void lose(std::string_view why);
  void drop();
  void frame(gateway::websocket::Opcode opcode, std::string_view payload);
  void flush();

  Network& network_;
  World& world_;
  Machine& machine_;
  const std::vector<Machine*>& gateways_;
  SessionOwner& owner_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  ///< plans outlive the session
  State state_ = State::waiting;
  std::uint64_t life_ = 0;  ///< of the link
  std::uint64_t heard_ = 0;
  int failures_ = 0;
  bool calm_ = false;
  std::uint64_t lost_in_calm_ = 0;
  Machine* gateway_ = nullptr;
  LinePtr line_;
  std::string in_, out_;
  bool upgraded_ = false;
  gateway::websocket::Decoder decoder_;
  std::string session_id_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, Answer> answers_;
};

}  // namespace peal::simulation
