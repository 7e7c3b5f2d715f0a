#include "socket_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace peal::test {

using gateway::websocket::Event;
using gateway::websocket::Opcode;

SocketClient::SocketClient(std::uint16_t port, Options options) : options_(options) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (options.receive_buffer > 0)
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &options.receive_buffer, sizeof(int));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
  if (!options.tls) return;
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL* ssl = SSL_new(context);
  context_ = context;
  ssl_ = ssl;
  SSL_set_fd(ssl, fd_);
  if (SSL_connect(ssl) != 1) throw std::runtime_error("TLS handshake failed");
}

SocketClient::SocketClient(SocketClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      ssl_(std::exchange(other.ssl_, nullptr)),
      context_(std::exchange(other.context_, nullptr)),
      options_(other.options_),
      input_(std::move(other.input_)),
      parsed_(other.parsed_),
      ended_(other.ended_),
      decoder_(std::move(other.decoder_)),
      next_id_(other.next_id_) {}

SocketClient::~SocketClient() {
  close();
}

void SocketClient::close() {
  SSL_free(static_cast<SSL*>(std::exchange(ssl_, nullptr)));
  SSL_CTX_free(static_cast<SSL_CTX*>(std::exchange(context_, nullptr)));
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void SocketClient::abort() {
  const linger hard{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close();
}

void SocketClient::close_writing() {
  ::shutdown(fd_, SHUT_WR);
}

void SocketClient::send_bytes(std::string_view bytes) {
  while (!bytes.empty()) {
    if (ssl_ != nullptr) {
      const int n =
          SSL_write(static_cast<SSL*>(ssl_), bytes.data(), static_cast<int>(bytes.size()));
      if (n <= 0) throw std::runtime_error("TLS write failed");
      bytes.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0) throw std::runtime_error(std::string("send: ") + std::strerror(errno));
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

bool SocketClient::fill(std::chrono::milliseconds wait) {
  if (ended_) return false;
  if (ssl_ == nullptr || SSL_pending(static_cast<SSL*>(ssl_)) == 0) {
    pollfd one{fd_, POLLIN, 0};
    if (::poll(&one, 1, static_cast<int>(wait.count())) == 0) return false;
  }
  std::array<char, 65536> buffer;
  const ssize_t n = ssl_ != nullptr ? SSL_read(static_cast<SSL*>(ssl_), buffer.data(),
                                               static_cast<int>(buffer.size()))
                                    : ::recv(fd_, buffer.data(), buffer.size(), 0);
  if (n <= 0)
    ended_ = true;
  else
    input_.append(buffer.data(), static_cast<std::size_t>(n));
  return n > 0;
}

std::string SocketClient::read_all() {
  while (fill(options_.deadline))
    continue;
  if (!ended_) throw std::runtime_error("the connection did not end in time");
  return std::exchange(input_, {});
}

std::string SocketClient::receive_until(std::string_view end) {
  for (;;) {
    const std::size_t at = input_.find(end);
    if (at != std::string::npos) {
      const std::string taken = input_.substr(0, at + end.size());
      input_.erase(0, taken.size());
      return taken;
    }
    if (fill(options_.deadline)) continue;
    if (ended_) return {};
    throw std::runtime_error("it did not come in time; so far: " + input_);
  }
}

std::string SocketClient::request(std::string_view text) {
  send_bytes(text);
  for (;;) {
    const std::size_t head = input_.find("\r\n\r\n");
    if (head != std::string::npos) {
      std::size_t body = 0;
      const std::size_t length = input_.find("Content-Length: ");
      if (length != std::string::npos && length < head)
        body = std::stoul(input_.substr(length + 16));
      if (input_.size() >= head + 4 + body) {
        const std::string answer = input_.substr(0, head + 4 + body);
        input_.erase(0, answer.size());
        return answer;
      }
    }
    if (!fill(options_.deadline)) throw std::runtime_error("no answer; so far: " + input_);
  }
}

void SocketClient::upgrade(std::string_view path) {
  const std::string answer =
      request("GET " + std::string(path) +
              " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  if (answer.rfind("HTTP/1.1 101", 0) != 0) throw std::runtime_error("not upgraded: " + answer);
}

void SocketClient::send_frame(Opcode opcode, std::string_view payload) {
  std::string frame(1, static_cast<char>(0x80 | static_cast<unsigned>(opcode)));
  const std::size_t size = payload.size();
  if (size < 126) {
    frame += static_cast<char>(0x80 | size);
  } else if (size < 65536) {
    frame += static_cast<char>(0x80 | 126);
    frame += static_cast<char>(size >> 8);
    frame += static_cast<char>(size & 0xff);
  } else {
    frame += static_cast<char>(0x80 | 127);
    for (int shift = 56; shift >= 0; shift -= 8)
      frame += static_cast<char>((size >> shift) & 0xff);
  }
  constexpr std::array<char, 4> kMask{0x12, 0x34, 0x56, 0x78};
  frame.append(kMask.data(), kMask.size());
  for (std::size_t i = 0; i < size; ++i)
    frame += static_cast<char>(payload[i] ^ kMask[i % 4]);
  send_bytes(frame);
}

void SocketClient::send_text(std::string_view message) {
  send_frame(Opcode::text, message);
}

SocketClient::Incoming SocketClient::receive_frame() {
  const gateway::websocket::DecoderLimits limits{64 * 1024 * 1024, 1024};
  for (;;) {
    std::span<char> rest(input_.data() + parsed_, input_.size() - parsed_);
    const std::size_t before = rest.size();
    const Event event = decoder_.next(rest, limits, false);
    if (event.kind != Event::Kind::need_more) {
      Incoming got{event.kind, std::string(event.payload), event.code};
      parsed_ += before - rest.size();
      if (parsed_ > 1024 * 1024 || parsed_ == input_.size()) {
        input_.erase(0, parsed_);
        parsed_ = 0;
      }
      return got;
    }
    parsed_ += before - rest.size();
    if (!fill(options_.deadline))
      throw std::runtime_error(ended_ ? "the connection ended" : "no frame in time");
  }
}

std::string SocketClient::receive() {
  for (;;) {
    const Incoming got = receive_frame();
    if (got.kind == Event::Kind::message) return got.payload;
    if (got.kind == Event::Kind::ping) send_frame(Opcode::pong, got.payload);
    if (got.kind == Event::Kind::close)
      throw std::runtime_error("closed with " + std::to_string(got.code));
  }
}

bool SocketClient::quiet_for(std::chrono::milliseconds time) {
  if (parsed_ < input_.size()) return false;
  return !fill(time) && !ended_;
}

std::uint16_t SocketClient::receive_close() {
  try {
    for (;;) {
      const Incoming got = receive_frame();
      if (got.kind == Event::Kind::close) return got.code;
    }
  } catch (const std::runtime_error&) {
    if (ended_) return 1006;
    throw;
  }
}

std::string SocketClient::command(std::string_view action, std::string_view payload) {
  const std::string id = std::to_string(next_id_++);
  send_text(R"({"id":)" + id + R"(,"action":")" + std::string(action) + R"(","payload":)" +
            std::string(payload) + "}");
  for (;;) {
    const std::string message = receive();
    if (message.rfind(R"({"id":)" + id + ",", 0) == 0) return message;
  }
}

std::string SocketClient::subscribe(std::string_view channel) {
  return command("subscribe", R"({"channel":")" + std::string(channel) + R"("})");
}

}  // namespace peal::test
