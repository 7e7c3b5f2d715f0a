// Feeds mutated commands to the control protocol: whatever comes, it is either a command with a
// name and an object, or an error; and the answer is valid JSON with the command's id byte for
// byte.

#include "control_message.hpp"
#include "fuzz.hpp"

namespace {

using peal::JsonReader;
using peal::fuzz::Current;
using peal::fuzz::Random;
using peal::fuzz::require;

const std::vector<std::string_view> kCorpus = {
    R"({"id": 7, "action": "publish", "payload": {"channel": "room:1", "message": {"a": [1, 2]}}})",
    R"({"action":"stats"})",
    R"({"id":"x","action":"log-level","payload":{"level":"debug"}})",
    R"({"id":null,"action":"\u0070ing","payload":{}})",
};
const std::vector<std::string_view> kTokens = {
    "\"id\":", "\"action\":", "\"payload\":", "{}",   "[]", "\"x\"", "1e400", ",",  ":",       "{",
    "}",       "\\ud800",     "\\u0041",      "\xff", " ",  "\n",    "null",  "\"", "[[[[[[[["};

void check(JsonReader& reader, const Current& current) {
  peal::Limits limits;
  limits.command_bytes_max = 256;
  limits.json_depth_max = 8;
  std::string id;
  const auto command = peal::runtime::parse_control_command(reader, current.input, limits, id);
  std::string reply;
  if (command) {
    require(!command->action.empty(), "a command has a name", current);
    require(JsonReader().validate(command->payload).has_value(), "its payload is valid", current);
    require(JsonReader().fields(command->payload).has_value(), "its payload is an object", current);
    require(current.input.size() <= limits.command_bytes_max, "it is within its limit", current);
    reply = peal::runtime::control_result(id, command->payload);
  } else {
    require(!command.error().message.empty(), "an error says why", current);
    reply = peal::runtime::control_error(id, command.error());
  }
  JsonReader check_reader;
  require(check_reader.validate(reply).has_value(), "the reply is valid JSON", current);
  const auto fields = check_reader.fields(reply);
  require(fields.has_value() && !(*fields)->empty(), "the reply is an object", current);
  const bool has_id = (**fields)[0].key == "id";
  require(has_id == !id.empty(), "the reply has an id when the command had one", current);
  if (has_id) require((**fields)[0].raw == id, "the id comes back byte for byte", current);
}

}  // namespace

int main(int argc, char** argv) {
  JsonReader reader;
  return peal::fuzz::run(
      "control_fuzz", peal::fuzz::parse_budget(argc, argv), [&](Random& random, Current& current) {
        const auto base = kCorpus[random.below(kCorpus.size())];
        current.input = peal::fuzz::mutate(random, std::string(base), kTokens, kCorpus);
        check(reader, current);
      });
}
