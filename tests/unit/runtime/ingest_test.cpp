// What comes in at the ingest socket.
#include "control_fixture.hpp"
#include "eventually.hpp"

namespace peal::runtime {
namespace {

using test::eventually;
using testing::HasSubstr;

TEST_F(ControlTest, IngestsChannelAndPayloadByteForByte) {
  start();
  auto push = connected(zmq::socket_type::push);
  send_frames(push, {"room:1", R"({"n" : 18446744073709551616, "n":1e400})"});
  ASSERT_TRUE(eventually([&] { return ingested() == 1; }));
  EXPECT_EQ(ingested_[0], R"(room:1 {"n" : 18446744073709551616, "n":1e400})");
}

TEST_F(ControlTest, AThirdFrameIsForLaterVersions) {
  start();
  auto push = connected(zmq::socket_type::push);
  send_frames(push, {"a", "1", "x"});
  ASSERT_TRUE(eventually([&] { return ingested() == 1; }));
  EXPECT_EQ(ingested_[0], "a 1");
}

TEST_F(ControlTest, RefusesWhatIsNoPublicationAndGoesOn) {
  start();
  auto push = connected(zmq::socket_type::push);
  for (const auto& frames :
       std::vector<std::vector<std::string>>{{"alone"},
                                             {"a", "1", "2", "3"},
                                             std::vector<std::string>(40, "x"),
                                             {"", "1"},
                                             {"a\n", "1"},
                                             {"\xff", "1"},
                                             {std::string(256, 'c'), "1"},
                                             {"a", ""},
                                             {"a", "{\"a\":tru}"},
                                             {"a", "[1,,2]"},
                                             {"a", R"("\q")"},
                                             {"a", R"("\ud800")"},
                                             {"a", "\"\xff\""},
                                             {"a", std::string(17, '[') + std::string(17, ']')},
                                             {"a", "\"" + std::string(1023, 'x') + "\""}}) {
    send_frames(push, frames);
  }
  send_frames(push, {"a", "1"});
  ASSERT_TRUE(eventually([&] { return ingested() == 1; }));
  EXPECT_EQ(ingested_[0], "a 1");
  const std::string metrics = probes_.text();
  EXPECT_THAT(metrics, HasSubstr("peal_ingest_publications_total 1\n"));
  EXPECT_THAT(metrics, HasSubstr("peal_ingest_refused_total{code=\"command_invalid\"} 3\n"));
  EXPECT_THAT(metrics, HasSubstr("peal_ingest_refused_total{code=\"channel_name_invalid\"} 4\n"));
  EXPECT_THAT(metrics, HasSubstr("peal_ingest_refused_total{code=\"message_invalid\"} 7\n"));
  EXPECT_THAT(metrics, HasSubstr("peal_ingest_refused_total{code=\"message_too_large\"} 1\n"));
  EXPECT_TRUE(capture_->said("refused a message on the ingest socket code=command_invalid"));
}

TEST_F(ControlTest, AClosedGateMakesProducersWaitWithoutLoss) {
  gate_ = false;
  start();
  auto push = connected(zmq::socket_type::push);
  for (int i = 0; i < 100; ++i)
    send_frames(push, {"a", std::to_string(i)});
  auto req = connected(zmq::socket_type::req);
  EXPECT_EQ(ask(req, R"({"action":"echo"})"), R"({"result":{}})") << "control goes on";
  EXPECT_EQ(ingested(), 0U);
  gate_ = true;
  ASSERT_TRUE(eventually([&] { return ingested() == 100; }));
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(ingested_[static_cast<std::size_t>(i)], "a " + std::to_string(i));
}

}  // namespace
}  // namespace peal::runtime
