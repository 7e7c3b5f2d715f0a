#include <algorithm>
#include <array>
#include <charconv>

#include "peal/proto/channel_name.hpp"
#include "session/json_protocol.hpp"
#include "session/json_protocol_diagnose.hpp"

namespace peal::gateway {
namespace {

struct ActionName {
  std::string_view name;
  Action action;
};
constexpr std::array kActions = {
    ActionName{"publish", Action::publish},         ActionName{"subscribe", Action::subscribe},
    ActionName{"unsubscribe", Action::unsubscribe}, ActionName{"ping", Action::ping},
    ActionName{"connect", Action::connect},         ActionName{"history", Action::history},
    ActionName{"presence", Action::presence},       ActionName{"refresh", Action::refresh},
};

Error wrong(std::string_view field, std::string_view expected) {
  return fail(ErrorCode::command_invalid,
              "the field " + std::string(field) + " is not " + std::string(expected));
}

std::string_view name_of(Action action) {
  return std::ranges::find(kActions, action, &ActionName::action)->name;
}

Error missing(std::string_view field, Action action) {
  return fail(ErrorCode::command_invalid, "the action " + std::string(name_of(action)) +
                                              " needs the field " + std::string(field));
}

char first_byte(std::string_view json) {
  const auto at = json.find_first_not_of(" \t\r\n");
  return at == std::string_view::npos ? '\0' : json[at];
}

std::optional<Error> read_bool(const JsonField& field, bool& target) {
  const auto value = JsonReader::as_bool(field.raw);
  if (!value) return wrong(field.key, "true or false");
  target = *value;
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> JsonProtocol::string(std::string_view raw) {
  if (raw.size() < 2 || raw.front() != '"') return std::nullopt;
  const std::string_view inner = raw.substr(1, raw.size() - 2);
  if (inner.find('\\') == std::string_view::npos) return inner;
  auto text = JsonReader::as_string(raw);
  if (!text) return std::nullopt;
  return arena_.emplace_back(std::move(*text));
}

std::optional<CommandError> JsonProtocol::decode(std::string_view message, Command& command) {
  auto channels = std::move(command.channels);
  channels.clear();
  command = Command{};
  command.channels = std::move(channels);
  if (!arena_.empty()) arena_.clear();
  has_message_ = has_sequence_ = false;

  if (message.size() > limits_.command_bytes_max) {
    return CommandError{std::nullopt, fail(ErrorCode::message_too_large,
                                           "the command is larger than limits.command_bytes_max")};
  }
  // A message may be json_depth_max deep, and is itself two deep in the command.
  const auto outline = reader_.outline(message, limits_.json_depth_max + 2);
  if (outline.has_error()) {
    return diagnose(reader_, message, outline.error(), limits_.json_depth_max);
  }
  const std::vector<JsonMember>& members = **outline;
  // The last one of a name counts, as in JavaScript.
  const JsonMember* id = nullptr;
  const JsonMember* action = nullptr;
  const JsonMember* payload = nullptr;
  for (const JsonMember& member : members) {
    if (member.parent != JsonMember::kOutermost) continue;
    if (member.key == "id") id = &member;
    if (member.key == "action") action = &member;
    if (member.key == "payload") payload = &member;
  }
  if (members.empty() && first_byte(message) != '{') {
    return CommandError{std::nullopt,
                        fail(ErrorCode::command_invalid, "a command is a JSON object")};
  }
  if (id != nullptr) {
    const auto number = JsonReader::as_uint(id->raw);
    if (!number || *number == 0)
      return CommandError{std::nullopt, wrong("id", "a positive integer")};
    command.id = *number;
  }
  const auto refuse = [&](Error error) { return CommandError{command.id, std::move(error)}; };
  if (action == nullptr) {
    return refuse(fail(ErrorCode::command_invalid, "a command needs the field action"));
  }
  const auto name = string(action->raw);
  if (!name) return refuse(wrong("action", "a string"));
  const auto* known = std::ranges::find(kActions, *name, &ActionName::name);
  if (known == kActions.end()) {
    constexpr std::size_t kShownBytesMax = 64;
    return refuse(
        fail(ErrorCode::action_unknown, name->size() > kShownBytesMax
                                            ? "there is no such action"
                                            : "there is no action \"" + std::string(*name) + '"'));
  }
  command.action = known->action;
  if (auto error = decode_payload(members, payload, command)) return refuse(std::move(*error));
  return std::nullopt;
}

JsonProtocol::Failure JsonProtocol::decode_payload(const std::vector<JsonMember>& members,
                                                   const JsonMember* payload, Command& command) {
  if (payload != nullptr) {
    if (payload->raw.front() != '{') return wrong("payload", "an object");
    const auto parent = static_cast<std::uint32_t>(payload - members.data());
    for (std::size_t i = parent + 1; i < members.size() && members[i].parent == parent; ++i) {
      if (auto error = decode_field({members[i].key, members[i].raw}, command)) return error;
    }
  }
  return check(command);
}

JsonProtocol::Failure JsonProtocol::decode_field(const JsonField& field, Command& command) {
  switch (command.action) {
    case Action::publish:
      return decode_publish_field(field, command);
    case Action::subscribe:
    case Action::unsubscribe:
    case Action::history:
    case Action::presence:
      return decode_subscription_field(field, command);
    case Action::connect:
    case Action::refresh:
      return decode_session_field(field, command);
    case Action::ping:
      break;
  }
  return std::nullopt;
}

JsonProtocol::Failure JsonProtocol::decode_publish_field(const JsonField& field, Command& command) {
  PublicationView& publication = command.publish.publication;
  const auto text = [&](std::string_view& target) -> Failure {
    const auto value = string(field.raw);
    if (!value) return wrong(field.key, "a string");
    target = *value;
    return std::nullopt;
  };
  const auto sequence = [&]() -> std::optional<Sequence> {
    const auto value = string(field.raw);
    return value ? Sequence::parse(*value) : std::nullopt;
  };
  if (field.key == "channel") return decode_channel(field, command.channel);
  if (field.key == "message") {
    publication.payload = field.raw;
    has_message_ = true;
    return std::nullopt;
  }
  if (field.key == "channels") return decode_channels(field, command);
  if (field.key == "key") return text(publication.key);
  if (field.key == "delete") {
    bool deletion = false;
    auto error = read_bool(field, deletion);
    publication.kind = deletion ? Kind::deletion : Kind::value;
    return error;
  }
  if (field.key == "expect") return decode_position(field, command.publish.expect);
  if (field.key == "source") {
    auto error = text(publication.source);
    if (!error && publication.source.empty()) return wrong("source", "a string that is not empty");
    return error;
  }
  if (field.key == "sequence") {
    const auto value = sequence();
    if (!value) return wrong("sequence", "\"major-minor\", two integers below 2^64");
    publication.sequence = *value;
    has_sequence_ = true;
    return std::nullopt;
  }
  if (field.key == "previous") {
    command.publish.previous = sequence();
    if (!command.publish.previous) {
      return wrong("previous", "\"major-minor\", two integers below 2^64");
    }
  }
  return std::nullopt;
}

JsonProtocol::Failure JsonProtocol::decode_subscription_field(const JsonField& field,
                                                              Command& command) {
  if (field.key == "channel") return decode_channel(field, command.channel);
  if (command.action == Action::subscribe) {
    if (field.key == "presence") return read_bool(field, command.presence);
    if (field.key == "data") command.data = field.raw;
    if (field.key == "filter") command.filter = field.raw;
  }
  if (command.action == Action::history) {
    if (field.key == "reverse") return read_bool(field, command.reverse);
    if (field.key == "limit") {
      const auto limit = JsonReader::as_uint(field.raw);
      if (!limit || *limit == 0) return wrong("limit", "a positive integer");
      command.limit = static_cast<std::size_t>(*limit);
    }
  }
  if (command.action == Action::presence) {
    if (field.key == "limit") {
      const auto limit = JsonReader::as_uint(field.raw);
      if (!limit) return wrong("limit", "a whole number");
      command.limit = static_cast<std::size_t>(*limit);
    }
    if (field.key == "after") {
      const auto after = string(field.raw);
      if (!after) return wrong("after", "a string");
      command.after = *after;
    }
  }
  const bool positioned = command.action == Action::subscribe || command.action == Action::history;
  if (positioned && field.key == "since") {
    if (field.raw.front() == '{') return decode_position(field, command.since);
    const auto word = string(field.raw);
    if (word == "start") {
      command.since_word = Command::SinceWord::start;
    } else if (word == "state" && command.action == Action::subscribe) {
      command.since_word = Command::SinceWord::state;
    } else {
      return wrong("since", R"({"epoch","offset"}, "start" or "state")");
    }
  }
  return std::nullopt;
}

JsonProtocol::Failure JsonProtocol::decode_session_field(const JsonField& field, Command& command) {
  if (field.key == "token") {
    const auto token = string(field.raw);
    if (!token) return wrong("token", "a string");
    command.token = *token;
  }
  if (command.action == Action::connect) {
    if (field.key == "heartbeat") return read_bool(field, command.heartbeat);
    if (field.key == "client") {
      if (field.raw.front() != '{') return wrong("client", "an object");
      command.client = field.raw;
    }
  }
  return std::nullopt;
}

JsonProtocol::Failure JsonProtocol::decode_channel(const JsonField& field,
                                                   std::string_view& channel) {
  const auto name = string(field.raw);
  if (!name) return wrong(field.key, "a string");
  if (!ChannelName::valid(*name)) {
    return ChannelName::parse(*name).error();
  }
  channel = *name;
  return std::nullopt;
}

JsonProtocol::Failure JsonProtocol::decode_channels(const JsonField& field, Command& command) {
  const auto elements = reader_.elements(field.raw);
  if (elements.has_error() || (*elements)->empty())
    return wrong("channels", "a list of channel names");
  if ((*elements)->size() > limits_.channels_per_publish_max) {
    return fail(ErrorCode::channels_per_publish_max,
                std::to_string((*elements)->size()) +
                    " channels are more than limits.channels_per_publish_max (" +
                    std::to_string(limits_.channels_per_publish_max) + ")");
  }
  command.channels.clear();
  for (const std::string_view raw : **elements) {
    std::string_view name;
    if (auto error = decode_channel({field.key, raw}, name)) return error;
    command.channels.push_back(name);
  }
  return std::nullopt;
}

JsonProtocol::Failure JsonProtocol::decode_position(const JsonField& field,
                                                    std::optional<Position>& position) {
  constexpr std::string_view kExpected = R"({"epoch","offset"})";
  const auto fields = reader_.fields(field.raw);
  if (fields.has_error()) return wrong(field.key, kExpected);
  std::optional<Epoch> epoch;
  std::optional<std::uint64_t> offset;
  for (const JsonField& part : **fields) {
    if (part.key == "epoch") {
      const auto text = string(part.raw);
      epoch = text ? Epoch::parse(*text) : std::nullopt;
    }
    if (part.key == "offset") offset = JsonReader::as_uint(part.raw);
  }
  if (!epoch || !offset || *offset > kOffsetMax.value) return wrong(field.key, kExpected);
  position = Position{*epoch, {*offset}};
  return std::nullopt;
}

JsonProtocol::Failure JsonProtocol::check(const Command& command) const {
  switch (command.action) {
    case Action::publish: {
      const PublicationView& publication = command.publish.publication;
      if (command.channel.empty() == command.channels.empty()) {
        if (command.channel.empty()) return missing("channel", command.action);
        return fail(ErrorCode::command_invalid, "publish takes channel or channels, not both");
      }
      if (!has_message_ && publication.kind == Kind::value)
        return missing("message", command.action);
      if (publication.payload.size() > limits_.message_bytes_max) {
        return fail(ErrorCode::message_too_large,
                    "the message is larger than limits.message_bytes_max (" +
                        std::to_string(limits_.message_bytes_max) + ")");
      }
      if (publication.source.empty() && (has_sequence_ || command.publish.previous)) {
        return missing("source", command.action);
      }
      if (!publication.source.empty() && !has_sequence_) return missing("sequence", command.action);
      return std::nullopt;
    }
    case Action::subscribe:
    case Action::unsubscribe:
    case Action::history:
    case Action::presence:
      if (command.channel.empty()) return missing("channel", command.action);
      return std::nullopt;
    case Action::refresh:
      if (command.token.empty()) return missing("token", command.action);
      return std::nullopt;
    case Action::connect:
    case Action::ping:
      break;
  }
  return std::nullopt;
}

}  // namespace peal::gateway
