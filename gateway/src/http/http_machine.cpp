#include "http/http_machine.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/parser.hpp>

#include <algorithm>
#include <optional>

#include "http/percent.hpp"
#include "http/text.hpp"

namespace peal::gateway::http {
namespace {

namespace beast = boost::beast::http;

/// A body that grows with what has come. Beast's string_body reserves what the client announces,
/// which lets many slow clients claim memory that they never fill.
struct GrowingBody {
  using value_type = std::string;
  class reader {  // NOLINT(readability-identifier-naming): the name that Beast looks for
   public:
    template <bool is_request, class Fields>
    reader(beast::header<is_request, Fields>&, value_type& body) : body_(body) {}
    void init(const boost::optional<std::uint64_t>&, boost::system::error_code& error) {
      error = {};
    }
    template <class Buffers>
    std::size_t put(const Buffers& buffers, boost::system::error_code& error) {
      error = {};
      std::size_t size = 0;
      for (const boost::asio::const_buffer buffer : boost::beast::buffers_range_ref(buffers)) {
        body_.append(static_cast<const char*>(buffer.data()), buffer.size());
        size += buffer.size();
      }
      return size;
    }
    void finish(boost::system::error_code& error) { error = {}; }

   private:
    value_type& body_;
  };
};

constexpr std::size_t kLastChunkBytes = 5;
/// Beast throws at a field of 64 KB, and a connection holds no more of what is unfinished.
constexpr std::size_t kHeaderBytesMost = 32 * 1024;

using Parser = beast::request_parser<GrowingBody>;

Error error_of(const boost::system::error_code& error, const Limits& limits) {
  const auto limit = [](const char* name, std::size_t value) {
    return std::string("larger than limits.") + name + " (" + std::to_string(value) + ")";
  };
  if (error == beast::error::header_limit) {
    return fail(ErrorCode::header_too_large,
                "the header is " + limit("header_bytes_max", limits.header_bytes_max));
  }
  if (error == beast::error::body_limit) {
    return fail(ErrorCode::body_too_large,
                "the body is " + limit("command_bytes_max", limits.command_bytes_max));
  }
  return fail(ErrorCode::request_invalid, "not a valid HTTP/1.1 request: " + error.message());
}

}  // namespace

std::string_view Request::header(std::string_view name) const {
  const auto found = std::ranges::find_if(
      headers, [&](const auto& field) { return equal_ignoring_case(field.first, name); });
  return found == headers.end() ? std::string_view() : found->second;
}

std::size_t Request::count(std::string_view name) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      headers, [&](const auto& field) { return equal_ignoring_case(field.first, name); }));
}

struct HttpMachine::Impl {
  explicit Impl(Limits its_limits) : limits(its_limits) {
    limits.header_bytes_max = std::min(limits.header_bytes_max, kHeaderBytesMost);
    restart();
  }

  void restart() {
    parser.emplace();
    parser->header_limit(static_cast<std::uint32_t>(limits.header_bytes_max));
    parser->body_limit(limits.command_bytes_max);
    parser->eager(true);
    continue_told = false;
  }

  /// What is bounded as a message is not read when it says that it is larger; 8 bytes more is what
  /// a file's epoch takes.
  std::optional<Error> length_refused() const {
    constexpr std::size_t kEpoch = 8;
    const auto length = parser->content_length();
    if (!length || *length <= limits.message_bytes_max + kEpoch) return std::nullopt;
    const std::string_view target = parser->get().target();
    if (!target.starts_with("/channels/") && !target.starts_with("/files/")) return std::nullopt;
    return fail(ErrorCode::message_too_large, "the body is larger than limits.message_bytes_max (" +
                                                  std::to_string(limits.message_bytes_max) +
                                                  "); a file is appended in pieces");
  }

  /// Fills `request` from the finished parser; an error when the target makes no sense.
  std::optional<Error> read_request() {
    const auto& message = parser->get();
    request.method = message.method_string();
    request.target = message.target();
    request.keep_alive = message.keep_alive();
    request.takes_chunks = message.version() >= 11;
    request.body = message.body();
    request.headers.clear();
    for (const auto& field : message) {
      request.headers.emplace_back(field.name_string(), field.value());
    }
    // RFC 9112, 3.2: a proxy before us may have gone by the other one.
    if (message.count(beast::field::host) > 1)
      return fail(ErrorCode::request_invalid, "the request has more than one Host");
    // RFC 9112, 3.2.2: a server takes the absolute form too.
    std::string_view target = request.target;
    for (const std::string_view scheme : {"http://", "https://"}) {
      if (!target.starts_with(scheme)) continue;
      const auto slash = target.find('/', scheme.size());
      target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
    }
    const auto question = target.find('?');
    request.query =
        question == std::string_view::npos ? std::string_view() : target.substr(question + 1);
    auto path = percent_decode(target.substr(0, question));
    if (!path || (!path->starts_with('/') && *path != "*")) {
      return fail(ErrorCode::request_invalid, "the request's path is not valid");
    }
    request.path = std::move(*path);
    return std::nullopt;
  }

  Limits limits;
  std::optional<Parser> parser;
  Request request;
  bool continue_told = false;
};

HttpMachine::HttpMachine(const Limits& limits) : impl_(std::make_unique<Impl>(limits)) {}
HttpMachine::~HttpMachine() = default;

HttpMachine::Step HttpMachine::feed(std::string_view bytes) {
  Step step;
  Parser& parser = *impl_->parser;
  while (!step.error && !parser.is_done() && step.consumed < bytes.size()) {
    boost::system::error_code error;
    const std::string_view rest = bytes.substr(step.consumed);
    // Beast (1.81) asserts when it is asked twice about a last chunk of which fewer bytes are
    // there. A chunked body that goes on has at least "0 CR LF CR LF" to come, so waiting for them
    // loses nothing.
    if (parser.is_header_done() && parser.chunked() && rest.size() < kLastChunkBytes) break;
    const std::size_t taken = parser.put(boost::asio::buffer(rest.data(), rest.size()), error);
    step.consumed += taken;
    if (error == beast::error::need_more) {
      // Beast bounds a request's header, but neither a chunk's (its extensions) nor the trailer.
      if (rest.size() - taken > impl_->limits.header_bytes_max)
        step.error = error_of(beast::make_error_code(beast::error::header_limit), impl_->limits);
      break;
    }
    if (error) {
      step.error = error_of(error, impl_->limits);
      return step;
    }
    if (parser.is_header_done()) step.error = impl_->length_refused();
    if (taken == 0) break;
  }
  if (step.error) return step;
  if (parser.is_done()) {
    step.error = impl_->read_request();
    if (!step.error) step.request = &impl_->request;
  } else if (parser.is_header_done() && !impl_->continue_told) {
    impl_->continue_told = true;
    const auto& message = parser.get();
    const auto expect = message.find(beast::field::expect);
    step.continue_expected = message.version() >= 11 && expect != message.end() &&
                             equal_ignoring_case(expect->value(), "100-continue");
  }
  return step;
}

void HttpMachine::next() {
  impl_->restart();
}

bool HttpMachine::in_body() const {
  return impl_->parser->is_header_done();
}

}  // namespace peal::gateway::http
