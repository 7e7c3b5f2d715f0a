#include "server/cluster_handlers.hpp"

#include <memory>

#include "peal/proto/channel_name.hpp"
#include "peal/proto/cluster_commands.hpp"

namespace peal::broker {
namespace {

using runtime::ControlReply;

void ask(BrokerLoop& loop, const Result<ClusterCommand>& command, const ControlReply& reply) {
  if (!command) return reply.error(command.error());
  if (command->here) {
    return reply.error(fail(ErrorCode::command_invalid, "a broker has no sessions of its own"));
  }
  loop.post([query = command->query, reply](Router& router) {
    router.ask(query, [query, reply](const bus::ClusterAnswer& answer) {
      if (const auto error = error_of(query, answer)) return reply.error(*error);
      reply.result(cluster_json(query, answer));
    });
  });
}

std::string_view state_of(const Membership& members, std::size_t member) {
  if (members.serves(member)) return "serves";
  return members.sees(member) ? "not ready" : "away";
}

/// {"broker","store","ready","reason"?,"members":[{"name","state","reason"?,"stood_in"?}],"links":…}
std::string members_json(const Router& router) {
  const Membership& members = router.members();
  std::string json = "{\"broker\":";
  append_json_string(json, router.hello().node);
  append_json_string(json += ",\"store\":", router.hello().store);
  json += std::string(",\"ready\":") + (members.ready() ? "true" : "false");
  if (const std::string why = members.why_not_ready(); !why.empty())
    append_json_string(json += ",\"reason\":", why);
  json += ",\"members\":[";
  for (std::size_t i = 0; i < members.members().size(); ++i) {
    append_json_string(json += json.back() == '[' ? "{\"name\":" : ",{\"name\":",
                       members.members()[i]);
    append_json_string(json += ",\"state\":", state_of(members, i));
    if (const std::string why = router.trouble_with(i); !why.empty())
      append_json_string(json += ",\"reason\":", why);
    if (members.stood_in_for(i)) json += ",\"stood_in\":true";
    json += '}';
  }
  return json + "],\"links\":" + links_json(router) + '}';
}

/// {"channel","ranks":[{"broker","state"}, …],"server"?}
void show_where(const Router& router, const std::string& channel, const ControlReply& reply) {
  const Membership& members = router.members();
  std::string json = "{\"channel\":";
  append_json_string(json, channel);
  json += ",\"ranks\":[";
  const auto rank = [&](const std::string& name, std::string_view state) {
    append_json_string(json += json.back() == '[' ? "{\"broker\":" : ",{\"broker\":", name);
    append_json_string(json += ",\"state\":", state);
    json += '}';
  };
  if (members.alone()) rank(router.hello().node, "serves");
  for (const std::size_t member : members.ranks().order(stable_hash(channel)))
    rank(members.members()[member], state_of(members, member));
  json += ']';
  if (const auto server = members.server_of(channel)) {
    append_json_string(json += ",\"server\":",
                       members.alone() ? router.hello().node : members.members()[*server]);
  }
  reply.result(json + '}');
}

void where(BrokerLoop& loop, JsonReader& reader, std::string_view payload,
           const ControlReply& reply) {
  const auto fields = reader.fields(payload);
  if (!fields) return reply.error(fields.error());
  std::string channel;
  for (const JsonField& field : **fields)
    if (field.key == "channel") channel = JsonReader::as_string(field.raw).value_or("");
  if (const auto name = ChannelName::parse(channel); !name) return reply.error(name.error());
  loop.post([channel, reply](Router& router) { show_where(router, channel, reply); });
}

const char* kind_of(const wire::Hello& peer) {
  return peer.broker ? "broker" : peer.answers ? "gateway" : "client";
}

}  // namespace

std::string links_json(const Router& router) {
  std::string list = "[";
  router.each_link([&](const Router::LinkInfo& link) {
    append_json_string(list += list.size() > 1 ? ",{\"node\":" : "{\"node\":", link.peer.node);
    list += std::string(",\"kind\":\"") + kind_of(link.peer) +
            "\",\"version\":" + std::to_string(link.version) +
            ",\"live_bytes\":" + std::to_string(link.live_bytes) +
            ",\"credit_bytes\":" + std::to_string(link.credit_bytes) +
            ",\"dropped\":" + std::to_string(link.dropped) + '}';
  });
  return list + ']';
}

void add_cluster_handlers(runtime::ControlServer& control, BrokerLoop& loop) {
  // The handlers all run on the control thread, one after the other.
  const auto reader = std::make_shared<JsonReader>();
  control.handle("disconnect",
                 [&loop, reader](std::string_view payload, const ControlReply& reply) {
                   ask(loop, read_disconnect_command(*reader, payload), reply);
                 });
  control.handle("count", [&loop, reader](std::string_view payload, const ControlReply& reply) {
    ask(loop, read_count_command(*reader, payload), reply);
  });
  control.handle("cluster", [&loop](std::string_view, const ControlReply& reply) {
    loop.post([reply](Router& router) { reply.result(members_json(router)); });
  });
  control.handle("where", [&loop, reader](std::string_view payload, const ControlReply& reply) {
    where(loop, *reader, payload, reply);
  });
}

}  // namespace peal::broker
