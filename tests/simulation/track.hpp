#pragma once
// Where one reader is in a channel's log, with the rules of the TypeScript client
// (gateway/web/client/src/track.ts): what of that which arrives is new, what was there already, and
// where something is missing.

#include <cstdint>
#include <optional>
#include <string>

#include "json_text.hpp"

namespace peal::simulation {

class Track {
 public:
  enum class Place : std::uint8_t { fresh, old, gap };

  bool placed() const { return !epoch_.empty(); }
  const std::string& epoch() const { return epoch_; }
  std::uint64_t offset() const { return offset_; }

  /// The answer to a subscribe. True: all that was missed comes; false: the past is gone; none: it
  /// wasn't asked for.
  std::optional<bool> begin(const cli::JsonObject& answer) {
    const bool asked = placed();
    const std::string before = epoch_;
    epoch_ = answer.text("epoch");
    offset_ = answer.number("offset");
    if (!asked) return std::nullopt;
    return answer.boolean("recovered") && epoch_ == before;
  }
  void reset(const cli::JsonObject& push) {
    epoch_ = push.text("epoch");
    offset_ = push.number("offset");
  }
  /// A push that says where the log is, with a publication (`message`) or without.
  Place pushed(const cli::JsonObject& push, bool message, bool accept_holes) {
    const std::uint64_t offset = push.number("offset");
    if (offset <= offset_) return Place::old;
    const bool next = message && offset == offset_ + 1;
    const std::uint64_t after = push.number("after");
    const bool bridged = push.has("after") && (after <= offset_ || after + 1 == offset);
    if (!next && !bridged && !accept_holes) return Place::gap;
    offset_ = offset;
    return Place::fresh;
  }

 private:
  std::string epoch_;
  std::uint64_t offset_ = 0;
};

}  // namespace peal::simulation
