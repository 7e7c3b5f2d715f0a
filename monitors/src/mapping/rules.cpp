#include "peal/monitor/rules.hpp"

#include <algorithm>
#include <array>

#include "mapping/payload.hpp"

namespace peal::monitor {
namespace {

constexpr std::array kWhats{Change::What::insert, Change::What::update, Change::What::remove,
                            Change::What::truncate};
/// A snapshot is no change that could be left out.
constexpr std::uint8_t kSnapshotBit = 1U << static_cast<unsigned>(Change::What::snapshot);

std::uint8_t bit_of(Change::What what) {
  return static_cast<std::uint8_t>(1U << static_cast<unsigned>(what));
}

Result<std::uint8_t> bits_of(const std::vector<std::string>& names) {
  std::uint8_t bits = kSnapshotBit;
  for (const Change::What what : kWhats) {
    if (names.empty() || std::ranges::find(names, name_of(what)) != names.end())
      bits |= bit_of(what);
  }
  const auto known = [](const std::string& name) {
    return std::ranges::any_of(kWhats, [&](Change::What what) { return name_of(what) == name; });
  };
  if (const auto wrong = std::ranges::find_if_not(names, known); wrong != names.end()) {
    return fail(ErrorCode::config_invalid,
                "on: " + *wrong + " is none of insert, update, delete, truncate");
  }
  return bits;
}

void add_once(std::vector<std::string>& names, const std::vector<std::string>& more) {
  for (const std::string& name : more) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
}

/// What the filter says of a row of which maybe not all is known: better once too often than never.
bool may_match(const Filter& filter, const std::optional<Row>& row, bool complete) {
  if (!row) return true;
  const Truth truth = filter.test(*row);
  return truth == Truth::yes || (truth == Truth::unknown && !complete);
}

}  // namespace

Result<Rules> Rules::compile(const std::vector<RuleConfig>& configs) {
  if (configs.size() > kRulesMax) {
    return fail(ErrorCode::config_invalid,
                "rules: more than " + std::to_string(kRulesMax) + " of them");
  }
  Rules rules;
  for (std::size_t i = 0; i < configs.size(); ++i) {
    auto rule = compile_rule(configs[i]);
    if (!rule) {
      return fail(ErrorCode::config_invalid,
                  "rules: number " + std::to_string(i + 1) + ": " + rule.error().message);
    }
    rules.rules_.push_back(std::move(*rule));
    rules.add_to_index(i);
  }
  return rules;
}

Result<Rules::Rule> Rules::compile_rule(const RuleConfig& config) {
  Rule rule;
  if (config.table.empty()) return fail(ErrorCode::config_invalid, "table is missing");
  rule.table =
      config.table.find('.') == std::string::npos ? "public." + config.table : config.table;
  auto rings = RingTemplate::parse({config.channel, config.key, config.payload});
  if (!rings) return rings.error();
  rule.rings = std::move(*rings);
  auto filter = Filter::parse(config.filter);
  if (!filter) return fail(ErrorCode::config_invalid, "filter: " + filter.error().message);
  rule.filter = std::move(*filter);
  auto on = bits_of(config.on);
  if (!on) return on.error();
  rule.on = *on;
  return rule;
}

void Rules::add_to_index(std::size_t index) {
  const Rule& rule = rules_[index];
  Table& table = tables_[rule.table];
  const auto equalities = rule.filter.equalities();
  if (equalities.empty()) {
    table.unindexed.push_back(index);
    return;
  }
  // One is enough, since all of them must hold.
  const auto& best = *std::ranges::min_element(
      equalities, {}, [](const Equality& equality) { return equality.values.size(); });
  for (const std::string& value : best.values) {
    auto& found = table.by_value[best.column][value];
    if (found.empty() || found.back() != index) found.push_back(index);
  }
}

/// In the rules' order, each once: the order is part of what is published.
std::vector<std::size_t> Rules::candidates(const Table& table, const Change& change) const {
  std::vector<std::size_t> found = table.unindexed;
  bool sorted = true;
  const auto add = [&](const std::vector<std::size_t>& more) {
    found.insert(found.end(), more.begin(), more.end());
    sorted = false;
  };
  for (const auto& [column, by_value] : table.by_value) {
    const bool unclear = (!change.old_row && !change.new_row) || !change.old_missing.empty();
    if (unclear) {
      for (const auto& [value, rules] : by_value)
        add(rules);
      continue;
    }
    for (const auto* row : {&change.old_row, &change.new_row}) {
      const Column* value = *row ? (*row)->find(column) : nullptr;
      if (value == nullptr || value->unchanged) continue;
      if (const auto at = by_value.find(index_text(value->json)); at != by_value.end())
        add(at->second);
    }
  }
  if (!sorted) {
    std::ranges::sort(found);
    const auto rest = std::ranges::unique(found);
    found.erase(rest.begin(), rest.end());
  }
  return found;
}

void Rules::map(const Change& change, std::vector<Ring>& rings, const OnUnmapped& unmapped) {
  const auto table = tables_.find(change.schema + "." + change.table);
  if (table == tables_.end()) return;
  for (const std::size_t index : candidates(table->second, change)) {
    const Rule& rule = rules_[index];
    if ((rule.on & bit_of(change.what)) == 0) continue;
    const auto done = change.old_row || change.new_row ? apply(rule, change, rings)
                                                       : whole_table(rule, change, rings);
    if (!done && unmapped) unmapped(index, done.error());
  }
}

/// A truncate, or the beginning of a snapshot; a deletion of which nothing is known.
Result<void> Rules::whole_table(const Rule& rule, const Change& change, std::vector<Ring>& rings) {
  if (change.what == Change::What::remove) return {};
  const bool snapshot = change.what == Change::What::snapshot;
  if (rule.rings.channel.needs_row()) {
    if (snapshot) return {};
    return fail(ErrorCode::channel_name_invalid,
                "the table was truncated, and the rule's channel is of single rows");
  }
  const Event event = !snapshot                ? Event::truncate
                      : rule.rings.key.empty() ? Event::reset
                                               : Event::snapshot;
  const Scope scope{change, nullptr, event};
  auto channel = rule.rings.channel_of(scope, reader_);
  if (!channel) return channel.error();
  Ring made;
  made.channel = std::move(*channel);
  made.payload = change_json(change, event);
  made.anew = !rule.rings.key.empty();
  rings.push_back(std::move(made));
  return {};
}

Result<void> Rules::apply(const Rule& rule, const Change& change, std::vector<Ring>& rings) {
  const bool complete = change.old_missing.empty();
  // Without a key there is no state that the rows of a snapshot would be.
  if (change.what == Change::What::snapshot && rule.rings.key.empty()) return {};
  const bool is_new = change.new_row && rule.filter.test(*change.new_row) == Truth::yes;
  const bool was_old =
      (change.what == Change::What::update || change.what == Change::What::remove) &&
      may_match(rule.filter, change.old_row, complete);
  if (!is_new && !was_old) return {};
  // Without any old row the new one stands for it: the channel and the key are taken from it.
  const Row* old_row = change.old_row ? &*change.old_row : nullptr;
  if (old_row == nullptr && change.new_row) old_row = &*change.new_row;
  if (!is_new) {
    if (old_row == nullptr) return {};
    const Event event = change.what == Change::What::remove ? Event::remove : Event::leave;
    const auto side = side_of(rule, change, *old_row, event);
    return side ? ring(rule, change, *side, event, rings) : Result<void>(side.error());
  }
  Event event = change.what == Change::What::snapshot ? Event::snapshot
                : change.what == Change::What::insert ? Event::insert
                : was_old                             ? Event::update
                                                      : Event::enter;
  const auto to = side_of(rule, change, *change.new_row, event);
  if (event == Event::update && change.old_row) {
    const auto from = side_of(rule, change, *change.old_row, Event::leave);
    const bool moved = from && (!to || from->place.channel != to->place.channel ||
                                from->place.key != to->place.key);
    if (moved) {
      if (auto left = ring(rule, change, *from, Event::leave, rings); !left) return left;
    }
    if (moved || (!from && complete)) event = Event::enter;
  }
  return to ? ring(rule, change, *to, event, rings) : Result<void>(to.error());
}

Result<Rules::Side> Rules::side_of(const Rule& rule, const Change& change, const Row& row,
                                   Event event) {
  auto place = rule.rings.place({change, &row, event}, reader_);
  if (!place) return place.error();
  return Side{&row, std::move(*place)};
}

Result<void> Rules::ring(const Rule& rule, const Change& change, const Side& side, Event event,
                         std::vector<Ring>& rings) {
  auto payload = rule.rings.said({change, side.row, event}, reader_,
                                 [&] { return change_json(change, event); });
  if (!payload) return payload.error();
  Ring made = side.place;
  made.payload = std::move(*payload);
  made.deletion = !made.key.empty() && (event == Event::remove || event == Event::leave);
  rings.push_back(std::move(made));
  return {};
}

std::map<std::string, std::vector<std::string>> Rules::tables() const {
  std::map<std::string, std::vector<std::string>> found;
  for (const Rule& rule : rules_) {
    auto& columns = found[rule.table];
    add_once(columns, rule.rings.channel.columns());
    add_once(columns, rule.rings.key.columns());
    add_once(columns, rule.rings.payload.columns());
    add_once(columns, rule.filter.columns());
  }
  return found;
}

std::map<std::string, std::vector<std::string>> Rules::old_columns() const {
  std::map<std::string, std::vector<std::string>> found;
  for (const Rule& rule : rules_) {
    auto& columns = found[rule.table];
    add_once(columns, rule.rings.channel.columns());
    add_once(columns, rule.rings.key.columns());
    add_once(columns, rule.filter.columns());
  }
  return found;
}

}  // namespace peal::monitor
