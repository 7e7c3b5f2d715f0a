#include "peal/proto/log_commands.hpp"

#include <algorithm>

#include "peal/proto/channel_name.hpp"

namespace peal {
namespace {

Error invalid(std::string_view what) {
  return fail(ErrorCode::command_invalid, std::string(what));
}

Result<std::string> read_channel(const JsonField& field) {
  auto text = JsonReader::as_string(field.raw);
  if (!text) return invalid("channel is not a string");
  if (auto name = ChannelName::parse(*text); !name) return name.error();
  return std::move(*text);
}

std::optional<Epoch> read_epoch(std::string_view raw) {
  const auto text = JsonReader::as_string(raw);
  return text ? Epoch::parse(*text) : std::nullopt;
}

std::optional<Offset> read_offset(std::string_view raw) {
  const auto number = JsonReader::as_uint(raw);
  if (!number || *number > kOffsetMax.value) return std::nullopt;
  return Offset{*number};
}

/// "start" or a position; false: neither.
bool read_since(JsonReader& reader, std::string_view raw, bus::ReadRequest& read) {
  if (JsonReader::as_string(raw) == "start") return true;
  const auto fields = reader.fields(raw);
  if (!fields) return false;
  bool offset = false;
  for (const JsonField& field : **fields) {
    if (field.key == "epoch") read.epoch = read_epoch(field.raw);
    if (field.key != "offset") continue;
    const auto number = read_offset(field.raw);
    offset = number.has_value();
    if (offset) read.after = *number;
  }
  return offset && read.epoch.has_value();
}

void append(std::string& out, std::string_view name, std::uint64_t number) {
  (((out += ",\"") += name) += "\":") += std::to_string(number);
}

}  // namespace

Result<HistoryCommand> read_history_command(JsonReader& reader, std::string_view payload,
                                            const Limits& limits) {
  HistoryCommand command;
  command.read.limit = std::min(command.read.limit, limits.page_length_max);
  command.read.bytes = limits.page_bytes_max;
  const auto fields = reader.fields(payload);
  if (!fields) return fields.error();
  const std::vector<JsonField> all = **fields;  // the reader is used again below
  for (const JsonField& field : all) {
    if (field.key == "channel") {
      auto channel = read_channel(field);
      if (!channel) return channel.error();
      command.channel = std::move(*channel);
    } else if (field.key == "since") {
      if (!read_since(reader, field.raw, command.read))
        return invalid(R"(since is neither "start" nor {"epoch","offset"})");
    } else if (field.key == "limit") {
      const auto limit = JsonReader::as_uint(field.raw);
      if (!limit || *limit == 0) return invalid("limit is not a positive number");
      command.read.limit = std::min<std::size_t>(*limit, limits.page_length_max);
    } else if (field.key == "reverse" || field.key == "exact") {
      const auto value = JsonReader::as_bool(field.raw);
      if (!value) return invalid(std::string(field.key) + " is not true or false");
      if (field.key == "reverse" && *value) command.read.mode = bus::ReadRequest::Mode::reverse;
      if (field.key == "exact" && *value) command.form = RecordForm::exact;
    }
  }
  if (command.channel.empty()) return invalid("channel is missing");
  return command;
}

std::string history_json(const bus::Page& page, RecordForm form, JsonReader& reader) {
  std::string out = "{\"epoch\":\"" + std::string(page.head.epoch.view()) + '"';
  append(out, "offset", page.head.top.value);
  append(out, "floor", page.head.floor.value);
  append(out, "end_byte", page.end_byte);
  append(out, "after", page.after.value);
  append(out, "to", page.to.value);
  out += ",\"publications\":[";
  std::optional<std::uint64_t> byte;
  if (page.after < page.to) byte = page.first_byte;
  for (const PublicationView& publication : page.publications) {
    if (out.back() != '[') out += ',';
    append_log_record(out, publication, form, byte, reader);
    byte.reset();
  }
  return out + "]}";
}

bus::PublishRequest LoadCommand::request(std::size_t i) const {
  bus::PublishRequest request;
  request.channel = channel;
  request.place_floor = floor;
  if (i == 0 && after) request.expect = Position{epoch, *after};
  if (records.empty()) {
    request.publication.kind = Kind::deletion;
    request.place = Position{epoch, floor};
    return request;
  }
  const LogRecord& record = records[i];
  request.publication = view_of(record.publication);
  request.place = Position{epoch, record.publication.offset};
  request.expect_end = record.byte;
  if (i > 0) request.expect = Position{epoch, records[i - 1].publication.offset};
  return request;
}

Result<LoadCommand> read_load_command(JsonReader& reader, std::string_view payload) {
  LoadCommand command;
  const auto fields = reader.fields(payload);
  if (!fields) return fields.error();
  const std::vector<JsonField> all = **fields;
  std::optional<Epoch> epoch;
  std::optional<Offset> floor;
  for (const JsonField& field : all) {
    if (field.key == "channel") {
      auto channel = read_channel(field);
      if (!channel) return channel.error();
      command.channel = std::move(*channel);
    } else if (field.key == "epoch") {
      epoch = read_epoch(field.raw);
      if (!epoch) return invalid("epoch is not 8 of 0-9, A-Z, a-z");
    } else if (field.key == "floor" || field.key == "after") {
      const auto offset = read_offset(field.raw);
      if (!offset) return invalid(std::string(field.key) + " is no offset");
      (field.key == "floor" ? floor : command.after) = *offset;
    } else if (field.key == "publications") {
      const auto elements = reader.elements(field.raw);
      if (!elements) return invalid("publications is not a list");
      const std::vector<std::string_view> records = **elements;
      for (const std::string_view element : records) {
        auto record = read_log_record(element, reader);
        if (!record) return record.error();
        command.records.push_back(std::move(*record));
      }
    }
  }
  if (command.channel.empty() || !epoch || !floor)
    return invalid("channel, epoch and floor are needed");
  command.epoch = *epoch;
  command.floor = *floor;
  return command;
}

bool LoadTally::took(const bus::Published& outcome) {
  if (outcome.error && !error_) error_ = outcome.error;
  if (outcome.position && !error_) last_ = *outcome.position;
  return --due_ == 0;
}

std::string LoadTally::json() const {
  return "{\"epoch\":\"" + std::string(last_.epoch.view()) +
         "\",\"offset\":" + std::to_string(last_.offset.value) + '}';
}

}  // namespace peal
