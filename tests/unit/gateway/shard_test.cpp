// Shards: HTTP faces of a connection, TLS, other Protocols, several shards, control and drain.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>

#include "eventually.hpp"
#include "io/transport.hpp"
#include "local_gateway.hpp"
#include "socket_client.hpp"

namespace peal::test {
namespace {

using gateway::Exchange;
using gateway::http::Request;
using gateway::http::Response;
using std::chrono::milliseconds;

/// A certificate and key for one test, in a folder of their own.
class Certificate {
 public:
  Certificate() {
    char folder[] = "/tmp/peal-certificate-XXXXXX";
    folder_ = ::mkdtemp(folder);
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    std::FILE* file = std::fopen(this->file().c_str(), "w");
    PEM_write_X509(file, certificate);
    std::fclose(file);
    file = std::fopen(this->key().c_str(), "w");
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  ~Certificate() { std::filesystem::remove_all(folder_); }
  std::string file() const { return folder_ + "/certificate.pem"; }
  std::string key() const { return folder_ + "/key.pem"; }

 private:
  std::string folder_;
};

/// Keeps exchanges so that the test answers them when it likes; "/now" is answered at once with its
/// body.
class SlowService final : public gateway::HttpService {
 public:
  struct Kept {
    std::mutex mutex;
    std::deque<Exchange> exchanges;
    std::atomic<int> requests{0};
  };
  explicit SlowService(std::shared_ptr<Kept> kept) : kept_(std::move(kept)) {}
  void handle(const Request& request, Exchange exchange) override {
    ++kept_->requests;
    if (request.path == "/now")
      return exchange.respond({200, {}, "<" + std::string(request.body) + ">"});
    if (request.path == "/forgotten") return;
    const std::lock_guard lock(kept_->mutex);
    kept_->exchanges.push_back(std::move(exchange));
  }

