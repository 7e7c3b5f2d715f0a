#pragma once
// How logs lie in the database: the bytes of each row's key and value. Pure. All numbers are
// big-endian in keys, so that rows sort by them, and little-endian in values.
//   'S'                  State    one for the whole database, written with every commit
//   'M' name             Meta     a channel's log; `id` names this epoch's rows below
//   'I' id offset        Index    what a log must know of a publication to decide
//   'P' id offset        Texts    all of a publication
//   'Q' id source        Mark     of a producer
//   'K' id key           Known    of an Idempotency-Key
//   text := length(u32) bytes     the last text of a value has no length: it is the rest
// A new epoch has a new id, so an old one's rows never mix with it. Changing any of this needs
// another kFormat.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/log.hpp"
#include "disk/store_clock.hpp"

namespace peal::disk {

inline constexpr std::uint32_t kFormat = 1;

using LogNumber = std::uint64_t;

std::string state_key();
std::string meta_key(std::string_view channel);
std::string index_key(LogNumber log, Offset offset);
std::string texts_key(LogNumber log, Offset offset);
std::string mark_key(LogNumber log, std::string_view source);
std::string known_key(LogNumber log, std::string_view key);
/// The channel of a meta row, the rest of a mark's or an Idempotency-Key's.
std::string_view channel_of(std::string_view meta_key);
std::string_view name_of(std::string_view mark_or_known_key);

/// A stretch of rows: from `first` up to, without, `end`.
struct KeyRange {
  std::string first, end;
};
KeyRange all_metas();
/// All rows of a kind of one log: 'I', 'P', 'Q' or 'K'.
KeyRange all_of(char kind, LogNumber log);

struct State {
  LogNumber next_log = 1;
  std::uint64_t commits = 0;  ///< with this one
  SavedClock clock;
};
std::string encode(const State& state);
std::optional<State> decode_state(std::string_view value);

struct Meta {
  LogNumber log = 0;
  broker::Log::Meta of;
  std::uint64_t count = 0;  ///< publications kept
  bool remembers = false;   ///< it may have marks or keys
  StoreTime used{};         ///< when it was last needed, roughly
};
std::string encode(const Meta& meta);
std::optional<Meta> decode_meta(std::string_view value);

/// The value of an index row; what is of the key is in `info.offset`.
std::string encode(const broker::RecordInfo& info, StoreTime appended);
struct Index {
  broker::RecordInfo info;  ///< without offset and appended; the key borrows from the value
  StoreTime appended{};
};
std::optional<Index> decode_index(std::string_view value);

std::string encode(const PublicationView& publication);
/// Borrows from the value; the offset is the key's.
std::optional<PublicationView> decode_texts(std::string_view value);

struct Mark {
  broker::SourceMarks::Mark mark;
  StoreTime used{};
};
std::string encode(const Mark& mark);
std::optional<Mark> decode_mark(std::string_view value);

struct Known {
  broker::IdempotencyKeys::Known known;
  StoreTime since{};
};
std::string encode(const Known& known);
std::optional<Known> decode_known(std::string_view value);

/// The offset at the end of an index or texts row's key.
Offset offset_of(std::string_view key);

}  // namespace peal::disk
