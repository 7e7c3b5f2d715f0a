// A channel as a file, over real sockets and the embedded core.
#include "http/file_face.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>

#include "http_client.hpp"
#include "local_gateway.hpp"
#include "socket_client.hpp"

namespace peal::gateway {
namespace {

using test::HttpAnswer;
using test::LocalGateway;
using test::SocketClient;
using Headers = std::vector<std::string>;

class FileTest : public ::testing::Test {
 protected:
  FileTest() {
    ChannelRule open;
    open.pattern = "log*";
    open.subscribe = open.publish = "anyone";
    open.file = true;
    ChannelRule strict = open;
    strict.pattern = "strict*";
    strict.require_match = true;
    ChannelRule guarded = open;
    guarded.pattern = "guarded*";
    guarded.publish = "nobody";
    gateway.rules.insert(gateway.rules.begin(), {open, strict, guarded});
    gateway.options_of = [](std::string_view) {
      broker::ChannelOptions options;
      options.recoverable = options.refuse_when_full = true;
      options.history_age_max = std::chrono::seconds(0);
      options.history_length_max = 1'000'000;
      options.history_bytes_max = std::size_t{1} << 30U;
      return options;
    };
    gateway.config.limits.page_bytes_max = 1000;
    gateway.start();
  }
  HttpAnswer ask(std::string_view method, std::string_view target, std::string_view body = {},
                 const Headers& headers = {}) {
    return test::ask(gateway.port(), method, target, body, headers);
  }
  HttpAnswer get(std::string_view target, const Headers& headers = {}) {
    return ask("GET", target, {}, headers);
  }
  HttpAnswer append(std::string_view target, std::size_t at, std::string_view body,
                    Headers headers = {}) {
    headers.push_back("Content-Range: bytes " + std::to_string(at) + '-' +
                      std::to_string(at + body.size() - 1) + "/*");
    return ask("PUT", target, body, headers);
  }
  static std::string epoch_of(const HttpAnswer& answer) {
    return answer.header("ETag").substr(1, 8);
  }

  LocalGateway gateway;
};

TEST_F(FileTest, IsAllPayloadsAndThenItsEpoch) {
  EXPECT_EQ(get("/files/log").status, 404U);
  const HttpAnswer created = ask("PUT", "/files/log", "hello", {"If-None-Match: *"});
  EXPECT_EQ(created.status, 201U);
  const std::string epoch = epoch_of(created);
  const HttpAnswer appended = append("/files/log", 5, ", world");
  EXPECT_EQ(appended.status, 204U);
  EXPECT_EQ(appended.header("ETag"), '"' + epoch + "-2\"");
  const HttpAnswer whole = get("/files/log");
  EXPECT_EQ(whole.status, 200U);
  EXPECT_EQ(whole.body, "hello, world" + epoch);
  EXPECT_EQ(whole.header("ETag"), appended.header("ETag"));
  EXPECT_EQ(whole.header("Content-Length"), "20");
  EXPECT_EQ(whole.header("Accept-Ranges"), "bytes");
  EXPECT_EQ(whole.header("Content-Type"), "application/octet-stream");
  EXPECT_EQ(ask("HEAD", "/files/log").header("Content-Length"), "20");
  EXPECT_EQ(ask("HEAD", "/files/log").body, "");
  EXPECT_EQ(get("/files/log", {"If-None-Match: " + whole.header("ETag")}).status, 304U);
}

TEST_F(FileTest, GivesRanges) {
  const std::string tag = ask("PUT", "/files/log", "0123456789").header("ETag");
  const std::string epoch = tag.substr(1, 8);
  const auto range = [&](const std::string& header, const Headers& more = {}) {
    Headers headers = more;
    headers.push_back("Range: " + header);
    return get("/files/log", headers);
  };
  const HttpAnswer part = range("bytes=2-4");
  EXPECT_EQ(part.status, 206U);
  EXPECT_EQ(part.body, "234");
  EXPECT_EQ(part.header("Content-Range"), "bytes 2-4/18");
  EXPECT_EQ(range("bytes=8-").body, "89" + epoch);
  EXPECT_EQ(range("bytes=-8").body, epoch);
  EXPECT_EQ(range("bytes=9-11").body, "9" + epoch.substr(0, 2));
  EXPECT_EQ(range("bytes=12-13").body, epoch.substr(2, 2));
  EXPECT_EQ(range("bytes=0-99").body, "0123456789" + epoch);
  const HttpAnswer beyond = range("bytes=18-");
  EXPECT_EQ(beyond.status, 416U);
  EXPECT_EQ(beyond.header("Content-Range"), "bytes */18");
  for (const char* whole : {"bytes=5-2", "lines=1-2", "bytes=0-1,3-4", "bytes=x"}) {
    const HttpAnswer answer = range(whole);
    EXPECT_EQ(answer.status, 200U) << whole;
    EXPECT_EQ(answer.body, "0123456789" + epoch) << whole;
  }
  EXPECT_EQ(range("bytes=0-0", {"If-Range: " + tag}).status, 206U);
  EXPECT_EQ(range("bytes=0-0", {"If-Range: W/" + tag}).status, 200U);
  EXPECT_EQ(range("bytes=0-0", {"If-Range: \"other\""}).status, 200U);
  EXPECT_EQ(range("bytes=0-0", {"If-Range: Sat, 01 Jan 2000 00:00:00 GMT"}).status, 200U);
  EXPECT_EQ(ask("HEAD", "/files/log", {}, {"Range: bytes=0-0"}).header("Content-Length"), "18");
}

TEST_F(FileTest, ReadsAcrossPiecesAndPages) {
  std::string text;
  ask("PUT", "/files/log", "");
  for (int i = 0; i < 40; ++i) {
    std::string piece(static_cast<std::size_t>(1 + i * 37), static_cast<char>('a' + i % 26));
    ASSERT_EQ(append("/files/log", text.size(), piece).status, 204U) << i;
    text += piece;
  }
  const HttpAnswer whole = get("/files/log");
  ASSERT_EQ(whole.body.size(), text.size() + 8);
  text += whole.body.substr(text.size());
  EXPECT_EQ(whole.body, text);
  for (std::size_t first = 0; first < text.size(); first += 997) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{999}, std::size_t{5000}}) {
      const HttpAnswer part = get("/files/log", {"Range: bytes=" + std::to_string(first) + '-' +
                                                 std::to_string(first + size - 1)});
      EXPECT_EQ(part.body, text.substr(first, size));
    }
  }
}

