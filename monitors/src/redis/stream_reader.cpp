#include "redis/stream_reader.hpp"

#include <algorithm>
#include <charconv>

namespace peal::monitor {
namespace {

using redis::Reply;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

/// A read waits so long, so the lease is renewed as often while nothing comes.
constexpr const char* kReadForText = "1000";
/// While entries come all the time, too.
constexpr milliseconds kLookEvery{5000};

/// KEYS[1] the state; ARGV the token, the lease's milliseconds, the cursor, the ordinal, the
/// generation. Answers 1 where the lease was still ours.
constexpr const char* kSaveScript = R"(
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'until', now + ARGV[2], 'cursor', ARGV[3], 'ordinal', ARGV[4],
           'generation', ARGV[5])
return 1
)";

/// KEYS[1] the stream; ARGV a cursor, how many entries and how many bytes to read at most. Answers
/// how many of the next ones that are; when the first is too large alone, its id.
constexpr const char* kSizeScript = R"(
local from, bytes, count = '(' .. ARGV[1], 0, 0
while count < tonumber(ARGV[2]) do
  local entry = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 1)[1]
  if not entry then break end
  for _, text in ipairs(entry[2]) do bytes = bytes + #text end
  if bytes > tonumber(ARGV[3]) then return {count, count == 0 and entry[1] or ''} end
  count, from = count + 1, '(' .. entry[1]
end
return {count, ''}
)";

std::uint64_t now_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(now).count());
}

