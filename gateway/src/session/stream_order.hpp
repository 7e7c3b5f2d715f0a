#pragma once
// What a stream over HTTP was asked for: its channels, each with what a subscribe command may say.
// Made from the request by the stream face; it owns its texts, so it may outlive the request.

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
    std::string filter{};    ///< raw JSON, or empty
    bool ephemeral = false;  ///< the client was told before that it keeps no log

    static Channel of(const Command& subscribe) {
      return {std::string(subscribe.channel), subscribe.since,
              subscribe.since_word,           subscribe.presence,
              std::string(subscribe.data),    std::string(subscribe.filter)};
    }
    /// The subscribe command; it borrows from here.
    Command command() const {
      Command made;
      made.action = Action::subscribe;
      made.channel = name;
      made.since = since;
      made.since_word = since_word;
      made.presence = presence;
      made.filter = filter;
      made.data = data;
      return made;
    }
  };
  std::vector<Channel> channels;
  bool ids = true;  ///< each event says where the client may go on
};

}  // namespace peal::gateway
