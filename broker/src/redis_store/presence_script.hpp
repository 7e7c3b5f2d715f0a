#pragma once
// How the store speaks with presence.lua: what a call is given, what its reply and what it
// publishes mean. Pure. Bytes that Redis returns are never trusted to have a form.
//   message := "p" told*                                    on the channel of the log's messages
//   told    := "m" core ticket "\n"                         a call of that core was done here
//            | ("j" | "l") size " " size " " size "\n" session user data    joined, left
//   held    := ("p" | "w") size ":" channel session         what a holder has: a member, a watch

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peal/proto/presence.hpp"
#include "peal/redis/reply.hpp"
#include "redis_store/log_script.hpp"

namespace peal::redis_store {

/// A holder's or a core's name: 16 hexadecimal digits.
std::string name_of_number(std::uint64_t number);

struct PresenceFrame {
  const KeySpace& keys;
  std::size_t partition;
  std::string_view channel;  ///< empty: the operation is of the partition
  std::string_view holder;   ///< empty: nobody's
  std::chrono::milliseconds lease;
  std::chrono::milliseconds keep;
  std::string_view publish_verb;
  std::string mark{};  ///< core and ticket, told when it is done; empty: nothing is
};

std::string_view presence_script();
/// EVALSHA with keys and arguments; the hash is set at kShaAt.
std::vector<std::string> call(const PresenceFrame& frame, std::string_view operation);
void add_member(std::vector<std::string>& args, const bus::Member& member, bool again);
void add_page(std::vector<std::string>& args, const bus::PresenceRequest& request,
              std::size_t bytes);

/// Of "page"; members borrow from the reply.
std::optional<bus::PresenceAnswer> presence_of(const redis::Reply& reply,
                                               std::vector<bus::Member>& members);
struct Pulse {
  std::uint64_t held = 0;
  bool quiet = false;
  std::vector<std::string> dead{};
};
std::optional<Pulse> pulse_of(const redis::Reply& reply);
struct Held {
  bool watch = false;
  std::string_view channel{};
  std::string_view session{};
};
std::optional<Held> held_of(std::string_view text);

struct PresenceTold {
  enum class What : std::uint8_t { mark, join, leave } what = What::mark;
  std::string_view core{};  ///< of a mark
  std::uint64_t ticket = 0;
  bus::Member member{};  ///< borrows from the message
};
bool is_presence(std::string_view message);
/// Takes the next one from the message (behind its "p"); nothing: it ends, or can't be read.
std::optional<PresenceTold> next_told(std::string_view& message);

}  // namespace peal::redis_store