TEST_F(FileTest, IsAppendedToOnlyAtItsEnd) {
  EXPECT_EQ(append("/files/log", 0, "x").status, 404U);
  const std::string first = ask("PUT", "/files/log", "12345").header("ETag");
  const HttpAnswer inside = append("/files/log", 4, "x");
  EXPECT_EQ(inside.status, 412U);
  EXPECT_EQ(inside.header("ETag"), first);
  EXPECT_EQ(inside.header("Content-Range"), "bytes */13");
  EXPECT_EQ(append("/files/log", 6, "x").status, 416U);
  EXPECT_EQ(append("/files/log", 5, "x", {"If-Match: \"other\""}).status, 412U);
  EXPECT_EQ(append("/files/log", 5, "x", {"If-Match: " + first}).status, 204U);
  EXPECT_EQ(append("/files/log", 5, "y", {"If-Match: " + first}).status, 412U);
  EXPECT_EQ(get("/files/log").body.substr(0, 6), "12345x");
}

TEST_F(FileTest, TakesTheEpochBehindAnAppendAndStoresItNot) {
  const std::string epoch = epoch_of(ask("PUT", "/files/log", "12345"));
  EXPECT_EQ(append("/files/log", 5, "67" + epoch).status, 204U);
  EXPECT_EQ(get("/files/log").body, "1234567" + epoch);
  EXPECT_EQ(append("/files/log", 7, epoch).status, 204U) << "nothing to append";
  EXPECT_EQ(get("/files/log").header("ETag"), '"' + epoch + "-2\"");
  const HttpAnswer copied = ask("PUT", "/files/log", "new" + epoch, {"If-Match: *"});
  EXPECT_EQ(copied.status, 204U);
  EXPECT_EQ(get("/files/log").body, "new" + epoch_of(copied));
}

TEST_F(FileTest, RefusesContentRangesThatAreWrong) {
  ask("PUT", "/files/log", "12345");
  for (const char* line : {"bytes 5-6/*", "bytes 5-4/*", "bytes a-b/*", "bytes 5-5/6", "bytes */*",
                           "lines 5-5/*", "5-5", ""}) {
    EXPECT_EQ(ask("PUT", "/files/log", "x", {"Content-Range: " + std::string(line)}).status, 400U)
        << line;
  }
  const Headers twice{"Content-Range: bytes 5-5/*", "Content-Range: bytes 5-5/*"};
  EXPECT_EQ(ask("PUT", "/files/log", "x", twice).status, 400U);
  EXPECT_EQ(append("/files/log", 5, "x", {"Idempotency-Key: a", "Idempotency-Key: b"}).status,
            400U);
  EXPECT_EQ(get("/files/log").body.size(), 13U);
}

