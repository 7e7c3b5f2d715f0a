#include "peal/proto/cluster_commands.hpp"

#include <algorithm>

#include "peal/proto/channel_name.hpp"

namespace peal {
namespace {

using bus::ClusterAnswer;
using bus::ClusterQuery;
using What = ClusterQuery::What;

Error invalid(std::string what) {
  return fail(ErrorCode::command_invalid, std::move(what));
}

std::optional<Error> wrong(const JsonField& field, const char* expected) {
  return invalid("the field " + std::string(field.key) + " is not " + expected);
}

std::optional<Error> read_text(const JsonField& field, std::string& text) {
  auto read = JsonReader::as_string(field.raw);
  if (!read) return wrong(field, "a string");
  text = std::move(*read);
  return std::nullopt;
}

std::optional<Error> read_bool(const JsonField& field, bool& value) {
  const auto read = JsonReader::as_bool(field.raw);
  if (!read) return wrong(field, "true or false");
  value = *read;
  return std::nullopt;
}

/// What both commands take.
std::optional<Error> read_common(const JsonField& field, ClusterCommand& command) {
  if (field.key == "here") return read_bool(field, command.here);
  if (field.key != "within_ms") return std::nullopt;
  const auto within = JsonReader::as_uint(field.raw);
  const auto most = static_cast<std::uint64_t>(ClusterQuery::kWithinMax.count());
  if (!within || *within == 0 || *within > most) {
    return invalid("within_ms is not a number from 1 to " + std::to_string(most));
  }
  command.query.within = std::chrono::milliseconds(*within);
  return std::nullopt;
}

std::optional<Error> read_globs(JsonReader& reader, const JsonField& field,
                                std::vector<std::string>& globs) {
  const auto elements = reader.elements(field.raw);
  if (!elements) return wrong(field, "a list");
  for (const std::string_view raw : **elements) {
    auto glob = JsonReader::as_string(raw);
    if (!glob || glob->empty() || glob->size() > kChannelNameBytesMax) {
      return invalid("channels is not a list of channel names or globs");
    }
    globs.push_back(std::move(*glob));
  }
  if (globs.size() <= ClusterQuery::kGlobsMax) return std::nullopt;
  return invalid("more than " + std::to_string(ClusterQuery::kGlobsMax) + " channels");
}

void append(std::string& json, std::string_view name, std::uint64_t number) {
  if (json.size() > 1) json += ',';
  ((json += '"') += name) += "\":";
  json += std::to_string(number);
}

void append_channels(std::string& json, const ClusterAnswer& answer) {
  json += ",\"channels\":[";
  for (const auto& [name, subscribers] : answer.channels) {
    json += json.back() == '[' ? "{\"name\":" : ",{\"name\":";
    append_json_text(json, name);
    json += ",\"subscribers\":" + std::to_string(subscribers) + '}';
  }
  json += ']';
  if (answer.more) append_json_text(json += ",\"next\":", answer.channels.back().name);
}

}  // namespace

Result<ClusterCommand> read_disconnect_command(JsonReader& reader, std::string_view payload) {
  ClusterCommand command;
  command.query.limit = 0;
  command.query.reason = "disconnected by an operator";
  int named = 0;
  const auto fields = reader.fields(payload);
  if (!fields) return fields.error();
  for (const JsonField& field : **fields) {
    std::optional<Error> error;
    if (field.key == "session" || field.key == "user") {
      command.query.what = field.key == "user" ? What::disconnect_user : What::disconnect_session;
      error = read_text(field, command.query.who);
      ++named;
    } else if (field.key == "reconnect") {
      bool reconnect = true;
      error = read_bool(field, reconnect);
      if (!reconnect) command.query.code = CloseCode::disconnected_for_good;
    } else if (field.key == "reason") {
      error = read_text(field, command.query.reason);
    } else {
      error = read_common(field, command);
    }
    if (error) return *error;
  }
  // Without a user are all who are anonymous: nobody means those.
  if (named != 1 || command.query.who.empty()) {
    return invalid("disconnect needs session or user");
  }
  if (command.query.reason.size() > ClusterQuery::kReasonBytesMax) {
    return invalid("reason is longer than " + std::to_string(ClusterQuery::kReasonBytesMax) +
                   " bytes");
  }
  return command;
}

Result<ClusterCommand> read_count_command(JsonReader& reader, std::string_view payload) {
  ClusterCommand command;
  const auto fields = reader.fields(payload);
  if (!fields) return fields.error();
  for (const JsonField& field : **fields) {
    std::optional<Error> error;
    if (field.key == "channels") {
      error = read_globs(reader, field, command.query.channels);
    } else if (field.key == "after") {
      error = read_text(field, command.query.after);
    } else if (field.key == "limit") {
      const auto limit = JsonReader::as_uint(field.raw);
      if (!limit || *limit == 0) error = wrong(field, "a positive number");
      command.query.limit = std::min<std::uint64_t>(limit.value_or(0), ClusterQuery::kLimitMax);
    } else {
      error = read_common(field, command);
    }
    if (error) return *error;
  }
  return command;
}

std::optional<Error> error_of(const ClusterQuery& query, const ClusterAnswer& answer) {
  if (answer.error) return answer.error;
  const bool nobody = query.what != What::count && answer.disconnected == 0;
  if (!nobody || answer.answered < answer.asked) return std::nullopt;
  const bool user = query.what == What::disconnect_user;
  const std::string where = answer.asked == 1
                                ? "the one gateway"
                                : "any of " + std::to_string(answer.asked) + " gateways";
  return fail(ErrorCode::session_not_found,
              (user ? "the user has no session at " : "no such session at ") + where);
}

std::string cluster_json(const ClusterQuery& query, const ClusterAnswer& answer) {
  std::string json = "{";
  if (query.what != What::count) {
    append(json, "disconnected", answer.disconnected);
  } else {
    append(json, "sessions", answer.sessions);
    append(json, "subscriptions", answer.subscriptions);
    if (!query.channels.empty()) append_channels(json, answer);
  }
  append(json, "asked", answer.asked);
  append(json, "answered", answer.answered);
  if (answer.answered == answer.asked) return json + '}';
  json += ",\"missing\":[";
  for (const auto& [node, why] : answer.missing) {
    json += json.back() == '[' ? "{\"node\":" : ",{\"node\":";
    append_json_text(json, node);
    append_json_text(json += ",\"reason\":", why);
    json += '}';
  }
  return json + "]}";
}

}  // namespace peal
