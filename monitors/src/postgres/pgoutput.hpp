#pragma once
// What Postgres's plugin pgoutput says, version 1 of its protocol, read from bytes. Numbers are big
// endian, a text ends in a zero byte, a column is 'n' (NULL), 'u' (unchanged and not sent) or
// 't' size bytes. Pure; texts are views into the message.
//   message  := 'B' commit_lsn:8 time:8 xid:4 | 'C' flags:1 commit_lsn:8 end_lsn:8 time:8
//             | 'R' id:4 schema name identity:1 count:2 { key:1 name type:4 modifier:4 }
//             | 'I' id:4 'N' tuple | 'U' id:4 [ ('K' | 'O') tuple ] 'N' tuple
//             | 'D' id:4 ('K' | 'O') tuple | 'T' count:4 flags:1 { id:4 } | others, not needed here
//   tuple    := count:2 { column }

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "peal/proto/result.hpp"

namespace peal::monitor::pgoutput {

struct Begin {
  std::uint64_t commit_lsn = 0;
  std::int64_t time_us = 0;  ///< since 2000, where Postgres's clock begins
  /// Since 1970.
  std::int64_t time_ms() const { return time_us / 1000 + 946'684'800'000; }
};
struct Commit {
  std::uint64_t end_lsn = 0;
};
struct RelationColumn {
  std::string name;
  std::uint32_t type = 0;
  bool key = false;
};
struct Relation {
  std::uint32_t id = 0;
  std::string schema;
  std::string name;
  std::vector<RelationColumn> columns;
};
struct Value {
  enum class Kind : std::uint8_t { null, unchanged, text } kind = Kind::null;
  std::string_view text{};
};
using Tuple = std::vector<Value>;
struct RowChange {
  enum class Kind : std::uint8_t { insert, update, remove } kind = Kind::insert;
  std::uint32_t relation = 0;
  std::optional<Tuple> old_tuple;
  bool only_key = false;  ///< of the old one, all but the key is missing
  std::optional<Tuple> new_tuple;
};
struct Truncate {
  std::vector<std::uint32_t> relations;
};
struct Other {};

using Message = std::variant<Other, Begin, Commit, Relation, RowChange, Truncate>;

/// An error is a message that was cut, or that this version does not know.
Result<Message> read(std::string_view bytes);

}  // namespace peal::monitor::pgoutput
