#pragma once
// What a numbered message carries: which run and publisher, its number there, and when it was meant
// to be sent. It stands in the message's JSON as fixed hex digits, so that reading it costs next to
// nothing:
//   {"peal":"<run 8><publisher 4><number 8><nanoseconds 16>","pad":"xxx"}

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace peal::bench {

struct Stamp {
  std::uint32_t run = 0;
  std::uint16_t publisher = 0;
  std::uint32_t number = 0;
  std::uint64_t time_ns = 0;  ///< steady clock
  friend bool operator==(const Stamp&, const Stamp&) = default;
};

inline constexpr std::size_t kStampDigits = 36;
/// The message's JSON, `size` bytes long (at least what the stamp needs).
std::string stamped_message(const Stamp& stamp, std::size_t size);
/// Finds the stamp in a message or in a push that carries one.
std::optional<Stamp> find_stamp(std::string_view text);

/// Nanoseconds of the steady clock: the same in every process of one machine.
std::uint64_t steady_ns();

}  // namespace peal::bench
