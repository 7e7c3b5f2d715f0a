// The contender that most people would write: Beast's WebSocket stream, one async_write at a time
// per connection, shared message strings. For docs/decisions/0003. usage: bench_beast DELIVERY
#include <malloc.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <unordered_set>

#include "contender.hpp"

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using Tcp = asio::ip::tcp;

class Session;
struct Room {
  std::unordered_set<Session*> members;
  std::string delivery;
  std::uint64_t writes = 0;
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Tcp::socket socket, Room& room) : stream_(std::move(socket)), room_(room) {}
  ~Session() { room_.members.erase(this); }
  void start() {
    beast::get_lowest_layer(stream_).socket().set_option(Tcp::no_delay(true));
    stream_.async_accept([self = shared_from_this()](beast::error_code error) {
      if (!error) self->read();
    });
  }
  void send(const std::shared_ptr<const std::string>& message) {
    queue_.push_back(message);
    if (queue_.size() == 1) write();
  }

 private:
  void read() {
    stream_.async_read(buffer_, [self = shared_from_this()](beast::error_code error, std::size_t) {
      if (error) return;
      self->on_message(beast::buffers_to_string(self->buffer_.data()));
      self->buffer_.consume(self->buffer_.size());
      self->read();
    });
  }
  void on_message(const std::string& text) {
    if (text.find("\"subscribe\"") != std::string::npos) {
      room_.members.insert(this);
      return send(
          std::make_shared<const std::string>(R"({"id":1,"result":{"channel":"bench:0"}})"));
    }
    const auto message = std::make_shared<const std::string>(room_.delivery);
    for (Session* member : room_.members)
      member->send(message);
  }
  void write() {
    ++room_.writes;
    stream_.async_write(asio::buffer(*queue_.front()),
                        [self = shared_from_this()](beast::error_code error, std::size_t) {
                          if (error) return;
                          self->queue_.pop_front();
                          if (!self->queue_.empty()) self->write();
                        });
  }

  beast::websocket::stream<beast::tcp_stream> stream_;
  Room& room_;
  beast::flat_buffer buffer_;
  std::deque<std::shared_ptr<const std::string>> queue_;
};

void accept(Tcp::acceptor& acceptor, Room& room) {
  acceptor.async_accept([&](beast::error_code error, Tcp::socket socket) {
    if (!error) std::make_shared<Session>(std::move(socket), room)->start();
    accept(acceptor, room);
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  asio::io_context io(1);
  Room room;
  room.delivery = argv[1];
  Tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
  accept(acceptor, room);
  std::thread([&] { io.run(); }).detach();
  peal::bench::answer_questions(
      acceptor.local_endpoint().port(), [] { return std::uint64_t{0}; },
      [&](std::string_view line) {
        if (line.starts_with("trim")) ::malloc_trim(0);
        return std::to_string(room.writes) + " 0 0";
      });
  std::_Exit(0);
}
