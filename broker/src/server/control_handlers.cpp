#include "server/control_handlers.hpp"

#include <algorithm>
#include <memory>
#include <string>

#include "peal/proto/log_commands.hpp"
#include "server/cluster_handlers.hpp"
#include "server/publish_command.hpp"

namespace peal::broker {
namespace {

using runtime::ControlReply;

constexpr std::size_t kPageMax = 1000;
/// Tasks of ingest that may wait for the broker's thread; above, the socket is not read.
constexpr std::size_t kBacklogMax = 4096;

struct ListCommand {
  std::string after;
  std::string prefix;
  std::size_t limit = 100;
};

Result<ListCommand> read_list_command(JsonReader& reader, std::string_view payload) {
  ListCommand command;
  const auto fields = reader.fields(payload);
  if (!fields) return fields.error();
  for (const JsonField& field : **fields) {
    if (field.key == "limit") {
      const auto limit = JsonReader::as_uint(field.raw);
      if (!limit || *limit == 0)
        return fail(ErrorCode::command_invalid, "limit is a positive number");
      command.limit = std::min<std::size_t>(*limit, kPageMax);
    } else if (field.key == "after" || field.key == "prefix") {
      auto text = JsonReader::as_string(field.raw);
      if (!text) return fail(ErrorCode::command_invalid, std::string(field.key) + " is a string");
      (field.key == "after" ? command.after : command.prefix) = std::move(*text);
    }
  }
  if (!command.prefix.empty() && command.after < command.prefix) {
    // Just below the first name that begins so.
    std::string below = command.prefix;
    below.back() = static_cast<char>(below.back() - 1);
    command.after = std::max(command.after, below + std::string(256, '\xff'));
  }
  return command;
}

std::string channels_json(const Core& core, const ListCommand& command) {
  std::string list;
  std::string last;
  std::size_t count = 0;
  bool beyond = false;
  core.channels(command.after, command.limit, [&](const Core::ChannelInfo& channel) {
    if (beyond || !channel.name.starts_with(command.prefix)) {
      beyond = true;
      return;
    }
    if (count++ != 0) list += ',';
    list += "{\"name\":";
    append_json_string(list, channel.name);
    list += ",\"subscribers\":" + std::to_string(channel.peers);
    if (channel.head) {
      list += ",\"epoch\":\"" + std::string(channel.head->epoch.view()) +
              "\",\"offset\":" + std::to_string(channel.head->top.value);
    }
    list += '}';
    last = channel.name;
  });
  std::string json = "{\"channels\":[" + list + "]";
  if (count == command.limit && !beyond) {
    json += ",\"next\":";
    append_json_string(json, last);
  }
  return json + "}";
}

struct PresenceCommand {
  std::string channel;
  std::string after;
  std::size_t limit = 100;
};

Result<PresenceCommand> read_presence_command(JsonReader& reader, std::string_view payload) {
  PresenceCommand command;
  const auto fields = reader.fields(payload);
  if (!fields) return fields.error();
  for (const JsonField& field : **fields) {
    if (field.key == "limit") {
      const auto limit = JsonReader::as_uint(field.raw);
      if (!limit) return fail(ErrorCode::command_invalid, "limit is a whole number");
      command.limit = static_cast<std::size_t>(*limit);
    } else if (field.key == "after" || field.key == "channel") {
      auto text = JsonReader::as_string(field.raw);
      if (!text) return fail(ErrorCode::command_invalid, std::string(field.key) + " is a string");
      (field.key == "after" ? command.after : command.channel) = std::move(*text);
    }
  }
  if (command.channel.empty()) {
    return fail(ErrorCode::command_invalid, "presence needs the field channel");
  }
  return command;
}

std::string presence_json(const bus::PresenceAnswer& answer) {
  std::string json = "{\"members\":[";
  for (const bus::Member& member : answer.members) {
    json += json.back() == '[' ? "{\"session\":" : ",{\"session\":";
    append_json_string(json, member.session);
    if (!member.user.empty()) append_json_string(json += ",\"user\":", member.user);
    if (!member.data.empty()) (json += ",\"data\":") += member.data;
    json += '}';
  }
  json += "],\"count\":" + std::to_string(answer.sessions) +
          ",\"users\":" + std::to_string(answer.users);
  if (answer.more) append_json_string(json += ",\"next\":", answer.members.back().session);
  return json + '}';
}

void show_presence(Router& router, const PresenceCommand& command, const ControlReply& reply) {
  router.look({0, command.channel, command.after, command.limit},
              [reply](const bus::PresenceAnswer& answer) {
                if (answer.error) return reply.error(*answer.error);
                reply.result(presence_json(answer));
              });
}

/// Collects the outcomes of one command's channels, then answers.
struct Gathering {
  ControlReply reply;
  bool many;
  std::size_t due;
  std::vector<std::string> results;

