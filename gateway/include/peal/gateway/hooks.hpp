#pragma once
// Questions to the application: may this client connect, subscribe, publish? A hook is called on
// the session's shard and must return at once; it answers through its completion, now or later,
// from any thread, once. A hook that throws, that drops its completion or that misses the deadline
// denies with hook_failed. Until it has answered, later commands of that session on that channel
// wait.

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "peal/gateway/rules.hpp"
#include "peal/proto/close_code.hpp"
#include "peal/proto/publication.hpp"

namespace peal::gateway {

class Mailbox;

/// The one handle to a session that other threads may hold. It may outlive session, shard and
/// gateway.
class SessionRef {
 public:
  SessionRef() = default;
  SessionRef(std::shared_ptr<Mailbox> mailbox, std::uint32_t index, std::uint32_t generation,
             std::string id)
      : mailbox_(std::move(mailbox)), index_(index), generation_(generation), id_(std::move(id)) {}
  const std::string& id() const { return id_; }          ///< any thread
  void close(CloseCode code, std::string reason) const;  ///< any thread

 private:
  std::shared_ptr<Mailbox> mailbox_;
  std::uint32_t index_ = 0;
  std::uint32_t generation_ = 0;
  std::string id_;
};

/// The answer to one question. Copies are the same answer; the first one counts. Any thread.
class HookCompletion {
 public:
  using Answer = std::function<void(Result<std::shared_ptr<const Principal>>)>;
  explicit HookCompletion(Answer answer);  ///< `answer` is called once, from any thread
  /// Allowed. Connect: the session becomes `principal` when one is given.
  void allow(std::shared_ptr<const Principal> principal = nullptr) const;
  void deny(Error error) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Asked when a session says `connect`, and of each HTTP request that shows a token which is none
/// of [keys].
struct ConnectQuestion {
  std::shared_ptr<const Principal> principal;  ///< what the request showed so far
  SessionRef session;                          ///< empty id: over HTTP
  std::string token;
};
/// Also asked before a channel's log is read.
struct SubscribeQuestion {
  std::shared_ptr<const Principal> principal;
  SessionRef session;  ///< empty id: over HTTP
  std::string channel;
};
struct PublishQuestion {
  std::shared_ptr<const Principal> principal;
  SessionRef session;  ///< empty id: over HTTP
  std::string channel;
  Publication publication;
};

/// Hooks are asked after the channel rules have allowed; an empty function allows.
struct Hooks {
  std::chrono::milliseconds deadline{3'000};
  std::function<void(ConnectQuestion, HookCompletion)> connect;
  std::function<void(SubscribeQuestion, HookCompletion)> subscribe;
  std::function<void(PublishQuestion, HookCompletion)> publish;
};

}  // namespace peal::gateway
