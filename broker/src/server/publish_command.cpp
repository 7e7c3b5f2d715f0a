#include "server/publish_command.hpp"

#include "peal/proto/channel_name.hpp"

namespace peal::broker {
namespace {

Error invalid(const std::string& what) {
  return fail(ErrorCode::command_invalid, "publish: " + what);
}

Result<std::string> text_of(const JsonField& field) {
  auto text = JsonReader::as_string(field.raw);
  if (!text) return invalid(std::string(field.key) + " is not a string");
  return std::move(*text);
}

Result<std::string> channel_of(std::string_view raw) {
  auto text = JsonReader::as_string(raw);
  if (!text) return invalid("a channel is a string");
  if (auto name = ChannelName::parse(*text); !name) return name.error();
  return std::move(*text);
}

Result<Sequence> sequence_of(const JsonField& field) {
  const auto text = JsonReader::as_string(field.raw);
  const auto sequence = text ? Sequence::parse(*text) : std::nullopt;
  if (!sequence) return invalid(std::string(field.key) + " is \"major-minor\"");
  return *sequence;
}

Result<Position> position_of(JsonReader& reader, std::string_view raw) {
  std::optional<Epoch> epoch;
  std::optional<std::uint64_t> offset;
  if (const auto fields = reader.fields(raw)) {
    for (const JsonField& field : **fields) {
      if (field.key == "epoch") epoch = Epoch::parse(JsonReader::as_string(field.raw).value_or(""));
      if (field.key == "offset") offset = JsonReader::as_uint(field.raw);
    }
  }
  if (!epoch || !offset || *offset > kOffsetMax.value)
    return invalid("expect is {\"epoch\",\"offset\"}");
  return Position{*epoch, {*offset}};
}

}  // namespace

bus::PublishRequest PublishCommand::request(const std::string& channel) const {
  bus::PublishRequest request;
  request.channel = channel;
  request.publication = view_of(publication);
  request.expect = expect;
  request.previous = previous;
  request.idempotency_key = idempotency_key;
  return request;
}

Result<PublishCommand> read_publish_command(JsonReader& reader, std::string_view payload,
                                            const Limits& limits) {
  PublishCommand command;
  const auto fields = reader.fields(payload);
  if (!fields) return fields.error();
  const std::vector<JsonField> all = **fields;  // the reader is used again below
  bool has_message = false;
  for (const JsonField& field : all) {
    if (field.key == "channel") {
      auto channel = channel_of(field.raw);
      if (!channel) return channel.error();
      command.channels = {*channel};
    } else if (field.key == "channels") {
      const auto elements = reader.elements(field.raw);
      if (!elements) return invalid("channels is a list of strings");
      if ((*elements)->size() > limits.channels_per_publish_max) {
        return fail(ErrorCode::channels_per_publish_max,
                    "more channels than limits.channels_per_publish_max");
      }
      command.many = true;
      command.channels.clear();
      for (const std::string_view element : **elements) {
        auto channel = channel_of(element);
        if (!channel) return channel.error();
        command.channels.push_back(std::move(*channel));
      }
    } else if (field.key == "message") {
      has_message = true;
      command.publication.payload = std::string(field.raw);
    } else if (field.key == "delete") {
      const auto remove = JsonReader::as_bool(field.raw);
      if (!remove) return invalid("delete is true or false");
      if (*remove) command.publication.kind = Kind::deletion;
    } else if (field.key == "expect") {
      const auto position = position_of(reader, field.raw);
      if (!position) return position.error();
      command.expect = *position;
    } else if (field.key == "sequence" || field.key == "previous") {
      const auto sequence = sequence_of(field);
      if (!sequence) return sequence.error();
      if (field.key == "sequence") command.publication.sequence = *sequence;
      if (field.key == "previous") command.previous = *sequence;
    } else if (field.key == "key" || field.key == "source" || field.key == "idempotency_key") {
      auto text = text_of(field);
      if (!text) return text.error();
      if (field.key == "key")
        command.publication.key = std::move(*text);
      else if (field.key == "source")
        command.publication.source = std::move(*text);
      else
        command.idempotency_key = std::move(*text);
    }
  }
  if (command.channels.empty()) return invalid("channel is missing");
  if (!has_message && command.publication.kind != Kind::deletion)
    return invalid("message is missing");
  return command;
}

std::string published_json(const bus::Published& outcome) {
  std::string json = "{";
  const auto member = [&](std::string_view name, std::string_view value, bool text) {
    if (json.size() > 1) json += ',';
    append_json_string(json, name);
    json += ':';
    if (text)
      append_json_string(json, value);
    else
      json += value;
  };
  if (outcome.position) {
    member("epoch", outcome.position->epoch.view(), true);
    member("offset", std::to_string(outcome.position->offset.value), false);
  }
  if (outcome.duplicate) member("duplicate", "true", false);
  if (outcome.last) member("last", outcome.last->to_string(), true);
  return json + "}";
}

}  // namespace peal::broker
