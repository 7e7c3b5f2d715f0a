#include "peal/monitor/ring.hpp"

#include "peal/proto/channel_name.hpp"

namespace peal::monitor {

Result<RingTemplate> RingTemplate::parse(const Texts& texts, Template::From from) {
  if (texts.channel.empty()) return fail(ErrorCode::config_invalid, "channel is missing");
  auto channel = Template::parse(texts.channel, Template::Form::text, from);
  if (!channel) return fail(ErrorCode::config_invalid, "channel: " + channel.error().message);
  auto key = Template::parse(texts.key, Template::Form::text, from);
  if (!key) return fail(ErrorCode::config_invalid, "key: " + key.error().message);
  auto payload = Template::parse(texts.payload, Template::Form::json, from);
  if (!payload) return fail(ErrorCode::config_invalid, "payload: " + payload.error().message);
  return RingTemplate{std::move(*channel), std::move(*key), std::move(*payload)};
}

Result<std::string> RingTemplate::channel_of(const Scope& scope, JsonReader& reader) const {
  auto name = channel.fill(scope, reader);
  if (name && !ChannelName::valid(*name)) {
    return fail(ErrorCode::channel_name_invalid,
                "the channel is no name: 1 to 255 bytes without control characters");
  }
  return name;
}

Result<Ring> RingTemplate::place(const Scope& scope, JsonReader& reader) const {
  auto name = channel_of(scope, reader);
  if (!name) return name.error();
  auto filled = key.fill(scope, reader);
  if (!filled) return filled.error();
  Ring made;
  made.channel = std::move(*name);
  made.key = std::move(*filled);
  return made;
}

Result<std::string> RingTemplate::said(const Scope& scope, JsonReader& reader,
                                       const std::function<std::string()>& otherwise) const {
  return payload.empty() ? otherwise() : payload.fill(scope, reader);
}

Result<std::string> RingTemplate::reset_channel(const std::string& reset,
                                                const std::string& table) const {
  if (!reset.empty()) {
    if (!ChannelName::valid(reset)) return fail(ErrorCode::config_invalid, "reset is no channel");
    return reset;
  }
  if (channel.needs_row()) {
    return fail(ErrorCode::config_invalid,
                "reset is missing: a fixed channel that is told of gaps");
  }
  Change change;
  change.table = table;
  JsonReader reader;
  return channel_of({change, nullptr, Event::reset}, reader);
}

}  // namespace peal::monitor
