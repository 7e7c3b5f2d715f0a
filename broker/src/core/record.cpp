#include "core/record.hpp"

#include <cstring>

namespace peal::broker {
namespace {

/// The one order of the texts in a block; the key is first.
std::array<std::string_view, 7> texts_of(const PublicationView& p) {
  return {p.key, p.payload, p.type, p.tags, p.source, p.origin, p.unknown_fields};
}

}  // namespace

std::size_t text_bytes(const PublicationView& publication) {
  std::size_t bytes = 0;
  for (const std::string_view text : texts_of(publication))
    bytes += text.size();
  return bytes;
}

Record::Record(const PublicationView& publication, Offset offset, TimePoint appended)
    : offset_(offset),
      appended_(appended),
      bytes_(text_bytes(publication)),
      block_(std::make_unique_for_overwrite<char[]>(sizeof(Fields) + bytes_)) {
  Fields fields{publication.kind, {}, publication.sequence, publication.time_ms};
  char* end = block_.get() + sizeof(Fields);
  std::size_t i = 0;
  for (const std::string_view text : texts_of(publication)) {
    fields.lengths[i++] = static_cast<std::uint32_t>(text.size());
    if (!text.empty()) std::memcpy(end, text.data(), text.size());
    end += text.size();
  }
  std::memcpy(block_.get(), &fields, sizeof fields);
}

Record::Fields Record::fields() const {
  Fields fields;
  std::memcpy(static_cast<void*>(&fields), block_.get(), sizeof fields);
  return fields;
}

std::string_view Record::key() const {
  return {texts(), fields().lengths[0]};
}

PublicationView Record::view() const {
  const Fields fields = this->fields();
  PublicationView publication;
  publication.kind = fields.kind;
  publication.offset = offset_;
  publication.sequence = fields.sequence;
  publication.time_ms = fields.time_ms;
  const char* next = texts();
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
