#include "disk/rows.hpp"

#include <array>
#include <bit>
#include <cstring>

namespace peal::disk {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::size_t kIdSize = 1 + sizeof(LogNumber);

void append_key_number(std::string& key, std::uint64_t number) {
  const std::uint64_t turned = __builtin_bswap64(number);
  key.append(reinterpret_cast<const char*>(&turned), sizeof turned);
}

std::string key_of(char kind, LogNumber log) {
  std::string key(1, kind);
  append_key_number(key, log);
  return key;
}

class ValueWriter {
 public:
  template <class Number>
  ValueWriter& number(Number value) {
    value_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  ValueWriter& time(StoreTime value) { return number(std::int64_t{value.count()}); }
  ValueWriter& text(std::string_view text) {
    number(static_cast<std::uint32_t>(text.size()));
    return rest(text);
  }
  ValueWriter& rest(std::string_view text) {
    value_.append(text);
    return *this;
  }
  std::string take() { return std::move(value_); }

 private:
  std::string value_;
};

/// Once something is missing, `ok` stays false and everything reads as zero.
class ValueReader {
 public:
  explicit ValueReader(std::string_view value) : left_(value) {}
  template <class Number>
  Number number() {
    Number value{};
    const std::string_view bytes = take(sizeof value);
    if (bytes.size() == sizeof value) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  StoreTime time() { return StoreTime(number<std::int64_t>()); }
  std::string_view text() { return take(number<std::uint32_t>()); }
  std::string_view take(std::size_t size) {
    ok_ = ok_ && size <= left_.size();
    if (!ok_) return {};
    const std::string_view taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }
  std::string_view rest() { return take(left_.size()); }
  bool done() const { return ok_ && left_.empty(); }

 private:
  std::string_view left_;
  bool ok_ = true;
};

Kind kind_of(std::uint8_t number) {
  return number == 1 ? Kind::deletion : Kind::value;
}

}  // namespace

std::string state_key() {
  return "S";
}
std::string meta_key(std::string_view channel) {
  return 'M' + std::string(channel);
}
std::string index_key(LogNumber log, Offset offset) {
  std::string key = key_of('I', log);
  append_key_number(key, offset.value);
  return key;
}
std::string texts_key(LogNumber log, Offset offset) {
  std::string key = key_of('P', log);
  append_key_number(key, offset.value);
  return key;
}
std::string mark_key(LogNumber log, std::string_view source) {
  return key_of('Q', log).append(source);
}
std::string known_key(LogNumber log, std::string_view key) {
  return key_of('K', log).append(key);
}

std::string_view channel_of(std::string_view meta_key) {
  return meta_key.substr(1);
}
std::string_view name_of(std::string_view mark_or_known_key) {
  return mark_or_known_key.substr(kIdSize);
}
Offset offset_of(std::string_view key) {
  std::uint64_t turned = 0;
  if (key.size() == kIdSize + sizeof turned) {
    std::memcpy(&turned, key.data() + kIdSize, sizeof turned);
  }
  return {__builtin_bswap64(turned)};
}

KeyRange all_metas() {
  return {"M", "N"};
}
KeyRange all_of(char kind, LogNumber log) {
  return {key_of(kind, log), key_of(kind, log + 1)};
}

std::string encode(const State& state) {
  const SavedClock& clock = state.clock;
  return ValueWriter()
      .number(state.next_log)
      .number(state.commits)
      .time(clock.store)
      .time(clock.boot)
      .time(clock.wall)
      .rest(clock.boot_id)
      .take();
}

std::optional<State> decode_state(std::string_view value) {
  ValueReader reader(value);
  State state;
  state.next_log = reader.number<LogNumber>();
  state.commits = reader.number<std::uint64_t>();
  state.clock.store = reader.time();
  state.clock.boot = reader.time();
  state.clock.wall = reader.time();
  state.clock.boot_id = reader.rest();
  if (!reader.done()) return std::nullopt;
  return state;
}

std::string encode(const Meta& meta) {
  return ValueWriter()
      .rest(meta.of.head.epoch.view())
      .number(meta.log)
      .number(meta.of.head.top.value)
      .number(meta.of.head.floor.value)
      .number(meta.of.end_byte)
      .number(meta.count)
      .number(static_cast<std::uint8_t>(meta.remembers ? 1 : 0))
      .time(meta.used)
      .take();
}

std::optional<Meta> decode_meta(std::string_view value) {
  ValueReader reader(value);
  const auto epoch = Epoch::parse(reader.take(Epoch::kSize));
  Meta meta;
  meta.log = reader.number<LogNumber>();
  meta.of.head.top.value = reader.number<std::uint64_t>();
  meta.of.head.floor.value = reader.number<std::uint64_t>();
  meta.of.end_byte = reader.number<std::uint64_t>();
  meta.count = reader.number<std::uint64_t>();
  meta.remembers = reader.number<std::uint8_t>() != 0;
  meta.used = reader.time();
  if (!reader.done() || !epoch) return std::nullopt;
  meta.of.head.epoch = *epoch;
  return meta;
}

std::string encode(const broker::RecordInfo& info, StoreTime appended) {
  return ValueWriter()
      .number(static_cast<std::uint8_t>(info.kind))
      .time(appended)
      .number(std::uint64_t{info.bytes})
      .number(std::uint64_t{info.payload_bytes})
      .number(info.end_byte)
      .rest(info.key)
      .take();
}

std::optional<Index> decode_index(std::string_view value) {
  ValueReader reader(value);
  Index index;
  index.info.kind = kind_of(reader.number<std::uint8_t>());
  index.appended = reader.time();
  index.info.bytes = reader.number<std::uint64_t>();
  index.info.payload_bytes = reader.number<std::uint64_t>();
  index.info.end_byte = reader.number<std::uint64_t>();
  index.info.key = reader.rest();
  if (!reader.done()) return std::nullopt;
  return index;
}

std::string encode(const PublicationView& p) {
  return ValueWriter()
      .number(static_cast<std::uint8_t>(p.kind))
      .number(p.sequence.major)
      .number(p.sequence.minor)
      .number(p.time_ms)
      .text(p.key)
      .text(p.type)
      .text(p.tags)
      .text(p.source)
      .text(p.origin)
      .text(p.unknown_fields)
      .rest(p.payload)
      .take();
}

std::optional<PublicationView> decode_texts(std::string_view value) {
  ValueReader reader(value);
  PublicationView p;
  p.kind = kind_of(reader.number<std::uint8_t>());
  p.sequence.major = reader.number<std::uint64_t>();
  p.sequence.minor = reader.number<std::uint64_t>();
  p.time_ms = reader.number<std::int64_t>();
  p.key = reader.text();
  p.type = reader.text();
  p.tags = reader.text();
  p.source = reader.text();
  p.origin = reader.text();
  p.unknown_fields = reader.text();
  p.payload = reader.rest();
  if (!reader.done()) return std::nullopt;
  return p;
}

std::string encode(const Mark& mark) {
  return ValueWriter()
      .number(mark.mark.sequence.major)
      .number(mark.mark.sequence.minor)
      .number(mark.mark.offset.value)
      .time(mark.used)
      .take();
}

std::optional<Mark> decode_mark(std::string_view value) {
  ValueReader reader(value);
  Mark mark;
  mark.mark.sequence.major = reader.number<std::uint64_t>();
  mark.mark.sequence.minor = reader.number<std::uint64_t>();
  mark.mark.offset.value = reader.number<std::uint64_t>();
  mark.used = reader.time();
  if (!reader.done()) return std::nullopt;
  return mark;
}

std::string encode(const Known& known) {
  return ValueWriter()
      .number(known.known.body_hash)
      .number(known.known.offset.value)
      .time(known.since)
      .take();
}

std::optional<Known> decode_known(std::string_view value) {
  ValueReader reader(value);
  Known known;
  known.known.body_hash = reader.number<std::uint64_t>();
  known.known.offset.value = reader.number<std::uint64_t>();
  known.since = reader.time();
  if (!reader.done()) return std::nullopt;
  return known;
}

}  // namespace peal::disk
