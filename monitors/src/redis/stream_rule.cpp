#include "redis/stream_rule.hpp"

#include "peal/proto/channel_name.hpp"

namespace peal::monitor {

Result<std::vector<StreamEntry>> entries_of(const redis::Reply& reply) {
  std::vector<StreamEntry> entries;
  if (reply.is_nil()) return entries;
  const Error odd = fail(ErrorCode::internal_error, "XREAD answered something else");
  if (!reply.is_array() || reply.elements.size() != 1) return odd;
  const redis::Reply& stream = reply.elements.front();
  if (!stream.is_array() || stream.elements.size() != 2 || !stream.elements[1].is_array())
    return odd;
  for (const redis::Reply& entry : stream.elements[1].elements) {
    if (!entry.is_array() || entry.elements.size() != 2) return odd;
    StreamEntry made;
    made.id = entry.elements[0].text;
    const auto sequence = Sequence::parse(made.id);
    if (!sequence) return odd;
    made.sequence = *sequence;
    const auto& fields = entry.elements[1].elements;
    for (std::size_t i = 0; i + 1 < fields.size(); i += 2)
      made.fields.emplace_back(fields[i].text, fields[i + 1].text);
    entries.push_back(std::move(made));
  }
  return entries;
}

Result<StreamRule> StreamRule::compile(const StreamConfig& config) {
  const auto wrong = [&](const std::string& what) {
    return fail(ErrorCode::config_invalid, "streams: " + config.stream + ": " + what);
  };
  StreamRule made;
  made.config_ = config;
  if (config.stream.empty()) return wrong("stream is missing");
  if (config.channel.empty()) return wrong("channel is missing");
  if (config.from != "new" && config.from != "start") return wrong("from is neither new nor start");
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

Result<Ring> StreamRule::ring(const StreamEntry& entry, JsonReader& reader) const {
  Change change;
  change.table = config_.stream;
  std::vector<Column> columns;
  for (const auto& [name, value] : entry.fields) {
    Column column;
    append_json_text(column.json, name);
    column.name = JsonReader::as_string(column.json).value_or("");
    column.json.clear();
    append_json_text(column.json, value);
    columns.push_back(std::move(column));
  }
  Ring made;
  made.payload = Row(columns).json();
  columns.push_back({"$id", '"' + entry.id + '"'});
  change.new_row.emplace(std::move(columns));
  const Scope scope{change, &*change.new_row, Event::insert};
  auto channel = channel_.fill(scope, reader);
  if (!channel) return channel.error();
  if (!ChannelName::valid(*channel)) {
    return fail(ErrorCode::channel_name_invalid,
                "the channel is no name: 1 to 255 bytes without control characters");
  }
  auto key = key_.fill(scope, reader);
  if (!key) return key.error();
  made.channel = std::move(*channel);
  made.key = std::move(*key);
  if (!payload_.empty()) {
    auto payload = payload_.fill(scope, reader);
    if (!payload) return payload.error();
    made.payload = std::move(*payload);
  }
  return made;
}

Ring StreamRule::reset(std::string_view why) const {
  Ring made;
  made.channel = config_.reset;
  made.payload = "{\"event\":\"reset\",\"stream\":";
  append_json_text(made.payload, config_.stream);
  append_json_text(made.payload += ",\"reason\":", why);
  made.payload += '}';
  return made;
}

}  // namespace peal::monitor
