// Beast's WebSocket client against our codec over an in-memory stream: two implementations of RFC
// 6455 that check each other, with Beast fragmenting and our side answering in pieces.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/beast/_experimental/test/stream.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <thread>

#include "websocket/codec.hpp"

namespace peal::gateway::websocket {
namespace {

namespace beast = boost::beast;
using TestStream = beast::test::stream;

constexpr DecoderLimits kLimits{.message_bytes_max = 1U << 20U, .fragments_max = 1024};

/// The server's side on a thread: answers the handshake, then echoes what the codec reads.
class EchoServer {
 public:
  explicit EchoServer(TestStream stream) : stream_(std::move(stream)), thread_([this] { run(); }) {}
  ~EchoServer() { thread_.join(); }

 private:
  std::string receive() {
    char buffer[313];  // an odd size, so that frames straddle reads
    beast::error_code error;
    const std::size_t n = stream_.read_some(boost::asio::buffer(buffer), error);
    return error ? std::string() : std::string(buffer, n);
  }
  void send(const std::string& bytes) {
    beast::error_code error;
    stream_.write_some(boost::asio::buffer(bytes), error);
  }
  void shake_hands() {
    std::string request;
    while (request.find("\r\n\r\n") == std::string::npos)
      request += receive();
    const auto at = request.find("Sec-WebSocket-Key: ") + 19;
    const std::string key = request.substr(at, request.find("\r\n", at) - at);
    send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: " +
        accept_key(key) + "\r\n\r\n");
  }
  void run() {
    shake_hands();
    Decoder decoder;
    std::string buffer;
    for (std::string bytes = receive(); !bytes.empty(); bytes = receive()) {
      buffer += bytes;
      std::span<char> rest(buffer.data(), buffer.size());
      for (;;) {
        const Event event = decoder.next(rest, kLimits);
        std::string out;
        if (event.kind == Event::Kind::need_more) break;
        if (event.kind == Event::Kind::message) append_frame(out, event.opcode, event.payload);
        if (event.kind == Event::Kind::ping) append_frame(out, Opcode::pong, event.payload);
        if (event.kind == Event::Kind::close) append_close(out, event.code, event.payload);
        if (event.kind == Event::Kind::error) append_close(out, event.code, event.reason);
        send(out);
        if (event.kind == Event::Kind::close || event.kind == Event::Kind::error) return;
      }
      buffer.erase(0, buffer.size() - rest.size());
    }
  }

  TestStream stream_;
  std::thread thread_;
};

class BeastClient : public ::testing::Test {
 protected:
  void SetUp() override {
    TestStream server(io_);
    client_.next_layer().connect(server);
    server_.emplace(std::move(server));
    client_.handshake("peal.test", "/ws");
  }
  void TearDown() override {
    client_.next_layer().close();
    server_.reset();
  }
  std::string echo(const std::string& payload) {
    client_.write(boost::asio::buffer(payload));
    beast::flat_buffer buffer;
    client_.read(buffer);
    return beast::buffers_to_string(buffer.data());
  }

  boost::asio::io_context io_;
  beast::websocket::stream<TestStream> client_{io_};
  std::optional<EchoServer> server_;
};

TEST_F(BeastClient, GetsBackWhatItSentAtEveryLengthForm) {
  for (const std::size_t length : {0U, 1U, 125U, 126U, 1000U, 65'535U, 65'536U, 200'000U}) {
    const std::string payload(length, static_cast<char>('a' + length % 26));
    EXPECT_EQ(echo(payload), payload);
    EXPECT_TRUE(client_.got_text());
  }
  client_.binary(true);
  EXPECT_EQ(echo(std::string("\xff\x00\xfe", 3)), std::string("\xff\x00\xfe", 3));
  EXPECT_TRUE(client_.got_binary());
}

TEST_F(BeastClient, MayFragmentItsMessages) {
  client_.auto_fragment(true);
  client_.write_buffer_bytes(64);
  const std::string payload(10'000, 'f');
  EXPECT_EQ(echo(payload), payload);
}

TEST_F(BeastClient, GetsPongsBetweenMessages) {
  std::string pong;
  client_.control_callback([&](beast::websocket::frame_type kind, beast::string_view payload) {
    if (kind == beast::websocket::frame_type::pong) pong = payload;
  });
  client_.ping("here?");
  EXPECT_EQ(echo("x"), "x");
  EXPECT_EQ(pong, "here?");
}

TEST_F(BeastClient, HearsItsCloseCodeBack) {
  client_.close({beast::websocket::close_code::going_away, "off"});
  EXPECT_EQ(client_.reason().code, 1001);
  EXPECT_EQ(client_.reason().reason, "off");
}

}  // namespace
}  // namespace peal::gateway::websocket
