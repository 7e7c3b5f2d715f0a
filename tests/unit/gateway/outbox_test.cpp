// The Outlet over a socket pair with small buffers, so that the kernel refuses soon.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "io/outbox.hpp"

namespace peal::gateway {
namespace {

struct Owner final : OutletOwner {
  void on_blocked(Endpoint&) override { ++blocked; }
  void on_unblocked(Endpoint&) override { ++unblocked; }
  void on_drained(Endpoint&) override { ++drained; }
  void on_send_failed(Endpoint& endpoint) override {
    ++failed;
    endpoint.fd = -1;
  }
  void on_overflow(Endpoint&) override { ++overflows; }
  int blocked = 0, unblocked = 0, drained = 0, failed = 0, overflows = 0;
};

class OutboxTest : public testing::Test {
 protected:
  static constexpr std::size_t kQueueMax = 64 * 1024;
  OutboxTest() { make(endpoint_); }
  ~OutboxTest() override {
    outlet_.forget(endpoint_);
    ::close(fd_);
    ::close(peer_);
  }
  void make(Endpoint& endpoint) {
    int pair[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    const int small = 4096;
    ::setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    endpoint.fd = fd_ = pair[0];
    peer_ = pair[1];
  }
  void append(const std::string& bytes, bool droppable = false) {
    const FrameRef frame = FrameRef::make(bytes, 1);
    frame->retain();
    if (outlet_.append(endpoint_, frame.get(), droppable) != SendStatus::dropped) sent_ += bytes;
  }
  void read_some(std::size_t most = 65536) {
    std::vector<char> buffer(most);
    const ssize_t n = ::recv(peer_, buffer.data(), buffer.size(), 0);
    if (n > 0) got_.append(buffer.data(), static_cast<std::size_t>(n));
  }
  void read_all() {
    for (int i = 0; i < 10000 && (got_.size() < sent_.size()); ++i) {
      read_some();
      if (!endpoint_.outbox.empty()) outlet_.flush(endpoint_);
    }
  }

  Owner owner_;
  Outlet outlet_{owner_, kQueueMax};
  Endpoint endpoint_;
  int fd_ = -1, peer_ = -1;
  std::string sent_, got_;
};

TEST_F(OutboxTest, GathersWithinTheTurnAndSendsWithOneCall) {
  for (int i = 0; i < 8; ++i)
    append("frame " + std::to_string(i) + ";");
  EXPECT_EQ(outlet_.counts().flushes, 0u);
  EXPECT_FALSE(outlet_.flush_dirty(512));
  EXPECT_EQ(outlet_.counts().flushes, 1u);
  EXPECT_EQ(outlet_.counts().messages, 8u);
  read_some();
  EXPECT_EQ(got_, sent_);
  EXPECT_EQ(outlet_.nodes_used(), 0u);
}

TEST_F(OutboxTest, KeepsOrderOverPartialWrites) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    for (unsigned i = 0; i < random() % 5; ++i)
      append(std::string(1 + random() % 900, static_cast<char>('a' + random() % 26)));
    outlet_.flush_dirty(512);
    if (random() % 2 == 0) read_some(1 + random() % 3000);
    if (endpoint_.outbox.blocked()) outlet_.flush(endpoint_);
  }
  EXPECT_GT(outlet_.counts().blocked, 0u);
  read_all();
  EXPECT_EQ(got_, sent_);
  EXPECT_EQ(owner_.blocked, owner_.unblocked);
  EXPECT_EQ(owner_.overflows, 0);
}

TEST_F(OutboxTest, OwnsAQueueOnlyWhileTheKernelRefuses) {
  append(std::string(30000, 'x'));
  outlet_.flush_dirty(1);
  EXPECT_TRUE(endpoint_.outbox.blocked());
  read_all();
  EXPECT_FALSE(endpoint_.outbox.blocked());
  EXPECT_EQ(endpoint_.outbox.bytes(), 0u);
}

TEST_F(OutboxTest, TakesNothingAfterTheSeal) {
  append("the last;");
  outlet_.seal(endpoint_);
  const std::string before = sent_;
  append("too late");
  EXPECT_EQ(sent_, before);
  outlet_.flush_dirty(1);
  read_some();
  EXPECT_EQ(got_, before);
  EXPECT_EQ(owner_.drained, 1);
}

TEST_F(OutboxTest, SealedWithABacklogItDrainsWholeFrames) {
  append(std::string(20000, 'x'));
  outlet_.flush_dirty(1);
  append("close");
  outlet_.seal(endpoint_);
  EXPECT_EQ(owner_.drained, 0);
  read_all();
  EXPECT_EQ(got_, sent_);
  EXPECT_EQ(owner_.drained, 1);
}

TEST_F(OutboxTest, AFullQueueOverflowsOnlyWhenTheKernelRefuses) {
  const int roomy = 1024 * 1024;
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDBUF, &roomy, sizeof roomy);
  // More than the limit within one turn is sent on the way instead.
  for (int i = 0; i < 300; ++i) {
    append(std::string(1000, 'x'));
    if (i % 50 == 0) read_some();
  }
  EXPECT_EQ(owner_.overflows, 0);
  EXPECT_GT(outlet_.counts().flushes, 0u);
  while (owner_.overflows == 0)
    append(std::string(1000, 'y'));
  EXPECT_LE(endpoint_.outbox.bytes(), kQueueMax);
  read_all();
  EXPECT_EQ(got_, sent_);
}

