#include "redis/stream_rule.hpp"

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
  auto rings = RingTemplate::parse({config.channel, config.key, config.payload});
  if (!rings) return wrong(rings.error().message);
  auto reset = rings->reset_channel(config.reset, config.stream);
  if (!reset) return wrong(reset.error().message);
  made.rings_ = std::move(*rings);
  made.config_.reset = std::move(*reset);
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
  columns.push_back({"$id", '"' + entry.id + '"'});
  change.new_row.emplace(std::move(columns));
  const Scope scope{change, &*change.new_row, Event::insert};
  auto made = rings_.place(scope, reader);
  if (!made) return made;
  auto payload = rings_.said(scope, reader, [&] {
    const auto& all = scope.row->columns();
    return Row({all.begin(), all.end() - 1}).json();
  });
  if (!payload) return payload.error();
  made->payload = std::move(*payload);
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
