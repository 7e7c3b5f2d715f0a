// A channel as a resource, over real sockets and the embedded core.
#include "http/resource_face.hpp"

#include <gtest/gtest.h>

#include <atomic>

#include "eventually.hpp"
#include "http_client.hpp"
#include "local_gateway.hpp"
#include "socket_client.hpp"

namespace peal::gateway {
namespace {

using test::HttpAnswer;
using test::LocalGateway;
using test::SocketClient;
using Headers = std::vector<std::string>;

class ResourceTest : public ::testing::Test {
 protected:
  ResourceTest() {
    ChannelRule open;
    open.pattern = "doc*";
    open.subscribe = open.publish = "anyone";
    open.recoverable = true;
    ChannelRule strict = open;
    strict.pattern = "strict*";
    strict.require_match = true;
    ChannelRule cached = open;
    cached.pattern = "cached*";
    cached.public_cache = true;
    cached.cache_max_age = std::chrono::seconds(30);
    ChannelRule secret = open;
    secret.pattern = "secret*";
    secret.subscribe = "key:reader";
    gateway.keys = {{"reader", "s3cret"}};
    gateway.rules.insert(gateway.rules.begin(), {open, strict, cached, secret});
    gateway.options_of = [](std::string_view channel) {
      broker::ChannelOptions options;
      options.recoverable = !channel.starts_with("room");
      options.history_length_max = 10'000;
      return options;
    };
    gateway.start();
  }
  HttpAnswer ask(std::string_view method, std::string_view target, std::string_view body = {},
                 const Headers& headers = {}) {
    return test::ask(gateway.port(), method, target, body, headers);
  }
  HttpAnswer get(std::string_view target, const Headers& headers = {}) {
    return ask("GET", target, {}, headers);
  }