TEST_F(OutboxTest, DropsTheOldestDroppableButNeverAHalfSentOne) {
  const auto piece = [](int i) { return std::string(999, static_cast<char>('a' + i % 26)) + '\n'; };
  for (int i = 0; i < 300; ++i) {
    append(piece(i), true);
    outlet_.flush_dirty(1);
  }
  EXPECT_EQ(owner_.overflows, 0);
  EXPECT_GT(outlet_.counts().dropped, 100u);
  for (int i = 0; i < 1000 && !endpoint_.outbox.empty(); ++i) {
    read_some();
    outlet_.flush(endpoint_);
  }
  read_some();
  ASSERT_EQ(got_.size() % 1000, 0u);
  for (std::size_t at = 0; at < got_.size(); at += 1000) {
    EXPECT_EQ(got_[at + 999], '\n');
    EXPECT_EQ(got_.find_first_not_of(got_[at], at), at + 999) << "a frame was torn";
  }
  EXPECT_EQ(got_.substr(0, 1000), piece(0));
  EXPECT_EQ(got_.substr(got_.size() - 1000), piece(299));
  EXPECT_EQ(got_.size() / 1000 + outlet_.counts().dropped, 300u);
}

TEST_F(OutboxTest, WhatIsTooOldOverflowsOrIsDropped) {
  outlet_.set_now(1000);
  append(std::string(30000, 'x'), true);
  outlet_.flush_dirty(1);
  append("droppable", true);
  outlet_.set_now(1500);
  append("kept");
  outlet_.set_now(2200);
  outlet_.expire(endpoint_, 1000);
  EXPECT_EQ(outlet_.counts().dropped, 1u);
  EXPECT_EQ(owner_.overflows, 0);
  outlet_.set_now(2600);
  outlet_.expire(endpoint_, 1000);
  EXPECT_EQ(owner_.overflows, 1);
}

TEST_F(OutboxTest, ForgetsAllButTheFrameThatHasBegun) {
  append(std::string(30000, 'x'));
  outlet_.flush_dirty(1);
  append("dropped");
  outlet_.drop_unsent(endpoint_);
  sent_ = std::string(30000, 'x');
  append("close");
  read_all();
  EXPECT_EQ(got_, std::string(30000, 'x') + "close");
}

