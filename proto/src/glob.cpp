#include "peal/proto/glob.hpp"

#include <cstddef>

namespace peal {
namespace {

/// Where the code point at `i` ends. Names are UTF-8; in anything else a stray byte counts as one.
std::size_t after_code_point(std::string_view text, std::size_t i) {
  const auto lead = static_cast<unsigned char>(text[i++]);
  if (lead < 0xC0U) return i;
  while (i < text.size() && (static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U)
    ++i;
  return i;
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view name) {
  constexpr std::size_t kNone = ~std::size_t{0};
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = kNone;  // the last star met …
  std::size_t star_end = 0;  // … and where the bytes it stands for end so far
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_end = n;
    } else if (p < pattern.size() && pattern[p] == '?') {
      ++p;
      n = after_code_point(name, n);
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != kNone) {
      p = star + 1;
      // By code points: what `?` takes must not begin in the middle of one.
      star_end = after_code_point(name, star_end);
      n = star_end;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*')
    ++p;
  return p == pattern.size();
}

}  // namespace peal
