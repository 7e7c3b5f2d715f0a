// Where the control and ingest sockets are, and who may come to them.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <fstream>

#include "control_fixture.hpp"
#include "eventually.hpp"

namespace peal::runtime {
namespace {

using test::eventually;
using testing::HasSubstr;

TEST_F(ControlTest, TheIpcFilesAreForTheirUserOnlyAndGoWithTheServer) {
  start();
  for (const char* name : {"c", "i"}) {
    struct stat status {};
    ASSERT_EQ(stat((folder_ / name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U) << name;
  }
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(folder_ / "c"));
}

TEST_F(ControlTest, AStaleFileIsReplaced) {
  const std::string path = folder_ / "c";
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  close(fd);
  ASSERT_TRUE(std::filesystem::exists(path));
  start();
  auto req = connected(zmq::socket_type::req);
  EXPECT_EQ(ask(req, R"({"action":"echo"})"), R"({"result":{}})");
}

TEST_F(ControlTest, ALivingProcesssSocketIsNotTakenOver) {
  start();
  ControlServer second(config_, "node-2", limits_, Logger(), probes_);
  const auto started = second.start(capture_);
  ASSERT_TRUE(started.has_error());
  EXPECT_THAT(started.error().message, HasSubstr("control: cannot listen on " + config_.endpoint));
  EXPECT_THAT(started.error().message, HasSubstr("another process listens there"));
  auto req = connected(zmq::socket_type::req);
  EXPECT_EQ(ask(req, R"({"action":"echo"})"), R"({"result":{}})");
}

TEST_F(ControlTest, AFileThatIsNoSocketIsNotRemoved) {
  std::ofstream(folder_ / "c") << "precious";
  EXPECT_THAT(start_problem(), HasSubstr("no socket is in its place"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "c"));
}

TEST_F(ControlTest, PlacesThatCannotBeAreNamed) {
  config_.endpoint = "ipc://" + (folder_ / std::string(120, 'x')).string();
  EXPECT_THAT(start_problem(), HasSubstr("the path is longer than 107 bytes"));
  config_.endpoint = "ipc:///nonexistent/folder/c";
  EXPECT_THAT(start_problem(), HasSubstr("No such file or directory"));
  config_.endpoint = "udp://x";
  EXPECT_THAT(start_problem(), HasSubstr("neither ipc:// nor tcp://"));
  config_.endpoint = "tcp://127.0.0.1:99999";
  EXPECT_THAT(start_problem(), HasSubstr("control: cannot listen on tcp://127.0.0.1:99999"));
}

TEST_F(ControlTest, APortInUseIsNamed) {
  config_.endpoint = "tcp://127.0.0.1:*";
  start();
  config_.endpoint = server_->endpoint();
  ControlServer second(config_, "node-2", limits_, Logger(), probes_);
  const auto started = second.start(capture_);
  ASSERT_TRUE(started.has_error());
  EXPECT_THAT(started.error().message, HasSubstr("Address already in use"));
}

TEST_F(ControlTest, OffMeansOff) {
  config_.endpoint = "off";
  config_.ingest_endpoint = "off";
  start();
  EXPECT_EQ(server_->endpoint(), "");
  EXPECT_EQ(server_->ingest_endpoint(), "");
}

TEST_F(ControlTest, WithoutAnEndpointItIsInTheRuntimeFolder) {
  const char* const before = getenv("XDG_RUNTIME_DIR");
  const std::string saved = before ? before : "";
  setenv("XDG_RUNTIME_DIR", folder_.c_str(), 1);
  config_.endpoint.clear();
  config_.ingest_endpoint.clear();
  start();
  EXPECT_EQ(server_->endpoint(), "ipc://" + folder_.string() + "/peal/node-1.control");
  EXPECT_EQ(server_->ingest_endpoint(), "ipc://" + folder_.string() + "/peal/node-1.ingest");
  struct stat status {};
  ASSERT_EQ(stat((folder_ / "peal").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
  server_.reset();
  chmod((folder_ / "peal").c_str(), 0777);
  EXPECT_THAT(start_problem(), HasSubstr("can be written by others"));
  if (before) {
    setenv("XDG_RUNTIME_DIR", saved.c_str(), 1);
  } else {
    unsetenv("XDG_RUNTIME_DIR");
  }
}

TEST_F(ControlTest, TcpForOthersNeedsCurve) {
  config_.endpoint = "tcp://0.0.0.0:*";
  EXPECT_THAT(start_problem(), HasSubstr("insecure = true"));
  config_.endpoint = "off";
  config_.ingest_endpoint = "tcp://0.0.0.0:*";
  EXPECT_THAT(start_problem(), HasSubstr("ingest: tcp://0.0.0.0:*"));
  config_.insecure = true;
  EXPECT_EQ(start_problem(), "");
}

TEST_F(ControlTest, CurveAdmitsWhoIsOnTheListOnly) {
  const CurveKeys server_keys = generate_curve_keys();
  const CurveKeys mine = generate_curve_keys();
  const CurveKeys stranger = generate_curve_keys();
  config_.endpoint = "tcp://127.0.0.1:*";
  config_.curve.secret_key = server_keys.secret_key;
  config_.curve.allowed_keys = {mine.public_key};
  start();
  const auto with_keys = [&](const CurveKeys& keys) {
    zmq::socket_t socket = client(zmq::socket_type::dealer);
    const CurveConfig curve{keys.public_key, keys.secret_key, server_keys.public_key, {}};
    EXPECT_TRUE(apply_curve_client(socket.handle(), curve));
    socket.connect(server_->endpoint());
    return socket;
  };
  auto refused = with_keys(stranger);
  refused.send(zmq::buffer(std::string_view(R"({"action":"echo"})")), zmq::send_flags::dontwait);
  auto admitted = with_keys(mine);
  EXPECT_EQ(ask(admitted, R"({"action":"echo"})"), R"({"result":{}})");
  ASSERT_TRUE(eventually([&] { return capture_->said("key=" + stranger.public_key); }));
  refused.set(zmq::sockopt::rcvtimeo, 50);
  EXPECT_EQ(hear(refused), "nothing");
}

TEST_F(ControlTest, AWrongKeyInTheConfigIsNamed) {
  config_.curve.secret_key = "tooshort";
  EXPECT_THAT(start_problem(), HasSubstr("curve.secret_key"));
}

}  // namespace
}  // namespace peal::runtime
