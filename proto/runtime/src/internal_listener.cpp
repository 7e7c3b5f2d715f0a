#include "internal_listener.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <deque>
#include <optional>
#include <thread>

namespace peal::runtime {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::seconds kPatience{5};
constexpr std::chrono::milliseconds kAcceptPause{100};
constexpr std::size_t kClientsMax = 64;
constexpr std::uint32_t kHeaderBytesMax = 8192;

/// One client: reads a request, answers it, and so on until it leaves or dawdles.
class Client : public std::enable_shared_from_this<Client> {
 public:
  Client(tcp::socket socket, const InternalHandler& handler)
      : stream_(std::move(socket)), handler_(handler) {}

  void read() {
    parser_.emplace();
    parser_->header_limit(kHeaderBytesMax);
    parser_->body_limit(0);
    stream_.expires_after(kPatience);
    http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](error_code error, std::size_t) { self->on_read(error); });
  }

  void close() { stream_.close(); }

 private:
  void on_read(error_code error) {
    if (error == http::error::header_limit)
      return answer({431, "text/plain", "header too large\n"});
    if (error == http::error::body_limit) return answer({413, "text/plain", "no body, please\n"});
    if (error.category() == http::make_error_code(http::error::bad_method).category() &&
        error != http::error::end_of_stream && error != http::error::partial_message) {
      return answer({400, "text/plain", "not an HTTP request\n"});
    }
    if (error) return;
    const auto& request = parser_->get();
    if (request.method() != http::verb::get && request.method() != http::verb::head) {
      return answer({405, "text/plain", "GET or HEAD\n"});
    }
    keep_alive_ = request.keep_alive();
    head_ = request.method() == http::verb::head;
    const std::string_view target(request.target().data(), request.target().size());
    answer(handler_(target.substr(0, target.find('?'))));
  }

  void answer(InternalAnswer answer) {
    response_ = {};
    response_.version(11);
    response_.result(answer.status);
    response_.set(http::field::content_type, answer.type);
    response_.set(http::field::cache_control, "no-store");
    if (answer.status == 405) response_.set(http::field::allow, "GET, HEAD");
    response_.content_length(answer.body.size());
    if (!head_) response_.body() = std::move(answer.body);
    response_.keep_alive(keep_alive_);
    stream_.expires_after(kPatience);
    http::async_write(stream_, response_,
                      [self = shared_from_this()](error_code error, std::size_t) {
                        if (!error && self->keep_alive_) {
                          self->keep_alive_ = self->head_ = false;
                          return self->read();
                        }
                        self->stream_.socket().shutdown(tcp::socket::shutdown_send, error);
                      });
  }

  beast::tcp_stream stream_;
  const InternalHandler& handler_;
  beast::flat_buffer buffer_{2 * kHeaderBytesMax};
  std::optional<http::request_parser<http::empty_body>> parser_;
  http::response<http::string_body> response_;
  bool keep_alive_ = false;
  bool head_ = false;
};

Error cannot_listen(const Address& address, const error_code& error) {
  return fail(ErrorCode::config_invalid,
              "internal_listen: cannot listen on " + address.to_string() + ": " + error.message());
}

}  // namespace

struct InternalListener::Impl {
  asio::io_context io{1};
  tcp::acceptor acceptor{io};
  asio::steady_timer pause{io};
  InternalHandler handler;
  std::deque<std::weak_ptr<Client>> clients;  ///< eldest first
  std::thread thread;

  /// The eldest has to go when there are too many, so that nobody can keep an operator out.
  void make_room() {
    std::erase_if(clients, [](const auto& client) { return client.expired(); });
    if (clients.size() < kClientsMax) return;
    if (const auto eldest = clients.front().lock()) eldest->close();
    clients.pop_front();
  }

  void accept() {
    acceptor.async_accept([this](error_code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) {
        // No file descriptors left, most likely: try again when some client has gone.
        pause.expires_after(kAcceptPause);
        pause.async_wait([this](error_code stopped) {
          if (!stopped) accept();
        });
        return;
      }
      make_room();
      const auto client = std::make_shared<Client>(std::move(socket), handler);
      clients.push_back(client);
      client->read();
      accept();
    });
  }
};

InternalListener::InternalListener() : impl_(std::make_unique<Impl>()) {}
InternalListener::~InternalListener() {
  stop();
}

Result<Address> InternalListener::start(const Address& address, InternalHandler handler) {
  error_code error;
  tcp::resolver resolver(impl_->io);
  const auto found = resolver.resolve(address.host, std::to_string(address.port), error);
  if (error) return cannot_listen(address, error);
  const tcp::endpoint endpoint = *found.begin();
  auto& acceptor = impl_->acceptor;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(128, error);
  if (error) return cannot_listen(address, error);
  impl_->handler = std::move(handler);
  impl_->accept();
  impl_->thread = std::thread([io = &impl_->io] { io->run(); });
  const auto bound = acceptor.local_endpoint();
  return Address{bound.address().to_string(), bound.port()};
}

void InternalListener::stop() {
  if (!impl_->thread.joinable()) return;
  impl_->io.stop();
  impl_->thread.join();
}

}  // namespace peal::runtime
