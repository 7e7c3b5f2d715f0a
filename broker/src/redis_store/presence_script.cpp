#include "redis_store/presence_script.hpp"

#include <array>
#include <charconv>
#include <cinttypes>
#include <cstdio>

namespace peal::redis_store {
namespace {

using redis::Reply;

constexpr std::size_t kNameSize = 16;
/// presence.lua's KEYS 3 to 6.
constexpr std::string_view kLetters = "ponw";
constexpr std::size_t kKeys = 3 + kLetters.size();

std::string hex(std::uint64_t number) {
  std::array<char, kNameSize + 1> text{};
  std::snprintf(text.data(), text.size(), "%016" PRIx64, number);
  return {text.data(), kNameSize};
}

std::optional<std::uint64_t> number_of(std::string_view text, int base = 10) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The number up to that character, which goes with it.
std::optional<std::uint64_t> take_number(std::string_view& from, char until) {
  const auto end = from.find(until);
  if (end == std::string_view::npos) return std::nullopt;
  const auto number = number_of(from.substr(0, end));
  from.remove_prefix(end + 1);
  return number;
}

std::string_view take(std::string_view& from, std::size_t size) {
  const auto taken = from.substr(0, size);
  from.remove_prefix(taken.size());
  return taken;
}

bool all_texts(const Reply& reply) {
  if (!reply.is_array()) return false;
  for (const Reply& element : reply.elements)
    if (!element.is_text()) return false;
  return true;
}

}  // namespace

std::string name_of_number(std::uint64_t number) {
  return hex(number);
}

std::vector<std::string> call(const PresenceFrame& frame, std::string_view operation) {
  const std::string route = frame.keys.route(frame.partition);
  std::vector<std::string> args{"EVALSHA", {}, std::to_string(kKeys)};
  args.push_back(route + "holders");
  args.push_back(route + "h:" + std::string(frame.holder));
  for (const char letter : kLetters)
    args.push_back(route + letter + ':' + std::string(frame.channel));
  args.push_back(route + "quiet");
  args.emplace_back(operation);
  args.emplace_back(frame.holder);
  args.push_back(std::to_string(frame.lease.count()));
  args.push_back(std::to_string(frame.keep.count()));
  args.emplace_back(frame.publish_verb);
  args.push_back(route + "c:" + std::string(frame.channel));
  args.emplace_back(frame.channel);
  args.push_back(frame.mark);
  return args;
}

void add_member(std::vector<std::string>& args, const bus::Member& member, bool again) {
  args.emplace_back(member.session);
  args.emplace_back(member.user);
  args.emplace_back(member.data);
  args.push_back(hex(bus::presence_key(member)));
  args.emplace_back(again ? "1" : "0");
}

void add_page(std::vector<std::string>& args, const bus::PresenceRequest& request,
              std::size_t bytes) {
  args.emplace_back(request.after);
  args.push_back(std::to_string(request.limit));
  args.push_back(std::to_string(bytes));
}

std::optional<bus::PresenceAnswer> presence_of(const Reply& reply,
                                               std::vector<bus::Member>& members) {
  constexpr std::size_t kCounts = 5, kTexts = 3;
  const auto& texts = reply.elements;
  if (!all_texts(reply) || texts.size() < kCounts || (texts.size() - kCounts) % kTexts != 0) {
    return std::nullopt;
  }
  const auto sessions = number_of(texts[0].text), users = number_of(texts[1].text);
  const auto digest = number_of(texts[2].text, 16);
  if (!sessions || !users || !digest) return std::nullopt;
  members.clear();
  for (std::size_t at = kCounts; at < texts.size(); at += kTexts)
    members.push_back({texts[at].text, texts[at + 1].text, texts[at + 2].text});
  bus::PresenceAnswer answer;
  answer.sessions = *sessions;
  answer.users = *users;
  answer.digest = *digest;
  answer.settled = texts[3].text == "1";
  answer.more = texts[4].text == "1" && !members.empty();
  answer.members = members;
  return answer;
}

std::optional<Pulse> pulse_of(const Reply& reply) {
  if (!all_texts(reply) || reply.elements.size() < 2) return std::nullopt;
  const auto held = number_of(reply.elements[0].text);
  if (!held) return std::nullopt;
  Pulse pulse{.held = *held, .quiet = reply.elements[1].text == "1"};
  for (std::size_t i = 2; i < reply.elements.size(); ++i)
    if (reply.elements[i].text.size() == kNameSize) pulse.dead.push_back(reply.elements[i].text);
  return pulse;
}

std::optional<Held> held_of(std::string_view text) {
  const auto what = take(text, 1);
  const auto size = take_number(text, ':');
  if ((what != "p" && what != "w") || !size || *size > text.size()) return std::nullopt;
  Held held{.watch = what == "w"};
  held.channel = take(text, *size);
  held.session = text;
  return held;
}

bool is_presence(std::string_view message) {
  return message.starts_with('p');
}

std::optional<PresenceTold> next_told(std::string_view& message) {
  using What = PresenceTold::What;
  PresenceTold told;
  const auto what = take(message, 1);
  if (what == "m") {
    told.core = take(message, kNameSize);
    const auto ticket = take_number(message, '\n');
    if (!ticket) return std::nullopt;
    told.ticket = *ticket;
    return told;
  }
  if (what != "j" && what != "l") return std::nullopt;
  told.what = what == "j" ? What::join : What::leave;
  const auto session = take_number(message, ' '), user = take_number(message, ' '),
             data = take_number(message, '\n');
  if (!session || !user || !data || *session > message.size() || *user > message.size() ||
      *data > message.size() || *session + *user + *data > message.size()) {
    return std::nullopt;
  }
  told.member.session = take(message, *session);
  told.member.user = take(message, *user);
  told.member.data = take(message, *data);
  return told;
}

}  // namespace peal::redis_store
