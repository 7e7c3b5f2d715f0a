#pragma once
// Requests to a gateway of the test, one connection each, and their answers taken apart. Throws
// when an answer doesn't come in time.

#include <string>
#include <string_view>
#include <vector>

namespace peal::test {

struct HttpAnswer {
  unsigned status = 0;
  std::string head;
  std::string body;
  /// The header's value, or empty.
  std::string header(std::string_view name) const;
  /// A member of a JSON body that is a string or number, as text; or empty.
  std::string member(std::string_view name) const;
};

HttpAnswer read_answer(std::string_view text);

/// `headers`: lines without their ends, "If-Match: *".
HttpAnswer ask(std::uint16_t port, std::string_view method, std::string_view target,
               std::string_view body = {}, const std::vector<std::string>& headers = {});

}  // namespace peal::test
