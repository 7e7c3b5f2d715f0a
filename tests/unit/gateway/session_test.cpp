// Sessions through a whole shard: real sockets, the real protocol, the embedded bus.
#include <gtest/gtest.h>

#include "eventually.hpp"
#include "local_gateway.hpp"
#include "socket_client.hpp"

namespace peal::test {
namespace {

TEST(Session, HearsWhatAnotherPublishes) {
  LocalGateway gateway;
  gateway.start();
  SocketClient alice(gateway.port());
  alice.upgrade();
  EXPECT_EQ(alice.subscribe("room"), R"({"id":1,"result":{"channel":"room"}})");
  SocketClient bob(gateway.port());
  bob.upgrade();
  EXPECT_EQ(bob.command("publish", R"({"channel":"room","message":{"a": 1}})"),
            R"({"id":1,"result":{}})");
  EXPECT_EQ(alice.receive(), R"({"event":"message","channel":"room","message":{"a": 1}})");
  EXPECT_EQ(gateway.metric("peal_encodes_total"), 1);
  EXPECT_EQ(gateway.metric("peal_sessions"), 2);
}

}  // namespace
}  // namespace peal::test
