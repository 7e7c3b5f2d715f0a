#include "redis/list_reader.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string>
#include <utility>

namespace peal::monitor {
namespace {

using redis::Reply;
using Clock = std::chrono::steady_clock;

/// How long an idle reader waits in Redis, in seconds, and so how often it renews its lease.
constexpr const char* kWaitSeconds = "1";

/// KEYS the state, the list, the taken, the rejected. Changes nothing; fails where kTakeScript
/// could fail half-way: for want of rights, or by keys of another type.
constexpr const char* kTryScript = R"(
for i = 2, 4 do
  redis.call('LINDEX', KEYS[i], 0)
  redis.call('LLEN', KEYS[i])
  redis.call('LMOVE', KEYS[i], KEYS[i], 'LEFT', 'LEFT')
end
redis.call('LTRIM', KEYS[3], 0, -1)
redis.call('HMGET', KEYS[1], 'holder')
return 1
)";

/// ARGV the token, the lease's milliseconds, how many of the taken are done, the list's end, how
/// many elements and bytes to take at most, the bytes of the largest element that is told, the
/// server's config epoch and run id; then, in order, the places of the done that are rejected.
/// Answers the generation, the number of the first, how many wait in the list, and the
/// elements that are taken (nil: too large), and how many were taken and have vanished; 0 where the
/// lease is not ours.
constexpr const char* kTakeScript = R"(
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local state = redis.call('HMGET', KEYS[1], 'holder', 'first', 'generation', 'life', 'top')
if state[1] ~= ARGV[1] then return 0 end
local first, generation = tonumber(state[2] or 1), tonumber(state[3] or 0)
local life, top = state[4], tonumber(state[5] or 0)
local waiting, taken = redis.call('LLEN', KEYS[2]), redis.call('LLEN', KEYS[3])
redis.call('LLEN', KEYS[4])
local done, out = tonumber(ARGV[3]), {}
local gone = 0
for i = 10, #ARGV do
  if gone < tonumber(ARGV[i]) then redis.call('LTRIM', KEYS[3], ARGV[i] - gone, -1) end
  redis.call('LMOVE', KEYS[3], KEYS[4], 'LEFT', 'RIGHT')
  gone = ARGV[i] + 1
end
if gone < done then redis.call('LTRIM', KEYS[3], done - gone, -1) end
first, taken = first + done, math.max(taken - done, 0)
local vanished = math.max(top - (first + taken - 1), 0)
local new_life = ARGV[8] .. ' ' .. ARGV[9]
if first + taken <= top or generation == 0 or (taken == 0 and life ~= new_life) then
  generation = math.max(generation + 1, now)
  life = new_life
end
local bytes = 0
if taken == 0 then
  while taken < tonumber(ARGV[5]) and bytes < tonumber(ARGV[6]) do
    local element = redis.call('LMOVE', KEYS[2], KEYS[3], ARGV[4], 'RIGHT')
    if not element then break end
    taken, bytes, waiting = taken + 1, bytes + #element, waiting - 1
  end
end
redis.call('HSET', KEYS[1], 'until', now + ARGV[2], 'first', string.format('%.0f', first),
           'generation', string.format('%.0f', generation), 'life', life,
           'top', string.format('%.0f', first + taken - 1))
bytes = 0
for i = 0, math.min(taken, tonumber(ARGV[5])) - 1 do
  local element = redis.call('LINDEX', KEYS[3], i)
  if #element > tonumber(ARGV[7]) then
    element = false
  else
    bytes = bytes + #element
    if i > 0 and bytes > tonumber(ARGV[6]) + tonumber(ARGV[7]) then break end
  end
  out[i + 1] = element
end
return {string.format('%.0f', generation), string.format('%.0f', first), waiting, out, vanished}
)";

/// KEYS the list, the taken. Answers how many elements wait, and about how many bytes.
constexpr const char* kCountScript = R"(
local count, bytes = 0, 0
for i = 1, 2 do
  count = count + redis.call('LLEN', KEYS[i])
  -- Who has not the right to ask that may take all the same.
  local size = redis.pcall('MEMORY', 'USAGE', KEYS[i])
  if type(size) == 'number' then bytes = bytes + size end
end
return {count, bytes}
)";

std::uint64_t number_of(const Reply& reply) {
  std::uint64_t value = 0;
  std::from_chars(reply.text.data(), reply.text.data() + reply.text.size(), value);
  return value;
}

}  // namespace

ListReader::ListReader(const ReaderParts& parts, ListRule rule)
    : RedisReader(parts, "list " + rule.list(),
                  list_keys(parts.config.redis.prefix, parts.config.name, rule.list()).state,
                  {"generation"}),
      rule_(std::move(rule)),
      keys_(list_keys(parts.config.redis.prefix, parts.config.name, rule_.list())) {}

