// The floor: what a fan-out can't be cheaper than on this kernel. Plain epoll, one buffer, one send
// and no allocation per delivery, frames encoded beforehand, nothing parsed that its size doesn't
// tell. It speaks just enough that the load takes it for a gateway: any first bytes are an upgrade
// request, a message that is not of the publish's size is a subscribe to channel number <n>, one
// that is publishes. usage: bench_floor PUBLISH_FRAME_BYTES DELIVERY_FRAME
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "contender.hpp"

namespace {

constexpr std::string_view kUpgraded =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
constexpr std::string_view kSubscribed = "\x81\x26{\"id\":1,\"result\":{\"channel\":\"bench:0\"}}";

struct Floor {
  int epoll = ::epoll_create1(0);
  int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  std::size_t publish_bytes = 0;
  std::string frames;  // eight of them back to back
  std::size_t frame_bytes = 0;
  std::vector<char> upgraded = std::vector<char>(65536, 0);
  std::vector<int> subscribers;
  std::vector<std::size_t> partial = std::vector<std::size_t>(65536, 0);
  std::array<char, 65536> buffer;
  std::uint64_t flushes = 0;

  unsigned listen() {
    const int one = 1;
    ::setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener, SOMAXCONN);
    socklen_t size = sizeof address;
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    watch(listener);
    return ntohs(address.sin_port);
  }
  void watch(int fd) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }
  void accept() {
    for (int i = 0; i < 64; ++i) {
      const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
      if (fd < 0) return;
      upgraded[static_cast<std::size_t>(fd)] = 0;
      partial[static_cast<std::size_t>(fd)] = 0;
      watch(fd);
    }
  }
  void read(int fd) {
    const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (n <= 0) {
      if (n == 0) std::erase(subscribers, fd);
      if (n == 0) ::close(fd);
      return;
    }
    const auto at = static_cast<std::size_t>(fd);
    if (upgraded[at] == 0) {
      upgraded[at] = 1;
      ::send(fd, kUpgraded.data(), kUpgraded.size(), MSG_NOSIGNAL);
      return;
    }
    const std::size_t bytes = static_cast<std::size_t>(n) + partial[at];
    if (upgraded[at] == 1 && bytes % publish_bytes != 0) {
      upgraded[at] = 2;
      subscribers.push_back(fd);
      ::send(fd, kSubscribed.data(), kSubscribed.size(), MSG_NOSIGNAL);
      return;
    }
    if (upgraded[at] == 1) upgraded[at] = 3;
    partial[at] = bytes % publish_bytes;
    for (std::size_t left = bytes / publish_bytes; left > 0;) {
      const std::size_t count = left < 8 ? left : 8;
      for (const int subscriber : subscribers)
        ::send(subscriber, frames.data(), count * frame_bytes, MSG_NOSIGNAL);
      flushes += subscribers.size();
      left -= count;
    }
  }
  void run() {
    std::array<epoll_event, 256> events;
    for (;;) {
      const int count = ::epoll_wait(epoll, events.data(), 256, -1);
      for (int i = 0; i < count; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == listener)
          accept();
        else
          read(fd);
      }
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  static Floor floor;
  floor.publish_bytes = static_cast<std::size_t>(std::atoi(argv[1]));
  const std::string payload = argv[2];
  std::string frame = payload.size() < 126
                          ? std::string{'\x81', static_cast<char>(payload.size())}
                          : std::string{'\x81', '\x7e', static_cast<char>(payload.size() >> 8),
                                        static_cast<char>(payload.size() & 0xff)};
  frame += payload;
  floor.frame_bytes = frame.size();
  for (int i = 0; i < 8; ++i)
    floor.frames += frame;
  const unsigned port = floor.listen();
  std::thread([] { floor.run(); }).detach();
  peal::bench::answer_questions(
      port, [] { return std::uint64_t{0}; },
      [](std::string_view) { return std::to_string(floor.flushes) + " 0 0"; });
  std::_Exit(0);
}
