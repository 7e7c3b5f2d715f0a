#include "http/stream_request.hpp"

#include <algorithm>
#include <charconv>
#include <unordered_set>
#include <utility>

#include "http/percent.hpp"
#include "peal/proto/channel_name.hpp"

namespace peal::gateway::http {
namespace {

Error invalid(std::string why) {
  return fail(ErrorCode::request_invalid, std::move(why));
}

/// A value of a query, as forms and URLSearchParams write it: '+' is a space.
std::optional<std::string> form_decode(std::string_view text) {
  std::string spaced(text);
  std::ranges::replace(spaced, '+', ' ');
  return percent_decode(spaced);
}

/// Calls take(name, raw value) for each part of a query until it returns an error.
template <class Take>
std::optional<Error> each_part(std::string_view query, Take&& take) {
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const std::string_view part = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const auto equals = std::min(part.find('='), part.size());
    if (auto error = take(part.substr(0, equals), part.substr(std::min(equals + 1, part.size()))))
      return error;
  }
  return std::nullopt;
}

}  // namespace

Result<StreamRequest> StreamRequestReader::read(const Request& request) {
  StreamRequest made;
  std::string token(request.header("Last-Event-ID"));
  const bool body = request.method == "POST";
  if (body) {
    if (auto error = read_body(request.body, made, token)) return std::move(*error);
  }
  if (auto error = read_query(request.query, !body, made, token)) return std::move(*error);
  auto wait = read_wait(request.query);
  if (!wait) return wait.error();
  made.wait = *wait;
  if (auto error = check(made, body)) return std::move(*error);
  if (!token.empty()) {
    if (auto error = go_on_from(token, made)) return std::move(*error);
  }
  return made;
}

Result<std::optional<std::chrono::milliseconds>> StreamRequestReader::read_wait(
    std::string_view query) const {
  std::optional<std::chrono::milliseconds> wait;
  auto error = each_part(query, [&](std::string_view name, std::string_view value) -> Failure {
    if (name != "wait") return std::nullopt;
    std::uint32_t seconds = 0;
    const char* const end = value.data() + value.size();
    const auto [stop, wrong] = std::from_chars(value.data(), end, seconds);
    const bool too_many = wrong == std::errc::result_out_of_range;
    if (value.empty() || stop != end || (wrong != std::errc{} && !too_many))
      return invalid("wait is not a number of seconds");
    wait = too_many ? limits_.wait_max
                    : std::min<std::chrono::milliseconds>(limits_.wait_max,
                                                          std::chrono::seconds(seconds));
    return std::nullopt;
  });
  if (error) return std::move(*error);
  return wait;
}

StreamRequestReader::Failure StreamRequestReader::read_body(std::string_view body,
                                                            StreamRequest& made,
                                                            std::string& token) {
  if (const auto valid = reader_.validate(body, limits_.json_depth_max); valid.has_error())
    return valid.error();
  const auto fields = reader_.fields(body);
  if (fields.has_error()) return invalid("the body is not a JSON object");
  std::string_view channels;
  for (const JsonField& field : **fields) {
    if (field.key == "channels") channels = field.raw;
    if (field.key == "cursor") {
      auto text = JsonReader::as_string(field.raw);
      if (!text) return invalid("cursor is not a string");
      token = std::move(*text);
    }
    if (field.key == "ids") {
      const auto ids = JsonReader::as_bool(field.raw);
      if (!ids) return invalid("ids is not true or false");
      made.order.ids = *ids;
    }
  }
  const auto elements = reader_.elements(channels.empty() ? std::string_view("null") : channels);
  if (elements.has_error()) return invalid("channels is not a list of {\"channel\": …}");
  for (const std::string_view raw : **elements)
    if (auto error = read_channel(raw, made)) return error;
  return std::nullopt;
}

StreamRequestReader::Failure StreamRequestReader::read_channel(std::string_view raw,
                                                               StreamRequest& made) {
  if (made.order.channels.size() > limits_.subscriptions_max) return std::nullopt;
  scratch_ = R"({"action":"subscribe","payload":)";
  (scratch_ += raw) += '}';
  if (auto wrong = json_.decode(scratch_, command_)) return std::move(wrong->error);
  made.order.channels.push_back(StreamOrder::Channel::of(command_));
  return std::nullopt;
}

StreamRequestReader::Failure StreamRequestReader::read_query(std::string_view query, bool channels,
                                                             StreamRequest& made,
                                                             std::string& token) const {
  return each_part(query, [&](std::string_view name, std::string_view value) -> Failure {
    const bool channel = name == "channel" && channels;
    if (!channel && name != "cursor" && name != "last_event_id") return std::nullopt;
    auto text = form_decode(value);
    if (!text) return invalid("the query is not percent-encoded as it should be");
    if (!channel) {
      token = std::move(*text);
      return std::nullopt;
    }
    if (!ChannelName::valid(*text)) return ChannelName::parse(*text).error();
    made.order.channels.push_back({.name = std::move(*text)});
    return std::nullopt;
  });
}

StreamRequestReader::Failure StreamRequestReader::check(StreamRequest& made, bool body) const {
  const auto& channels = made.order.channels;
  if (channels.empty())
    return invalid(body ? R"(the body names no channels: {"channels":[{"channel":"…"}]})"
                        : "the query names no channel: ?channel=…");
  if (channels.size() > limits_.subscriptions_max)
    return fail(ErrorCode::subscriptions_max, "more channels than limits.subscriptions_max (" +
                                                  std::to_string(limits_.subscriptions_max) + ")");
  if (channels.size() > limits_.stream_ids_max && !made.wait) {
    if (!body)
      return fail(ErrorCode::subscriptions_max, "more channels than limits.stream_ids_max (" +
                                                    std::to_string(limits_.stream_ids_max) +
                                                    ") in a query: use POST");
    made.order.ids = false;
  }
  std::unordered_set<std::string_view> names;
  for (const StreamOrder::Channel& channel : channels) {
    if (!names.insert(channel.name).second)
      return invalid("the channel " + channel.name.substr(0, 64) + " is named twice");
    if (made.wait && channel.presence)
      return invalid("presence is for who stays: it can't be asked for with wait");
  }
  return std::nullopt;
}

StreamRequestReader::Failure StreamRequestReader::go_on_from(std::string_view token,
                                                             StreamRequest& made) {
  using Kind = StreamCursor::Place::Kind;
  auto cursor = StreamCursor::parse(token, made.order.channels.size());
  if (!cursor) return cursor.error();
  for (std::size_t i = 0; i < cursor->size(); ++i) {
    const StreamCursor::Place& place = (*cursor)[i];
    StreamOrder::Channel& channel = made.order.channels[i];
    if (place.kind == Kind::at) channel.since = place.position;
    if (place.kind != Kind::unknown) channel.since_word = Command::SinceWord::none;
    channel.ephemeral = place.kind == Kind::ephemeral;
  }
  made.cursor = std::move(*cursor);
  return std::nullopt;
}

}  // namespace peal::gateway::http
