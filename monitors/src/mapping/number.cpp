#include "mapping/number.hpp"

#include <charconv>
#include <cstdint>

namespace peal::monitor {
namespace {

/// 0.DIGITS × 10^exponent, without zeros at either end; zero has no digits.
struct Decimal {
  bool negative = false;
  std::string digits;
  std::int64_t exponent = 0;
};

Decimal decimal_of(std::string_view json) {
  Decimal number;
  if (json.starts_with('-')) {
    number.negative = true;
    json.remove_prefix(1);
  }
  if (const auto e = json.find_first_of("eE"); e != std::string_view::npos) {
    std::string_view power = json.substr(e + 1);
    if (power.starts_with('+')) power.remove_prefix(1);
    std::from_chars(power.data(), power.data() + power.size(), number.exponent);
    json = json.substr(0, e);
  }
  const auto point = json.find('.');
  const std::string_view whole = json.substr(0, point);
  number.digits = whole;
  if (point != std::string_view::npos) number.digits += json.substr(point + 1);
  number.exponent += static_cast<std::int64_t>(whole.size());
  const auto first = number.digits.find_first_not_of('0');
  if (first == std::string::npos) return {};
  number.digits.erase(0, first);
  number.exponent -= static_cast<std::int64_t>(first);
  number.digits.erase(number.digits.find_last_not_of('0') + 1);
  return number;
}

std::strong_ordering compare_sizes(const Decimal& left, const Decimal& right) {
  if (left.digits.empty() || right.digits.empty())
    return left.digits.size() <=> right.digits.size();
  if (left.exponent != right.exponent) return left.exponent <=> right.exponent;
  return left.digits <=> right.digits;
}

}  // namespace

std::string canonical_number(std::string_view json) {
  const Decimal number = decimal_of(json);
  if (number.digits.empty()) return "0";
  return (number.negative ? "-" : "") + number.digits + 'e' + std::to_string(number.exponent);
}

std::strong_ordering compare_numbers(std::string_view left, std::string_view right) {
  const Decimal a = decimal_of(left);
  const Decimal b = decimal_of(right);
  if (a.negative != b.negative)
    return a.negative ? std::strong_ordering::less : std::strong_ordering::greater;
  return a.negative ? compare_sizes(b, a) : compare_sizes(a, b);
}

}  // namespace peal::monitor