void ListReader::on_leased(const std::vector<Reply>& fields) {
  if (fields[0].is_nil() && known_)
    logger_.warn("how far it was taken is gone from Redis: what was taken rings again");
  const std::string source = "redis-list:" + config_.name + ":" + rule_.list();
  publisher_.rename(source);
  step_ = Step::asking;
  batch_ = 0;
  impossible_.clear();
  ask(script(kTryScript, {keys_.state, rule_.list(), keys_.taken, keys_.rejected}, {}),
      [this, source](const Reply&) {
        logger_.info("active", {{"source", source}});
        take();
      });
}

void ListReader::take() {
  step_ = Step::asking;
  const std::size_t largest = config_.redis.reply_bytes_max / 4;
  std::vector<std::string> args{token_,
                                lease_ms(),
                                std::to_string(batch_),
                                rule_.side(),
                                std::to_string(stopping() ? 0 : config_.batch_entries_max),
                                std::to_string(config_.under_way_bytes_max),
                                std::to_string(largest),
                                "",
                                ""};
  const std::size_t mastership = args.size() - 2;
  std::ranges::move(std::exchange(impossible_, {}), std::back_inserter(args));
  redis::Command command = script(
      kTakeScript, {keys_.state, rule_.list(), keys_.taken, keys_.rejected}, std::move(args));
  command.mastership_at = 3 + 4 + mastership;  // behind EVAL, the script, the count, the keys
  ask(std::move(command), [this](const Reply& reply) { on_take(reply); });
}

void ListReader::on_take(const Reply& reply) {
  if (reply.is_integer()) return later();  // the lease is somebody else's
  if (reply.elements.size() != 5) return again("an odd answer");
  if (const auto vanished = reply.elements[4].integer; vanished > 0)
    logger_.error("elements that were taken are gone from Redis", {{"elements", vanished}});
  all_is_well();
  known_ = true;
  const auto& elements = reply.elements[3].elements;
  const auto behind = static_cast<std::uint64_t>(reply.elements[2].integer);
  if (behind == 0) waits_since_ = Clock::now();
  const std::uint64_t count = behind + elements.size();
  waits({count, count == 0 ? 0 : waiting().bytes});
  batch_ = elements.size();
  if (stopping()) return later();
  if (elements.empty()) return wait();
  probe_.took(elements.size());
  step_ = Step::publishing;
  Sequence sequence{number_of(reply.elements[0]), number_of(reply.elements[1])};
  for (std::size_t at = 0; at < elements.size(); ++at, ++sequence.minor)
    publish_one(at, elements[at], sequence);
  turn();
}

void ListReader::publish_one(std::size_t at, const Reply& element, Sequence sequence) {
  Result<Ring> ring = fail(ErrorCode::message_too_large,
                           "it is larger than a quarter of "
                           "redis.reply_bytes_max");
  if (!element.is_nil()) ring = rule_.ring(element.text, reader_);
  if (ring) return publish(std::move(*ring), sequence, at);
  probe_.rang_nowhere();
  on_impossible(at, ring.error());
}

void ListReader::on_impossible(std::uint64_t ticket, const Error& error) {
  impossible_.push_back(std::to_string(ticket));
  logger_.error("an element can't be published and is kept",
                {{"in", keys_.rejected}, {"reason", error.message}});
}

void ListReader::on_turned() {
  if (step_ != Step::publishing || !all_published()) return;
  // Their order is that of the answers.
  std::ranges::sort(impossible_, {}, [](const std::string& at) { return std::stoul(at); });
  take();
}

/// What comes meanwhile is taken in the moment it comes, at the end of what is taken.
void ListReader::wait() {
  redis::Command command;
  command.key = rule_.list();
  command.args = {"BLMOVE", rule_.list(), keys_.taken, rule_.side(), "RIGHT", kWaitSeconds};
  ask(std::move(command), [this](const Reply&) { take(); });
}

void ListReader::measure() {
  ask_aside(script(kCountScript, {rule_.list(), keys_.taken}, {}), [this](const Reply& reply) {
    if (reply.elements.size() != 2) return;
    waits({static_cast<std::uint64_t>(reply.elements[0].integer),
           static_cast<std::uint64_t>(reply.elements[1].integer)});
  });
}

std::uint64_t ListReader::lag_ms() const {
  if (waiting().entries == 0) return 0;
  const auto waited = Clock::now() - waits_since_;
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(waited).count());
}

}  // namespace peal::monitor
