#pragma once
// The seam between a wire format and Peal: a Protocol turns a client's message into a Command, and
// replies and pushes into bytes. It holds no session state, so one object serves all sessions of a
// shard; a publication is encoded once per Protocol and gateway, whatever the number of sessions.
// Protocols give message payloads; the WebSocket or SSE framing around them is the transport's.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "peal/bus/bus_port.hpp"
#include "peal/proto/close_code.hpp"
#include "peal/proto/position.hpp"
#include "peal/proto/publication.hpp"
#include "peal/proto/result.hpp"

namespace peal::gateway {

enum class Action : std::uint8_t {
  connect,
  subscribe,
  unsubscribe,
  publish,
  history,
  presence,
  refresh,
  ping
};

/// What a client asked. Views point into the message or the protocol's arena: valid during the
/// call.
struct Command {
  std::optional<std::uint64_t> id;  ///< none: no result is wanted
  Action action = Action::ping;
  std::string_view channel;  ///< checked; subscribe, unsubscribe, publish, history, presence
  std::vector<std::string_view> channels;  ///< publish to several; then `channel` is empty
  bus::PublishRequest publish;  ///< publication, expect, previous; its `channel` is not set
  std::optional<Position> since;
  enum class SinceWord : std::uint8_t { none, start, state } since_word = SinceWord::none;
  bool presence = false;    ///< subscribe
  std::string_view data;    ///< subscribe with presence; raw JSON, or empty
  std::string_view after;   ///< presence; a session
  std::string_view filter;  ///< subscribe; raw JSON
  std::size_t limit = 100;  ///< history, presence
  bool reverse = false;     ///< history
  std::string_view token;   ///< connect, refresh
  bool heartbeat = false;   ///< connect
  std::string_view client;  ///< connect; raw JSON {"name","version"}
};

/// From where a subscribe wants to go on.
struct Since {
  enum class Kind : std::uint8_t { none, position, start, state } kind = Kind::none;
  Position position{};
};
Since since_of(const Command& command);
/// What `history` reads; it borrows from the command.
bus::ReadRequest history_request(const Command& command);

/// Why a message was not a command; `id` when it could be read, so that the error is its reply.
struct CommandError {
  std::optional<std::uint64_t> id;
  Error error;
};

struct ConnectResult {
  std::string_view session;
  std::string_view gateway;
  std::int64_t heartbeat_ms = 0;
  std::string_view limits_json;
};
struct SubscribeResult {
  std::string_view channel;
  std::optional<Position> position{};
  std::optional<bool> recovered{};
  std::span<const PublicationView> publications{};
  /// When set, the list of publications is left out, and where it belongs is written here.
  std::size_t* list_at = nullptr;
};
struct UnsubscribeResult {
  std::string_view channel;
};
struct PublishResult {
  std::span<const bus::Published> outcomes;
  bool many = false;
};
/// A page, or its error; with position_lost the current position is told.
struct HistoryResult {
  const bus::Page* page = nullptr;
};
/// A page of who is in a channel, and how many they are.
struct PresenceResult {
  PresenceResult(std::span<const bus::Member> its_members, std::uint64_t its_sessions,
                 std::uint64_t its_users, std::string_view its_next)
      : members(its_members), sessions(its_sessions), users(its_users), next(its_next) {}
  explicit PresenceResult(const bus::PresenceAnswer& answer)
      : PresenceResult(answer.members, answer.sessions, answer.users,
                       answer.more ? answer.members.back().session : std::string_view()) {}
  std::span<const bus::Member> members;
  std::uint64_t sessions = 0;
  std::uint64_t users = 0;
  std::string_view next;  ///< empty: these are all
};
struct PingResult {};
using ReplyBody = std::variant<ConnectResult, SubscribeResult, UnsubscribeResult, PublishResult,
                               HistoryResult, PresenceResult, PingResult, Error>;

/// The subscribe result of a session that sends no commands (SSE).
struct SubscribedPush {
  const SubscribeResult* result = nullptr;
  /// Where the session stands once it has read it: the end of the page inside, when more follow.
  std::optional<Position> reached{};
};
struct MessagePush {
  std::string_view channel;
  const PublicationView* publication = nullptr;  ///< offset 0: ephemeral
  std::optional<Offset> after{};
  Epoch epoch{};  ///< counts only when the publication has an offset
};
struct PositionPush {
  std::string_view channel;
  Offset offset;
  Epoch epoch{};
};
struct ResetPush {
  std::string_view channel;
  Position position;
};
struct UnsubscribedPush {
  std::string_view channel;
  const Error* error;
};
/// Who is in the channel now: whatever was told before is replaced.
struct PresencePush {
  std::string_view channel;
  PresenceResult set;
};
struct MemberPush {
  std::string_view channel;
  bool joined;
  bus::Member member;
};
struct HeartbeatPush {};
struct ErrorPush {
  const Error* error;
};
/// The last words to a session that has no Close frame.
struct ClosedPush {
  CloseCode code;
  std::string_view reason;
};
using Push = std::variant<SubscribedPush, MessagePush, PositionPush, ResetPush, UnsubscribedPush,
                          PresencePush, MemberPush, HeartbeatPush, ErrorPush, ClosedPush>;

/// Where a session stands in the push's channel once it has read it; none: where it stood before.
std::optional<Position> position_after(const Push& push);

class Protocol {
 public:
  virtual ~Protocol() = default;
  virtual std::string_view subprotocol() const = 0;
  /// Whether its messages are WebSocket text (else binary).
  virtual bool text() const = 0;
  /// `command` is reused by the caller to save allocations; it is overwritten.
  virtual std::optional<CommandError> decode(std::string_view message, Command& command) = 0;
  virtual void encode_reply(std::string& out, std::uint64_t id, const ReplyBody& reply) = 0;
  virtual void encode_push(std::string& out, const Push& push) = 0;
  /// What a SubscribeResult with `list_at` left out.
  virtual void encode_list(std::string& out, std::span<const PublicationView> publications) = 0;
};

}  // namespace peal::gateway
