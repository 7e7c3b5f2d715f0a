#include "mapping/message_rule.hpp"

namespace peal::monitor {

Result<MessageRule> MessageRule::compile(const Texts& texts) {
  auto rings =
      RingTemplate::parse({texts.channel, texts.key, texts.payload}, Template::From::message);
  if (!rings) return rings.error();
  MessageRule made;
  made.name_ = texts.name;
  made.rings_ = std::move(*rings);
  return made;
}

Result<MessageRule> MessageRule::compile_with_gaps(const Texts& texts, const std::string& reset) {
  auto made = compile(texts);
  if (!made) return made;
  auto channel = made->rings_.reset_channel(reset, made->name_);
  if (!channel) return channel.error();
  made->reset_ = std::move(*channel);
  return made;
}

Result<Ring> MessageRule::ring(std::vector<Column> columns, std::string payload,
                               JsonReader& reader) const {
  Change change;
  change.table = name_;
  change.new_row.emplace(std::move(columns));
  const Scope scope{change, &*change.new_row, Event::insert};
  auto made = rings_.place(scope, reader);
  if (!made) return made;
  auto said = rings_.said(scope, reader, [&] { return std::move(payload); });
  if (!said) return said.error();
  made->payload = std::move(*said);
  return made;
}

Ring MessageRule::reset(std::string_view what, std::string_view why) const {
  Ring made;
  made.channel = reset_;
  made.payload = "{\"event\":\"reset\",\"" + std::string(what) + "\":";
  append_json_text(made.payload, name_);
  if (!why.empty()) append_json_text(made.payload += ",\"reason\":", why);
  made.payload += '}';
  return made;
}

std::string said_json(std::string_view said, JsonReader& reader) {
  if (reader.validate(said)) return std::string(said);
  std::string json;
  append_json_text(json, said);
  return json;
}

}  // namespace peal::monitor
