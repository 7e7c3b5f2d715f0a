#include <array>
#include <charconv>

#include "peal/proto/base64.hpp"
#include "session/json_protocol.hpp"
#include "websocket/utf8.hpp"

namespace peal::gateway {
namespace {

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

/// "epoch":"…","offset":…
void append_position(std::string& out, const Position& position) {
  out += R"("epoch":")";
  out += position.epoch.view();
  out += R"(","offset":)";
  append_number(out, position.offset.value);
}

/// A publication's members but for its offset, each with a comma before it.
void append_content(std::string& out, const PublicationView& publication) {
  if (!publication.key.empty()) {
    out += R"(,"key":)";
    append_json_text(out, publication.key);
  }
  if (publication.kind == Kind::deletion) out += R"(,"delete":true)";
  if (publication.type.empty()) {
    if (!publication.payload.empty()) {
      out += R"(,"message":)";
      out += publication.payload;
    } else if (publication.kind == Kind::value) {
      out += R"(,"message":null)";
    }
    return;
  }
  out += R"(,"type":)";
  append_json_text(out, publication.type);  // as another process saw fit
  if (websocket::valid_utf8(publication.payload)) {
    out += R"(,"text":)";
    append_json_string(out, publication.payload);
  } else {
    out += R"(,"base64":")";
    append_base64(out, publication.payload);
    out += '"';
  }
}

/// In place of a value too large to be pushed.
void append_notice(std::string& out, const PublicationView& publication) {
  if (!publication.key.empty()) {
    out += R"(,"key":)";
    append_json_text(out, publication.key);
  }
  out += R"(,"notice":true)";
}

void append_list(std::string& out, std::span<const PublicationView> publications) {
  out += '[';
  bool first = true;
  for (const PublicationView& publication : publications) {
    if (!first) out += ',';
    first = false;
    append_publication(out, publication);
  }
  out += ']';
}

void append_refusal(std::string& out, const bus::Published& outcome) {
  append_error_members(
      out, outcome.error ? *outcome.error : fail(ErrorCode::internal_error, "no reason was given"));
  if (outcome.position) {
    out += ',';
    append_position(out, *outcome.position);
  }
  if (outcome.last) {
    out += R"(,"last":")";
    out += outcome.last->to_string();
    out += '"';
  }
}

void append_published(std::string& out, const bus::Published& outcome) {
  out += '{';
  if (outcome.position) append_position(out, *outcome.position);
  if (outcome.duplicate) {
    if (outcome.position) out += ',';
    out += R"("duplicate":true)";
    if (outcome.last) {
      out += R"(,"last":")";
      out += outcome.last->to_string();
      out += '"';
    }
  }
  out += '}';
}

void append_limits(std::string& out, std::string_view limits_json) {
  out += limits_json.empty() ? std::string_view("{}") : limits_json;
}

/// What follows `"channel":` in a subscribe result, and in the event that is one.
void append_subscribed(std::string& out, const SubscribeResult& result) {
  append_json_string(out, result.channel);
  if (result.position) {
    out += ',';
    append_position(out, *result.position);
  }
  if (result.recovered) out += *result.recovered ? R"(,"recovered":true)" : R"(,"recovered":false)";
  if (result.list_at != nullptr || result.recovered || !result.publications.empty()) {
    out += R"(,"publications":)";
    if (result.list_at != nullptr)
      *result.list_at = out.size();
    else
      append_list(out, result.publications);
  }
  out += '}';
}

/// {"session":…,"user"?:…,"data"?:…}
void append_member(std::string& out, const bus::Member& member) {
  out += R"({"session":)";
  append_json_text(out, member.session);
  if (!member.user.empty()) {
    out += R"(,"user":)";
    append_json_text(out, member.user);
  }
  if (!member.data.empty()) {
    out += R"(,"data":)";
    out += member.data;
  }
  out += '}';
}

/// "members":[…],"count":…,"users":…,"next"?:…
void append_presence(std::string& out, const PresenceResult& set) {
  out += R"("members":[)";
  for (std::size_t i = 0; i < set.members.size(); ++i) {
    if (i != 0) out += ',';
    append_member(out, set.members[i]);
  }
  out += R"(],"count":)";
  append_number(out, set.sessions);
  out += R"(,"users":)";
  append_number(out, set.users);
  if (set.next.empty()) return;
  out += R"(,"next":)";
  append_json_text(out, set.next);
}

/// Writes `"result":…` or `"error":{…}`.
struct ReplyWriter {
  std::string& out;

