#pragma once
// One publication as a log keeps it: its offset and one heap block that holds all else, so that
// many small ones cost little more than their bytes.
//   block   := Prefix number* text*
//   Prefix  := where its payload ends in the log, when it was appended, flags: all fixed
//   number  := varint: the length of each text that there is; major, minor if there is a source;
//              time (zigzag). Bare: the bytes of all texts, the payload's, the key's
// A bare record is for a store that has the texts elsewhere: it keeps the key alone. A block never
// moves, so views into it (the key, above all) hold as long as the record.

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "peal/broker/log_store.hpp"
#include "peal/proto/publication.hpp"

namespace peal::broker {

/// What a log must know of a publication to decide; a store can bring a record back from it.
struct RecordInfo {
  Offset offset;
  Kind kind = Kind::value;
  std::string_view key;
  std::size_t bytes = 0;  ///< of all its texts: what history_bytes_max and a page's `bytes` count
  std::size_t payload_bytes = 0;
  std::uint64_t end_byte = 0;  ///< payload bytes of the log with this one
  TimePoint appended;
};

class Record {
 public:
  Record(const PublicationView& publication, const RecordInfo& info);
  /// A bare one.
  explicit Record(const RecordInfo& info);

  Offset offset() const { return offset_; }
  /// Dropped: only the offset is left, to find others by.
  bool gone() const { return block_ == nullptr; }
  void drop() { block_.reset(); }

  TimePoint appended() const;
  std::uint64_t end_byte() const;
  Kind kind() const;
  std::string_view key() const;
  /// Of all its texts, and of the payload.
  std::size_t bytes() const;
  std::size_t payload_bytes() const;
  /// Of a bare one: kind, offset and key.
  PublicationView view() const;
  RecordInfo info() const;
  /// What the block takes from the heap.
  std::size_t block_bytes() const;

 private:
  struct Prefix;
  struct Fields;
  Prefix prefix() const;
  Fields fields() const;
  void make_block(const Prefix& prefix, const char* numbers, std::size_t numbers_bytes,
                  std::size_t texts_bytes);

  Offset offset_;
  std::unique_ptr<char[]> block_;
};

}  // namespace peal::broker