TEST_F(FileTest, BeginsANewEpochWhenReplaced) {
  const std::string first = ask("PUT", "/files/log", "one").header("ETag");
  append("/files/log", 3, "two");
  EXPECT_EQ(ask("PUT", "/files/log", "x", {"If-Match: " + first}).status, 412U);
  EXPECT_EQ(ask("PUT", "/files/log", "x", {"If-None-Match: *"}).status, 412U);
  const HttpAnswer replaced = ask("PUT", "/files/log", "three", {"If-Match: *"});
  EXPECT_EQ(replaced.status, 204U);
  EXPECT_NE(epoch_of(replaced), first.substr(1, 8));
  EXPECT_EQ(get("/files/log").body, "three" + epoch_of(replaced));
  EXPECT_EQ(ask("PUT", "/files/strict", "x").status, 428U);
  EXPECT_EQ(ask("PUT", "/files/strict", "x", {"If-None-Match: *"}).status, 201U);
  EXPECT_EQ(append("/files/strict", 1, "y").status, 204U) << "the range is a condition";
}

TEST_F(FileTest, IsAppendedToOnceHoweverOftenItIsSent) {
  ask("PUT", "/files/log", "1");
  const HttpAnswer first = append("/files/log", 1, "22", {"Idempotency-Key: a"});
  append("/files/log", 3, "3");
  const HttpAnswer again = append("/files/log", 1, "22", {"Idempotency-Key: a"});
  EXPECT_EQ(again.status, 204U);
  EXPECT_EQ(again.header("ETag"), first.header("ETag"));
  EXPECT_EQ(append("/files/log", 1, "22", {"Idempotency-Key: b"}).status, 412U);
  EXPECT_EQ(get("/files/log").body.substr(0, 4), "1223");
}

TEST_F(FileTest, SaysWhatItDoesNotTake) {
  EXPECT_EQ(ask("DELETE", "/files/log").status, 405U);
  EXPECT_EQ(ask("POST", "/files/log", "x").header("Allow"), "GET, HEAD, PUT");
  EXPECT_EQ(get("/files/room").member("code"), "not_a_file");
  EXPECT_EQ(ask("PUT", "/files/guarded", "x").status, 403U);
  EXPECT_EQ(ask("PUT", "/files/log", "x", {"If-Match: x"}).status, 400U);
  EXPECT_EQ(get("/files/").status, 400U);
}

TEST_F(FileTest, HasNoValueThatCouldBeDeleted) {
  const std::string tag = ask("PUT", "/files/log", "12345").header("ETag");
  const HttpAnswer deleted = ask("DELETE", "/channels/log");
  EXPECT_EQ(deleted.status, 405U);
  EXPECT_EQ(deleted.header("Allow"), "GET, HEAD, POST, PUT");
  const HttpAnswer commanded =
      ask("POST", "/command", R"({"action":"publish","payload":{"channel":"log","delete":true}})");
  EXPECT_EQ(commanded.status, 400U);
  EXPECT_EQ(commanded.member("code"), "command_invalid");
  EXPECT_EQ(get("/files/log").header("ETag"), tag);
}

TEST_F(FileTest, TakesPathsForNamesOnly) {
  ASSERT_EQ(ask("PUT", "/files/log/..%2F..%2Fetc/passwd", "mine").status, 201U);
  EXPECT_EQ(get("/files/log%2F../../etc/passwd").body.substr(0, 4), "mine") << "one name";
  EXPECT_EQ(get("/files/../log").member("code"), "not_a_file") << "the name is ../log";
  EXPECT_EQ(get("/files/%2Fetc%2Fpasswd").member("code"), "not_a_file");
}

TEST_F(FileTest, PassesOverHeadersThatAreMisspelt) {
  const std::string tag = ask("PUT", "/files/log", "12345").header("ETag");
  EXPECT_EQ(get("/files/log", {"Range: bytes 2-"}).status, 200U) << "said, not guessed";
  EXPECT_EQ(append("/files/log", 5, "6", {"If-Matches: \"other\""}).status, 204U);
  EXPECT_EQ(append("/files/log", 5, "7", {"If-Matches: " + tag}).status, 412U)
      << "the range alone is a condition";
}

