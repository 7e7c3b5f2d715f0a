// Mutated commands: what is taken for a command carries valid JSON only, and whatever is answered
// or pushed because of it is valid JSON, too.
#include "fuzz.hpp"
#include "peal/proto/channel_name.hpp"
#include "session/json_protocol.hpp"
#include "websocket/utf8.hpp"

int main(int argc, char** argv) {
  using namespace peal;
  using namespace peal::gateway;
  using fuzz::require;
  const std::vector<std::string_view> seeds = {
      R"({"id":7,"action":"subscribe","payload":{"channel":"room:1","since":{"epoch":"aB3dE5gH","offset":42}}})",
      R"({"id":8,"action":"publish","payload":{"channel":"a","message":{"a":[1,2e9,"x\u00fc\n",null]},"key":"k"}})",
      R"({"action":"publish","payload":{"channels":["a","b"],"message":"\ud83d\udd14","delete":false,"source":"s","sequence":"1-2"}})",
      R"({"id":9,"action":"history","payload":{"channel":"a","limit":10,"reverse":true}})",
      R"({"id":1,"action":"connect","payload":{"token":"t","client":{"name":"x"},"heartbeat":true}})",
      R"({"id":18446744073709551615,"action":"ping"})"};
  const std::vector<std::string_view> tokens = {"\"",
                                                "\\",
                                                "{",
                                                "}",
                                                "[",
                                                "]",
                                                ":",
                                                ",",
                                                "null",
                                                "\\u0000",
                                                "\\ud800",
                                                "1e400",
                                                "\"id\"",
                                                "\"action\"",
                                                "\"payload\"",
                                                "\"channel\"",
                                                "\"channels\"",
                                                "\"message\"",
                                                "\"delete\":true",
                                                "\xc3\xbc"};
  const Limits limits;
  JsonProtocol protocol(limits);
  JsonReader reader;
  Command command;
  return fuzz::run(
      "json_protocol", fuzz::parse_budget(argc, argv),
      [&](fuzz::Random& random, fuzz::Current& current) {
        std::string& text = current.input;
        text = fuzz::mutate(random, std::string(seeds[random.below(seeds.size())]), tokens, seeds);
        if (!websocket::valid_utf8(text)) return;  // the codec lets none of it come here
        std::string out;
        const auto wrong = protocol.decode(text, command);
        if (wrong) {
          protocol.encode_reply(out, wrong->id.value_or(0), wrong->error);
        } else if (command.action == Action::publish) {
          const PublicationView& publication = command.publish.publication;
          if (publication.kind == Kind::value) {
            require(reader.validate(publication.payload).has_value(), "a message is JSON", current);
          }
          protocol.encode_push(out, MessagePush{command.channel, &publication, {}});
        } else {
          protocol.encode_reply(out, command.id.value_or(0),
                                SubscribeResult{.channel = command.channel});
        }
        require(wrong || command.channel.empty() || ChannelName::valid(command.channel),
                "a channel name is valid", current);
        require(reader.validate(out, limits.json_depth_max + 2).has_value(),
                "what was written is JSON", current);
      });
}
