// Random changes and random filters: what the rules make of each change equals what asking for the
// matching rows before and after it says, and a thousand rules give what each alone gives.

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>

#include "peal/monitor/rules.hpp"

namespace peal::monitor {
namespace {

using Value = std::optional<int>;  ///< none: NULL
/// A table of the test's own: the row's id, and its columns a and b.
using Rows = std::map<int, std::array<Value, 2>>;

std::string text_of(const Value& value) {
  return value ? std::to_string(*value) : "null";
}

Row row_of(int id, const std::array<Value, 2>& values) {
  return Row({{"id", std::to_string(id)}, {"a", text_of(values[0])}, {"b", text_of(values[1])}});
}

/// A condition, as text and as what a database would do with it: SQL's logic in a few lines.
struct Condition {
  std::string text;
  std::function<std::optional<bool>(const std::array<Value, 2>&)> holds;
};

class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}

  int upto(int most) { return std::uniform_int_distribution<int>(0, most)(random_); }
  Value value() { return upto(4) == 0 ? Value() : Value(upto(3)); }

  Condition condition(int depth = 0) {
    const int kind = upto(depth > 2 ? 3 : 6);
    if (kind >= 4) return joined(kind == 4, depth);
    const int column = upto(1);
    const std::string name = column == 0 ? "a" : "b";
    if (kind == 0) {
      return {name + " is null",
              [column](const auto& row) { return std::optional(!row[column].has_value()); }};
    }
    if (kind == 1) {
      const int one = upto(3);
      const Value two = value();
      return {name + " in (" + std::to_string(one) + ", " + text_of(two) + ")",
              [=](const auto& row) -> std::optional<bool> {
                if (!row[column]) return std::nullopt;
                if (*row[column] == one || (two && *row[column] == *two)) return true;
                return two ? std::optional(false) : std::nullopt;
              }};
    }
    static constexpr std::array kSigns{"=", "<>", "<", "<=", ">", ">="};
    const int sign = upto(5);
    const int to = upto(3);
    return {name + " " + kSigns[static_cast<std::size_t>(sign)] + " " + std::to_string(to),
            [=](const auto& row) -> std::optional<bool> {
              if (!row[column]) return std::nullopt;
              const int is = *row[column];
              const std::array results{is == to, is != to, is<to, is <= to, is> to, is >= to};
              return results[static_cast<std::size_t>(sign)];
            }};
  }

 private:
  Condition joined(bool negated, int depth) {
    const Condition one = condition(depth + 1);
    if (negated) {
      return {"not (" + one.text + ")", [one](const auto& row) {
                const auto holds = one.holds(row);
                return holds ? std::optional(!*holds) : holds;
              }};
    }
    const Condition two = condition(depth + 1);
    const bool all = upto(1) == 0;
    return {"(" + one.text + (all ? " and " : " or ") + two.text + ")",
            [=](const auto& row) -> std::optional<bool> {
              const auto x = one.holds(row);
              const auto y = two.holds(row);
              if ((x && *x != all) || (y && *y != all)) return !all;
              return x && y ? std::optional(all) : std::nullopt;
            }};
  }

  std::mt19937 random_;
};

/// The rows that a query with this condition finds.
std::map<int, std::string> ask(const Rows& rows, const Condition& condition) {
  std::map<int, std::string> found;
  for (const auto& [id, values] : rows) {
    if (condition.holds(values) == true) found[id] = row_of(id, values).json();
  }
  return found;
}

/// What the difference of two answers is called.
std::string expected(const std::map<int, std::string>& before,
                     const std::map<int, std::string>& after, const Change& change, int id) {
  const bool was = before.contains(id);
  const bool is = after.contains(id);
  if (!was && !is) return "";
  if (change.what == Change::What::insert) return "insert";
  if (change.what == Change::What::remove) return "delete";
  if (was && is) return "update";
  return was ? "leave" : "enter";
}

/// A change of the table, carried out.
std::pair<Change, int> step(Maker& maker, Rows& rows) {
  Change change;
  change.schema = "public";
  change.table = "t";
  const int id = maker.upto(9);
  const auto at = rows.find(id);
  const bool remove = maker.upto(3) == 0;
  if (at == rows.end()) {
    rows[id] = {maker.value(), maker.value()};
    change.what = Change::What::insert;
    change.new_row = row_of(id, rows[id]);
  } else if (remove) {
    change.what = Change::What::remove;
    change.old_row = row_of(id, at->second);
    rows.erase(at);
  } else {
    change.what = Change::What::update;
    change.old_row = row_of(id, at->second);
    at->second = {maker.value(), maker.value()};
    change.new_row = row_of(id, at->second);
  }
  return {change, id};
}

TEST(RulesPropertyTest, EventsEqualWhatAskingAgainSays) {
  for (unsigned seed = 1; seed <= 400; ++seed) {
    Maker maker(seed);
    const Condition condition = maker.condition();
    RuleConfig config;
    config.table = "t";
    config.channel = "c";
    config.key = "{id}";
    config.payload = "\"{event}\"";
    config.filter = condition.text;
    auto rules = Rules::compile({config});
    ASSERT_TRUE(rules) << condition.text << ": " << rules.error().message;
    Rows rows;
    std::map<int, std::string> state;  // as a client builds it from what it is told
    for (int i = 0; i < 60; ++i) {
      const auto before = ask(rows, condition);
      const auto [change, id] = step(maker, rows);
      const auto after = ask(rows, condition);
      std::vector<Ring> rings;
      rules->map(change, rings, {});
      const std::string event = rings.empty() ? "" : rings.front().payload;
      const std::string right = expected(before, after, change, id);
      ASSERT_EQ(event, right.empty() ? "" : '"' + right + '"')
          << "seed " << seed << ": " << condition.text;
      for (const Ring& ring : rings) {
        if (ring.deletion) {
          state.erase(std::stoi(ring.key));
        } else {
          state[std::stoi(ring.key)] = change.new_row->json();
        }
      }
      ASSERT_EQ(state, after) << "seed " << seed << ": " << condition.text;
    }
  }
}

TEST(RulesPropertyTest, ManyRulesGiveWhatEachAloneGives) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    Maker maker(seed);
    std::vector<RuleConfig> configs(200);
    std::vector<Rules> alone;
    for (std::size_t i = 0; i < configs.size(); ++i) {
      configs[i].table = "t";
      configs[i].channel = "c" + std::to_string(i);
      configs[i].filter = maker.condition().text;
      alone.push_back(*Rules::compile({configs[i]}));
    }
    auto together = Rules::compile(configs);
    Rows rows;
    for (int i = 0; i < 30; ++i) {
      const Change change = step(maker, rows).first;
      std::vector<Ring> all;
      together->map(change, all, {});
      std::vector<Ring> each;
      for (Rules& rules : alone)
        rules.map(change, each, {});
      ASSERT_EQ(all.size(), each.size()) << "seed " << seed;
      for (std::size_t j = 0; j < all.size(); ++j) {
        ASSERT_EQ(all[j].channel, each[j].channel);
        ASSERT_EQ(all[j].payload, each[j].payload);
      }
    }
  }
}

}  // namespace
}  // namespace peal::monitor
