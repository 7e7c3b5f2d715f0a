#pragma once
// Which operations a frame of the bus may carry, which way they go, and which arrays each takes an
// entry of. The schema (schema/bus.proto) says the same in prose.

#include <array>
#include <cstdint>

namespace peal::wire {

enum class Operation : std::uint8_t {
  none = 0,
  watch = 1,
  unwatch = 2,
  publish = 3,
  post = 4,
  read = 5,
  delivery = 6,
  also = 7,
  head = 8,
  published = 9,
  page = 10,
  item = 11,
  member = 12,
  who = 13,
  query = 14,
  rewatch = 15,
};
inline constexpr std::size_t kOperations = 16;

struct OperationShape {
  bool known = false;
  bool to_broker = false;
  bool both_ways = false;
  bool alias = false;
  bool number = false;
  bool name = false;
  bool detail = false;
  bool publication = false;  ///< payload, offset, time
  bool epoch = false;
  bool numbered = false;  ///< counts in link numbers
};

inline constexpr std::array<OperationShape, kOperations> kShapes = {{
    {},
    {.known = true, .to_broker = true, .alias = true, .name = true},
    {.known = true, .to_broker = true, .alias = true},
    {.known = true,
     .to_broker = true,
     .number = true,
     .name = true,
     .detail = true,
     .publication = true,
     .numbered = true},
    {.known = true,
     .to_broker = true,
     .name = true,
     .detail = true,
     .publication = true,
     .numbered = true},
    {.known = true, .to_broker = true, .number = true, .name = true, .detail = true},
    {.known = true,
     .alias = true,
     .detail = true,
     .publication = true,
     .epoch = true,
     .numbered = true},
    {.known = true, .alias = true},
    {.known = true, .alias = true, .detail = true},
    {.known = true, .number = true, .detail = true},
    {.known = true, .number = true, .detail = true},
    {.known = true, .detail = true, .publication = true},
    {.known = true, .both_ways = true, .alias = true, .detail = true},
    {.known = true, .both_ways = true, .number = true, .name = true, .detail = true},
    {.known = true, .both_ways = true, .number = true, .detail = true},
    {.known = true, .to_broker = true, .alias = true, .name = true, .epoch = true},
}};

inline constexpr const OperationShape& shape_of(Operation operation) {
  return kShapes[static_cast<std::size_t>(operation)];
}

}  // namespace peal::wire
