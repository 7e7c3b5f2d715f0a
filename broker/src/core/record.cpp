#include "core/record.hpp"

#include <cstring>

namespace peal::broker {
namespace {

constexpr std::size_t kTexts = 7;
constexpr std::size_t kSource = 4;
constexpr std::uint16_t kDeletion = 1U << 7U;
constexpr std::uint16_t kBare = 1U << 8U;
/// Seven lengths, a sequence, a time: ten bytes each at most.
constexpr std::size_t kNumbersMax = 10 * (kTexts + 3);

/// The one order of the texts in a block; the key is first.
std::array<std::string_view, kTexts> texts_of(const PublicationView& p) {
  return {p.key, p.payload, p.type, p.tags, p.source, p.origin, p.unknown_fields};
}

void put(char*& out, std::uint64_t value) {
  for (; value >= 0x80U; value >>= 7U)
    *out++ = static_cast<char>(value | 0x80U);
  *out++ = static_cast<char>(value);
}

std::uint64_t take(const char*& in) {
  std::uint64_t value = 0;
  for (unsigned shift = 0;; shift += 7) {
    const auto byte = static_cast<unsigned char>(*in++);
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80U) return value;
  }
}

std::uint64_t zigzag(std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value);
  return value < 0 ? ~(bits << 1U) : bits << 1U;
}
std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>((value & 1U) != 0 ? ~(value >> 1U) : value >> 1U);
}

}  // namespace

struct Record::Prefix {
  static constexpr std::size_t kSize = 18;
  std::uint64_t end_byte;
  TimePoint appended;
  std::uint16_t flags;
};

/// A block, read.
struct Record::Fields {
  std::uint16_t flags = 0;
  std::array<std::size_t, kTexts> lengths{};
  Sequence sequence;
  std::int64_t time_ms = 0;
  std::size_t bytes = 0;
  const char* texts = nullptr;
};

void Record::make_block(const Prefix& prefix, const char* numbers, std::size_t numbers_bytes,
                        std::size_t texts_bytes) {
  block_ = std::make_unique_for_overwrite<char[]>(Prefix::kSize + numbers_bytes + texts_bytes);
  std::memcpy(block_.get(), &prefix.end_byte, 8);
  std::memcpy(block_.get() + 8, &prefix.appended, 8);
  std::memcpy(block_.get() + 16, &prefix.flags, 2);
  std::memcpy(block_.get() + Prefix::kSize, numbers, numbers_bytes);
}

Record::Record(const PublicationView& publication, const RecordInfo& info) : offset_(info.offset) {
  const auto texts = texts_of(publication);
  Prefix prefix{info.end_byte, info.appended, 0};
  if (publication.kind == Kind::deletion) prefix.flags |= kDeletion;
  std::array<char, kNumbersMax> numbers;
  char* end = numbers.data();
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < kTexts; ++i) {
    if (texts[i].empty()) continue;
    prefix.flags |= static_cast<std::uint16_t>(1U << i);
    put(end, texts[i].size());
    bytes += texts[i].size();
  }
  if (!publication.source.empty()) {
    put(end, publication.sequence.major);
    put(end, publication.sequence.minor);
  }
  put(end, zigzag(publication.time_ms));
  const auto numbers_bytes = static_cast<std::size_t>(end - numbers.data());
  make_block(prefix, numbers.data(), numbers_bytes, bytes);
  char* next = block_.get() + Prefix::kSize + numbers_bytes;
  for (const std::string_view text : texts) {
    if (!text.empty()) std::memcpy(next, text.data(), text.size());
    next += text.size();
  }
}

Record::Record(const RecordInfo& info) : offset_(info.offset) {
  Prefix prefix{info.end_byte, info.appended, kBare};
  if (info.kind == Kind::deletion) prefix.flags |= kDeletion;
  std::array<char, kNumbersMax> numbers;
  char* end = numbers.data();
  put(end, info.bytes);
  put(end, info.payload_bytes);
  put(end, info.key.size());
  const auto numbers_bytes = static_cast<std::size_t>(end - numbers.data());
  make_block(prefix, numbers.data(), numbers_bytes, info.key.size());
  if (info.key.empty()) return;
  std::memcpy(block_.get() + Prefix::kSize + numbers_bytes, info.key.data(), info.key.size());
}

Record::Prefix Record::prefix() const {
  Prefix prefix;
  std::memcpy(&prefix.end_byte, block_.get(), 8);
  std::memcpy(static_cast<void*>(&prefix.appended), block_.get() + 8, 8);
  std::memcpy(&prefix.flags, block_.get() + 16, 2);
  return prefix;
}

Record::Fields Record::fields() const {
  Fields fields;
  fields.flags = prefix().flags;
  const char* in = block_.get() + Prefix::kSize;
  if ((fields.flags & kBare) != 0) {
    fields.bytes = take(in);
    fields.lengths[1] = take(in);
    fields.lengths[0] = take(in);
    fields.texts = in;
    return fields;
  }
  for (std::size_t i = 0; i < kTexts; ++i) {
    if ((fields.flags & (1U << i)) == 0) continue;
    fields.lengths[i] = take(in);
    fields.bytes += fields.lengths[i];
  }
  if (fields.lengths[kSource] != 0) {
    fields.sequence.major = take(in);
    fields.sequence.minor = take(in);
  }
  fields.time_ms = unzigzag(take(in));
  fields.texts = in;
  return fields;
}

TimePoint Record::appended() const {
  return prefix().appended;
}
std::uint64_t Record::end_byte() const {
  return prefix().end_byte;
}
Kind Record::kind() const {
  return (prefix().flags & kDeletion) != 0 ? Kind::deletion : Kind::value;
}
std::string_view Record::key() const {
  const Fields fields = this->fields();
  return {fields.texts, fields.lengths[0]};
}
std::size_t Record::bytes() const {
  return fields().bytes;
}
std::size_t Record::payload_bytes() const {
  return fields().lengths[1];
}

RecordInfo Record::info() const {
  const Prefix prefix = this->prefix();
  const Fields fields = this->fields();
  return {offset_,
          kind(),
          {fields.texts, fields.lengths[0]},
          fields.bytes,
          fields.lengths[1],
          prefix.end_byte,
          prefix.appended};
}

std::size_t Record::block_bytes() const {
  const Fields fields = this->fields();
  const bool bare = (fields.flags & kBare) != 0;
  const auto head = static_cast<std::size_t>(fields.texts - block_.get());
  const std::size_t asked = head + (bare ? fields.lengths[0] : fields.bytes);
  return (asked + 8 + 15) / 16 * 16;  // the allocator's own word, and its steps
}

PublicationView Record::view() const {
  const Fields fields = this->fields();
  PublicationView publication;
  publication.kind = (fields.flags & kDeletion) != 0 ? Kind::deletion : Kind::value;
  publication.offset = offset_;
  publication.key = {fields.texts, fields.lengths[0]};
  if ((fields.flags & kBare) != 0) return publication;
  publication.sequence = fields.sequence;
  publication.time_ms = fields.time_ms;
  const char* next = fields.texts;
  std::size_t i = 0;
  for (std::string_view* text :
       {&publication.key, &publication.payload, &publication.type, &publication.tags,
        &publication.source, &publication.origin, &publication.unknown_fields}) {
    *text = {next, fields.lengths[i]};
    next += fields.lengths[i++];
  }
  return publication;
}

}  // namespace peal::broker
