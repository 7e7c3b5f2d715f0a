#include "peal/monitor/filter.hpp"

#include <algorithm>

#include "mapping/filter_node.hpp"
#include "mapping/number.hpp"

namespace peal::monitor {
namespace {

using Kind = Filter::Node::Kind;

enum class Type : std::uint8_t { null, boolean, number, text, other };

Type type_of(std::string_view json) {
  if (json.empty() || json == "null") return Type::null;
  if (json == "true" || json == "false") return Type::boolean;
  if (json.front() == '"') return Type::text;
  return json.front() == '{' || json.front() == '[' ? Type::other : Type::number;
}

Truth negation_of(Truth truth) {
  if (truth == Truth::unknown) return truth;
  return truth == Truth::yes ? Truth::no : Truth::yes;
}

Truth truth_of(bool value) {
  return value ? Truth::yes : Truth::no;
}

/// Null: they cannot be compared.
std::optional<std::strong_ordering> compare(std::string_view left, std::string_view right) {
  const Type type = type_of(left);
  if (type != type_of(right)) return std::nullopt;
  switch (type) {
    case Type::number:
      return compare_numbers(left, right);
    case Type::boolean:
      return (left == "true") <=> (right == "true");
    case Type::text: {
      const auto a = JsonReader::as_string(left);
      const auto b = JsonReader::as_string(right);
      if (a && b) return *a <=> *b;
      break;
    }
    default:
      break;
  }
  return std::nullopt;
}

Truth equals_any(std::string_view value, const std::vector<std::string>& values) {
  Truth result = Truth::no;
  for (const std::string& each : values) {
    const auto order = compare(value, each);
    if (!order) {
      result = Truth::unknown;
    } else if (*order == std::strong_ordering::equal) {
      return Truth::yes;
    }
  }
  return result;
}

Truth test_column(const Filter::Node& node, const Row& row) {
  const Column* column = row.find(node.column);
  if (column == nullptr) return Truth::unknown;
  if (node.kind == Kind::is_null) return truth_of(!column->unchanged && column->json == "null");
  if (column->unchanged) return Truth::unknown;
  if (node.kind == Kind::in || node.kind == Kind::equal)
    return equals_any(column->json, node.values);
  const auto order = compare(column->json, node.values.front());
  if (!order) return Truth::unknown;
  return truth_of(node.kind == Kind::less ? *order < 0 : *order <= 0);
}

Truth test_node(const Filter::Node& node, const Row& row) {
  if (node.kind == Kind::negation) return negation_of(test_node(*node.children.front(), row));
  if (node.kind != Kind::all && node.kind != Kind::any) return test_column(node, row);
  // Of `all` one no decides, of `any` one yes; else an unknown leaves it unknown.
  const Truth deciding = node.kind == Kind::all ? Truth::no : Truth::yes;
  Truth result = negation_of(deciding);
  for (const auto& child : node.children) {
    const Truth truth = test_node(*child, row);
    if (truth == deciding) return truth;
    if (truth == Truth::unknown) result = truth;
  }
  return result;
}

void add_columns(const Filter::Node& node, std::vector<std::string>& names) {
  if (!node.column.empty() && std::ranges::find(names, node.column) == names.end())
    names.push_back(node.column);
  for (const auto& child : node.children)
    add_columns(*child, names);
}

void add_equalities(const Filter::Node& node, std::vector<Equality>& found) {
  if (node.kind == Kind::all) {
    for (const auto& child : node.children)
      add_equalities(*child, found);
  } else if (node.kind == Kind::equal || node.kind == Kind::in) {
    Equality equality{node.column, {}};
    for (const std::string& value : node.values) {
      if (std::string text = index_text(value); !text.empty()) equality.values.push_back(text);
    }
    found.push_back(std::move(equality));
  }
}

}  // namespace

Filter::Filter() : root_(std::make_unique<Node>()) {}
Filter::~Filter() = default;
Filter::Filter(Filter&&) noexcept = default;
Filter& Filter::operator=(Filter&&) noexcept = default;

Result<Filter> Filter::parse(std::string_view text) {
  Filter filter;
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return filter;
  auto root = parse_filter(text);
  if (!root) return root.error();
  filter.root_ = std::move(*root);
  return filter;
}

Truth Filter::test(const Row& row) const {
  return test_node(*root_, row);
}

bool Filter::everything() const {
  return root_->kind == Kind::all && root_->children.empty();
}

std::vector<std::string> Filter::columns() const {
  std::vector<std::string> names;
  add_columns(*root_, names);
  return names;
}

std::vector<Equality> Filter::equalities() const {
  std::vector<Equality> found;
  add_equalities(*root_, found);
  return found;
}

std::string index_text(std::string_view json) {
  switch (type_of(json)) {
    case Type::number:
      return "n" + canonical_number(json);
    case Type::boolean:
      return "b" + std::string(json);
    case Type::text: {
      const auto text = JsonReader::as_string(json);
      return text ? "t" + *text : std::string();
    }
    default:
      return {};
  }
}

}  // namespace peal::monitor
