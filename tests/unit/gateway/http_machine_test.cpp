#include "http/http_machine.hpp"

#include <gtest/gtest.h>

#include "http/percent.hpp"
#include "http/text.hpp"

namespace peal::gateway::http {
namespace {

/// Feeds bytes as a connection does: what the machine leaves stays and is offered again.
class Feeder {
 public:
  explicit Feeder(const Limits& limits = {}) : machine(limits) {}
  void feed(std::string_view bytes) {
    buffer_.append(bytes);
    while (!error) {
      const auto step = machine.feed(buffer_);
      buffer_.erase(0, step.consumed);
      if (step.continue_expected) ++continues;
      if (step.error) error = step.error;
      if (step.request == nullptr) return;
      const Request& r = *step.request;
      seen.push_back(std::string(r.method) + ' ' + r.path + '?' + std::string(r.query) +
                     " host=" + std::string(r.header("HOST")) + " body=" + std::string(r.body) +
                     (r.keep_alive ? " keep" : " close"));
      machine.next();
    }
  }
  HttpMachine machine;
  std::vector<std::string> seen;
  std::optional<Error> error;
  int continues = 0;

 private:
  std::string buffer_;
};

TEST(HttpMachine, ReadsPipelinedRequestsTheSameHoweverTheyAreSplit) {
  const std::string bytes =
      "GET /a%20b?x=1&y=%20 HTTP/1.1\r\nHost: one\r\n\r\n"
      "POST /channels/r HTTP/1.1\r\nhost: two\r\nContent-Length: 5\r\n\r\nhello"
      "POST /c HTTP/1.1\r\nHost: three\r\nTransfer-Encoding: "
      "chunked\r\n\r\n4\r\nwiki\r\n2;x=y\r\nas\r\n0\r\n\r\n"
      "GET http://four/abs HTTP/1.1\r\nHost: four\r\nConnection: close\r\n\r\n";
  const std::vector<std::string> expected = {
      "GET /a b?x=1&y=%20 host=one body= keep", "POST /channels/r? host=two body=hello keep",
      "POST /c? host=three body=wikias keep", "GET /abs? host=four body= close"};
  Feeder whole;
  whole.feed(bytes);
  EXPECT_EQ(whole.seen, expected);
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    Feeder feeder;
    feeder.feed(std::string_view(bytes).substr(0, cut));
    feeder.feed(std::string_view(bytes).substr(cut));
    ASSERT_EQ(feeder.seen, expected) << "cut at " << cut;
  }
}

TEST(HttpMachine, LeavesWhatComesBehindARequestUntilTheNext) {
  HttpMachine machine{Limits{}};
  const std::string first = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const auto step = machine.feed(first + "GET /2 HTTP/1.1\r\n");
  EXPECT_EQ(step.consumed, first.size());
  ASSERT_NE(step.request, nullptr);
  EXPECT_EQ(step.request->path, "/");
}

TEST(HttpMachine, ReadsALastChunkThatComesByteByByte) {
  Feeder feeder;
  for (const char c :
       std::string("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")) {
    feeder.feed({&c, 1});
  }
  EXPECT_EQ(feeder.seen.size(), 1U);
}

TEST(HttpMachine, RefusesWhatIsNoRequest) {
  for (const std::string_view bytes :
       {"\x16\x03\x01\x02\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nbad header\r\n\r\n", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /%2 HTTP/1.1\r\nHost: a\r\n\r\n", "GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    Feeder feeder;
    feeder.feed(bytes);
    ASSERT_TRUE(feeder.error) << bytes;
    EXPECT_EQ(feeder.error->code, ErrorCode::request_invalid) << bytes;
    EXPECT_TRUE(feeder.seen.empty()) << bytes;
  }
}

TEST(HttpMachine, NamesTheLimitThatIsHit) {
  Limits limits;
  limits.header_bytes_max = 200;
  limits.command_bytes_max = 10;
  Feeder header(limits);
  header.feed("GET / HTTP/1.1\r\nX: " + std::string(300, 'x'));
  ASSERT_TRUE(header.error);
  EXPECT_EQ(header.error->code, ErrorCode::header_too_large);
  EXPECT_NE(header.error->message.find("limits.header_bytes_max"), std::string::npos);

  Feeder declared(limits);
  declared.feed("POST / HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n");
  ASSERT_TRUE(declared.error) << "refused before any byte of it came";
  EXPECT_EQ(declared.error->code, ErrorCode::body_too_large);
  Feeder chunked(limits);
  chunked.feed(
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n");
  ASSERT_TRUE(chunked.error);
  EXPECT_EQ(chunked.error->code, ErrorCode::body_too_large);
}

TEST(HttpMachine, RefusesARequestWithTwoHosts) {
  Feeder feeder;
  feeder.feed("GET / HTTP/1.1\r\nHost: localhost\r\nhost: evil\r\n\r\n");
  ASSERT_TRUE(feeder.error);
  EXPECT_EQ(feeder.error->code, ErrorCode::request_invalid);
  EXPECT_TRUE(feeder.seen.empty());
}

TEST(HttpMachine, TakesNoHeaderThatItsParserCantHold) {
  Limits limits;
  limits.header_bytes_max = 1'000'000;
  Feeder feeder(limits);
  feeder.feed("GET / HTTP/1.1\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n");
  ASSERT_TRUE(feeder.error);
  EXPECT_EQ(feeder.error->code, ErrorCode::header_too_large);
}

TEST(HttpMachine, HoldsNoChunkHeaderOrTrailerAboveTheLimit) {
  Limits limits;
  limits.header_bytes_max = 200;
  const std::string begin = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string& part : {begin + "5;", begin + "5\r\nhello\r\n0\r\nX: "}) {
    Feeder feeder(limits);
    feeder.feed(part);
    for (int i = 0; i < 30 && !feeder.error; ++i)
      feeder.feed("0123456789");
    ASSERT_TRUE(feeder.error) << part;
    EXPECT_EQ(feeder.error->code, ErrorCode::header_too_large);
  }
}

TEST(HttpMachine, TellsThatTheClientWaitsForA100Once) {
  Feeder feeder;
  feeder.feed("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(feeder.continues, 1);
  EXPECT_TRUE(feeder.machine.in_body());
  feeder.feed("o");
  feeder.feed("k");
  EXPECT_EQ(feeder.continues, 1);
  EXPECT_EQ(feeder.seen.size(), 1U);
  EXPECT_FALSE(feeder.machine.in_body());
}

std::string written(const Response& response, bool keep_alive = true) {
  std::string out;
  append_response(out, response, keep_alive);
  const auto date = out.find("Date: ");
  EXPECT_NE(date, std::string::npos);
  if (date != std::string::npos) out.erase(date, out.find("\r\n", date) + 2 - date);
  return out;
}

TEST(HttpResponse, HasItsLengthAndSaysWhetherTheConnectionStays) {
  EXPECT_EQ(written({200, {{"Content-Type", "text/plain"}}, "hi"}),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: "
            "keep-alive\r\n\r\nhi");
  EXPECT_EQ(written({.status = 200, .headers = {}, .body = "hi", .head_only = true}, false),
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(written({304, {{"ETag", "\"x\""}}, ""}),
            "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(written({101, {{"Upgrade", "websocket"}}, ""}),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");
}

TEST(HttpResponse, LetsNoHeaderValueStartALine) {
  EXPECT_EQ(written({204, {{"X", "a\r\nSet-Cookie: b"}}, ""}),
            "HTTP/1.1 204 No Content\r\nX: aSet-Cookie: b\r\nConnection: keep-alive\r\n\r\n");
}

TEST(HttpResponse, TellsProblemsWithTheCodeOfTheOneTable) {
  const Response response = problem(fail(ErrorCode::broker_unavailable, "no \"link\""));
  EXPECT_EQ(response.status, 503U);
  EXPECT_EQ(
      response.body,
      R"({"type":"about:blank","title":"No broker can be reached; nothing was appended","status":503,)"
      R"("code":"broker_unavailable","detail":"no \"link\"","temporary":true})");
  EXPECT_EQ(response.headers.front().second, "application/problem+json");
}

TEST(HttpText, DecodesPercentsAndReadsLists) {
  EXPECT_EQ(percent_decode("a%2Fb%c3%BC"), "a/b\xc3\xbc");
  EXPECT_EQ(percent_decode("%"), std::nullopt);
  EXPECT_EQ(percent_decode("%4g"), std::nullopt);
  EXPECT_TRUE(has_token("keep-alive, Upgrade", "upgrade"));
  EXPECT_FALSE(has_token("upgraded", "upgrade"));
  EXPECT_FALSE(has_token("", "upgrade"));
}

}  // namespace
}  // namespace peal::gateway::http
