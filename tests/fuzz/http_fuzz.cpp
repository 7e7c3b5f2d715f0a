// Mutated HTTP requests: however the bytes are split, the machine reads the same requests or
// refuses, and what it writes back of them can't break out of its header.
#include "fuzz.hpp"
#include "http/http_machine.hpp"

namespace {

using namespace peal::gateway::http;
using peal::fuzz::Current;
using peal::fuzz::Random;
using peal::fuzz::require;

/// The requests up to the first refusal, or to the end. When the refusal comes may depend on the
/// pieces.
std::string read(std::string_view bytes, std::size_t piece, const Current& current) {
  static const peal::Limits kept_limits = [] {
    peal::Limits limits;
    limits.header_bytes_max = 1024;
    limits.command_bytes_max = 512;
    return limits;
  }();
  std::string requests;
  HttpMachine machine(kept_limits);
  std::string buffer;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    buffer.append(bytes.substr(at, piece));
    for (;;) {
      const auto step = machine.feed(buffer);
      require(step.consumed <= buffer.size(), "no more is consumed than given", current);
      buffer.erase(0, step.consumed);
      if (step.error) return requests;
      if (step.request == nullptr) break;
      require(step.request->body.size() <= kept_limits.command_bytes_max,
              "a body is within the limit", current);
      requests += std::string(step.request->method) + ' ' + step.request->path + ' ' +
                  std::string(step.request->body) + '\n';
      std::string out;
      append_response(out, {200, {{"X-Echo", step.request->path}}, ""}, true);
      require(out.find("\r\n\r\n") + 4 == out.size(), "no header value breaks out", current);
      machine.next();
    }
    require(buffer.size() <= kept_limits.header_bytes_max + piece, "what is left unread is bounded",
            current);
  }
  return requests;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> seeds = {
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /a%0d%0ab?q=%41 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
      "POST /channels/x HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
      "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;e=1\r\nhello\r\n0\r\nT: "
      "x\r\n\r\n",
      "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: "
      "websocket\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"};
  const std::vector<std::string_view> tokens = {
      "\r\n", "\r\n\r\n", ":", " ", "0\r\n", "%", "Content-Length: 3\r\n", "chunked", "\t", "\x7f"};
  return peal::fuzz::run(
      "http", peal::fuzz::parse_budget(argc, argv), [&](Random& random, Current& current) {
        std::string& bytes = current.input;
        bytes.clear();
        for (std::size_t n = 1 + random.below(3); n > 0; --n)
          bytes += seeds[random.below(seeds.size())];
        bytes = peal::fuzz::mutate(random, bytes, tokens, seeds);
        const std::string whole = read(bytes, bytes.size() + 1, current);
        require(read(bytes, 1, current) == whole, "the same requests byte by byte", current);
        require(read(bytes, 1 + random.below(50), current) == whole, "the same requests in pieces",
                current);
      });
}
