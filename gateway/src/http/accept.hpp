#pragma once
// What a client takes (RFC 9110, 12.5.1): the Accept header, judged for a media type. Elements that
// can't be understood are passed over; a header of which nothing is left is none. Pure.

#include <string_view>

namespace peal::gateway::http {

/// How much a type is wanted: by q-value, then by how exactly it was named.
struct Wish {
  unsigned quality = 0;      ///< thousandths; 0: not taken
  unsigned specificity = 0;  ///< 0: no Accept, 1: */*, 2: type/*, 3: named
  friend auto operator<=>(const Wish&, const Wish&) = default;
};
/// `type` is a media type without parameters.
Wish wish_for(std::string_view accept, std::string_view type);

/// Whether `type` is named, and nothing that stands before it or is wanted more.
bool named_first(std::string_view accept, std::string_view type);

}  // namespace peal::gateway::http
