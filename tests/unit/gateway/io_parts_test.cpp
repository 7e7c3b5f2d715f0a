// The small parts of io: slab, loop, listener, frames.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "io/frame.hpp"
#include "io/listener.hpp"
#include "io/loop.hpp"
#include "io/slab.hpp"
#include "session/subscription_list.hpp"

namespace peal::gateway {
namespace {

TEST(Slab, TellsInhabitantsOfOneSlotApart) {
  Slab<std::string> slab;
  const std::uint32_t first = slab.emplace("first");
  const std::uint32_t generation = slab.generation(first);
  EXPECT_EQ(*slab.find(first, generation), "first");
  slab.erase(first);
  EXPECT_EQ(slab.find(first, generation), nullptr);
  EXPECT_EQ(slab.emplace("second"), first);
  EXPECT_EQ(slab.find(first, generation), nullptr);
  EXPECT_EQ(*slab.find(first, slab.generation(first)), "second");
}

TEST(Slab, NeverMovesWhatItHolds) {
  Slab<int> slab;
  const std::uint32_t first = slab.emplace(7);
  const int* address = &slab.at(first);
  for (int i = 0; i < 1000; ++i)
    slab.emplace(i);
  EXPECT_EQ(&slab.at(first), address);
  EXPECT_EQ(slab.size(), 1001u);
}

TEST(Frame, LivesAsLongAsSomeoneHoldsIt) {
  FrameRef frame = FrameRef::make("bytes", 2);
  const Frame* raw = frame.get();
  raw->retain(2);
  frame = FrameRef();
  EXPECT_EQ(raw->bytes(), "bytes");
  EXPECT_EQ(raw->messages(), 2u);
  raw->release();
  raw->release();
}

TEST(SubscriptionList, HoldsOneInsideAndManyOutside) {
  const auto list = std::make_unique<SubscriptionList>();
  for (std::uint32_t i = 0; i < 100; ++i)
    EXPECT_EQ(list->add({i, i * 10}), i);
  EXPECT_EQ(list->remove(10), 99u);
  EXPECT_EQ(list->all()[10].channel, 99u);
  while (list->size() > 1)
    list->remove(0);
  EXPECT_EQ(list->all().size(), 1u);
  list->add({5, 50});
  EXPECT_EQ(list->all()[1].place, 50u);
}

TEST(Loop, IsWokenFromAnotherThreadAndOnlyOnce) {
  Loop loop;
  std::thread other([&] { loop.wake(); });
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(loop.wait(std::chrono::seconds(10)).empty());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  other.join();
  loop.wake();  // before the wait: the wait doesn't block
  EXPECT_TRUE(loop.wait(std::chrono::seconds(10)).empty());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST(Listener, SpreadsOneAddressOverItsShardsAndRefusesASecondUser) {
  auto first = open_listeners("127.0.0.1:0", 3);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->sockets.size(), 3u);
  const auto second = open_listeners(first->address, 1);
  ASSERT_TRUE(second.has_error());
  EXPECT_NE(second.error().message.find(first->address), std::string::npos);
  EXPECT_NE(second.error().message.find("in use"), std::string::npos);
}

TEST(Listener, GivesTheAddressBackWhenItIsGone) {
  std::string address;
  {
    auto first = open_listeners("127.0.0.1:0", 2);
    address = first->address;
  }
  EXPECT_TRUE(open_listeners(address, 1).has_value());
}

TEST(Listener, SaysWhatIsWrongWithAnAddress) {
  for (const char* wrong : {"8420", "nowhere.invalid:80", "127.0.0.1:notaport"}) {
    const auto result = open_listeners(wrong, 1);
    ASSERT_TRUE(result.has_error()) << wrong;
    EXPECT_EQ(result.error().code, ErrorCode::config_invalid);
    EXPECT_NE(result.error().message.find(wrong), std::string::npos);
  }
  EXPECT_TRUE(open_listeners("[::1]:0", 1).has_value());
  EXPECT_TRUE(open_listeners("localhost:0", 1).has_value());
}

TEST(Listener, BoundsWhatTheKernelHidesOfASlowClient) {
  auto set = open_listeners("127.0.0.1:0", 1);
  int send_buffer = 0, not_sent = 0, no_delay = 0;
  socklen_t size = sizeof(int);
  const int fd = set->sockets[0].get();  // what it accepts inherits these
  ::getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, &size);
  ::getsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &not_sent, &size);
  ::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size);
  EXPECT_LE(send_buffer, 1024 * 1024);
  EXPECT_EQ(not_sent, 128 * 1024);
  EXPECT_EQ(no_delay, 1);
}

}  // namespace
}  // namespace peal::gateway
