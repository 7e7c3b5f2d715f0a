#pragma once
// Which changes ring where. A rule names a table and says the channel, the key, the payload, a
// filter, and which changes count. With a filter, who watches sees the rows that match: a row that
// begins to match is `enter`, one that stops is `leave`. A row whose channel or key changes leaves
// there and enters here. What an index finds for a change costs, not how many rules there are.
// Pure; one thread, for it owns a JSON reader.

#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "peal/monitor/change.hpp"
#include "peal/monitor/filter.hpp"
#include "peal/monitor/ring.hpp"

namespace peal::monitor {

struct RuleConfig {
  std::string table;    ///< "schema.table"; without a schema: public
  std::string channel;  ///< template
  std::string key;      ///< template; empty: the publications have no key
  std::string payload;  ///< JSON template; empty: event, table, old and new row
  std::string filter;
  std::vector<std::string> on;  ///< of insert, update, delete, truncate; empty: all
};

/// Of one change, so that what is published of it can be counted within its sequence.
inline constexpr std::size_t kRulesMax = 2000;

class Rules {
 public:
  static Result<Rules> compile(const std::vector<RuleConfig>& configs);

  /// Told of each rule that matched and could not say where: a NULL in the channel, a name that is
  /// none.
  using OnUnmapped = std::function<void(std::size_t rule, const Error& why)>;
  void map(const Change& change, std::vector<Ring>& rings, const OnUnmapped& unmapped);

  /// "schema.table" of each rule, and the columns that the rules name there.
  std::map<std::string, std::vector<std::string>> tables() const;
  /// Of each "schema.table" the columns of the old row that filters, channels and keys look at.
  std::map<std::string, std::vector<std::string>> old_columns() const;

 private:
  struct Rule {
    std::string table;
    RingTemplate rings;
    Filter filter;
    std::uint8_t on = 0;  ///< bits by Change::What
  };
  struct Table {
    std::vector<std::size_t> unindexed;  ///< rules that every change may concern
    /// Column, then value as index_text gives it: the rules whose filter asks for it.
    std::map<std::string, std::unordered_map<std::string, std::vector<std::size_t>>> by_value;
  };
  struct Side {
    const Row* row;
    Ring place;  ///< nothing is said yet
  };

  static Result<Rule> compile_rule(const RuleConfig& config);
  void add_to_index(std::size_t index);
  std::vector<std::size_t> candidates(const Table& table, const Change& change) const;
  Result<void> apply(const Rule& rule, const Change& change, std::vector<Ring>& rings);
  Result<void> whole_table(const Rule& rule, const Change& change, std::vector<Ring>& rings);
  Result<Side> side_of(const Rule& rule, const Change& change, const Row& row, Event event);
  Result<void> ring(const Rule& rule, const Change& change, const Side& side, Event event,
                    std::vector<Ring>& rings);

  std::vector<Rule> rules_;
  std::unordered_map<std::string, Table> tables_;
  JsonReader reader_;
};

}  // namespace peal::monitor
