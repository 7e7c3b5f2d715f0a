// The router over real sockets, and a second Protocol beside peal.json.v1, which shows that the
// seam between formats and sessions holds.
#include "http/router.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "local_gateway.hpp"
#include "socket_client.hpp"

namespace peal::gateway {
namespace {

using test::LocalGateway;
using test::SocketClient;

/// "verb channel rest" in binary messages; replies are "=ID" or "!code", pushes "channel payload".
class LineProtocol final : public Protocol {
 public:
  std::string_view subprotocol() const override { return "test.lines"; }
  bool text() const override { return false; }
  std::optional<CommandError> decode(std::string_view message, Command& command) override {
    command = Command{};
    const auto space = message.find(' ');
    const auto second = message.find(' ', space + 1);
    if (space == std::string_view::npos) {
      return CommandError{std::nullopt, fail(ErrorCode::command_invalid, "no verb")};
    }
    command.id = 1;
    command.channel = message.substr(space + 1, second - space - 1);
    command.action = message.substr(0, space) == "sub" ? Action::subscribe : Action::publish;
    if (second != std::string_view::npos) {
      command.publish.publication.payload = message.substr(second + 1);
    }
    return std::nullopt;
  }
  void encode_reply(std::string& out, std::uint64_t id, const ReplyBody& reply) override {
    if (const auto* error = std::get_if<Error>(&reply)) {
      (out += '!') += info(error->code).name;
    } else {
      out += '=' + std::to_string(id);
    }
  }
  void encode_list(std::string&, std::span<const PublicationView>) override {}
  void encode_push(std::string& out, const Push& push) override {
    if (const auto* message = std::get_if<MessagePush>(&push)) {
      ((out += message->channel) += ' ') += message->publication->payload;
    } else if (const auto* error = std::get_if<ErrorPush>(&push)) {
      (out += '!') += info(error->error->code).name;
    }
  }
};

class RouterTest : public ::testing::Test {
 protected:
  RouterTest() {
    gateway.keys = {{"app", "s3cret"}};
    ChannelRule keyed;
    keyed.pattern = "keyed";
    keyed.subscribe = keyed.publish = "key:app";
    gateway.rules.insert(gateway.rules.begin(), keyed);
    gateway.protocols.push_back([](const Limits&) { return std::make_unique<LineProtocol>(); });
  }
  std::string ask(std::string_view method, std::string_view path, std::string_view body = "",
                  std::string_view headers = "") {
    SocketClient client(gateway.port());
    std::string text(method);
    (text += ' ') += path;
    (text += " HTTP/1.1\r\nHost: localhost\r\n") += headers;
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    return client.request(text.append(body));
  }
  static unsigned status(const std::string& answer) {
    return static_cast<unsigned>(std::stoi(answer.substr(answer.find(' '))));
  }

