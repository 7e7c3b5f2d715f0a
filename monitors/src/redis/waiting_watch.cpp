#include "redis/waiting_watch.hpp"

#include <charconv>
#include <utility>

namespace peal::monitor {
namespace {

constexpr std::chrono::seconds kSayEvery{60};

/// What follows `name` and a colon at the beginning of a line.
std::string_view line_of(std::string_view info, std::string_view name) {
  for (std::size_t at = 0; at < info.size();) {
    const std::size_t end = std::min(info.find('\n', at), info.size());
    std::string_view line = info.substr(at, end - at);
    at = end + 1;
    if (!line.starts_with(name) || !line.substr(name.size()).starts_with(':')) continue;
    line.remove_prefix(name.size() + 1);
    return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
  }
  return {};
}

std::uint64_t number_of(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

RedisMemory RedisMemory::parse(std::string_view info) {
  return {number_of(line_of(info, "used_memory")), number_of(line_of(info, "maxmemory")),
          line_of(info, "maxmemory_policy")};
}

WaitingWatch::WaitingWatch(std::uint64_t waiting_warn, runtime::Logger logger)
    : waiting_warn_(waiting_warn), logger_(std::move(logger)) {}

bool WaitingWatch::due(std::optional<Time>& said, Time now) {
  if (said && now - *said < kSayEvery) return false;
  said = now;
  return true;
}

void WaitingWatch::measured(const Waiting& waiting, Time now) {
  waiting_ = waiting;
  if (waiting.entries > waiting_warn_ && due(many_said_, now))
    logger_.warn("much waits in Redis", {{"entries", waiting.entries}, {"bytes", waiting.bytes}});
  const bool over_half = waiting.ceiling && *waiting.left < *waiting.ceiling / 2;
  // Of a short stream half comes at once, and is read at once.
  if (over_half && std::exchange(over_half_, over_half) && due(trim_said_, now)) {
    logger_.warn("entries will be trimmed before they are read: more than half is unread",
                 {{"entries", waiting.entries}, {"entries_left", *waiting.left}});
  }
  over_half_ = over_half;
}

void WaitingWatch::remembered(const RedisMemory& memory, Time now) {
  if (memory.max_bytes == 0) return;
  const bool evicts = memory.policy.starts_with("allkeys-");
  if (evicts && !std::exchange(evicts_said_, true)) {
    logger_.warn(
        "Redis may evict what was not read yet, and what says how far it was read: set "
        "maxmemory-policy to noeviction",
        {{"policy", memory.policy}});
  }
  const bool nearly = memory.used_bytes > memory.max_bytes / 10 * 8;
  if (!nearly || waiting_.entries == 0 || !due(full_said_, now)) return;
  logger_.warn(evicts ? "Redis is nearly full while entries wait: soon it evicts keys"
                      : "Redis is nearly full while entries wait: soon it refuses to write",
               {{"used_bytes", memory.used_bytes},
                {"max_bytes", memory.max_bytes},
                {"policy", memory.policy}});
}

}  // namespace peal::monitor
