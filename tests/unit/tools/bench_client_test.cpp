#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "bench/client/frame.hpp"
#include "bench/client/histogram.hpp"
#include "bench/client/stamp.hpp"

namespace peal::bench {
namespace {

/// Without its mask bit and key, a client's frame is a server's.
std::string server_frame(Opcode opcode, std::string_view payload) {
  std::string out;
  append_frame(out, opcode, payload, 0);
  out[1] = static_cast<char>(out[1] & 0x7F);
  const std::size_t header = payload.size() < 126 ? 2 : payload.size() < 65536 ? 4 : 10;
  return out.erase(header, 4);
}

TEST(ClientFrame, is_masked_with_its_key) {
  std::string out;
  append_frame(out, Opcode::text, "Hello", 0x3D21FA37);
  EXPECT_EQ(out, std::string("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11));  // RFC 6455, 5.7
}

TEST(ServerFrame, of_any_length_is_read_back_and_more_is_asked_for_before) {
  for (const std::size_t size : {0u, 1u, 125u, 126u, 65535u, 65536u}) {
    const std::string bytes = server_frame(Opcode::text, std::string(size, 'x'));
    Frame frame;
    for (const std::size_t cut : {std::size_t{0}, std::size_t{1}, bytes.size() - 1}) {
      EXPECT_EQ(read_frame(std::string_view(bytes).substr(0, cut), frame), ReadFrame::more);
    }
    ASSERT_EQ(read_frame(bytes + "next", frame), ReadFrame::done);
    EXPECT_EQ(frame.payload.size(), size);
    EXPECT_EQ(frame.size, bytes.size());
    EXPECT_TRUE(frame.fin);
  }
}

TEST(ServerFrame, that_breaks_the_protocol_is_seen) {
  Frame frame;
  EXPECT_EQ(read_frame(std::string("\xC1\x00", 2), frame), ReadFrame::broken);  // a reserved bit
  EXPECT_EQ(read_frame(std::string("\x81\x80", 2), frame), ReadFrame::broken);  // a masked frame
  EXPECT_EQ(read_frame(std::string("\x83\x00", 2), frame), ReadFrame::broken);  // an unknown opcode
  EXPECT_EQ(read_frame(std::string("\x81\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 10), frame),
            ReadFrame::broken);
}

TEST(UpgradeAnswer, is_accepted_only_with_the_right_key) {
  const std::string right =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nsec-websocket-ACCEPT:  "
      "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
  EXPECT_EQ(read_upgrade_answer(right.substr(0, right.size() - 1)).size, 0u);
  EXPECT_TRUE(read_upgrade_answer(right + "rest").accepted);
  EXPECT_EQ(read_upgrade_answer(right + "rest").size, right.size());
  EXPECT_FALSE(
      read_upgrade_answer("HTTP/1.1 101 X\r\nSec-WebSocket-Accept: AAAA\r\n\r\n").accepted);
  const auto refused = read_upgrade_answer("HTTP/1.1 403 Forbidden\r\n\r\n");
  EXPECT_FALSE(refused.accepted);
  EXPECT_EQ(refused.status, 403);
}

TEST(Stamp, comes_back_out_of_a_push_that_carries_it) {
  const Stamp stamp{0xDEADBEEF, 513, 4'000'000'000u, 0x0123456789ABCDEFu};
  const std::string message = stamped_message(stamp, 128);
  EXPECT_EQ(message.size(), 128u);
  EXPECT_EQ(find_stamp("{\"event\":\"message\",\"channel\":\"a\",\"message\":" + message + "}"),
            stamp);
  EXPECT_EQ(find_stamp(stamped_message(stamp, 0)), stamp);
  EXPECT_EQ(find_stamp("{\"peal\":\"12\"}"), std::nullopt);
  EXPECT_EQ(find_stamp("{\"peal\":\"" + std::string(36, 'z') + "\"}"), std::nullopt);
  EXPECT_EQ(find_stamp("{}"), std::nullopt);
}

TEST(Histogram, quantiles_are_those_of_the_sorted_values_to_a_thousandth) {
  std::mt19937_64 random(7);
  std::vector<std::uint64_t> values;
  Histogram histogram;
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t value = random() >> (20 + random() % 44);
    values.push_back(value);
    histogram.add(value);
  }
  std::sort(values.begin(), values.end());
  for (const double share : {0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<std::size_t>(share * 20'000) - 1;
    const double exact = static_cast<double>(values[rank]);
    EXPECT_NEAR(static_cast<double>(histogram.quantile(share)), exact, exact / 512 + 1) << share;
    EXPECT_GE(histogram.quantile(share), values[rank]);
  }
  EXPECT_EQ(histogram.max(), values.back());
  EXPECT_EQ(histogram.quantile(1.0), values.back());
}

TEST(Histogram, of_nothing_says_nothing_and_two_add_up) {
  Histogram one;
  EXPECT_EQ(one.quantile(0.5), 0u);
  Histogram two;
  two.add(10, 3);
  one.add(1'000'000'007);
  one.merge(two);
  EXPECT_EQ(one.count(), 4u);
  EXPECT_EQ(one.quantile(0.75), 10u);
  EXPECT_EQ(one.quantile(1.0), 1'000'000'007u);
}

TEST(Histogram, keeps_the_largest_value_there_is) {
  Histogram histogram;
  histogram.add(~std::uint64_t{0});
  EXPECT_EQ(histogram.quantile(0.5), ~std::uint64_t{0});
}

}  // namespace
}  // namespace peal::bench
