#include "redis/verdict.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace peal::redis {
namespace {

/// Redis says these before it begins, of the whole command.
constexpr std::array<std::string_view, 13> kNotBegun = {
    "LOADING",   "MASTERDOWN", "READONLY", "OOM",  "MISCONF",   "NOREPLICAS", "NOAUTH",
    "WRONGPASS", "NOPERM",     "NOSCRIPT", "BUSY", "CROSSSLOT", "DENIED"};

/// An error inside a script has its code, too, and says where it happened: what the script did
/// before it stays done.
bool inside_a_script(std::string_view text) {
  return text.find("script: ") != std::string_view::npos;
}

/// "MOVED 3999 127.0.0.1:6381"
Verdict redirect(Verdict::Kind kind, std::string_view text, std::string_view asked_host) {
  Verdict verdict{.kind = kind};
  const std::size_t number = text.find(' ');
  const std::size_t place = text.find(' ', number + 1);
  if (number == std::string_view::npos || place == std::string_view::npos) {
    return {.kind = Verdict::Kind::again};
  }
  const auto [end, error] =
      std::from_chars(text.data() + number + 1, text.data() + place, verdict.slot);
  if (error != std::errc{} || end != text.data() + place || verdict.slot >= 16384) {
    return {.kind = Verdict::Kind::again};
  }
  std::string_view endpoint = text.substr(place + 1);
  const std::size_t colon = endpoint.rfind(':');
  if (colon == std::string_view::npos) return {.kind = Verdict::Kind::again};
  std::string_view host = endpoint.substr(0, colon);
  if (host.empty() || host == "?") host = asked_host;
  const bool bare_v6 = host.find(':') != std::string_view::npos && !host.starts_with('[');
  verdict.endpoint = (bare_v6 ? "[" + std::string(host) + "]" : std::string(host)) +
                     std::string(endpoint.substr(colon));
  return verdict;
}

std::string between(std::string_view text, std::string_view before, std::string_view after) {
  const std::size_t begin = text.find(before);
  if (begin == std::string_view::npos) return {};
  const std::size_t end = text.find(after, begin + before.size());
  if (end == std::string_view::npos) return {};
  return std::string(text.substr(begin + before.size(), end - begin - before.size()));
}

}  // namespace

Verdict verdict_of(const Reply& reply, std::string_view asked_host) {
  if (!reply.is_error()) return {};
  const std::string_view code = reply.error_code();
  if (inside_a_script(reply.text)) return {.kind = Verdict::Kind::failed};
  if (code == "MOVED") return redirect(Verdict::Kind::moved, reply.text, asked_host);
  if (code == "ASK") return redirect(Verdict::Kind::ask, reply.text, asked_host);
  if (code == "TRYAGAIN" || code == "CLUSTERDOWN") return {.kind = Verdict::Kind::again};
  const bool refused = std::ranges::find(kNotBegun, code) != kNotBegun.end();
  return {.kind = refused ? Verdict::Kind::refused : Verdict::Kind::failed};
}

std::string explain(const Reply& error, std::string_view user) {
  const std::string name = user.empty() ? "default" : std::string(user);
  std::string text = error.text;
  const std::string_view code = error.error_code();
  if (code == "NOAUTH") {
    text += " (set redis.password, and redis.user where there are ACL users)";
  } else if (code == "WRONGPASS") {
    text += " (user \"" + name + "\": see redis.user and redis.password)";
  } else if (code == "NOPERM") {
    const std::string command = between(text, "run the '", "'");
    if (!command.empty()) {
      text += " (grant it: ACL SETUSER " + name + " +" + command + ")";
    } else if (text.find("channel") != std::string::npos) {
      text += " (grant it: ACL SETUSER " + name +
              " &CHANNELS, those of redis.prefix and those it listens to)";
    } else {
      text += " (grant it: ACL SETUSER " + name + " ~KEYS, those of redis.prefix)";
    }
  } else if (text.find("user executing the script can't run") != std::string::npos) {
    text += " (grant it: ACL SETUSER " + name + " +@read +@write +time)";
  } else if (text.find("user executing the script can't access") != std::string::npos) {
    text += " (grant it: ACL SETUSER " + name + " ~KEYS)";
  } else if (code == "OOM") {
    text += " (raise its maxmemory, or shorten the logs' history)";
  } else if (code == "READONLY") {
    text += " (it is a replica)";
  }
  return text;
}

}  // namespace peal::redis
