#include "control_message.hpp"

namespace peal::runtime {
namespace {

Error invalid(std::string message) {
  return fail(ErrorCode::command_invalid, std::move(message));
}

std::string opened(std::string_view id) {
  return id.empty() ? "{" : "{\"id\":" + std::string(id) + ",";
}

}  // namespace

Result<ControlCommand> parse_control_command(JsonReader& reader, std::string_view text,
                                             const Limits& limits, std::string& id) {
  if (text.size() > limits.command_bytes_max) {
    return fail(ErrorCode::message_too_large, "the command has " + std::to_string(text.size()) +
                                                  " bytes; limits.command_bytes_max is " +
                                                  std::to_string(limits.command_bytes_max));
  }
  // A message may be json_depth_max deep, and is itself two deep in the command.
  if (const auto valid = reader.validate(text, limits.json_depth_max + 2); !valid) {
    if (reader.validate(text, text.size()).has_value()) {
      return fail(ErrorCode::message_invalid,
                  "the message is nested deeper than limits.json_depth_max (" +
                      std::to_string(limits.json_depth_max) + ")");
    }
    return invalid("the command is " + valid.error().message);
  }
  const auto fields = reader.fields(text);
  if (!fields) return invalid("a command is a JSON object, like {\"action\": \"ping\"}");
  ControlCommand command;
  bool payload_seen = false;
  for (const JsonField& field : **fields) {
    if (field.key == "id") {
      if (!id.empty()) return invalid("\"id\" is given twice");
      id = field.raw;
    } else if (field.key == "action") {
      if (!command.action.empty()) return invalid("\"action\" is given twice");
      const auto action = JsonReader::as_string(field.raw);
      if (!action || action->empty()) return invalid("\"action\" is not a name");
      command.action = *action;
    } else if (field.key == "payload") {
      if (payload_seen) return invalid("\"payload\" is given twice");
      if (!field.raw.starts_with('{')) return invalid("\"payload\" is not an object");
      payload_seen = true;
      command.payload = field.raw;
    }
  }
  if (command.action.empty()) return invalid("\"action\" is missing");
  return command;
}

std::string control_result(std::string_view id, std::string_view json) {
  return opened(id) + "\"result\":" + std::string(json) + "}";
}

std::string control_error(std::string_view id, const Error& error) {
  std::string text = opened(id) + "\"error\":{\"code\":\"";
  text += info(error.code).name;
  text += "\",\"message\":";
  append_json_text(text, error.message);
  text += error.temporary() ? ",\"temporary\":true}}" : ",\"temporary\":false}}";
  return text;
}

}  // namespace peal::runtime
