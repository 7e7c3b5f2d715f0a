#pragma once
// A condition on a row, as the WHERE of a query would be written:
//   or    := and { OR and }          and := not { AND not }       not := [NOT] test
//   test  := '(' or ')' | column IS [NOT] NULL | column [NOT] IN '(' value { ',' value } ')'
//          | column ( = | <> | != | < | <= | > | >= ) value
//   value := 'text' ('' is a quote) | number | TRUE | FALSE | NULL
//   column:= name | "Name"           words of the grammar in any case
// With SQL's three-valued logic: a comparison with NULL is unknown, and a row matches only when all
// is true. Numbers are compared exactly, text byte by byte (as COLLATE "C"). A value of another
// type than the column's is unknown. Immutable after parsing.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "peal/monitor/row.hpp"

namespace peal::monitor {

enum class Truth : std::uint8_t { no, yes, unknown };

/// What must hold for a filter to match at all, so that an index can find it: the column has one of
/// these values.
struct Equality {
  std::string column;
  std::vector<std::string> values;  ///< as `index_text` gives them
};

class Filter {
 public:
  Filter();  ///< matches every row
  ~Filter();
  Filter(Filter&&) noexcept;
  Filter& operator=(Filter&&) noexcept;
  /// The error says where the text stops making sense.
  static Result<Filter> parse(std::string_view text);

  Truth test(const Row& row) const;
  bool everything() const;
  /// Each column once, in order.
  std::vector<std::string> columns() const;
  /// Empty when nothing so simple must hold.
  std::vector<Equality> equalities() const;

  struct Node;

 private:
  std::unique_ptr<const Node> root_;
};

/// One text for each scalar that `=` takes as the same; empty for what never equals anything.
std::string index_text(std::string_view json);

}  // namespace peal::monitor