 private:
  std::shared_ptr<Kept> kept_;
};

class ShardHttp : public testing::Test {
 protected:
  void start() {
    gateway_.config.make_http = [this](gateway::Shard&) {
      return std::make_unique<SlowService>(kept_);
    };
    gateway_.start();
  }
  void answer_first(const std::string& body) {
    std::promise<bool> done;
    gateway_.shards().shard(0).post([&] {
      const std::lock_guard lock(kept_->mutex);
      alive_ = kept_->exchanges.front().alive();
      kept_->exchanges.front().respond({200, {}, body});
      kept_->exchanges.pop_front();
      done.set_value(true);
    });
    done.get_future().get();
  }
  bool requests(int count) {
    return eventually([&] { return kept_->requests == count; });
  }
  std::shared_ptr<SlowService::Kept> kept_ = std::make_shared<SlowService::Kept>();
  bool alive_ = false;
  LocalGateway gateway_;
};

constexpr const char* kLater = "GET /later HTTP/1.1\r\nHost: x\r\n\r\n";

std::string post(const std::string& body) {
  return "POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

TEST_F(ShardHttp, PipelinedRequestsAreAnsweredInOrderAndNotParsedAhead) {
  start();
  SocketClient client(gateway_.port());
  client.send_bytes(std::string(kLater) + post("two") + kLater + post("four"));
  ASSERT_TRUE(requests(1));
  EXPECT_TRUE(client.quiet_for(milliseconds(50)));
  EXPECT_EQ(kept_->requests, 1);
  answer_first("one");
  EXPECT_TRUE(client.request("").ends_with("\r\n\r\none"));
  EXPECT_TRUE(client.request("").ends_with("\r\n\r\n<two>"));
  ASSERT_TRUE(requests(3));
  answer_first("three");
  EXPECT_TRUE(client.request("").ends_with("three"));
  EXPECT_TRUE(client.request("").ends_with("<four>"));
}

TEST_F(ShardHttp, ARequestThatIsNotAnsweredSaysSo) {
  start();
  SocketClient client(gateway_.port());
  EXPECT_EQ(client.request("GET /forgotten HTTP/1.1\r\nHost: x\r\n\r\n").substr(0, 12),
            "HTTP/1.1 500");
}

TEST_F(ShardHttp, APeerThatHasGoneCancelsItsWait) {
  start();
  SocketClient client(gateway_.port());
  client.send_bytes(kLater);
  ASSERT_TRUE(requests(1));
  client.close();
  EXPECT_TRUE(eventually([&] {
    std::promise<bool> alive;
    gateway_.shards().shard(0).post([&] { alive.set_value(kept_->exchanges.front().alive()); });
    return !alive.get_future().get();
  }));
  answer_first("nobody hears");
  EXPECT_TRUE(eventually([&] { return gateway_.metric("peal_connections") == 0; }));
}

TEST_F(ShardHttp, WhoEndsItsSideAfterTheRequestStillGetsTheAnswer) {
  start();
  SocketClient client(gateway_.port());
  client.send_bytes(post("half"));
  client.close_writing();
  EXPECT_TRUE(client.read_all().ends_with("<half>"));
}

TEST_F(ShardHttp, SlowHeadersAndBodiesTimeOut) {
  gateway_.config.limits.header_timeout = milliseconds(150);
  gateway_.config.limits.body_timeout = milliseconds(150);
  start();
  SocketClient silent(gateway_.port()), slow(gateway_.port()), body(gateway_.port());
  slow.send_bytes("GET / HTTP/1.1\r\nHo");
  body.send_bytes("POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345");
  EXPECT_EQ(silent.read_all(), "");
  EXPECT_EQ(slow.read_all().substr(0, 12), "HTTP/1.1 408");
  const std::string late = body.read_all();
  EXPECT_EQ(late.substr(0, 12), "HTTP/1.1 408");
  EXPECT_NE(late.find("body_timeout"), std::string::npos);
  EXPECT_EQ(gateway_.metric(R"(peal_errors_total{code="request_timeout"})"), 2);
}

TEST_F(ShardHttp, AHugeBodyIsConsumedInPiecesAndAHugeAnswerIsDrained) {
  start();
  SocketClient client(gateway_.port());
  const std::string big(900'000, 'b');
  EXPECT_TRUE(client.request(post(big)).ends_with("<" + big + ">"));
}

TEST_F(ShardHttp, WhoDoesNotReadAnswersGetsNoPileOfThem) {
  gateway_.config.limits.queue_bytes_max = 1024 * 1024;
  start();
  SocketClient client(gateway_.port(), {.receive_buffer = 4096});
  constexpr int kRequests = 30;
  std::string all;
  for (int i = 0; i < kRequests; ++i)
    all += post(std::string(300'000, static_cast<char>('a' + i % 26)));
  const auto writer = std::async(std::launch::async, [&] { client.send_bytes(all); });
  ASSERT_TRUE(eventually([&] { return gateway_.metric("peal_blocked_total") > 0; }));
  EXPECT_LT(kept_->requests, kRequests);
  for (int i = 0; i < kRequests; ++i)
    EXPECT_TRUE(
        client.request("").ends_with(std::string(1000, static_cast<char>('a' + i % 26)) + ">"));
}

TEST(Shard, BytesBehindTheUpgradeGoToTheSession) {
  LocalGateway gateway;
  gateway.start();
  SocketClient client(gateway.port());
  std::string all =
      "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\xa5";
  all += std::string(4, '\0') + R"({"id":1,"action":"ping","payload":{}})";
  client.send_bytes(all);
  EXPECT_EQ(client.request("").substr(0, 12), "HTTP/1.1 101");
  EXPECT_EQ(client.receive(), R"({"id":1,"result":{}})");
}

TEST(Shard, SpeaksTlsWithBigMessagesBothWaysAndASlowReader) {
  const Certificate certificate;
  LocalGateway gateway;
  gateway.config.tls = gateway::TlsContext::make(certificate.file(), certificate.key()).value();
  gateway.config.limits.queue_bytes_max = 64 * 1024 * 1024;
  gateway.start();
  SocketClient client(gateway.port(), {.receive_buffer = 4096, .tls = true});
  client.upgrade();
  client.subscribe("a");
  const std::string big = "\"" + std::string(400'000, 'y') + "\"";
  for (int i = 0; i < 8; ++i)
    client.send_text(R"({"action":"publish","payload":{"channel":"a","message":)" + big + "}}");
  ASSERT_TRUE(eventually([&] { return gateway.metric("peal_encodes_total") == 8; }));
  EXPECT_GT(gateway.metric("peal_blocked_total"), 0);
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(client.receive(), R"({"event":"message","channel":"a","message":)" + big + "}");
  // Many small messages in one record leave bytes in OpenSSL that no readiness announces.
  for (int i = 0; i < 300; ++i)
    client.send_text(R"({"id":9,"action":"ping","payload":{}})");
  for (int i = 0; i < 300; ++i)
    EXPECT_EQ(client.receive(), R"({"id":9,"result":{}})");
  client.send_frame(gateway::websocket::Opcode::close, std::string("\x03\xe8", 2));
  EXPECT_EQ(client.receive_close(), 1000);
}

TEST(Shard, APlainClientOnATlsPortIsDroppedAndAHalfHandshakeTimesOut) {
  const Certificate certificate;
  LocalGateway gateway;
  gateway.config.tls = gateway::TlsContext::make(certificate.file(), certificate.key()).value();
  gateway.config.limits.handshake_timeout = milliseconds(150);
  gateway.start();
  SocketClient plain(gateway.port()), silent(gateway.port());
  plain.send_bytes("GET / HTTP/1.1\r\n\r\n");
  plain.read_all();
  EXPECT_EQ(silent.read_all(), "");
  EXPECT_TRUE(eventually([&] { return gateway.metric("peal_connections") == 0; }));
}

TEST(Shard, AnUnreadableCertificateIsAnErrorThatNamesTheFile) {
  const auto made = gateway::TlsContext::make("/nowhere/certificate.pem", "/nowhere/key.pem");
  ASSERT_TRUE(made.has_error());
  EXPECT_NE(made.error().message.find("/nowhere/certificate.pem"), std::string::npos);
  const Certificate one, other;
  const auto mismatched = gateway::TlsContext::make(one.file(), other.key());
  ASSERT_TRUE(mismatched.has_error());
  EXPECT_NE(mismatched.error().message.find(other.key()), std::string::npos);
}

/// Another language on the same seam: "sub X", "pub X TEXT"; pushes are binary "X TEXT".
class PlainProtocol final : public gateway::Protocol {
 public:
  std::string_view subprotocol() const override { return "plain"; }
  bool text() const override { return false; }
  std::optional<gateway::CommandError> decode(std::string_view message,
                                              gateway::Command& command) override {
    command = {};
    command.id = 1;
    const std::size_t space = message.find(' ', 4);
    command.action =
        message.starts_with("sub") ? gateway::Action::subscribe : gateway::Action::publish;
    command.channel = message.substr(4, space == std::string_view::npos ? space : space - 4);
    if (space != std::string_view::npos)
      command.publish.publication.payload = message.substr(space + 1);
    return std::nullopt;
  }
  void encode_reply(std::string& out, std::uint64_t, const gateway::ReplyBody& reply) override {
    out += std::holds_alternative<Error>(reply) ? "no" : "ok";
  }
  void encode_list(std::string&, std::span<const PublicationView>) override {}
  void encode_push(std::string& out, const gateway::Push& push) override {
    if (const auto* message = std::get_if<gateway::MessagePush>(&push))
      out.append(message->channel).append(" ").append(message->publication->payload);
  }
};

TEST(Shard, TwoProtocolsShareAChannelAndEachIsEncodedOnce) {
  LocalGateway gateway;
  gateway.protocols.push_back([](const Limits&) { return std::make_unique<PlainProtocol>(); });
  gateway.start();
  std::vector<SocketClient> json, plain;
  for (int i = 0; i < 3; ++i) {
    json.emplace_back(gateway.port());
    json.back().upgrade();
    json.back().subscribe("a");
    plain.emplace_back(gateway.port());
    const std::string answer = plain.back().request(
        "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Protocol: plain\r\n\r\n");
    ASSERT_NE(answer.find("Sec-WebSocket-Protocol: plain"), std::string::npos);
    plain.back().send_text("sub a");
    EXPECT_EQ(plain.back().receive(), "ok");
  }
  plain[0].send_text("pub a [7]");
  for (auto& client : json)
    EXPECT_EQ(client.receive(), R"({"event":"message","channel":"a","message":[7]})");
  EXPECT_EQ(plain[1].receive(), "a [7]");
  EXPECT_EQ(plain[2].receive(), "a [7]");
  EXPECT_EQ(gateway.metric("peal_encodes_total"), 2);
  EXPECT_EQ(gateway.metric("peal_deliveries_total"), 6);
}

TEST(Shard, SeveralShardsHearEachOther) {
  LocalGateway gateway;
  gateway.config.shards = 3;
  gateway.start();
  std::vector<SocketClient> clients;
  for (int i = 0; i < 12; ++i) {
    clients.emplace_back(gateway.port());
    clients.back().upgrade();
    for (const char* channel : {"a", "b", "c", "d"})
      clients.back().subscribe(channel);
  }
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const std::string channel(1, static_cast<char>('a' + i % 4));
    clients[i].send_text(R"({"action":"publish","payload":{"channel":")" + channel +
                         R"(","message":1}})");
    for (auto& client : clients)
      EXPECT_EQ(client.receive(),
                R"({"event":"message","channel":")" + channel + R"(","message":1})");
  }
  clients.clear();
  EXPECT_TRUE(eventually([&] { return gateway.metric("peal_subscriptions") == 0; }));
}

TEST(Shard, ListsSessionsPageByPageAndDisconnectsOne) {
  LocalGateway gateway;
  gateway.config.shards = 2;
  gateway.start();
  std::vector<SocketClient> clients;
  for (int i = 0; i < 7; ++i) {
    clients.emplace_back(gateway.port());
    clients.back().upgrade();
    clients.back().subscribe("a");
  }
  std::vector<gateway::SessionInfo> all;
  std::string after;
  do {
    std::promise<gateway::SessionPage> page;
    gateway.shards().sessions(after, 3,
                              [&](gateway::SessionPage got) { page.set_value(std::move(got)); });
    const gateway::SessionPage got = page.get_future().get();
    EXPECT_LE(got.sessions.size(), 3u);
    all.insert(all.end(), got.sessions.begin(), got.sessions.end());
    after = got.next;
  } while (!after.empty());
  ASSERT_EQ(all.size(), 7u);
  for (const auto& session : all) {
    EXPECT_EQ(session.subscriptions, 1u);
    EXPECT_EQ(session.protocol, "peal.json.v1");
    EXPECT_EQ(session.peer.rfind("127.0.0.1:", 0), 0u);
  }
  const std::string mine = clients[0].command("connect", "{}");
  EXPECT_NE(mine.find("command_invalid"), std::string::npos);  // it has subscribed before
  const auto disconnect = [&](const std::string& id) {
    std::promise<bool> found;
    gateway.shards().disconnect(id, CloseCode::disconnected_for_good, "go",
                                [&](bool was) { found.set_value(was); });
    return found.get_future().get();
  };
  for (const auto& session : all)
    EXPECT_TRUE(disconnect(session.id));
  EXPECT_FALSE(disconnect(all[0].id));
  EXPECT_FALSE(disconnect("nonsense"));
  for (auto& client : clients)
    EXPECT_EQ(client.receive_close(), 3500);
}

/// Drains a gateway with clients; how far apart the first and the last of them saw their Close.
milliseconds spread_of_a_drain(milliseconds time) {
  LocalGateway gateway;
  gateway.start();
  std::vector<SocketClient> clients;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back(gateway.port());
    clients.back().upgrade();
  }
  SocketClient idle(gateway.port());
  idle.request("GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  std::promise<void> drained;
  gateway.shards().drain(time, [&] { drained.set_value(); });
  std::vector<std::chrono::steady_clock::time_point> closed;
  for (auto& client : clients) {
    EXPECT_EQ(client.receive_close(), 1012);
    client.close();
    closed.push_back(std::chrono::steady_clock::now());
  }
  idle.read_all();
  idle.close();
  drained.get_future().get();
  EXPECT_THROW(SocketClient(gateway.port()), std::runtime_error);
  EXPECT_EQ(gateway.metric("peal_sessions"), 0);
  return std::chrono::duration_cast<milliseconds>(closed.back() - closed.front());
}

TEST(Shard, DrainStopsAcceptingAndSpreadsTheCloses) {
  // On a busy machine this side may look only when all are closed, but not each time for longer.
  milliseconds time(400);
  while (spread_of_a_drain(time) < time / 4 && !HasFailure()) {
    time *= 4;
    ASSERT_LT(time, std::chrono::seconds(10));
  }
}

TEST(Shard, PublishesFromAnyThreadAndSaysWhenItHasStopped) {
  LocalGateway gateway;
  gateway.start();
  SocketClient client(gateway.port());
  client.upgrade();
  client.subscribe("a");
  std::vector<std::thread> threads;
  std::atomic<int> done{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        Publication publication;
        publication.payload = "1";
        gateway.shards().publish("a", publication, [&](const bus::Published& outcome) {
          EXPECT_EQ(outcome.status, bus::Published::Status::ok);
          ++done;
        });
      }
    });
  for (auto& thread : threads)
    thread.join();
  for (int i = 0; i < 200; ++i)
    client.receive();
  EXPECT_TRUE(eventually([&] { return done == 200; }));
  EXPECT_TRUE(eventually([&] { return gateway.shards().healthy(std::chrono::seconds(2)); }));
  gateway.stop();
  bus::Published::Status status = bus::Published::Status::ok;
  gateway.shards().publish("a", {},
                           [&](const bus::Published& outcome) { status = outcome.status; });
  EXPECT_EQ(status, bus::Published::Status::refused);
}

TEST(Shard, APortInUseIsAnErrorThatNamesIt) {
  LocalGateway first;
  first.start();
  LocalGateway second;
  second.config.listen = first.address();
  try {
    second.start();
    FAIL() << "two gateways on one port";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find(first.address()), std::string::npos);
  }
}

}  // namespace
}  // namespace peal::test
