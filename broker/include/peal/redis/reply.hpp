#pragma once
// What Redis says: a value of RESP2 as a small tree that owns its bytes. And what became of a
// command: each ends in exactly one Answer. Plain values, any thread.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace peal::redis {

struct Reply {
  enum class Type : std::uint8_t { nil, status, error, integer, text, array };

  Type type = Type::nil;
  std::int64_t integer = 0;       ///< of an integer
  std::string text{};             ///< of a status, an error, a text
  std::vector<Reply> elements{};  ///< of an array

  bool is_nil() const { return type == Type::nil; }
  bool is_error() const { return type == Type::error; }
  bool is_integer() const { return type == Type::integer; }
  bool is_array() const { return type == Type::array; }
  /// A status or a text.
  bool is_text() const { return type == Type::text || type == Type::status; }
  /// The first word of an error, "MOVED" or "ERR"; else empty.
  std::string_view error_code() const;
};

enum class Outcome : std::uint8_t {
  replied,  ///< Redis did it and said this
  failed,   ///< Redis answered with an error; a script may have done a part before it
  refused,  ///< certainly not executed: never written, or turned away as a whole
  unknown,  ///< the connection was lost, or the time was up, after it was written
};
std::string_view name_of(Outcome outcome);

struct Answer {
  Outcome outcome = Outcome::unknown;
  Reply reply{};               ///< of replied and failed; of refused where Redis said so
  std::string error{};         ///< a sentence that names the node, unless replied
  std::int64_t replicas = -1;  ///< what WAIT answered; −1: not asked or not known

  bool ok() const { return outcome == Outcome::replied; }
};

}  // namespace peal::redis