std::uint64_t number_of(const std::string& text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

StreamReader::StreamReader(const ReaderParts& parts, StreamRule rule)
    : RedisReader(parts, "stream " + rule.stream(), stream_state_key(parts.config, rule.stream()),
                  {"cursor", "ordinal", "generation"}),
      rule_(std::move(rule)) {}

void StreamReader::on_leased(const std::vector<Reply>& fields) {
  if (!fields[0].is_nil()) {
    cursor_ = Sequence::parse(fields[0].text).value_or(Sequence{});
    ordinal_ = number_of(fields[1].text);
    generation_ = number_of(fields[2].text);
  } else if (known_) {
    logger_.warn("how far it was read is gone from Redis: this process knows it, and goes on");
  } else {
    begin_unknowing();
  }
  saved_cursor_ = cursor_;
  saved_ordinal_ = ordinal_;
  publisher_.rename(source());
  logger_.info("active", {{"source", source()}, {"cursor", cursor_.to_string()}});
  look();
}

/// Whatever the log may have of a source before, a stream that was made anew may use its ids again.
void StreamReader::begin_unknowing() {
  first_ = true;
  cursor_ = {};
  ordinal_ = 0;
  generation_ = now_ms();
}

void StreamReader::look() {
  step_ = Step::looking;
  looked_ = Clock::now();
  ask(script(kLookScript, {rule_.stream()}, {cursor_.to_string()}),
      [this](const Reply& reply) { on_look(reply); });
}

void StreamReader::on_look(const Reply& reply) {
  const auto look = StreamLook::parse(reply);
  if (!look) return again(look.error().message);
  see(*look, ordinal_);
  if (first_) {
    first_ = false;
    ordinal_ = rule_.from_start() ? look->removed() : look->added;
    if (rule_.from_start() || look->top == Sequence{}) return save();
    cursor_ = look->top;
    return begin_anew("reading began", look->added);
  }
  if (look->top < cursor_) {
    ++generation_;
    publisher_.rename(source());
    cursor_ = {};
    return begin_anew("the stream was made anew", look->removed());
  }
  if (!look->next && look->added > ordinal_) {
    cursor_ = look->top;
    return begin_anew("entries were removed before they were read", look->added);
  }
  if (look->removed() > ordinal_)
    return begin_anew("entries were removed before they were read", look->removed());
  // Of a Redis before 7, which does not count, nothing is known of this.
  if (!look->next && look->added < ordinal_) ordinal_ = look->added;
  read();
}

void StreamReader::measure() {
  if (first_) return;
  ask_aside(script(kLookScript, {rule_.stream()}, {saved_cursor_.to_string()}),
            [this, ordinal = saved_ordinal_](const Reply& reply) {
              if (const auto look = StreamLook::parse(reply)) see(*look, ordinal);
            });
}

void StreamReader::see(const StreamLook& look, std::uint64_t ordinal) {
  ceiling_.looked(look);
  oldest_ = look.next;
  overtaken_ = look.removed() > ordinal_;
  Waiting waiting{look.unread(ordinal), look.unread_bytes(ordinal), ceiling_.entries(),
                  std::nullopt};
  if (waiting.ceiling)
    waiting.left = *waiting.ceiling - std::min(*waiting.ceiling, waiting.entries);
  waits(waiting);
}

void StreamReader::begin_anew(const std::string& why, std::uint64_t ordinal) {
  logger_.warn("entries may have been missed", {{"reason", why}});
  ordinal_ = ordinal;
  step_ = Step::publishing;
  // Between the entry at the cursor and the next one.
  publish(rule_.reset(why), {cursor_.major, 2 * cursor_.minor + 1});
  turn();
}

std::string StreamReader::source() const {
  return "redis-stream:" + config_.name + ":" + rule_.stream() + ":" + std::to_string(generation_);
}

void StreamReader::read() {
  if (stopping()) return later();
  step_ = Step::reading;
  if (!careful_) return read(config_.batch_entries_max);
  ask(script(kSizeScript, {rule_.stream()},
             {cursor_.to_string(), std::to_string(config_.batch_entries_max),
              std::to_string(config_.redis.reply_bytes_max / 4)}),
      [this](const Reply& reply) { on_sized(reply); });
}

void StreamReader::on_sized(const Reply& reply) {
  if (reply.elements.size() != 2) return again("an odd answer");
  const auto count = static_cast<std::size_t>(reply.elements[0].integer);
  const std::string& id = reply.elements[1].text;
  if (const auto large = Sequence::parse(id)) return leave_out(*large);
  careful_ = count != 0 && count < config_.batch_entries_max;
  read(count == 0 ? config_.batch_entries_max : count);
}

void StreamReader::leave_out(Sequence large) {
  const std::string why = large.to_string() + " is larger than a quarter of redis.reply_bytes_max";
  probe_.rejected();
  logger_.error("an entry can't be read and is left out", {{"reason", why}});
  cursor_ = large;
  ++ordinal_;
  step_ = Step::publishing;
  publish(rule_.reset(why), {large.major, 2 * large.minor});
  turn();
}

void StreamReader::read(std::size_t entries_max) {
  redis::Command command;
  command.key = rule_.stream();
  command.args = {"XREAD",   "COUNT",        std::to_string(entries_max), "BLOCK", kReadForText,
                  "STREAMS", rule_.stream(), cursor_.to_string()};
  ask(
      std::move(command), [this](const Reply& reply) { on_read(reply); },
      [this](const redis::Answer& answer) {
        careful_ = true;  // it may be more than is taken from Redis at once
        again(answer.error);
      });
}

void StreamReader::on_read(const Reply& reply) {
  const auto entries = entries_of(reply);
  if (!entries) return again(entries.error().message);
  if (entries->empty()) return save();
  probe_.took(entries->size());
  for (const StreamEntry& entry : *entries) {
    auto ring = rule_.ring(entry, reader_);
    if (ring) {
      if (rule_.cut_to_size(*ring, entry, config_.limits.message_bytes_max)) {
        probe_.rejected();
        logger_.warn(
            "an entry is larger than limits.message_bytes_max: it rings without its fields",
            {{"id", entry.id}});
      }
      // Twice the number, so that a reset has room behind it.
      publish(std::move(*ring), {entry.sequence.major, 2 * entry.sequence.minor});
    } else {
      probe_.rang_nowhere();
      logger_.warn("an entry has no channel", {{"id", entry.id}, {"reason", ring.error().message}});
    }
  }
  cursor_ = entries->back().sequence;
  ordinal_ += entries->size();
  step_ = Step::publishing;
  turn();
}

void StreamReader::on_turned() {
  if (step_ == Step::publishing && all_published()) save();
}

void StreamReader::save() {
  const bool was_idle = step_ == Step::reading;
  step_ = Step::saving;
  ask(script(kSaveScript, {state_key_},
             {token_, lease_ms(), cursor_.to_string(), std::to_string(ordinal_),
              std::to_string(generation_)}),
      [this, was_idle](const Reply& reply) { on_save(reply, was_idle); });
}

void StreamReader::on_save(const Reply& reply, bool was_idle) {
  if (reply.integer != 1) return later();  // the lease is somebody else's
  saved_cursor_ = cursor_;
  saved_ordinal_ = ordinal_;
  known_ = true;
  all_is_well();
  // When nothing came for a while it is a time to see whether something is missing.
  was_idle || overtaken_ || Clock::now() - looked_ >= kLookEvery ? look() : read();
}

/// An entry's id begins with the time at which it was added.
std::uint64_t StreamReader::lag_ms() const {
  if (waiting().entries == 0 || !oldest_) return 0;
  const std::uint64_t now = now_ms();
  return now - std::min(now, oldest_->major);
}

}  // namespace peal::monitor
