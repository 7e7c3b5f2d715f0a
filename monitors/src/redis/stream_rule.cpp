#include "redis/stream_rule.hpp"

#include "mapping/payload.hpp"
#include "redis/state_key.hpp"

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
  if (config.from != "new" && config.from != "start") return wrong("from is neither new nor start");
  auto rule = MessageRule::compile_with_gaps(
      {config.stream, config.channel, config.key, config.payload}, config.reset);
  if (!rule) return wrong(rule.error().message);
  made.rule_ = std::move(*rule);
  return made;
}

Result<Ring> StreamRule::ring(const StreamEntry& entry, JsonReader& reader) const {
  std::vector<Column> columns;
  for (const auto& [name, value] : entry.fields) {
    Column column;
    append_json_text(column.json, name);
    column.name = JsonReader::as_string(column.json).value_or("");
    column.json.clear();
    append_json_text(column.json, value);
    columns.push_back(std::move(column));
  }
  std::string payload = Row(columns).json();
  columns.push_back({"$id", '"' + entry.id + '"'});
  return rule_.ring(std::move(columns), std::move(payload), reader);
}

bool StreamRule::cut_to_size(Ring& ring, const StreamEntry& entry,
                             std::size_t message_bytes_max) const {
  if (fits(ring, message_bytes_max)) return false;
  std::string json = "{\"stream\":";
  append_json_text(json, config_.stream);
  append_json_text(json += ",\"id\":", entry.id);
  if (!ring.key.empty()) append_json_text(json += ",\"key\":", ring.key);
  ring.payload = json + ",\"too_large\":true}";
  return true;
}

Ring StreamRule::reset(std::string_view why) const {
  return rule_.reset("stream", why);
}

std::string stream_state_key(const RedisMonitorConfig& config, const std::string& stream) {
  return state_key(config.redis.prefix, config.name, stream) + ":read";
}

}  // namespace peal::monitor
