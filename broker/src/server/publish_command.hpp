#pragma once
// The payload of a `publish` command on the broker's control socket, taken apart: one or more
// channels and one publication that owns its bytes. The broker knows no sessions and no rules, so
// this is not the gateway's Command; the fields and their errors are the same (docs/protocol.md).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peal/proto/bus_messages.hpp"
#include "peal/proto/json.hpp"
#include "peal/proto/limits.hpp"
#include "peal/proto/result.hpp"

namespace peal::broker {

struct PublishCommand {
  std::vector<std::string> channels;
  bool many = false;  ///< `channels` was given: a list is answered
  Publication publication;
  std::optional<Position> expect;
  std::optional<Sequence> previous;
  std::string idempotency_key;

  /// Borrows from this command.
  bus::PublishRequest request(const std::string& channel) const;
};

/// `payload` is a validated JSON object.
Result<PublishCommand> read_publish_command(JsonReader& reader, std::string_view payload,
                                            const Limits& limits);

/// {"epoch","offset","duplicate"?,"last"?} or {}: the result of an outcome that is ok.
std::string published_json(const bus::Published& outcome);

}  // namespace peal::broker
