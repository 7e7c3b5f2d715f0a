#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <string>

#include "http/forwarded.hpp"
#include "io/net_address.hpp"
#include "io/proxy_preface.hpp"
#include "session/client_addresses.hpp"

namespace peal::gateway {
namespace {

using namespace std::string_literals;
using Status = ProxyPreface::Status;

std::string round_trip(std::string_view text) {
  const auto address = NetAddress::parse(text);
  return address ? address->text() : "none";
}

TEST(NetAddress, OfADualStackSocketIsTheClientsOwn) {
  sockaddr_storage storage{};
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(80);
  ::inet_pton(AF_INET6, "::ffff:192.0.2.7", &v6->sin6_addr);
  EXPECT_EQ(NetAddress::of(storage)->text(), "192.0.2.7:80");
  ::inet_pton(AF_INET6, "2001:db8::7", &v6->sin6_addr);
  EXPECT_EQ(NetAddress::of(storage)->text(), "[2001:db8::7]:80");
  storage.ss_family = AF_UNIX;
  EXPECT_FALSE(NetAddress::of(storage));
}

TEST(NetAddress, IsReadAndWrittenWithAndWithoutAPort) {
  EXPECT_EQ(round_trip("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(round_trip("192.0.2.1:80"), "192.0.2.1:80");
  EXPECT_EQ(round_trip("2001:DB8::1"), "2001:db8::1");
  EXPECT_EQ(round_trip("[2001:db8::1]"), "2001:db8::1");
  EXPECT_EQ(round_trip("[2001:db8::1]:443"), "[2001:db8::1]:443");
  EXPECT_EQ(round_trip("::ffff:192.0.2.1"), "192.0.2.1")
      << "the same client on a dual-stack socket";
  for (const char* wrong : {"", "a.example", "192.0.2", "192.0.2.1:", "192.0.2.1:70000", "[::1",
                            "[::1]x", "[192.0.2.1]:80", "192.0.2.1 ", "1.2.3.4:5:6"})
    EXPECT_EQ(round_trip(wrong), "none") << wrong;
}

TEST(Networks, ContainWhatTheirBitsSay) {
  const auto networks =
      Networks::parse({"10.0.0.0/8", "192.0.2.128/25", "2001:db8::/33", "::1"}, "here");
  ASSERT_TRUE(networks.has_value());
  const auto in = [&](const char* text) { return networks->contains(*NetAddress::parse(text)); };
  EXPECT_TRUE(in("10.255.0.1"));
  EXPECT_FALSE(in("11.0.0.1"));
  EXPECT_TRUE(in("192.0.2.128"));
  EXPECT_FALSE(in("192.0.2.127"));
  EXPECT_TRUE(in("2001:db8:7fff::1"));
  EXPECT_FALSE(in("2001:db8:8000::1"));
  EXPECT_TRUE(in("::1"));
  EXPECT_FALSE(in("::2"));
  EXPECT_TRUE(in("::ffff:10.1.1.1"));
  const auto all = Networks::parse({"0.0.0.0/0"}, "here");
  EXPECT_TRUE(all->contains(*NetAddress::parse("203.0.113.9")));
  EXPECT_FALSE(all->contains(*NetAddress::parse("2001:db8::1")));
}

TEST(Networks, AreRefusedWithTheirEntryAndKey) {
  for (const char* wrong : {"10.0.0.0/33", "::/129", "proxy.example", "10.0.0.0/", "10.0.0.1:80"}) {
    const auto made = Networks::parse({wrong}, "trusted_proxies");
    ASSERT_TRUE(made.has_error()) << wrong;
    EXPECT_NE(made.error().message.find("trusted_proxies: \""s + wrong + '"'), std::string::npos);
  }
}

TEST(ProxyTrust, IsMadeOfGoodWordsOnly) {
  EXPECT_EQ(*ProxyTrust::make({}, "x-forwarded-for"), nullptr);
  EXPECT_EQ((*ProxyTrust::make({"::1"}, "forwarded"))->says, ProxyTrust::Says::forwarded);
  EXPECT_TRUE(ProxyTrust::make({"::1"}, "X-Real-IP").has_error());
  EXPECT_TRUE(ProxyTrust::make({}, "proxy-protocol").has_error()) << "nobody could say anything";
}

std::string client_of(const std::string& bytes) {
  const auto preface = read_proxy_preface(bytes, 16384);
  EXPECT_EQ(preface.status, Status::whole);
  return preface.client ? preface.client->text() : "none";
}

TEST(ProxyPreface, OfTheFirstVersionIsALine) {
  EXPECT_EQ(client_of("PROXY TCP4 192.0.2.1 192.0.2.2 5000 80\r\nGET /"), "192.0.2.1:5000");
  EXPECT_EQ(client_of("PROXY TCP6 2001:db8::1 2001:db8::2 5000 80\r\n"), "[2001:db8::1]:5000");
  EXPECT_EQ(client_of("PROXY UNKNOWN\r\n"), "none");
  EXPECT_EQ(client_of("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), "none");
  EXPECT_EQ(read_proxy_preface("PROXY TCP4 192.0.2.1 192.0.2.2 5000 80\r\nGET /", 16384).length,
            40U);
  for (const char* wrong :
       {"PROXY TCP4 192.0.2.1 192.0.2.2 5000\r\n", "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 2001:db8::1 192.0.2.2 1 2\r\n", "PROXY TCP4 192.0.2.1:9 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 70000 2\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        "PROXY \r\n"})
    EXPECT_EQ(read_proxy_preface(wrong, 16384).status, Status::wrong) << wrong;
  EXPECT_EQ(read_proxy_preface("PROXY " + std::string(200, 'x'), 16384).status, Status::wrong);
}

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

TEST(ProxyPreface, OfTheSecondVersionIsBinary) {
  const std::string v4 = kSignature + "\x21\x11" + "\x00\x0f"s + "\xc0\x00\x02\x01"s +
                         "\xc0\x00\x02\x02"s + "\x13\x88" + "\x00\x50"s + "tlv";
  EXPECT_EQ(client_of(v4 + "more"), "192.0.2.1:5000");
  EXPECT_EQ(read_proxy_preface(v4 + "more", 16384).length, v4.size());
  const std::string v6 = kSignature + "\x21\x21" + "\x00\x24"s + "\x20\x01\x0d\xb8" +
                         std::string(11, '\0') + "\x01" + std::string(16, '\0') + "\x13\x88" +
                         "\x00\x50"s;
  EXPECT_EQ(client_of(v6), "[2001:db8::1]:5000");
  EXPECT_EQ(client_of(kSignature + "\x20" + "\x00\x00\x00"s), "none") << "the proxy's own";
  EXPECT_EQ(client_of(kSignature + "\x21\x31" + "\x00\x02"s + "xx"), "none") << "a unix socket";
  EXPECT_EQ(read_proxy_preface(kSignature + "\x11\x11" + "\x00\x00"s, 16384).status, Status::wrong);
  EXPECT_EQ(read_proxy_preface(kSignature + "\x21\x11" + "\x00\x04"s + "abcd", 16384).status,
            Status::wrong);
  EXPECT_EQ(read_proxy_preface(kSignature + "\x21\x11\xff\xff", 16384).status, Status::wrong)
      << "longer than is taken";
}

TEST(ProxyPreface, IsToldApartFromOtherThingsByteByByte) {
  const std::string whole = "PROXY TCP4 192.0.2.1 192.0.2.2 5000 80\r\n";
  for (std::size_t size = 1; size < whole.size(); ++size) {
    const auto part = read_proxy_preface(whole.substr(0, size), 16384);
    EXPECT_EQ(part.status, Status::more) << size;
    EXPECT_EQ(part.length, size);
  }
  EXPECT_EQ(read_proxy_preface(kSignature.substr(0, 7), 16384).status, Status::more);
  for (const char* other : {"GET / HTTP/1.1\r\n", "PUT", "\x16\x03\x01", "\r\nGET"})
    EXPECT_EQ(read_proxy_preface(other, 16384).status, Status::absent) << other;
}

class Forwarded : public testing::Test {
 protected:
  std::string client(std::vector<std::pair<std::string_view, std::string_view>> headers,
                     http::ForwardedHeader header = http::ForwardedHeader::x_forwarded_for) {
    http::Request request;
    request.headers = std::move(headers);
    const auto found = http::forwarded_for(request, header, trusted_);
    return (found.client ? found.client->text() : "none") + (found.broken ? " broken" : "");
  }
  const Networks trusted_ = *Networks::parse({"10.0.0.0/8"}, "here");
};

TEST_F(Forwarded, IsTheLastThatATrustedProxySaysAndNotWhatTheClientWrote) {
  EXPECT_EQ(client({{"X-Forwarded-For", "192.0.2.1"}}), "192.0.2.1");
  EXPECT_EQ(client({{"X-Forwarded-For", "127.0.0.1, 203.0.113.5, 192.0.2.1"}}), "192.0.2.1");
  EXPECT_EQ(client({{"X-Forwarded-For", "127.0.0.1"}, {"x-forwarded-for", "192.0.2.1"}}),
            "192.0.2.1")
      << "proxies may add lines";
  EXPECT_EQ(client({{"X-Forwarded-For", "203.0.113.5, 192.0.2.1, 10.0.0.7, 10.0.0.8"}}),
            "192.0.2.1")
      << "through a chain of trusted ones";
  EXPECT_EQ(client({{"X-Forwarded-For", "10.0.0.9, 10.0.0.7"}}), "10.0.0.9");
  EXPECT_EQ(client({{"X-Forwarded-For", "[2001:db8::1]:99"}}), "[2001:db8::1]:99");
  EXPECT_EQ(client({{"X-Forwarded-For", "192.0.2.1, nonsense"}}), "none broken");
  EXPECT_EQ(client({{"X-Forwarded-For", "nonsense, 10.0.0.7"}}), "10.0.0.7 broken");
  EXPECT_EQ(client({{"X-Forwarded-For", " , "}}), "none");
  EXPECT_EQ(client({{"Forwarded", "for=192.0.2.1"}}), "none") << "the other header";
}

TEST_F(Forwarded, TakesTheStandardHeaderToo) {
  const auto standard = [&](std::string_view value) {
    return client({{"Forwarded", value}}, http::ForwardedHeader::forwarded);
  };
  EXPECT_EQ(standard("for=192.0.2.1;proto=https;by=10.0.0.1"), "192.0.2.1");
  EXPECT_EQ(standard("proto=http; For=\"[2001:db8:cafe::17]:4711\""), "[2001:db8:cafe::17]:4711");
  EXPECT_EQ(standard("for=127.0.0.1, for=192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(standard("for=\"127.0.0.1, for=192.0.2.1"), "192.0.2.1") << "a quote left open";
  EXPECT_EQ(standard("for=192.0.2.1, for=unknown"), "none");
  EXPECT_EQ(standard("for=192.0.2.1, for=_hidden"), "none");
  EXPECT_EQ(standard("proto=http"), "none");
  EXPECT_EQ(standard("for=nonsense"), "none broken");
}

}  // namespace
}  // namespace peal::gateway