TEST_F(FileTest, StoresNothingOfAPutThatIsCutHalfWay) {
  const std::string tag = ask("PUT", "/files/log", "12345").header("ETag");
  SocketClient client(gateway.port());
  client.send_bytes(
      "PUT /files/log HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n"
      "Content-Range: bytes 5-14/*\r\n\r\n67890");
  client.close_writing();
  client.read_all();
  EXPECT_EQ(get("/files/log").header("ETag"), tag);
}

TEST_F(FileTest, RefusesABodyThatIsTooLargeBeforeItComes) {
  for (const char* target : {"/files/log", "/channels/log"}) {
    SocketClient client(gateway.port());
    client.send_bytes("PUT " + std::string(target) +
                      " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 600000\r\n\r\n");
    EXPECT_EQ(test::read_answer(client.read_all()).status, 413U) << target;
  }
}

TEST_F(FileTest, LosesNothingWhenTwoWritersRace) {
  constexpr int kEach = 200;
  ask("PUT", "/files/log", "");
  std::atomic<int> refused = 0;
  const auto write = [&](char name) {
    std::size_t end = 0;
    for (int i = 0; i < kEach;) {
      char line[16];
      std::snprintf(line, sizeof line, "%c%05d\n", name, i);
      const HttpAnswer answer = append("/files/log", end, {line, 7});
      if (answer.status == 204U) {
        ++i;
        end += 7;
        continue;
      }
      ++refused;
      ASSERT_EQ(answer.status, 412U);
      const std::string total = answer.header("Content-Range").substr(8);
      end = static_cast<std::size_t>(std::stoul(total)) - 8;
    }
  };
  std::thread other([&] { write('b'); });
  write('a');
  other.join();
  const std::string text = get("/files/log").body;
  ASSERT_EQ(text.size(), std::size_t{7 * 2 * kEach + 8});
  int next[2] = {0, 0};
  for (std::size_t at = 0; at + 8 < text.size(); at += 7) {
    const bool b = text[at] == 'b';
    EXPECT_EQ(std::stoi(text.substr(at + 1, 5)), next[b ? 1 : 0]++);
  }
}

TEST_F(FileTest, IsCutRatherThanMixedWhenReplacedMeanwhile) {
  ask("PUT", "/files/log", "");
  const std::string piece(400'000, 'a');
  for (int i = 0; i < 30; ++i)
    ASSERT_EQ(append("/files/log", static_cast<std::size_t>(i) * piece.size(), piece).status, 204U);
  SocketClient::Options options;
  options.receive_buffer = 4096;
  SocketClient reader(gateway.port(), options);
  reader.send_bytes("GET /files/log HTTP/1.1\r\nHost: localhost\r\n\r\n");
  std::string head;
  while (head.find("\r\n\r\n") == std::string::npos) {
    char c = 0;
    ASSERT_EQ(recv(reader.fd(), &c, 1, 0), 1);
    head += c;
  }
  EXPECT_NE(head.find("Content-Length: 12000008"), std::string::npos);
  EXPECT_EQ(ask("PUT", "/files/log", std::string(400'000, 'b'), {"If-Match: *"}).status, 204U);
  const std::string rest = reader.read_all();
  EXPECT_LT(rest.size(), 12'000'000U) << "the connection ends early";
  EXPECT_EQ(rest.find('b'), std::string::npos);
}

TEST_F(FileTest, AnswersOneRequestAfterTheOtherOnOneConnection) {
  const std::string epoch = epoch_of(ask("PUT", "/files/log", std::string(5000, 'x')));
  SocketClient client(gateway.port());
  for (int i = 0; i < 3; ++i) {
    const HttpAnswer answer =
        test::read_answer(client.request("GET /files/log HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    EXPECT_EQ(answer.body, std::string(5000, 'x') + epoch);
  }
}

TEST_F(FileTest, ForgetsAReaderThatGoesAway) {
  ask("PUT", "/files/log", "");
  const std::string piece(400'000, 'a');
  for (int i = 0; i < 20; ++i)
    append("/files/log", static_cast<std::size_t>(i) * piece.size(), piece);
  for (int i = 0; i < 50; ++i) {
    SocketClient::Options options;
    options.receive_buffer = 4096;
    SocketClient reader(gateway.port(), options);
    reader.send_bytes("GET /files/log HTTP/1.1\r\nHost: localhost\r\n\r\n");
    char c = 0;
    ASSERT_EQ(recv(reader.fd(), &c, 1, 0), 1);
    if (i % 2 == 0)
      reader.abort();
    else
      reader.close();
  }
  EXPECT_EQ(get("/files/log", {"Range: bytes=0-0"}).body, "a");
}

}  // namespace
}  // namespace peal::gateway
