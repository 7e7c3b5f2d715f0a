// Mutated requests to /stream: whatever comes, it is refused or asks for named channels, once each,
// within the limits; and a token that is taken reads back as itself.
#include <set>

#include "fuzz.hpp"
#include "http/stream_request.hpp"
#include "peal/proto/channel_name.hpp"

namespace {

using namespace peal::gateway;
using peal::fuzz::Current;
using peal::fuzz::Random;
using peal::fuzz::require;

void check_token(std::string_view text, std::size_t channels, const Current& current) {
  const auto cursor = StreamCursor::parse(text, channels);
  if (!cursor) return;
  require(cursor->size() == channels, "a token is of as many channels", current);
  require(cursor->to_string() == text, "a token reads back", current);
}

void check_request(http::StreamRequestReader& reader, const http::Request& request,
                   const peal::Limits& limits, const Current& current) {
  const auto asked = reader.read(request);
  if (!asked) return;
  const auto& channels = asked->order.channels;
  require(!channels.empty() && channels.size() <= limits.subscriptions_max, "channels are counted",
          current);
  std::set<std::string_view> names;
  for (const StreamOrder::Channel& channel : channels) {
    require(peal::ChannelName::valid(channel.name), "a channel's name is one", current);
    require(names.insert(channel.name).second, "a channel is named once", current);
  }
  require(!asked->wait || *asked->wait <= limits.wait_max, "a wait ends", current);
  require(!asked->cursor || asked->cursor->size() == channels.size(), "a cursor is of them",
          current);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> seeds = {
      "channel=a%2Fb&channel=c+d&wait=30&cursor=1.abcdefgh-7.-",
      "1.abcdefgh-7.-.*.ABCDEFGH-9007199254740991", "abcdefgh-41",
      R"({"channels":[{"channel":"a","since":{"epoch":"abcdefgh","offset":7}},{"channel":"b"}]})",
      R"({"cursor":"1.-.*","ids":false,"channels":[{"channel":"a","since":"state"},{"channel":"b"}]})"};
  const std::vector<std::string_view> tokens = {"channel=",   "&",         "%",
                                                "wait=",      "1.",        "-",
                                                "*",          ".",         R"({"channel":"a"},)",
                                                "\"since\":", "\"start\"", "cursor=",
                                                "{",          "[",         "]",
                                                "\"",         "\\u0000"};
  peal::Limits limits;
  limits.subscriptions_max = 4;
  limits.stream_ids_max = 3;
  http::StreamRequestReader reader(limits);
  return peal::fuzz::run(
      "stream", peal::fuzz::parse_budget(argc, argv), [&](Random& random, Current& current) {
        std::string& text = current.input;
        text = peal::fuzz::mutate(random, std::string(seeds[random.below(seeds.size())]), tokens,
                                  seeds);
        for (std::size_t channels = 1; channels < 5; ++channels)
          check_token(text, channels, current);
        http::Request request;
        request.method = random.one_in(2) ? "GET" : "POST";
        request.query = text;
        request.body = text;
        check_request(reader, request, limits, current);
      });
}
