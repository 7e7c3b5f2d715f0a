// Mutated PROXY prefaces and forwarded lists: whatever comes, nothing behind a preface is taken, it
// is found wherever its bytes are cut, and an address that is understood is what it is written as.
#include <string>

#include "fuzz.hpp"
#include "http/forwarded.hpp"
#include "io/proxy_preface.hpp"

namespace {

using namespace peal::gateway;
using peal::fuzz::Current;
using peal::fuzz::Random;
using peal::fuzz::require;
using Status = ProxyPreface::Status;
using namespace std::string_view_literals;

constexpr std::size_t kBytesMax = 512;

void check_preface(const std::string& bytes, std::size_t cut, const Current& current) {
  const ProxyPreface whole = read_proxy_preface(bytes, kBytesMax);
  if (whole.status == Status::whole || whole.status == Status::more)
    require(whole.length <= bytes.size(), "only what has come is taken", current);
  require(whole.status == Status::whole || !whole.client, "only a whole one names a client",
          current);
  const ProxyPreface part = read_proxy_preface(std::string_view(bytes).substr(0, cut), kBytesMax);
  if (whole.status != Status::whole) return;
  if (cut >= whole.length)
    require(
        part.status == Status::whole && part.length == whole.length && part.client == whole.client,
        "what stands behind changes nothing", current);
  else
    require(part.status == Status::more && part.length == cut, "a part of one is waited for",
            current);
}

void check_address(std::string_view text, const Current& current) {
  const auto address = NetAddress::parse(text);
  if (!address) return;
  const std::string written = address->text();
  require(NetAddress::parse(written) == address, "an address reads back", current);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> seeds = {
      "PROXY TCP4 192.0.2.1 192.0.2.2 5000 80\r\nGET / HTTP/1.1\r\n",
      "PROXY TCP6 2001:db8::1 2001:db8::2 5000 80\r\n",
      "PROXY UNKNOWN\r\n",
      "\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x13\x88\x00\x50rest"sv,
      "\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00rest"sv,
      "192.0.2.1, 10.0.0.7",
      "[2001:db8::1]:443",
      "for=192.0.2.1;proto=https, for=\"[2001:db8::1]:99\";by=10.0.0.1, for=unknown"};
  const std::vector<std::string_view> tokens = {"PROXY ",   "TCP4 ", "TCP6 ", "\r\n",    " ", ",",
                                                "for=",     "\"",    ";",     "[",       "]", ":",
                                                "10.0.0.1", "::",    "65535", "\x21\x11"};
  const Networks trusted = *Networks::parse({"10.0.0.0/8", "::1"}, "seeds");
  return peal::fuzz::run(
      "proxies", peal::fuzz::parse_budget(argc, argv), [&](Random& random, Current& current) {
        std::string& text = current.input;
        text = peal::fuzz::mutate(random, std::string(seeds[random.below(seeds.size())]), tokens,
                                  seeds);
        check_preface(text, random.below(text.size() + 1), current);
        check_address(text, current);
        http::Request request;
        request.headers = {{"X-Forwarded-For", text}, {"Forwarded", text}};
        for (const auto header :
             {http::ForwardedHeader::x_forwarded_for, http::ForwardedHeader::forwarded}) {
          const auto found = http::forwarded_for(request, header, trusted);
          if (found.client) check_address(found.client->text(), current);
        }
      });
}
