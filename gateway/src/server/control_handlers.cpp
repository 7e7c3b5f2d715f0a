#include "server/control_handlers.hpp"

#include <algorithm>
#include <mutex>

#include "peal/proto/json.hpp"
#include "server/log_handlers.hpp"
#include "session/json_protocol.hpp"

namespace peal::gateway {
namespace {

using runtime::ControlReply;

constexpr std::size_t kPageDefault = 100;
constexpr std::size_t kPageMax = 1000;

/// The fields of a handler's payload; wrong types answer and make `ok` false.
class Payload {
 public:
  Payload(std::string_view json, const ControlReply& reply) : reply_(reply) {
    const auto fields = reader_.fields(json);
    if (fields.has_value()) fields_ = **fields;
  }
  bool ok() const { return ok_; }
  std::optional<std::string> text(std::string_view name) {
    return read<std::string>(name, "a string", JsonReader::as_string);
  }
  std::optional<std::uint64_t> number(std::string_view name) {
    return read<std::uint64_t>(name, "a whole number", JsonReader::as_uint);
  }
  std::optional<bool> boolean(std::string_view name) {
    return read<bool>(name, "true or false", JsonReader::as_bool);
  }

 private:
  template <class T, class Reader>
  std::optional<T> read(std::string_view name, const char* expected, Reader reader) {
    std::optional<T> value;
    for (const JsonField& field : fields_) {
      if (field.key != name || !ok_) continue;
      value = reader(field.raw);
      if (value) continue;
      ok_ = false;
      reply_.error(fail(ErrorCode::command_invalid,
                        "the field " + std::string(name) + " is not " + expected));
    }
    return value;
  }

  const ControlReply& reply_;
  JsonReader reader_;
  std::vector<JsonField> fields_;
  bool ok_ = true;
};

std::size_t page_size(const std::optional<std::uint64_t>& limit) {
  return std::clamp<std::size_t>(limit.value_or(kPageDefault), 1, kPageMax);
}

void append_text(std::string& json, std::string_view name, std::string_view text) {
  (json += '"') += name;
  json += "\":";
  append_json_string(json, text);
}

void append_number(std::string& json, std::string_view name, std::uint64_t number) {
  ((json += ",\"") += name) += "\":";
  json += std::to_string(number);
}

/// {"<member>": [...], "next"?}
std::string page_json(std::string_view member, const std::string& items, std::string_view next) {
  std::string json = "{\"" + std::string(member) + "\":[" + items + ']';
  if (!next.empty()) append_text(json += ',', "next", next);
  return json + '}';
}

/// What stands behind "result" in a reply of the client protocol.
std::string result_json(const Limits& limits, const ReplyBody& body) {
  constexpr std::string_view kOpen = R"({"result":)";
  std::string text;
  JsonProtocol(limits).encode_reply(text, 0, body);
  return text.substr(kOpen.size(), text.size() - kOpen.size() - 1);
}

std::string session_json(const SessionInfo& session) {
  std::string json = "{";
  append_text(json, "session", session.id);
  append_text(json += ',', "user", session.user);
  append_text(json += ',', "address", session.peer);
  append_text(json += ',', "protocol", session.protocol);
  append_number(json, "channels", session.subscriptions);
  append_number(json, "queued_bytes", session.queued_bytes);
  append_number(json, "unanswered", session.commands_unanswered);
  append_number(json, "connected_ms", static_cast<std::uint64_t>(session.age.count()) * 1000);
  return json + '}';
}

std::string channel_json(const ChannelInfo& channel) {
  std::string json = "{";
  append_text(json, "name", channel.name);
  append_number(json, "subscribers", channel.subscribers);
  return json + '}';
}

void list_sessions(Gateway& gateway, std::string_view json, const ControlReply& reply) {
  Payload payload(json, reply);
  auto after = payload.text("after");
  const auto limit = payload.number("limit");
  if (!payload.ok()) return;
  gateway.sessions(after.value_or(""), page_size(limit), [reply](const SessionPage& page) {
    std::string items;
    for (const SessionInfo& session : page.sessions) {
      items += (items.empty() ? "" : ",") + session_json(session);
    }
    reply.result(page_json("sessions", items, page.next));
  });
}

/// Answers like the WebSocket action does.
void list_presence(Gateway& gateway, std::string_view json, const ControlReply& reply) {
  Payload payload(json, reply);
  auto channel = payload.text("channel");
  auto after = payload.text("after");
  const auto limit = payload.number("limit");
  if (!payload.ok()) return;
  if (!channel) {
    return reply.error(fail(ErrorCode::command_invalid, "presence needs the field channel"));
  }
  gateway.presence(std::move(*channel), after.value_or(""), limit.value_or(kPageDefault),
                   [reply, limits = gateway.limits()](const bus::PresenceAnswer& answer) {
                     if (answer.error) return reply.error(*answer.error);
                     reply.result(result_json(limits, PresenceResult(answer)));
                   });
}

void list_channels(Gateway& gateway, std::string_view json, const ControlReply& reply) {
  Payload payload(json, reply);
  auto after = payload.text("after");
  auto prefix = payload.text("prefix");
  const auto limit = payload.number("limit");
  if (!payload.ok()) return;
  gateway.channels(after.value_or(""), prefix.value_or(""), page_size(limit),
                   [reply](const ChannelPage& page) {
                     std::string items;
                     for (const ChannelInfo& channel : page.channels) {
                       items += (items.empty() ? "" : ",") + channel_json(channel);
                     }
                     reply.result(page_json("channels", items, page.next));
                   });
}

/// Closes every session of a user, page by page; the pages come one after the other.
class UserDisconnect : public std::enable_shared_from_this<UserDisconnect> {
 public:
  UserDisconnect(Gateway& gateway, std::string user, CloseCode code, ControlReply reply)
      : gateway_(gateway), user_(std::move(user)), code_(code), reply_(std::move(reply)) {}