TEST_F(OutboxTest, AMessageOfSeveralFramesIsForgottenAsAWhole) {
  const std::string head(30000, 'h'), middle(30000, 'm');
  const std::array parts = {FrameRef::make(head, 0, true), FrameRef::make(middle, 1, true),
                            FrameRef::make("end", 0)};
  EXPECT_EQ(outlet_.append(endpoint_, parts), SendStatus::ok);
  outlet_.flush_dirty(1);
  EXPECT_TRUE(endpoint_.outbox.blocked());
  append("dropped");
  while (got_.size() <= head.size()) {  // the first frame is out, the message is not
    read_some();
    outlet_.flush(endpoint_);
  }
  outlet_.drop_unsent(endpoint_);
  sent_ = head + middle + "end";
  append("close");
  read_all();
  EXPECT_EQ(got_, head + middle + "endclose");
}

TEST_F(OutboxTest, AMessageOfSeveralFramesIsRefusedAsAWhole) {
  append(std::string(kQueueMax, 'x'));
  outlet_.flush_dirty(1);
  ASSERT_TRUE(endpoint_.outbox.blocked());
  const std::array parts = {FrameRef::make("head", 0, true),
                            FrameRef::make(std::string(kQueueMax, 'm'), 3, true),
                            FrameRef::make("end", 0)};
  EXPECT_EQ(outlet_.append(endpoint_, parts), SendStatus::dropped);
  EXPECT_EQ(owner_.overflows, 1);
  EXPECT_EQ(outlet_.counts().dropped, 3U);
  read_all();
  EXPECT_EQ(got_, sent_);
}

TEST_F(OutboxTest, AClosedPeerIsTold) {
  ::close(peer_);
  peer_ = -1;
  append("nobody hears");
  outlet_.flush_dirty(1);
  EXPECT_EQ(owner_.failed, 1);
  EXPECT_EQ(endpoint_.outbox.bytes(), 0u);
}

TEST_F(OutboxTest, FlushesInSlicesInOrderOfBecomingDirty) {
  std::vector<std::unique_ptr<Endpoint>> many;
  std::vector<int> peers;
  for (int i = 0; i < 10; ++i) {
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    many.push_back(std::make_unique<Endpoint>());
    many.back()->fd = pair[0];
    peers.push_back(pair[1]);
    outlet_.append(*many.back(), FrameRef::make("hello", 1));
  }
  EXPECT_TRUE(outlet_.flush_dirty(4));
  outlet_.forget(*many[5]);
  EXPECT_TRUE(outlet_.flush_dirty(4));
  EXPECT_FALSE(outlet_.flush_dirty(4));
  for (std::size_t i = 0; i < many.size(); ++i) {
    char buffer[16];
    EXPECT_EQ(::recv(peers[i], buffer, sizeof buffer, 0), i == 5 ? -1 : 5) << i;
    outlet_.forget(*many[i]);
    ::close(many[i]->fd);
    ::close(peers[i]);
  }
  EXPECT_EQ(outlet_.nodes_used(), 0u);
}

TEST_F(OutboxTest, EndpointsWithOtherPiecesGetTheirOwnBytes) {
  Endpoint other;
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  other.fd = pair[0];
  const FrameRef a = FrameRef::make("aaa", 1), b = FrameRef::make("bbb", 1),
                 c = FrameRef::make("ccc", 1);
  outlet_.append(endpoint_, a);
  outlet_.append(endpoint_, b);
  outlet_.append(other, a);
  outlet_.append(other, c);
  outlet_.flush_dirty(512);
  read_some();
  char buffer[16];
  EXPECT_EQ(got_, "aaabbb");
  EXPECT_EQ(
      std::string(buffer, static_cast<std::size_t>(::recv(pair[1], buffer, sizeof buffer, 0))),
      "aaaccc");
  outlet_.forget(other);
  ::close(pair[0]);
  ::close(pair[1]);
}

}  // namespace
}  // namespace peal::gateway
