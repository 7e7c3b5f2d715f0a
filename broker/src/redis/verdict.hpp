#pragma once
// What a reply means for the command that it answers: is it done, and if not, may it be sent again
// and where to. Pure.

#include <cstdint>
#include <string>
#include <string_view>

#include "peal/redis/reply.hpp"

namespace peal::redis {

struct Verdict {
  enum class Kind : std::uint8_t {
    replied,
    failed,   ///< an error that doesn't say that nothing was done
    refused,  ///< an error of a command that was not begun
    moved,    ///< not begun: `endpoint` serves `slot`
    ask,      ///< not begun: `endpoint` has it already, for who says ASKING
    again,    ///< not begun: the same a moment later
  };

  Kind kind = Kind::replied;
  std::uint16_t slot = 0;
  std::string endpoint{};
};

/// `asked` is the host that replied: Redis leaves it out where the other node has the same one.
Verdict verdict_of(const Reply& reply, std::string_view asked_host);

/// For a person: what Redis said, and of a missing permission what to grant.
std::string explain(const Reply& error, std::string_view user);

}  // namespace peal::redis