  void next(std::string after) {
    gateway_.sessions(std::move(after), kPageMax, [self = shared_from_this()](SessionPage page) {
      for (SessionInfo& session : page.sessions) {
        if (session.user != self->user_) continue;
        ++self->count_;
        self->gateway_.disconnect(std::move(session.id), self->code_,
                                  "disconnected by an operator");
      }
      if (!page.next.empty()) return self->next(std::move(page.next));
      if (self->count_ == 0) {
        return self->reply_.error(
            fail(ErrorCode::session_not_found, "the user has no session at this gateway"));
      }
      self->reply_.result("{\"disconnected\":" + std::to_string(self->count_) + '}');
    });
  }

 private:
  Gateway& gateway_;
  const std::string user_;
  const CloseCode code_;
  const ControlReply reply_;
  std::size_t count_ = 0;
};

void disconnect(Gateway& gateway, std::string_view json, const ControlReply& reply) {
  Payload payload(json, reply);
  auto session = payload.text("session");
  auto user = payload.text("user");
  const bool reconnect = payload.boolean("reconnect").value_or(true);
  if (!payload.ok()) return;
  if (session.has_value() == user.has_value()) {
    return reply.error(fail(ErrorCode::command_invalid, "disconnect needs session or user"));
  }
  const CloseCode code = reconnect ? CloseCode::disconnected : CloseCode::disconnected_for_good;
  if (user) {
    return std::make_shared<UserDisconnect>(gateway, std::move(*user), code, reply)->next("");
  }
  gateway.disconnect(std::move(*session), code, "disconnected by an operator", [reply](bool found) {
    if (found) return reply.result(R"({"disconnected":1})");
    reply.error(fail(ErrorCode::session_not_found, "no such session at this gateway"));
  });
}

/// One publish command, maybe to several channels; answers like the WebSocket action does.
struct PendingPublish {
  PendingPublish(ControlReply its_reply, const Limits& limits, bool its_many, std::size_t channels)
      : reply(std::move(its_reply)),
        json(limits),
        many(its_many),
        outcomes(channels),
        missing(channels) {}

  void done(std::size_t index, const bus::Published& outcome) {
    const std::lock_guard lock(mutex);
    outcomes[index] = outcome;
    if (--missing != 0) return;
    if (!many && outcomes.front().error) return reply.error(*outcomes.front().error);
    constexpr std::string_view kOpen = R"({"result":)";
    std::string text;
    json.encode_reply(text, 0, PublishResult{outcomes, many});
    reply.result(text.substr(kOpen.size(), text.size() - kOpen.size() - 1));
  }

  // Outcomes come from several shards; cold, so a mutex does.
  std::mutex mutex;
  const ControlReply reply;
  JsonProtocol json;
  const bool many;
  std::vector<bus::Published> outcomes;
  std::size_t missing;
};

void publish(Gateway& gateway, JsonProtocol& json, std::string_view payload,
             const ControlReply& reply) {
  Command command;
  std::string text = R"({"action":"publish","payload":)";
  text.append(payload) += '}';
  if (const auto wrong = json.decode(text, command)) return reply.error(wrong->error);
  const bool many = !command.channels.empty();
  if (!many) command.channels.push_back(command.channel);
  auto pending =
      std::make_shared<PendingPublish>(reply, gateway.limits(), many, command.channels.size());
  for (std::size_t i = 0; i < command.channels.size(); ++i) {
    PublishOrder order;
    order.channel = command.channels[i];
    order.publication = copy_of(command.publish.publication);
    order.expect = command.publish.expect;
    order.previous = command.publish.previous;
    gateway.publish(std::move(order),
                    [pending, i](const bus::Published& outcome) { pending->done(i, outcome); });
  }
}

}  // namespace

void add_control_handlers(runtime::ControlServer& control, Gateway& gateway,
                          runtime::Process& process) {
  auto json = std::make_shared<JsonProtocol>(gateway.limits());
  control.handle("publish", [&gateway, json](std::string_view payload, const ControlReply& reply) {
    publish(gateway, *json, payload, reply);
  });
  control.handle("sessions", [&gateway](std::string_view payload, const ControlReply& reply) {
    list_sessions(gateway, payload, reply);
  });
  control.handle("channels", [&gateway](std::string_view payload, const ControlReply& reply) {
    list_channels(gateway, payload, reply);
  });
  control.handle("presence", [&gateway](std::string_view payload, const ControlReply& reply) {
    list_presence(gateway, payload, reply);
  });
  control.handle("disconnect", [&gateway](std::string_view payload, const ControlReply& reply) {
    disconnect(gateway, payload, reply);
  });
  control.handle("drain", [&process](std::string_view, const ControlReply& reply) {
    process.begin_drain();
    reply.result("{}");
  });
  add_log_handlers(control, gateway);
}

}  // namespace peal::gateway
