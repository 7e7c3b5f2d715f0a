// Mutated WebSocket conversations: however the bytes are split, the decoder sees the same events,
// stays within its limits, and gives text only when it is UTF-8.
#include "fuzz.hpp"
#include "websocket/codec.hpp"
#include "websocket/utf8.hpp"

namespace {

using namespace peal::gateway::websocket;
using peal::fuzz::Current;
using peal::fuzz::Random;
using peal::fuzz::require;

constexpr DecoderLimits kLimits{.message_bytes_max = 2000, .fragments_max = 8};

std::string client_frame(Random& random) {
  const std::vector<unsigned> firsts = {0x81, 0x81, 0x82, 0x01, 0x00, 0x80, 0x89, 0x8A, 0x88};
  std::string payload(random.below(random.one_in(8) ? 300 : 20), 'a');
  for (char& c : payload) {
    if (random.one_in(16)) c = static_cast<char>(random.next());
  }
  std::string out(1, static_cast<char>(firsts[random.below(firsts.size())]));
  if (payload.size() < 126) {
    out += static_cast<char>(0x80U | payload.size());
  } else {
    out += static_cast<char>(0xFEU);
    out += static_cast<char>(payload.size() >> 8U);
    out += static_cast<char>(payload.size());
  }
  std::string mask;
  for (int i = 0; i < 4; ++i)
    mask += static_cast<char>(random.next());
  out += mask;
  for (std::size_t i = 0; i < payload.size(); ++i)
    out += static_cast<char>(payload[i] ^ mask[i % 4]);
  return out;
}

/// What the decoder says of `bytes`, fed in pieces of at most `piece` bytes, as one text.
std::string events(std::string_view bytes, std::size_t piece, const Current& current) {
  std::string log;
  std::string buffer;
  Decoder decoder;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    buffer.append(bytes.substr(at, piece));
    std::span<char> rest(buffer.data(), buffer.size());
    for (;;) {
      const std::size_t before = rest.size();
      const Event event = decoder.next(rest, kLimits);
      require(rest.size() <= before, "the decoder gives no bytes back", current);
      require(decoder.held_bytes() <= 4 * kLimits.message_bytes_max, "what is held is bounded",
              current);
      if (event.kind == Event::Kind::need_more) break;
      require(event.payload.size() <= kLimits.message_bytes_max, "a message is within the limit",
              current);
      const bool text = event.kind == Event::Kind::message && event.opcode == Opcode::text;
      require(!text || valid_utf8(event.payload), "text is UTF-8", current);
      log += std::to_string(static_cast<int>(event.kind)) + ' ' + std::to_string(event.code) + ' ' +
             std::string(event.payload) + '\n';
      if (event.kind == Event::Kind::error || event.kind == Event::Kind::close) return log;
    }
    buffer.erase(0, buffer.size() - rest.size());
  }
  return log;
}

}  // namespace

int main(int argc, char** argv) {
  return peal::fuzz::run(
      "websocket", peal::fuzz::parse_budget(argc, argv), [](Random& random, Current& current) {
        std::string& bytes = current.input;
        bytes.clear();
        for (std::size_t n = 1 + random.below(6); n > 0; --n)
          bytes += client_frame(random);
        const std::vector<std::string_view> tokens = {"\x81", "\x01", "\x80", "\xfe", "\xff"};
        if (!random.one_in(4))
          bytes = peal::fuzz::mutate(random, bytes, tokens, {"\x81\xfe\x7f\xff"});
        const std::string whole = events(bytes, bytes.size() + 1, current);
        require(events(bytes, 1, current) == whole, "the same events byte by byte", current);
        require(events(bytes, 1 + random.below(40), current) == whole, "the same events in pieces",
                current);
      });
}