  LocalGateway gateway;
};

TEST_F(ResourceTest, IsTheLastPublicationWithItsPositionAsTag) {
  EXPECT_EQ(get("/channels/doc").status, 404U);
  const HttpAnswer posted = ask("POST", "/channels/doc", R"({"n": 1.0})");
  const HttpAnswer value = get("/channels/doc");
  EXPECT_EQ(value.status, 200U);
  EXPECT_EQ(value.body, R"({"n": 1.0})");
  EXPECT_EQ(value.header("Content-Type"), "application/json");
  EXPECT_EQ(value.header("ETag"), '"' + posted.member("epoch") + "-1\"");
  EXPECT_EQ(value.header("ETag"), posted.header("ETag"));
  EXPECT_EQ(value.header("Cache-Control"), "private, no-cache");
  EXPECT_EQ(value.header("Vary"), "Accept, Origin");
  EXPECT_EQ(get("/channels/cached").header("Cache-Control"), "no-store") << "of a 404";
  ask("POST", "/channels/cached", "1");
  EXPECT_EQ(get("/channels/cached").header("Cache-Control"), "public, max-age=30");
}

TEST_F(ResourceTest, AnswersHeadWithTheLengthAndNoBody) {
  ask("POST", "/channels/doc", "[1,2,3]");
  const HttpAnswer head = ask("HEAD", "/channels/doc");
  EXPECT_EQ(head.status, 200U);
  EXPECT_EQ(head.header("Content-Length"), "7");
  EXPECT_EQ(head.body, "");
}

TEST_F(ResourceTest, IsNotSentAgainToWhoHasIt) {
  ask("POST", "/channels/doc", "1");
  const std::string tag = get("/channels/doc").header("ETag");
  for (const std::string& line : {tag, "W/" + tag, "\"x\", " + tag, std::string("*"),
                                  tag.substr(0, tag.size() - 1) + ";gzip\""}) {
    const HttpAnswer same = get("/channels/doc", {"If-None-Match: " + line});
    EXPECT_EQ(same.status, 304U) << line;
    EXPECT_EQ(same.body, "");
    EXPECT_EQ(same.header("ETag"), tag);
    EXPECT_EQ(same.header("Vary"), "Accept, Origin");
  }
  EXPECT_EQ(get("/channels/doc", {"If-None-Match: \"x\""}).status, 200U);
  EXPECT_EQ(get("/channels/doc", {"If-Match: \"x\""}).status, 412U);
  EXPECT_EQ(get("/channels/doc", {"If-None-Match: x"}).status, 400U);
  ask("POST", "/channels/doc", "2");
  EXPECT_EQ(get("/channels/doc", {"If-None-Match: " + tag}).body, "2");
}

TEST_F(ResourceTest, KeepsTypesByteForByte) {
  const std::string bytes("\0\xff\r\n\"x", 6);
  for (const std::string type : {"text/plain;charset=UTF-8", "application/octet-stream",
                                 "application/ld+json; profile=\"x\"", "IMAGE/x-Own"}) {
    const bool json = type.find("json") != std::string::npos;
    const std::string body = json ? "{\"a\" :1}" : bytes;
    EXPECT_EQ(ask("PUT", "/channels/doc", body, {"Content-Type: " + type}).status / 100, 2U);
    const HttpAnswer value = get("/channels/doc");
    EXPECT_EQ(value.header("Content-Type"), type);
    EXPECT_EQ(value.body, body);
    EXPECT_EQ(value.header("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(value.header("Content-Security-Policy"), "sandbox");
  }
  EXPECT_EQ(ask("PUT", "/channels/doc", "{", {"Content-Type: application/ld+json"}).status, 400U);
}

TEST_F(ResourceTest, SaysWhatWasCreated) {
  const HttpAnswer created = ask("PUT", "/channels/doc", "1");
  EXPECT_EQ(created.status, 201U);
  EXPECT_EQ(created.member("offset"), "1");
  EXPECT_EQ(created.header("ETag"), '"' + created.member("epoch") + "-1\"");
  const HttpAnswer changed = ask("PUT", "/channels/doc", "2");
  EXPECT_EQ(changed.status, 200U);
  EXPECT_EQ(changed.member("offset"), "2");
  EXPECT_EQ(ask("DELETE", "/channels/doc").status, 204U);
  EXPECT_EQ(ask("PUT", "/channels/doc", "3").status, 201U);
}

TEST_F(ResourceTest, IsGoneWhenDeletedAndAbsentBefore) {
  EXPECT_EQ(ask("DELETE", "/channels/doc").status, 404U);
  ask("PUT", "/channels/doc", "1");
  const HttpAnswer deleted = ask("DELETE", "/channels/doc");
  EXPECT_EQ(deleted.status, 204U);
  EXPECT_EQ(deleted.body, "");
  const HttpAnswer gone = get("/channels/doc");
  EXPECT_EQ(gone.status, 410U);
  EXPECT_EQ(gone.member("code"), "gone");
  EXPECT_EQ(gone.member("offset"), "2");
  EXPECT_EQ(ask("DELETE", "/channels/doc").status, 410U);
  EXPECT_EQ(ask("PUT", "/channels/doc", "2", {"If-Match: *"}).status, 412U);
  EXPECT_EQ(ask("PUT", "/channels/doc", "2", {"If-None-Match: *"}).status, 201U);
}

TEST_F(ResourceTest, ChangesOnlyWhatWasExpected) {
  const std::string first =
      ask("PUT", "/channels/doc", R"("a")", {"If-None-Match: *"}).header("ETag");
  const HttpAnswer exists = ask("PUT", "/channels/doc", R"("b")", {"If-None-Match: *"});
  EXPECT_EQ(exists.status, 412U);
  EXPECT_EQ(exists.body, R"("a")") << "the loser is told the value";
  EXPECT_EQ(exists.header("ETag"), first);
  EXPECT_EQ(exists.header("Content-Location"), "/channels/doc");
  EXPECT_EQ(exists.header("Content-Type"), "application/json");

  const HttpAnswer second = ask("PUT", "/channels/doc", R"("b")", {"If-Match: " + first});
  EXPECT_EQ(second.status, 200U);
  const HttpAnswer late = ask("PUT", "/channels/doc", R"("c")", {"If-Match: " + first});
  EXPECT_EQ(late.status, 412U);
  EXPECT_EQ(late.body, R"("b")");
  EXPECT_EQ(late.header("ETag"), second.header("ETag"));
  EXPECT_EQ(ask("DELETE", "/channels/doc", {}, {"If-Match: " + first}).status, 412U);
  EXPECT_EQ(ask("PUT", "/channels/doc", R"("c")", {"If-Match: \"strange\""}).status, 412U);
  EXPECT_EQ(
      ask("PUT", "/channels/doc", R"("c")", {"If-Match: " + first + ", W/" + second.header("ETag")})
          .status,
      200U)
      << "one of a list";
  EXPECT_EQ(get("/channels/doc").body, R"("c")");
}

TEST_F(ResourceTest, JudgesConditionsThatComeTogether) {
  const std::string tag = ask("PUT", "/channels/doc", "1").header("ETag");
  const auto put = [&](const Headers& headers) {
    return ask("PUT", "/channels/doc", "2", headers).status;
  };
  EXPECT_EQ(put({"If-Match: *", "If-None-Match: *"}), 412U);
  EXPECT_EQ(put({"If-Match: " + tag, "If-None-Match: " + tag}), 412U);
  EXPECT_EQ(put({"If-None-Match: " + tag}), 412U);
  EXPECT_EQ(put({"If-Match: " + tag, "If-None-Match: \"other\""}), 200U);
  EXPECT_EQ(put({"If-None-Match: " + tag}), 200U) << "it is another one now";
  EXPECT_EQ(put({"If-Match: nonsense"}), 400U);
  EXPECT_EQ(put({"If-Match: *, \"a\""}), 400U);
  EXPECT_EQ(put({"Content-Range: bytes 0-0/*"}), 400U) << "no parts of a value";
}

TEST_F(ResourceTest, WantsAConditionWhereTheRuleSays) {
  EXPECT_EQ(ask("PUT", "/channels/strict", "1").status, 428U);
  EXPECT_EQ(ask("DELETE", "/channels/strict").status, 428U);
  const HttpAnswer created = ask("PUT", "/channels/strict", "1", {"If-None-Match: *"});
  EXPECT_EQ(created.status, 201U);
  EXPECT_EQ(ask("PUT", "/channels/strict", "2", {"If-Match: " + created.header("ETag")}).status,
            200U);
  EXPECT_EQ(ask("POST", "/channels/strict", "3").status, 200U) << "an event, no value to lose";
}

TEST_F(ResourceTest, IsPutOnceHoweverOftenItIsSent) {
  const Headers key = {"Idempotency-Key: op-1", "If-None-Match: *"};
  const HttpAnswer first = ask("PUT", "/channels/doc", "1", key);
  const HttpAnswer again = ask("PUT", "/channels/doc", "1", key);
  EXPECT_EQ(first.status, 201U);
  EXPECT_EQ(again.status, 201U);
  EXPECT_EQ(again.header("ETag"), first.header("ETag"));
  EXPECT_EQ(again.member("duplicate"), "true");
  EXPECT_EQ(ask("PUT", "/channels/doc", "2", key).status, 422U);
  EXPECT_EQ(ask("PUT", "/channels/doc", "1", {"Idempotency-Key: " + std::string(256, 'k')}).status,
            400U);
}

TEST_F(ResourceTest, HasSeveralFormsOnOneUri) {
  ask("PUT", "/channels/doc", R"({"a":"<b>"})");
  const auto type = [&](const char* accept) {
    const HttpAnswer answer = get("/channels/doc", {std::string("Accept: ") + accept});
    return answer.status == 200U ? answer.header("Content-Type") : std::to_string(answer.status);
  };
  EXPECT_EQ(type("*/*"), "application/json");
  EXPECT_EQ(type("application/json"), "application/json");
  EXPECT_EQ(type("text/html, application/json;q=0.9"), "text/html; charset=utf-8");
  EXPECT_EQ(type("text/html,application/xhtml+xml,*/*;q=0.8"), "text/html; charset=utf-8");
  EXPECT_EQ(type("text/html;q=0.1, application/*"), "application/json");
  EXPECT_EQ(type("image/png"), "406");
  const HttpAnswer page = get("/channels/doc", {"Accept: text/html"});
  EXPECT_NE(page.body.find("{&quot;a&quot;:&quot;&lt;b&gt;&quot;}"), std::string::npos);
  EXPECT_EQ(page.header("Vary"), "Accept, Origin");
  EXPECT_NE(page.header("ETag").find(";html\""), std::string::npos);
  const Headers has_page = {"If-None-Match: " + page.header("ETag")};
  EXPECT_EQ(get("/channels/doc", has_page).status, 200U) << "the page is not the value";
  EXPECT_EQ(get("/channels/doc", {has_page[0], "Accept: text/html"}).status, 304U);
  EXPECT_EQ(ask("PUT", "/channels/doc", "2", {"If-Match: " + page.header("ETag")}).status, 200U);
  EXPECT_EQ(get("/channel.js").header("Content-Type"), "text/javascript; charset=utf-8");
}

TEST_F(ResourceTest, TellsBrowsersWhatPagesElsewhereMayDo) {
  LocalGateway open;
  open.rules = gateway.rules;
  open.keys = gateway.keys;
  open.options_of = gateway.options_of;
  open.allowed_origins = {"https://app.example"};
  open.start();
  const Headers origin = {"Origin: https://app.example"};
  const HttpAnswer asked = test::ask(open.port(), "OPTIONS", "/channels/doc", {}, origin);
  EXPECT_EQ(asked.status, 204U);
  EXPECT_EQ(asked.header("Access-Control-Allow-Origin"), "https://app.example");
  EXPECT_EQ(asked.header("Access-Control-Allow-Methods"), "GET, HEAD, POST, PUT, DELETE");
  EXPECT_NE(asked.header("Access-Control-Allow-Headers").find("If-Match"), std::string::npos);
  const HttpAnswer file = test::ask(open.port(), "OPTIONS", "/files/doc", {}, origin);
  EXPECT_NE(file.header("Access-Control-Allow-Headers").find("Content-Range"), std::string::npos);
  const HttpAnswer put = test::ask(open.port(), "PUT", "/channels/doc", "1", origin);
  EXPECT_EQ(put.status, 201U);
  EXPECT_NE(put.header("Access-Control-Expose-Headers").find("ETag"), std::string::npos);
  EXPECT_EQ(put.header("Vary"), "Origin");
  EXPECT_EQ(test::ask(open.port(), "GET", "/channels/doc", {}, origin).header("Vary"),
            "Accept, Origin");
  EXPECT_EQ(
      test::ask(open.port(), "PUT", "/channels/doc", "2", {"Origin: https://else.example"}).status,
      403U);
}

TEST_F(ResourceTest, TellsWatchersWhatWasPutAndDeleted) {
  SocketClient watcher(gateway.port());
  watcher.upgrade();
  watcher.subscribe("doc");
  ask("PUT", "/channels/doc", "[1]");
  EXPECT_EQ(watcher.receive(), R"({"event":"message","channel":"doc","offset":1,"message":[1]})");
  ask("DELETE", "/channels/doc");
  EXPECT_EQ(watcher.receive(), R"({"event":"message","channel":"doc","offset":2,"delete":true})");
}

TEST_F(ResourceTest, ShowsLosersOnlyWhatTheyMayRead) {
  const std::string tag = ask("PUT", "/channels/secret", R"("x")").header("ETag");
  EXPECT_EQ(get("/channels/secret").status, 403U);
  const HttpAnswer refused = ask("PUT", "/channels/secret", "1", {"If-None-Match: *"});
  EXPECT_EQ(refused.status, 412U);
  EXPECT_EQ(refused.header("Content-Type"), "application/problem+json");
  EXPECT_EQ(refused.body.find("\"x\""), std::string::npos);
  EXPECT_EQ(get("/channels/secret", {"Authorization: Bearer s3cret"}).body, R"("x")");
}

TEST_F(ResourceTest, PagesThroughItsHistory) {
  std::string epoch;
  for (int i = 1; i <= 5; ++i)
    epoch = ask("POST", "/channels/doc", std::to_string(i)).member("epoch");
  const std::string since = "/channels/doc?since=" + epoch;
  const HttpAnswer page = get(since + "-2&limit=2");
  EXPECT_EQ(page.status, 200U);
  EXPECT_NE(page.body.find(R"("publications":[{"offset":3,"message":3},{"offset":4,"message":4}])"),
            std::string::npos)
      << page.body;
  EXPECT_EQ(page.header("Cache-Control"), "private, no-store");
  EXPECT_NE(get(since + "-5").body.find(R"("publications":[])"), std::string::npos);
  EXPECT_NE(get("/channels/doc?since=start&limit=1").body.find(R"([{"offset":1,"message":1}])"),
            std::string::npos);
  EXPECT_NE(get("/channels/doc?reverse=true&limit=1").body.find(R"([{"offset":5,"message":5}])"),
            std::string::npos);
  const HttpAnswer lost = get("/channels/doc?since=00000000-2");
  EXPECT_EQ(lost.status, 410U);
  EXPECT_EQ(lost.member("code"), "position_lost");
  EXPECT_EQ(lost.member("epoch"), epoch);
  EXPECT_EQ(lost.member("offset"), "5");
  EXPECT_EQ(get(since + "-6").status, 410U) << "of the future";
  for (const char* query :
       {"since=", "since=x", "since=AAAAAAAA-", "since=AAAAAAAA--1",
        "since=AAAAAAAA-9223372036854775808", "since=start&limit=0", "since=start&limit=x",
        "since=start&limit=1001", "reverse=yes", "since=%4"})
    EXPECT_EQ(get("/channels/doc?" + std::string(query)).status, 400U) << query;
}

/// A chunked body put together; empty when it doesn't end as it must.
std::string dechunked(const std::string& body) {
  std::string whole;
  for (std::size_t at = 0;;) {
    const std::size_t size = std::stoul(body.substr(at), nullptr, 16);
    at = body.find("\r\n", at) + 2;
    if (size == 0) return body.substr(at) == "\r\n" ? whole : "";
    whole += body.substr(at, size);
    at += size + 2;
  }
}

TEST_F(ResourceTest, GivesTheLastOfEachKeyInOneBody) {
  ASSERT_EQ(get("/channels/doc").status, 404U) << "the bus is there";
  std::atomic<int> appended = 0;
  for (int i = 1; i <= 5000; ++i) {
    Publication publication;
    publication.payload = R"({"i":)" + std::to_string(i) + "}";
    publication.key = "k" + std::to_string(i % 4000);
    gateway.shards().publish("doc", std::move(publication), [&](const bus::Published& outcome) {
      if (!outcome.error) ++appended;
    });
    // No more on their way than the bus takes.
    if (i % 100 == 0) {
      ASSERT_TRUE(test::eventually([&] { return appended == i; }));
    }
  }
  const HttpAnswer state = get("/channels/doc?state");
  EXPECT_EQ(state.status, 200U);
  EXPECT_EQ(state.header("Transfer-Encoding"), "chunked");
  const std::string body = dechunked(state.body);
  EXPECT_TRUE(body.ends_with(R"(],"offset":5000})")) << body.substr(body.size() - 40);
  JsonReader reader;
  EXPECT_FALSE(reader.validate(body).has_error());
  const std::string wanted = "\"offset\":";
  std::size_t publications = 0;
  for (auto at = body.find(wanted); at != std::string::npos; at = body.find(wanted, at + 1))
    ++publications;
  EXPECT_EQ(publications, 4000U + 1U);
  EXPECT_EQ(ask("HEAD", "/channels/doc?state").body, "");
  EXPECT_EQ(get("/channels/room?state").status, 400U);
  SocketClient old(gateway.port());
  old.send_bytes("GET /channels/doc?state HTTP/1.0\r\nHost: localhost\r\n\r\n");
  const HttpAnswer unchunked = test::read_answer(old.read_all());
  EXPECT_EQ(unchunked.header("Transfer-Encoding"), "");
  EXPECT_EQ(unchunked.body, body);
}

TEST_F(ResourceTest, NoticesWhatIsTooLargeToBeTold) {
  SocketClient watcher(gateway.port());
  watcher.upgrade();
  watcher.subscribe("doc");
  const std::string large = '"' + std::string(gateway.config.limits.notice_bytes, 'x') + '"';
  EXPECT_EQ(ask("PUT", "/channels/doc", large).status, 201U);
  EXPECT_EQ(watcher.receive(), R"({"event":"message","channel":"doc","offset":1,"notice":true})");
  EXPECT_EQ(get("/channels/doc").body, large);
  watcher.subscribe("room");
  ask("POST", "/channels/room", large);
  EXPECT_GT(watcher.receive().size(), large.size()) << "there is nothing to fetch it from";
}

TEST_F(ResourceTest, IsNothingOnAChannelThatKeepsNoLog) {
  EXPECT_EQ(get("/channels/room").member("code"), "not_recoverable");
  EXPECT_EQ(ask("PUT", "/channels/room", "1").member("code"), "not_recoverable");
  EXPECT_EQ(ask("POST", "/channels/room", "1").status, 200U);
}

}  // namespace
}  // namespace peal::gateway
