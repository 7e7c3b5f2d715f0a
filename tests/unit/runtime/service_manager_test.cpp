#include "service_manager.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string>

namespace peal::runtime {
namespace {

/// The other side: a datagram socket in the abstract namespace.
class Manager {
 public:
  Manager() : name_("@peal-test-" + std::to_string(getpid())), fd_(socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name_.data(), name_.size());
    address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), size), 0);
  }
  ~Manager() { close(fd_); }
  const std::string& name() const { return name_; }
  std::string heard() const {
    std::array<char, 256> text{};
    const ssize_t n = recv(fd_, text.data(), text.size(), MSG_DONTWAIT);
    return n < 0 ? "nothing" : std::string(text.data(), static_cast<std::size_t>(n));
  }

 private:
  std::string name_;
  int fd_;
};

TEST(ServiceManager, IsToldWhatBecomesOfTheProcess) {
  const Manager systemd;
  setenv("NOTIFY_SOCKET", systemd.name().c_str(), 1);
  const ServiceManager manager;
  EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr) << "children are none of its business";
  manager.started();
  EXPECT_EQ(systemd.heard(), "READY=1");
  manager.status("not ready: no broker");
  EXPECT_EQ(systemd.heard(), "STATUS=not ready: no broker");
  manager.stopping();
  EXPECT_EQ(systemd.heard(), "STOPPING=1");
}

TEST(ServiceManager, IsNotMissedWhereThereIsNone) {
  unsetenv("NOTIFY_SOCKET");
  ServiceManager().started();
  setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
  ServiceManager().started();
  setenv("NOTIFY_SOCKET", std::string(200, 'x').c_str(), 1);
  ServiceManager().started();
}

}  // namespace
}  // namespace peal::runtime
