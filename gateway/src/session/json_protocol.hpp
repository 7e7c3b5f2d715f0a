#pragma once
// `peal.json.v1`: one JSON object a message (docs/protocol.md). A message is validated in full
// once; what it carries is then passed through byte for byte. One object per thread: it owns the
// JSON reader's buffers and the unescaped strings that the last decoded Command points to.

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peal/proto/json.hpp"
#include "peal/proto/limits.hpp"
#include "session/protocol.hpp"

namespace peal::gateway {

class JsonProtocol final : public Protocol {
 public:
  explicit JsonProtocol(const Limits& limits) : limits_(limits) {}

  std::string_view subprotocol() const override { return "peal.json.v1"; }
  bool text() const override { return true; }
  std::optional<CommandError> decode(std::string_view message, Command& command) override;
  /// `id` 0: an answer without id, as POST /command gives to a command that had none.
  void encode_reply(std::string& out, std::uint64_t id, const ReplyBody& reply) override;
  void encode_push(std::string& out, const Push& push) override;
  void encode_list(std::string& out, std::span<const PublicationView> publications) override;

 private:
  using Failure = std::optional<Error>;

  Failure decode_payload(const std::vector<JsonMember>& members, const JsonMember* payload,
                         Command& command);
  Failure decode_field(const JsonField& field, Command& command);
  Failure decode_publish_field(const JsonField& field, Command& command);
  Failure decode_subscription_field(const JsonField& field, Command& command);
  Failure decode_session_field(const JsonField& field, Command& command);
  Failure decode_channel(const JsonField& field, std::string_view& channel);
  Failure decode_channels(const JsonField& field, Command& command);
  Failure decode_position(const JsonField& field, std::optional<Position>& position);
  Failure check(const Command& command) const;
  /// The text of a JSON string: a view of `raw` when nothing is escaped, else of the arena.
  std::optional<std::string_view> string(std::string_view raw);

  const Limits limits_;
  JsonReader reader_;
  std::deque<std::string> arena_;
  bool has_message_ = false;
  bool has_sequence_ = false;
};

/// A publication as pages of history list it: {"offset":…,"message":…}
void append_publication(std::string& out, const PublicationView& publication);

/// The part of an error that every form of it shares: "code":…,"message":…,"temporary":…
void append_error_members(std::string& out, const Error& error);

}  // namespace peal::gateway
