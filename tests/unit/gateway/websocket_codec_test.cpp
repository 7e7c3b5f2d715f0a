#include "websocket/codec.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "websocket/utf8.hpp"
#include "websocket_frames.hpp"

namespace peal::gateway::websocket {
namespace {

using testing::frame;
using testing::part;
using testing::text;
using Kind = Event::Kind;

constexpr DecoderLimits kLimits{.message_bytes_max = 70'000, .fragments_max = 16};

struct Seen {
  Kind kind;
  Opcode opcode;
  std::string payload;
  unsigned code;
  friend bool operator==(const Seen&, const Seen&) = default;
};

/// A connection that gets its bytes in given pieces and keeps what the decoder left, as a shard
/// does.
class Reader {
 public:
  void feed(std::string_view bytes) {
    if (failed_) return;
    buffer_.append(bytes);
    std::span<char> rest(buffer_.data(), buffer_.size());
    for (;;) {
      const Event event = decoder_.next(rest, kLimits);
      if (event.kind == Kind::need_more) break;
      seen.push_back({event.kind, event.opcode, std::string(event.payload), event.code});
      reason = event.reason;
      if (event.kind == Kind::error) {
        failed_ = true;
        return;
      }
    }
    buffer_.erase(0, buffer_.size() - rest.size());
    left = buffer_.size();
  }
  std::vector<Seen> seen;
  std::string reason;
  std::size_t left = 0;
  const Decoder& decoder() const { return decoder_; }

 private:
  Decoder decoder_;
  std::string buffer_;
  bool failed_ = false;
};

Reader read(std::string_view bytes) {
  Reader reader;
  reader.feed(bytes);
  return reader;
}

TEST(WebSocketCodec, ReadsAConversationTheSameHoweverItIsSplit) {
  const std::string big(300, 'b');
  const std::string bytes = text("hello") + frame("\x01\x02\xff", {.first = 0x82}) + text(big) +
                            frame("are you there", {.first = 0x89}) + part(1, false, "gr\xc3") +
                            frame("", {.first = 0x8A}) + part(0, false, "\xbc") +
                            part(0, true, "n") +
                            frame(
                                "\x03\xe8"
                                "bye",
                                {.first = 0x88});
  const std::vector<Seen> expected = {
      {Kind::message, Opcode::text, "hello", 0}, {Kind::message, Opcode::binary, "\x01\x02\xff", 0},
      {Kind::message, Opcode::text, big, 0},     {Kind::ping, Opcode::ping, "are you there", 0},
      {Kind::pong, Opcode::pong, "", 0},         {Kind::message, Opcode::text, "gr\xc3\xbcn", 0},
      {Kind::close, Opcode::close, "bye", 1000},
  };
  EXPECT_EQ(read(bytes).seen, expected);
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    Reader reader;
    reader.feed(std::string_view(bytes).substr(0, cut));
    reader.feed(std::string_view(bytes).substr(cut));
    ASSERT_EQ(reader.seen, expected) << "cut at " << cut;
  }
  Reader dribble;
  for (const char c : bytes)
    dribble.feed({&c, 1});
  EXPECT_EQ(dribble.seen, expected);
  EXPECT_EQ(dribble.left, 0U);
}

TEST(WebSocketCodec, UnmasksEveryLengthAtEveryAlignment) {
  std::mt19937 random(7);
  for (std::size_t length = 0; length < 140; ++length) {
    std::string payload(length, '\0');
    for (auto& c : payload)
      c = static_cast<char>(random() % 128);
    for (std::size_t shift = 0; shift < 8; ++shift) {
      std::string buffer =
          std::string(shift, 'x') + frame(payload, {.mask = static_cast<std::uint32_t>(random())});
      std::span<char> rest(buffer.data() + shift, buffer.size() - shift);
      Decoder decoder;
      const Event event = decoder.next(rest, kLimits);
      ASSERT_EQ(event.payload, payload);
      ASSERT_TRUE(rest.empty());
    }
  }
}

TEST(WebSocketCodec, SaysHowManyBytesAnUnfinishedFrameNeeds) {
  std::string bytes = text(std::string(1000, 'x'));
  std::span<char> rest(bytes.data(), 20);
  Decoder decoder;
  const Event event = decoder.next(rest, kLimits);
  EXPECT_EQ(event.kind, Kind::need_more);
  EXPECT_EQ(event.bytes_needed, 1008U);
  EXPECT_EQ(rest.size(), 20U);
}

struct Broken {
  const char* what;
  std::string bytes;
  unsigned code;
  const char* reason;
};

std::vector<Broken> broken_frames() {
  const auto first = [](unsigned byte, std::string_view payload = "x") {
    return frame(payload, {.first = byte});
  };
  std::vector<Broken> table = {
      {"reserved bit 1", first(0xC1), 1002, "reserved bits"},
      {"reserved bit 2", first(0xA1), 1002, "reserved bits"},
      {"reserved bit 3", first(0x91), 1002, "reserved bits"},
      {"opcode 3", first(0x83), 1002, "unknown opcode"},
      {"opcode 11", first(0x8B), 1002, "unknown opcode"},
      {"opcode 15", first(0x8F), 1002, "unknown opcode"},
      {"unmasked", frame("x", {.masked = false}), 1002, "not masked"},
      {"fragmented ping", first(0x09), 1002, "fragmented"},
      {"long ping", first(0x89, std::string(126, 'p')), 1002, "125"},
      {"length 5 in two bytes", frame("hello", {.extended = 2}), 1002, "shortest"},
      {"length 5 in eight bytes", frame("hello", {.extended = 8}), 1002, "shortest"},
      {"length 200 in eight bytes", frame(std::string(200, 'x'), {.extended = 8}), 1002,
       "shortest"},
      {"length above 2^63", std::string("\x81\xff\x80\0\0\0\0\0\0\0\1\2\3\4", 14), 1002,
       "shortest"},
      {"continuation of nothing", first(0x80), 1002, "continuation"},
      {"text within text", part(1, false, "a") + text("b"), 1002, "within another"},
      {"text that is not UTF-8", text("\xff"), 1007, "UTF-8"},
      {"a surrogate", text("\xed\xa0\x80"), 1007, "UTF-8"},
      {"an overlong form", text("\xc0\xaf"), 1007, "UTF-8"},
      {"a sequence cut at the end", text("a\xe2\x82"), 1007, "UTF-8"},
      {"fragments that are not UTF-8", part(1, false, "\xe2") + part(0, true, "x"), 1007, "UTF-8"},
      {"declared 70,001 bytes", frame("", {.declared = 70'001}), 1009, "command_bytes_max"},
      {"declared 2^62 bytes", frame("", {.extended = 8, .declared = std::int64_t{1} << 62}), 1009,
       "command_bytes_max"},
      {"70,001 bytes in two", part(1, false, std::string(70'000, 'a')) + part(0, true, "b"), 1009,
       "command_bytes_max"},
      {"close of one byte", first(0x88, "\x03"), 1002, "one byte"},
      {"close reason not UTF-8", first(0x88, "\x03\xe8\xff"), 1007, "UTF-8"},
  };
  std::string flood = part(1, false, "");
  for (int i = 0; i < 20; ++i)
    flood += part(0, false, "");
  table.push_back({"fragment flood", flood, 1009, "fragments_max"});
  return table;
}

TEST(WebSocketCodec, RefusesBrokenFramesWithTheRightCodeAndASentence) {
  for (const Broken& row : broken_frames()) {
    const Reader reader = read(row.bytes);
    ASSERT_FALSE(reader.seen.empty()) << row.what;
    EXPECT_EQ(reader.seen.back().kind, Kind::error) << row.what;
    EXPECT_EQ(reader.seen.back().code, row.code) << row.what;
    EXPECT_NE(reader.reason.find(row.reason), std::string::npos)
        << row.what << ": " << reader.reason;
  }
}

TEST(WebSocketCodec, TakesAllInputBehindABrokenFrame) {
  std::string bytes = frame("x", {.masked = false}) + text("next");
  std::span<char> rest(bytes.data(), bytes.size());
  Decoder decoder;
  EXPECT_EQ(decoder.next(rest, kLimits).kind, Kind::error);
  EXPECT_TRUE(rest.empty());
}

TEST(WebSocketCodec, RefusesAnOversizedLengthFromTheHeaderAlone) {
  std::string header = frame("", {.extended = 8, .declared = 70'001}).substr(0, 10);
  std::span<char> rest(header.data(), header.size());
  Decoder decoder;
  EXPECT_EQ(decoder.next(rest, kLimits).code, 1009);
  EXPECT_EQ(decoder.held_bytes(), 0U);
}

TEST(WebSocketCodec, TakesOnlyCloseCodesThatMayBeSent) {
  const auto kind = [](unsigned code) {
    const char bytes[] = {static_cast<char>(code >> 8U), static_cast<char>(code & 255U)};
    return read(frame({bytes, 2}, {.first = 0x88})).seen.back().kind;
  };
  for (const unsigned good : {1000U, 1001U, 1002U, 1003U, 1007U, 1008U, 1009U, 1010U, 1011U, 1012U,
                              1013U, 1014U, 3000U, 3999U, 4000U, 4999U}) {
    EXPECT_EQ(kind(good), Kind::close) << good;
  }
  for (const unsigned bad :
       {0U, 999U, 1004U, 1005U, 1006U, 1015U, 1016U, 2000U, 2999U, 5000U, 65535U}) {
    EXPECT_EQ(kind(bad), Kind::error) << bad;
  }
  EXPECT_EQ(read(frame("", {.first = 0x88})).seen.back().code, 1005U);
}

TEST(WebSocketCodec, KeepsNothingWhenAFragmentedMessageIsDone) {
  Reader reader;
  reader.feed(part(1, false, std::string(5000, 'a')));
  EXPECT_GE(reader.decoder().held_bytes(), 5000U);
  reader.feed(part(0, true, "z") + text("next"));
  EXPECT_EQ(reader.seen.size(), 2U);
  EXPECT_EQ(reader.decoder().held_bytes(), 0U);
  EXPECT_LE(sizeof(Decoder), 24U);
}

TEST(WebSocketCodec, ReadsItsOwnFramesOfEveryLengthForm) {
  for (const std::size_t length : {0U, 1U, 125U, 126U, 65'535U, 65'536U, 70'000U}) {
    const std::string payload(length, 'q');
    std::string bytes;
    append_frame(bytes, Opcode::text, payload);
    std::array<char, 10> header;
    const std::size_t size = encode_header(header, Opcode::text, length);
    EXPECT_EQ(size, length < 126 ? 2U : length < 65'536 ? 4U : 10U);
    EXPECT_EQ(bytes.size(), size + length);
    std::span<char> rest(bytes.data(), bytes.size());
    Decoder decoder;
    EXPECT_EQ(decoder.next(rest, kLimits, false).payload, payload);
    EXPECT_TRUE(rest.empty());
  }
}

TEST(WebSocketCodec, CutsACloseReasonBetweenCodePoints) {
  std::string bytes;
  append_close(bytes, 1008, std::string(122, 'a') + "\xc3\xbc tail");
  ASSERT_EQ(bytes.size(), 2U + 2U + 122U);
  std::span<char> rest(bytes.data(), bytes.size());
  Decoder decoder;
  const Event event = decoder.next(rest, kLimits, false);
  EXPECT_EQ(event.code, 1008);
  EXPECT_EQ(event.payload, std::string(122, 'a'));
}

TEST(WebSocketCodec, AnswersTheKeyOfTheRfc) {
  EXPECT_EQ(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(Utf8, AgreesWithTheDefinitionOnEveryCodePoint) {
  for (unsigned c = 0x80; c <= 0x10FFFFU; ++c) {
    std::string s;
    if (c < 0x800) {
      s = {static_cast<char>(0xC0U | c >> 6U)};
    } else if (c < 0x10000) {
      s = {static_cast<char>(0xE0U | c >> 12U), static_cast<char>(0x80U | (c >> 6U & 63U))};
    } else {
      s = {static_cast<char>(0xF0U | c >> 18U), static_cast<char>(0x80U | (c >> 12U & 63U)),
           static_cast<char>(0x80U | (c >> 6U & 63U))};
    }
    s += static_cast<char>(0x80U | (c & 63U));
    const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    ASSERT_EQ(valid_utf8(s), !surrogate) << std::hex << c;
    ASSERT_FALSE(valid_utf8(s.substr(0, s.size() - 1)));
    ASSERT_FALSE(valid_utf8(s.substr(1)));
  }
  for (const std::string_view bad :
       {"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe0\x80\xaf", "\xf0\x80\x80\xaf",
        "0123456789abcdef\x80", "0123456789abcde\xc3"}) {
    EXPECT_FALSE(valid_utf8(bad));
  }
  EXPECT_TRUE(valid_utf8(std::string(100, 'a') + "\xc3\xa9" + std::string(100, 'b')));
}

}  // namespace
}  // namespace peal::gateway::websocket
