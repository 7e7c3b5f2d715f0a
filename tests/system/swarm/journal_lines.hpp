#pragma once
// A journal, line by line (journal.hpp): the letter, the numbers and the one word there may be.

#include <charconv>
#include <cstdint>
#include <string_view>
#include <vector>

namespace peal::swarm {

/// Calls take(letter, numbers, word) for each line; 0 when all were taken, else the number of the
/// line that was not (or is not whole).
template <class Take>
std::size_t each_line(std::string_view journal, Take&& take) {
  std::vector<std::uint64_t> numbers;
  for (std::size_t line = 1; !journal.empty(); ++line) {
    const auto end = journal.find('\n');
    if (end == std::string_view::npos) {
      return line;
    }
    std::string_view rest = journal.substr(0, end);
    journal.remove_prefix(end + 1);
    if (rest.empty()) {
      continue;
    }
    const char letter = rest.front();
    std::string_view word;
    numbers.clear();
    for (rest.remove_prefix(1); rest.starts_with(' ');) {
      rest.remove_prefix(1);
      const std::string_view part = rest.substr(0, rest.find(' '));
      std::uint64_t number = 0;
      const auto read = std::from_chars(part.data(), part.data() + part.size(), number);
      if (read.ec == std::errc() && read.ptr == part.data() + part.size()) {
        numbers.push_back(number);
      } else {
        word = part;
      }
      rest.remove_prefix(part.size());
    }
    if (!take(letter, numbers, word)) {
      return line;
    }
  }
  return 0;
}

}  // namespace peal::swarm
