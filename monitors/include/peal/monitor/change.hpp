#pragma once
// What happened at a source: a row inserted, updated or deleted, a table emptied, or a message that
// the application left there. `Cursor` is its place in the source's own order; what is published of
// it carries a sequence made of that, so that nothing is appended twice.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "peal/monitor/row.hpp"

namespace peal::monitor {

/// Compared like a Sequence: `minor` counts within `major`.
struct Cursor {
  std::uint64_t major = 0;
  std::uint64_t minor = 0;
  friend auto operator<=>(const Cursor&, const Cursor&) = default;
};

struct Change {
  /// snapshot: a row that was there when reading began; without a row: a table's rows come now.
  enum class What : std::uint8_t { insert, update, remove, truncate, snapshot };

  What what = What::insert;
  std::string schema;
  std::string table;
  std::optional<Row> old_row;  ///< update, remove
  std::optional<Row> new_row;  ///< insert, update
  /// Why an update or a deletion has no old row, or only its key; empty: it is all there.
  std::string old_missing;
  std::int64_t time_ms = 0;  ///< milliseconds of Unix time; 0: unknown
};

/// "insert", "update", "delete", "truncate", "snapshot".
std::string_view name_of(Change::What what);

/// What a change becomes for those who watch it: like `What`, but an update that makes a row match
/// a rule's filter is `enter`, and one after which it no longer matches is `leave`.
/// `reset` says that something may have been missed.
enum class Event : std::uint8_t { insert, update, remove, enter, leave, truncate, snapshot, reset };
std::string_view name_of(Event event);

}  // namespace peal::monitor
