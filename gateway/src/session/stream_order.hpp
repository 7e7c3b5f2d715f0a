#pragma once
// What a stream over HTTP was asked for: its channels, each with what a subscribe command may say.
// Made from the request by the stream face; copied, so it may outlive the request.

#include <optional>
#include <string>
#include <vector>

#include "session/protocol.hpp"

namespace peal::gateway {

struct StreamOrder {
  struct Channel {
    std::string name;  ///< a valid channel name, once each
    std::optional<Position> since{};
    Command::SinceWord since_word = Command::SinceWord::none;
    bool presence = false;
    std::string data{};      ///< of presence: raw JSON, or empty
    bool ephemeral = false;  ///< the client was told before that it keeps no log

    /// The subscribe command; it borrows from here.
    Command command() const {
      Command made;
      made.action = Action::subscribe;
      made.channel = name;
      made.since = since;
      made.since_word = since_word;
      made.presence = presence;
      return made;
    }
  };
  std::vector<Channel> channels;
  bool ids = true;  ///< each event says where the client may go on
};

}  // namespace peal::gateway