  void outcome(std::size_t index, const bus::Published& published) {
    if (published.status != bus::Published::Status::ok && !many) {
      return reply.error(published.error.value_or(Error{}));
    }
    if (published.error) {
      std::string& json = results[index];
      json = "{\"error\":{\"code\":\"" + std::string(info(published.error->code).name) +
             "\",\"message\":";
      append_json_string(json, published.error->message);
      json +=
          std::string(",\"temporary\":") + (published.error->temporary() ? "true" : "false") + "}}";
    } else {
      results[index] = published_json(published);
    }
    if (--due != 0) return;
    if (!many) return reply.result(results.front());
    std::string json = "[";
    for (const std::string& result : results)
      json += (json.size() > 1 ? "," : "") + result;
    reply.result(json + "]");
  }
};

void publish(Router& router, const PublishCommand& command, const ControlReply& reply) {
  const std::size_t count = command.channels.size();
  std::shared_ptr<Gathering> gathering(
      new Gathering{reply, command.many, count, std::vector<std::string>(count)});
  for (std::size_t i = 0; i < count; ++i) {
    router.publish(
        command.request(command.channels[i]),
        [gathering, i](const bus::Published& published) { gathering->outcome(i, published); });
  }
}

void history(Router& router, const HistoryCommand& command, const ControlReply& reply) {
  bus::ReadRequest read = command.read;
  read.channel = command.channel;
  router.read(read, [reply, form = command.form](const bus::Page& page) {
    if (page.error) return reply.error(*page.error);
    JsonReader reader;
    reply.result(history_json(page, form, reader));
  });
}

void load(Router& router, const LoadCommand& command, const ControlReply& reply) {
  const auto tally = std::make_shared<LoadTally>(command.size());
  for (std::size_t i = 0; i < command.size(); ++i) {
    router.publish(command.request(i), [tally, reply](const bus::Published& outcome) {
      if (!tally->took(outcome)) return;
      if (tally->error()) return reply.error(*tally->error());
      reply.result(tally->json());
    });
  }
}

}  // namespace

void add_control_handlers(runtime::ControlServer& control, BrokerLoop& loop,
                          runtime::Process& process, const Limits& limits) {
  // The handlers all run on the control thread, one after the other.
  const auto reader = std::make_shared<JsonReader>();
  control.handle("channels", [&loop, reader](std::string_view payload, const ControlReply& reply) {
    auto command = read_list_command(*reader, payload);
    if (!command) return reply.error(command.error());
    loop.post([command = std::move(*command), reply](Router& router) {
      reply.result(channels_json(router.core(), command));
    });
  });
  control.handle("presence", [&loop, reader](std::string_view payload, const ControlReply& reply) {
    auto command = read_presence_command(*reader, payload);
    if (!command) return reply.error(command.error());
    loop.post([command = std::move(*command), reply](Router& router) {
      show_presence(router, command, reply);
    });
  });
  control.handle("links", [&loop](std::string_view, const ControlReply& reply) {
    loop.post([reply](Router& router) { reply.result("{\"links\":" + links_json(router) + "}"); });
  });
  control.handle("publish",
                 [&loop, reader, limits](std::string_view payload, const ControlReply& reply) {
                   auto command = read_publish_command(*reader, payload, limits);
                   if (!command) return reply.error(command.error());
                   loop.post([command = std::move(*command), reply](Router& router) {
                     publish(router, command, reply);
                   });
                 });
  control.handle("history",
                 [&loop, reader, limits](std::string_view payload, const ControlReply& reply) {
                   auto command = read_history_command(*reader, payload, limits);
                   if (!command) return reply.error(command.error());
                   loop.post([command = std::move(*command), reply](Router& router) {
                     history(router, command, reply);
                   });
                 });
  control.handle("load", [&loop, reader](std::string_view payload, const ControlReply& reply) {
    auto command = read_load_command(*reader, payload);
    if (!command) return reply.error(command.error());
    loop.post(
        [command = std::move(*command), reply](Router& router) { load(router, command, reply); });
  });
  add_cluster_handlers(control, loop);
  control.handle("drain", [&process](std::string_view, const ControlReply& reply) {
    reply.result("{}");
    process.begin_drain();
  });
  control.on_ingest(
      [&loop](std::string_view channel, std::string_view payload) {
        loop.post([name = std::string(channel), text = std::string(payload)](Router& router) {
          bus::PublishRequest request;
          request.channel = name;
          request.publication.payload = text;
          router.publish(request, {});
        });
      },
      [&loop] { return loop.backlog() < kBacklogMax; });
}

}  // namespace peal::broker
