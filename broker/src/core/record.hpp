#pragma once
// One publication as a log keeps it: a small entry and one heap block.
//   block := Fields bytes          bytes are the texts of Fields.lengths, one after the other
// A block never moves, so views into it (the key, above all) hold as long as the record.

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "peal/broker/core.hpp"
#include "peal/proto/publication.hpp"

namespace peal::broker {

/// All bytes of a publication: what history_bytes_max and a page's `bytes` count.
std::size_t text_bytes(const PublicationView& publication);

class Record {
 public:
  Record(const PublicationView& publication, Offset offset, TimePoint appended);

  Offset offset() const { return offset_; }
  TimePoint appended() const { return appended_; }
  std::size_t bytes() const { return bytes_; }
  std::string_view key() const;
  PublicationView view() const;

 private:
  struct Fields {
    Kind kind = Kind::value;
    std::array<std::uint32_t, 7> lengths{};
    Sequence sequence;
    std::int64_t time_ms = 0;
  };

  Fields fields() const;
  const char* texts() const { return block_.get() + sizeof(Fields); }

  Offset offset_;
  TimePoint appended_;
  std::size_t bytes_;
  std::unique_ptr<char[]> block_;
};

}  // namespace peal::broker
