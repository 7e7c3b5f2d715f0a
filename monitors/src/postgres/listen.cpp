#include "postgres/listen.hpp"

namespace peal::monitor {

Result<Listen> Listen::compile(const ListenConfig& config) {
  const auto wrong = [&](const std::string& what) {
    return fail(ErrorCode::config_invalid, "listen: " + config.name + ": " + what);
  };
  Listen made;
  made.config_ = config;
  // As long as Postgres takes it; a longer one would be cut there.
  if (config.name.empty() || config.name.size() > 63) return wrong("name is 1 to 63 bytes");
  auto rings = RingTemplate::parse({config.channel, config.key, config.payload});
  if (!rings) return wrong(rings.error().message);
  auto reset = rings->reset_channel(config.reset, config.name);
  if (!reset) return wrong(reset.error().message);
  made.rings_ = std::move(*rings);
  made.config_.reset = std::move(*reset);
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
  auto made = rings_.place(scope, reader);
  if (!made) return made;
  auto payload = rings_.said(scope, reader, [&] { return scope.row->columns().front().json; });
  if (!payload) return payload.error();
  made->payload = std::move(*payload);
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
