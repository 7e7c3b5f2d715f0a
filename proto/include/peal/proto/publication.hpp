#pragma once
// A publication as every room sees it. PublicationView borrows: its bytes belong to whoever calls
// and are valid during the call (or, from BusPort callbacks, during the callback); who keeps
// something copies it into a Publication. The payload is never re-serialised: the bytes that came
// in go out.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "peal/proto/position.hpp"

namespace peal {

enum class Kind : std::uint8_t { value = 0, deletion = 1 };

/// "major-minor": two u64 compared in that order.
struct Sequence {
  std::uint64_t major = 0;
  std::uint64_t minor = 0;
  friend auto operator<=>(const Sequence&, const Sequence&) = default;
  std::string to_string() const;
  static std::optional<Sequence> parse(std::string_view text);
};

template <class Text>
struct BasicPublication {
  Kind kind = Kind::value;
  Offset offset{};           ///< 0 on ephemeral channels and before it is appended
  Text payload{};            ///< the bytes as they came; JSON when `type` is empty
  Text key{};                ///< empty: none
  Text type{};               ///< content type; empty: JSON
  Text tags{};               ///< a JSON object, or empty
  Text source{};             ///< the producer's name; empty: none
  Sequence sequence{};       ///< counts only with `source`
  Text origin{};             ///< who published, "user/session"; empty: not told
  std::int64_t time_ms = 0;  ///< informative; milliseconds of Unix time, 0: unknown
  Text unknown_fields{};     ///< wire bytes of fields this version does not know, passed through
};

using PublicationView = BasicPublication<std::string_view>;
using Publication = BasicPublication<std::string>;

template <class To, class From>
BasicPublication<To> convert(const BasicPublication<From>& from) {
  return {from.kind,       from.offset,   To(from.payload),       To(from.key),
          To(from.type),   To(from.tags), To(from.source),        from.sequence,
          To(from.origin), from.time_ms,  To(from.unknown_fields)};
}
/// All that it carries beside numbers: what limits.message_bytes_max bounds on the bus, since every
/// link and its queues are made for messages of that size.
inline std::size_t bytes_of(const PublicationView& p) {
  return p.payload.size() + p.key.size() + p.type.size() + p.tags.size() + p.source.size() +
         p.origin.size() + p.unknown_fields.size();
}
inline PublicationView view_of(const Publication& p) {
  return convert<std::string_view>(p);
}
inline Publication copy_of(const PublicationView& p) {
  return convert<std::string>(p);
}

}  // namespace peal
