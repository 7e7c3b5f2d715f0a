#pragma once
// Where a reader of several channels stands, and the token that says so: the `id:` of server-sent
// events and the cursor of a long-poll. One place a channel, in the order in which the client names
// its channels:
//   token  = place                          one channel
//          | "1." place *("." place)        version 1, several
//   place  = epoch "-" offset               a position
//          | "-"                            subscribed, and the channel keeps no log
//          | "*"                            not subscribed so far
// A token is the client's to keep, so what comes back is checked, and says nothing that the client
// could not have asked for. Pure.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "peal/proto/position.hpp"
#include "peal/proto/result.hpp"

namespace peal::gateway {

class StreamCursor {
 public:
  struct Place {
    enum class Kind : std::uint8_t { unknown, ephemeral, at } kind = Kind::unknown;
    Position position{};
    friend bool operator==(const Place&, const Place&) = default;
  };

  explicit StreamCursor(std::size_t channels = 0) : places_(channels) {}
  /// request_invalid when `token` isn't one, or not one of that many channels.
  static Result<StreamCursor> parse(std::string_view token, std::size_t channels);

  std::size_t size() const { return places_.size(); }
  const Place& operator[](std::size_t channel) const { return places_[channel]; }
  void move(std::size_t channel, const Position& position) {
    places_[channel] = {Place::Kind::at, position};
  }
  void set_ephemeral(std::size_t channel) { places_[channel] = {Place::Kind::ephemeral, {}}; }
  void append_to(std::string& out) const;
  std::string to_string() const;

 private:
  std::vector<Place> places_;
};

}  // namespace peal::gateway