  void operator()(const ConnectResult& result) const {
    out += R"("result":{"session":)";
    append_json_string(out, result.session);
    out += R"(,"gateway":)";
    append_json_string(out, result.gateway);
    out += R"(,"heartbeat_ms":)";
    append_number(out, static_cast<std::uint64_t>(result.heartbeat_ms));
    out += R"(,"limits":)";
    append_limits(out, result.limits_json);
    out += '}';
  }
  void operator()(const SubscribeResult& result) const {
    out += R"("result":{"channel":)";
    append_subscribed(out, result);
  }
  void operator()(const UnsubscribeResult& result) const {
    out += R"("result":{"channel":)";
    append_json_string(out, result.channel);
    out += '}';
  }
  void operator()(const PublishResult& result) const {
    using Status = bus::Published::Status;
    if (!result.many && result.outcomes.size() == 1) {
      const bus::Published& outcome = result.outcomes.front();
      out += outcome.status == Status::ok ? R"("result":)" : R"("error":{)";
      if (outcome.status == Status::ok) return append_published(out, outcome);
      append_refusal(out, outcome);
      out += '}';
      return;
    }
    out += R"("result":[)";
    bool first = true;
    for (const bus::Published& outcome : result.outcomes) {
      if (!first) out += ',';
      first = false;
      if (outcome.status == Status::ok) {
        append_published(out, outcome);
      } else {
        out += R"({"error":{)";
        append_refusal(out, outcome);
        out += "}}";
      }
    }
    out += ']';
  }
  void operator()(const HistoryResult& result) const {
    const bus::Page& page = *result.page;
    out += page.error ? R"("error":{)" : R"("result":{)";
    if (page.error) append_error_members(out, *page.error);
    if (page.error && page.error->code == ErrorCode::position_lost) out += ',';
    if (!page.error || page.error->code == ErrorCode::position_lost)
      append_position(out, page.head.position());
    if (!page.error) {
      out += R"(,"publications":)";
      append_list(out, page.publications);
    }
    out += '}';
  }
  void operator()(const PresenceResult& result) const {
    out += R"("result":{)";
    append_presence(out, result);
    out += '}';
  }
  void operator()(const PingResult&) const { out += R"("result":{})"; }
  void operator()(const Error& error) const {
    out += R"("error":{)";
    append_error_members(out, error);
    out += '}';
  }
};

struct PushWriter {
  std::string& out;
  std::size_t notice_bytes;

  void operator()(const SubscribedPush& push) const {
    out += R"({"event":"subscribed","channel":)";
    append_subscribed(out, *push.result);
  }
  void operator()(const ClosedPush& push) const {
    out += R"({"event":"closed","code":)";
    append_number(out, static_cast<std::uint64_t>(push.code));
    out += R"(,"message":)";
    append_json_string(out, push.reason);
    out += info(push.code).may_reconnect ? R"(,"reconnect":true})" : R"(,"reconnect":false})";
  }
  void operator()(const MessagePush& push) const {
    open("message", push.channel);
    if (push.publication->offset.value != 0) {
      out += R"(,"offset":)";
      append_number(out, push.publication->offset.value);
    }
    if (push.after) {
      out += R"(,"after":)";
      append_number(out, push.after->value);
    }
    const PublicationView& publication = *push.publication;
    if (publication.offset.value != 0 && publication.payload.size() > notice_bytes)
      append_notice(out, publication);
    else
      append_content(out, publication);
    out += '}';
  }
  void operator()(const PositionPush& push) const {
    open("position", push.channel);
    out += R"(,"offset":)";
    append_number(out, push.offset.value);
    out += '}';
  }
  void operator()(const ResetPush& push) const {
    open("reset", push.channel);
    out += ',';
    append_position(out, push.position);
    out += '}';
  }
  void operator()(const UnsubscribedPush& push) const {
    open("unsubscribed", push.channel);
    out += ',';
    append_error_members(out, *push.error);
    out += '}';
  }
  void operator()(const PresencePush& push) const {
    open("presence", push.channel);
    out += ',';
    append_presence(out, push.set);
    out += '}';
  }
  void operator()(const MemberPush& push) const {
    open(push.joined ? "join" : "leave", push.channel);
    out += R"(,"member":)";
    append_member(out, push.member);
    out += '}';
  }
  void operator()(const HeartbeatPush&) const { out += R"({"event":"heartbeat"})"; }
  void operator()(const ErrorPush& push) const {
    out += R"({"event":"error",)";
    append_error_members(out, *push.error);
    out += '}';
  }

 private:
  void open(std::string_view event, std::string_view channel) const {
    out += R"({"event":")";
    out += event;
    out += R"(","channel":)";
    append_json_string(out, channel);
  }
};

}  // namespace

void append_publication(std::string& out, const PublicationView& publication) {
  out += R"({"offset":)";
  append_number(out, publication.offset.value);
  append_content(out, publication);
  out += '}';
}

void append_error_members(std::string& out, const Error& error) {
  out += R"("code":")";
  out += info(error.code).name;
  out += R"(","message":)";
  append_json_string(out, error.message);
  out += error.temporary() ? R"(,"temporary":true)" : R"(,"temporary":false)";
}

void JsonProtocol::encode_reply(std::string& out, std::uint64_t id, const ReplyBody& reply) {
  out += '{';
  if (id != 0) {
    out += R"("id":)";
    append_number(out, id);
    out += ',';
  }
  std::visit(ReplyWriter{out}, reply);
  out += '}';
}

void JsonProtocol::encode_list(std::string& out, std::span<const PublicationView> publications) {
  append_list(out, publications);
}

void JsonProtocol::encode_push(std::string& out, const Push& push) {
  std::visit(PushWriter{out, limits_.notice_bytes}, push);
}

}  // namespace peal::gateway
