#include "server/control_handlers.hpp"

#include <algorithm>
#include <mutex>

#include "peal/proto/json.hpp"
#include "server/cluster_handlers.hpp"
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
                          runtime::Process& process, Balancer& balancer) {
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
  control.handle("drain", [&process](std::string_view, const ControlReply& reply) {
    process.begin_drain();
    reply.result("{}");
  });
  control.handle("rebalance", [&balancer](std::string_view, const ControlReply& reply) {
    balancer.look([reply](const Result<std::size_t>& closing) {
      if (!closing) return reply.error(closing.error());
      reply.result("{\"closing\":" + std::to_string(*closing) + '}');
    });
  });
  add_log_handlers(control, gateway);
  add_cluster_handlers(control, gateway);
}

}  // namespace peal::gateway