  LocalGateway gateway;
};

TEST_F(RouterTest, SpeaksTwoProtocolsWithOneEncodingEach) {
  gateway.start();
  SocketClient json(gateway.port());
  json.upgrade();
  json.subscribe("room");
  std::vector<SocketClient> lines;
  for (int i = 0; i < 3; ++i) {
    SocketClient& client = lines.emplace_back(gateway.port());
    client.send_bytes(
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Protocol: test.lines\r\n\r\n");
    client.send_frame(websocket::Opcode::binary, "sub room");
    std::string head;
    while (head.find("\r\n\r\n") == std::string::npos) {
      char c = 0;
      ASSERT_EQ(recv(client.fd(), &c, 1, 0), 1);
      head += c;
    }
    EXPECT_NE(head.find("Sec-WebSocket-Protocol: test.lines"), std::string::npos);
    EXPECT_EQ(client.receive(), "=1");
  }
  const double before = gateway.metric("peal_encodes_total");
  lines[0].send_frame(websocket::Opcode::binary, "pub room [1, 2]");
  EXPECT_EQ(json.receive(), R"({"event":"message","channel":"room","message":[1, 2]})");
  for (SocketClient& client : lines) {
    std::string message = client.receive();
    if (message == "=1") message = client.receive();
    EXPECT_EQ(message, "room [1, 2]");
  }
  EXPECT_EQ(gateway.metric("peal_encodes_total") - before, 2) << "once per protocol";
}

TEST_F(RouterTest, AnswersEveryPathAndMethod) {
  gateway.start();
  EXPECT_EQ(status(ask("GET", "/nowhere")), 404U);
  EXPECT_EQ(status(ask("GET", "/")), 404U) << "no pages are configured";
  EXPECT_NE(ask("GET", "/command").find("Allow: POST"), std::string::npos);
  EXPECT_NE(ask("POST", "/ws").find("Allow: GET"), std::string::npos);
  EXPECT_EQ(status(ask("GET", "/ws")), 426U);
  EXPECT_EQ(status(ask("POST", "/channels/a", "1")), 200U);
  EXPECT_EQ(status(ask("POST", "/channels/", "1")), 400U);
  EXPECT_EQ(status(ask("POST", "/channels/a", "{")), 400U);
  EXPECT_EQ(status(ask("POST", "/channels/a", "{", "Content-Type: text/plain\r\n")), 200U);
  EXPECT_EQ(
      status(ask("POST", "/channels/a", "1", "Idempotency-Key: " + std::string(256, 'k') + "\r\n")),
      400U);
  EXPECT_EQ(gateway.metric("peal_http_face_requests_total{face=\"channels\"}"), 5);
}

TEST_F(RouterTest, TellsSubscribersOnlyTypesThatAreText) {
  gateway.start();
  SocketClient reader(gateway.port());
  reader.upgrade();
  reader.subscribe("room");
  EXPECT_EQ(status(ask("POST", "/channels/room", "hi", "Content-Type: text/\xff\r\n")), 400U);
  const std::string longest = "Content-Type: text/" + std::string(250, 'x') + "\r\n";
  EXPECT_EQ(status(ask("POST", "/channels/room", "hi", "Content-Type: text/plain;" + longest)),
            400U);
  EXPECT_EQ(status(ask("POST", "/channels/room", "hi", longest)), 200U);
  EXPECT_NE(reader.receive().find(R"("text":"hi"})"), std::string::npos);
}

TEST_F(RouterTest, TakesOneCommandAtATime) {
  gateway.start();
  const auto command = [&](std::string_view text) { return ask("POST", "/command", text); };
  EXPECT_NE(command(R"({"id":4,"action":"ping"})").find(R"({"id":4,"result":{}})"),
            std::string::npos);
  EXPECT_NE(command(R"({"action":"publish","payload":{"channel":"a","message":1}})")
                .find(R"({"result":{}})"),
            std::string::npos);
  EXPECT_NE(command(R"({"action":"publish","payload":{"channels":["a","keyed"],"message":1}})")
                .find(R"({"result":[{},{"error":{"code":"permission_denied")"),
            std::string::npos);
  EXPECT_EQ(status(command(R"({"action":"publish","payload":{"channel":"keyed","message":1}})")),
            403U);
  for (const std::string_view action : {"connect", "refresh"}) {
    const std::string text = command(R"({"action":")" + std::string(action) +
                                     R"(","payload":{"channel":"a","token":"x"}})");
    EXPECT_EQ(status(text), 400U);
    EXPECT_NE(text.find("action_unknown"), std::string::npos) << text;
  }
  EXPECT_EQ(status(command("")), 400U);
}

TEST_F(RouterTest, AsksForTheKeyOfARule) {
  gateway.start();
  EXPECT_EQ(status(ask("POST", "/channels/keyed", "1")), 403U);
  EXPECT_EQ(status(ask("POST", "/channels/keyed", "1", "Authorization: Bearer nope\r\n")), 401U);
  EXPECT_NE(ask("POST", "/channels/keyed", "1", "Authorization: Basic x\r\n")
                .find("WWW-Authenticate: Bearer"),
            std::string::npos);
  EXPECT_EQ(status(ask("POST", "/channels/keyed", "1", "Authorization: Bearer s3cret\r\n")), 200U);
}

TEST_F(RouterTest, ChecksHostAndOriginBeforeItActs) {
  gateway.start();
  SocketClient client(gateway.port());
  EXPECT_EQ(status(client.request(
                "POST /channels/a HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 1\r\n\r\n1")),
            421U);
  EXPECT_EQ(status(ask("POST", "/channels/a", "1", "Origin: http://evil.example\r\n")), 403U);
  EXPECT_EQ(status(ask("POST", "/channels/a", "1", "Origin: http://localhost\r\n")), 200U);
  EXPECT_EQ(status(ask("OPTIONS", "/channels/a", "", "Origin: http://localhost\r\n")), 405U);
  EXPECT_TRUE(gateway.log().said("allowed_origins"));
}

}  // namespace
}  // namespace peal::gateway
