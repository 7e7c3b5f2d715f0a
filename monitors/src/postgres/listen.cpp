#include "postgres/listen.hpp"

#include "peal/proto/channel_name.hpp"

namespace peal::monitor {

Result<Listen> Listen::compile(const ListenConfig& config) {
  const auto wrong = [&](const std::string& what) {
    return fail(ErrorCode::config_invalid, "listen: " + config.name + ": " + what);
  };
  Listen made;
  made.config_ = config;
  // As long as Postgres takes it; a longer one would be cut there.
  if (config.name.empty() || config.name.size() > 63) return wrong("name is 1 to 63 bytes");
  if (config.channel.empty()) return wrong("channel is missing");
  auto channel = Template::parse(config.channel, Template::Form::text);
  if (!channel) return wrong("channel: " + channel.error().message);
  auto key = Template::parse(config.key, Template::Form::text);
  if (!key) return wrong("key: " + key.error().message);
  auto payload = Template::parse(config.payload, Template::Form::json);
  if (!payload) return wrong("payload: " + payload.error().message);
  if (config.reset.empty()) {
    if (channel->needs_row())
      return wrong("reset is missing: a fixed channel that is told of gaps");
    made.config_.reset = config.channel;
  }
  if (!ChannelName::valid(made.config_.reset)) return wrong("reset is no channel");
  made.channel_ = std::move(*channel);
  made.key_ = std::move(*key);
  made.payload_ = std::move(*payload);
  return made;
}

Result<Ring> Listen::ring(std::string_view said, JsonReader& reader) const {
  Change change;
  change.table = config_.name;
  Column column{"payload", std::string(said)};
  if (!reader.validate(said)) {
    column.json.clear();
    append_json_text(column.json, said);
  }
  change.new_row.emplace(std::vector{std::move(column)});
  const Scope scope{change, &*change.new_row, Event::insert};
  auto channel = channel_.fill(scope, reader);
  if (!channel) return channel.error();
  if (!ChannelName::valid(*channel)) {
    return fail(ErrorCode::channel_name_invalid,
                "the channel is no name: 1 to 255 bytes without control characters");
  }
  auto key = key_.fill(scope, reader);
  if (!key) return key.error();
  Ring made;
  made.channel = std::move(*channel);
  made.key = std::move(*key);
  made.payload = change.new_row->columns().front().json;
  if (!payload_.empty()) {
    auto payload = payload_.fill(scope, reader);
    if (!payload) return payload.error();
    made.payload = std::move(*payload);
  }
  return made;
}

Ring Listen::reset() const {
  Ring made;
  made.channel = config_.reset;
  made.payload = "{\"event\":\"reset\",\"listen\":";
  append_json_text(made.payload, config_.name);
  made.payload += '}';
  return made;
}

}  // namespace peal::monitor
