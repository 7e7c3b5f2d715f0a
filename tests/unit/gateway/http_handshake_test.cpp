#include "http/handshake.hpp"

#include <gtest/gtest.h>

#include "session/json_protocol.hpp"

namespace peal::gateway::http {
namespace {

using Headers = std::vector<std::pair<std::string_view, std::string_view>>;

class HandshakeTest : public ::testing::Test {
 protected:
  HandshakeTest() { protocols.push_back(std::make_unique<JsonProtocol>(Limits{})); }
  std::variant<Handshake, Response> shake(Headers headers) {
    Request request;
    request.method = "GET";
    request.headers = std::move(headers);
    return shake_hands(request, protocols);
  }
  static Headers good() {
    return {{"Connection", "keep-alive, Upgrade"},
            {"Upgrade", "WebSocket"},
            {"Sec-WebSocket-Version", "13"},
            {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}};
  }
  /// The status when header `name` is `value` instead ("" and it is not there).
  unsigned status(std::string_view name, std::string_view value) {
    Headers headers = good();
    std::erase_if(headers, [&](const auto& field) { return field.first == name; });
    if (!value.empty()) headers.emplace_back(name, value);
    auto decision = shake(headers);
    const auto* response = std::get_if<Response>(&decision);
    return response == nullptr ? 101 : response->status;
  }
  std::vector<std::unique_ptr<Protocol>> protocols;
};

TEST_F(HandshakeTest, AcceptsAndSpeaksTheDefaultProtocolWhenNoneIsOffered) {
  auto decision = shake(good());
  auto& handshake = std::get<Handshake>(decision);
  EXPECT_EQ(handshake.protocol, protocols[0].get());
  EXPECT_EQ(handshake.headers,
            (HttpHeaders{{"Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}}));
}

TEST_F(HandshakeTest, NamesTheProtocolThatItTakes) {
  Headers headers = good();
  headers.emplace_back("Sec-WebSocket-Protocol", "chat.v9");
  headers.emplace_back("sec-websocket-protocol", "x, peal.json.v1");
  auto decision = shake(headers);
  EXPECT_EQ(std::get<Handshake>(decision).headers.back().second, "peal.json.v1");
}

TEST_F(HandshakeTest, RefusesWhatIsNoHandshakeOfVersion13) {
  EXPECT_EQ(status("Connection", "keep-alive"), 426U);
  EXPECT_EQ(status("Upgrade", "h2c"), 426U);
  EXPECT_EQ(status("Upgrade", ""), 426U);
  EXPECT_EQ(status("Sec-WebSocket-Version", "8"), 426U);
  EXPECT_EQ(status("Sec-WebSocket-Version", ""), 426U);
  EXPECT_EQ(status("Sec-WebSocket-Key", ""), 400U);
  EXPECT_EQ(status("Sec-WebSocket-Key", "c2hvcnQ="), 400U);
  EXPECT_EQ(status("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZ!=="), 400U);
  EXPECT_EQ(status("Sec-WebSocket-Protocol", "chat.v9"), 406U);
  auto decision = shake({});
  const auto& headers = std::get<Response>(decision).headers;
  EXPECT_EQ(headers.back(), (std::pair<std::string, std::string>{"Sec-WebSocket-Version", "13"}));
}

}  // namespace
}  // namespace peal::gateway::http
