#pragma once
// A value as Postgres writes it, as JSON: what to_json would make of it, for all but composite
// types, which become text. Pure.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "peal/proto/json.hpp"

namespace peal::monitor {

/// What is known of a type that is not one of the fixed ones: of a domain the base, of an array the
/// element; 0: neither, it is text.
struct TypeInfo {
  std::uint32_t base = 0;
  std::uint32_t element = 0;
};

class JsonValues {
 public:
  /// Whether the type needs no `learn`.
  bool knows(std::uint32_t type) const;
  void learn(std::uint32_t type, TypeInfo info) { types_[type] = info; }

  std::string json(std::uint32_t type, std::string_view text);

 private:
  std::string array(std::uint32_t element, std::string_view text);

  std::unordered_map<std::uint32_t, TypeInfo> types_;
  JsonReader reader_;
};

}  // namespace peal::monitor
