#include "session/http_face.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace peal::gateway {

using State = Connection::State;

void HttpFace::send(Connection& connection, std::string_view bytes) {
  connections_.outlet().append(connection, FrameRef::make(bytes, 0));
}

void HttpFace::on_input(Connection& connection, std::span<char>& input) {
  outgoing_.reset();
  if (!connection.http) connection.http = std::make_unique<Connection::Http>(limits_);
  Connection::Http& http = *connection.http;
  if (http.answer_due) return;
  if (!http.machine)
    http.machine.emplace(limits_);
  else if (http.answered)
    http.machine->next();
  http.answered = false;
  http.fresh = false;
  http::HttpMachine::Step step = http.machine->feed({input.data(), input.size()});
  input = input.subspan(step.consumed);
  if (step.continue_expected) send(connection, "HTTP/1.1 100 Continue\r\n\r\n");
  if (step.error) {
    probe_.failed(step.error->code);
    http::Response response = http::problem(*step.error);
    response.close = true;
    http.answer_due = true;
    respond(connection, std::move(response));
    return;
  }
  if (step.request == nullptr) {
    if (http.machine->in_body() && !http.body_timed) {
      http.body_timed = true;
      connections_.schedule(connection, limits_.body_timeout);
    }
    return;
  }
  probe_.requested();
  connections_.clients().heard(connection.index, *step.request);
  connections_.cancel_timer(connection);
  http.answer_due = true;
  http.keep_alive = step.request->keep_alive;
  http.head = step.request->method == "HEAD";
  http.takes_chunks = step.request->takes_chunks;
  service_->handle(*step.request,
                   Exchange(shard_, connection.index, connections_.generation(connection)));
  // While it waits nothing of the request is needed: a parser is larger than all the rest.
  if (connection.http && connection.http->waiter) connection.http->machine.reset();
}

void HttpFace::wait(Connection& connection, std::shared_ptr<Waiter> waiter,
                    std::chrono::milliseconds at_most) {
  if (!connection.http || !connection.http->answer_due) return;
  connection.http->waiter = std::move(waiter);
  connections_.schedule(connection, draining_ ? std::chrono::milliseconds(0) : at_most);
}

void HttpFace::hurry(Connection& connection) {
  if (connection.state != State::http || !connection.http) return;
  if (const auto waiter = connection.http->waiter) waiter->on_due();
}

void HttpFace::on_gone(Connection& connection) {
  if (!connection.http) return;
  connection.http->answer_due = false;
  if (const auto waiter = std::exchange(connection.http->waiter, nullptr)) waiter->on_gone();
}

void HttpFace::begin_answer(Connection& connection, http::Response& response) {
  Connection::Http& http = *connection.http;
  if (http.head) response.head_only = true;
  if (draining_ || connection.peer_ended) response.close = true;
  http.closes = !http.keep_alive || response.close;
  scratch_.clear();
  http::append_response(scratch_, response, !http.closes);
  send(connection, scratch_);
  if (scratch_.capacity() > 1024 * 1024) scratch_ = std::string();
}

void HttpFace::end_answer(Connection& connection) {
  Connection::Http& http = *connection.http;
  const auto waiter = std::exchange(http.waiter, nullptr);
  http.answer_due = false;
  http.answered = true;
  http.fresh = true;
  http.body_timed = false;
  if (http.closes || connection.peer_ended) {
    connections_.finish(connection);
    return;
  }
  connections_.schedule(connection, limits_.header_timeout);
  connections_.resume(connection);
}

void HttpFace::respond(Connection& connection, http::Response response) {
  if (!connection.http || !connection.http->answer_due || connection.http->body) return;
  begin_answer(connection, response);
  end_answer(connection);
}

void HttpFace::respond(Connection& connection, http::Response response,
                       std::unique_ptr<BodySource> body) {
  if (!connection.http || !connection.http->answer_due || connection.http->body) return;
  Connection::Http& http = *connection.http;
  if (!response.body_bytes) {
    response.chunked = http.takes_chunks;
    response.close |= !http.takes_chunks;
  }
  begin_answer(connection, response);
  if (http.head || response.body_bytes == std::uint64_t{0}) return end_answer(connection);
  http.body_left = response.body_bytes;
  http.chunked = response.chunked;
  http.body = std::move(body);
  pull(connection);
}

void HttpFace::pull(Connection& connection) {
  // A source may answer at once; one after the other then, not each inside the other.
  struct AtOnce {
    bool possible = true;
    std::optional<BodySource::Piece> piece;
  };
  for (bool more = true; more;) {
    const auto at_once = std::make_shared<AtOnce>();
    connection.http->pulling = true;
    connection.http->body->pull(
        [this, at_once, index = connection.index,
         generation = connections_.generation(connection)](BodySource::Piece piece) {
          if (at_once->possible) {
            at_once->piece = std::move(piece);
            return;
          }
          Connection* found = connections_.find(index, generation);
          if (found != nullptr && take(*found, std::move(piece))) pull(*found);
        });
    at_once->possible = false;
    more = at_once->piece && take(connection, std::move(*at_once->piece));
  }
}

bool HttpFace::take(Connection& connection, BodySource::Piece piece) {
  Connection::Http& http = *connection.http;
  http.pulling = false;
  const std::size_t size = piece.bytes ? piece.bytes->size() : 0;
  const bool too_much = http.body_left && size > *http.body_left;
  const bool too_little = http.body_left && piece.last && size < *http.body_left;
  if (piece.failed || too_much || too_little) {
    connections_.destroy(connection);
    return false;
  }
  if (http.chunked && size > 0) {
    std::array<char, 16> digits{};
    char* end = std::to_chars(digits.begin(), digits.end() - 2, size, 16).ptr;
    *end++ = '\r';
    *end++ = '\n';
    send(connection, {digits.data(), end});
  }
  if (size > 0) connections_.outlet().append(connection, piece.bytes);
  if (http.chunked && size > 0) send(connection, "\r\n");
  if (http.body_left) *http.body_left -= size;
  if (piece.last || http.body_left == std::uint64_t{0}) {
    if (http.chunked) send(connection, "0\r\n\r\n");
    http.body.reset();
    end_answer(connection);
    return false;
  }
  connections_.outlet().flush(connection);
  return connection.state == State::http && !connection.outbox.blocked();
}

void HttpFace::on_writable(Connection& connection) {
  if (connection.http && connection.http->body && !connection.http->pulling) pull(connection);
}

bool HttpFace::admit_session(Connection& connection, Protocol& protocol, Framing framing) {
  if (!connection.http || !connection.http->answer_due) return false;
  std::optional<Error> refused = gate_.admit();
  if (draining_) refused = fail(ErrorCode::draining, "this gateway is stopping");
  const std::uint8_t variant = encoder_.variant_of(protocol, framing);
  if (variant == Encoder::kVariantsMax)
    refused = fail(ErrorCode::internal_error, "too many protocols");
  if (!refused) {
    connection.variant = variant;
    return true;
  }
  probe_.failed(refused->code);
  respond(connection, http::problem(*refused));
  return false;
}

void HttpFace::become_session(Connection& connection, std::shared_ptr<const Principal> principal) {
  outgoing_ = std::move(connection.http);
  connection.state = State::open;
  connection.principal = std::move(principal);
  gate_.opened(connection);
  connections_.resume(connection);
}

void HttpFace::upgrade(Connection& connection, Protocol& protocol,
                       std::shared_ptr<const Principal> principal, const HttpHeaders& headers) {
  if (!admit_session(connection, protocol, Framing::websocket)) return;
  scratch_ = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  for (const auto& [name, value] : headers)
    scratch_.append(name).append(": ").append(value).append("\r\n");
  scratch_ += "\r\n";
  send(connection, scratch_);
  become_session(connection, std::move(principal));
}

bool HttpFace::stream(Connection& connection, Protocol& protocol,
                      std::shared_ptr<const Principal> principal, const HttpHeaders& headers,
                      const StreamOrder& order) {
  const Framing framing = order.channels.size() == 1 ? Framing::sse_positions
                          : order.ids                ? Framing::sse_tokens
                                                     : Framing::sse;
  if (!admit_session(connection, protocol, framing)) return false;
  scratch_.clear();
  http::append_stream_head(scratch_, headers);
  // Who lost a gateway together comes back spread over two seconds.
  scratch_ += "retry: " + std::to_string(1000 + connection.index * 619 % 2000) + "\n\n";
  send(connection, scratch_);
  // A client that has gone without a word is given up when it leaves bytes unacknowledged this
  // long, and every ping_interval there are some.
  connection.transport().give_up_after(limits_.ping_interval + limits_.pong_timeout);
  become_session(connection, std::move(principal));
  return true;
}

void HttpFace::on_timer(Connection& connection) {
  if (connection.http && connection.http->answer_due) return hurry(connection);
  if (!connection.http || connection.http->fresh) {
    connections_.destroy(connection);
    return;
  }
  const Error error =
      fail(ErrorCode::request_timeout,
           connection.http->body_timed ? "the body did not arrive within limits.body_timeout"
                                       : "the request did not arrive within limits.header_timeout");
  probe_.failed(error.code);
  http::Response response = http::problem(error);
  response.close = true;
  connection.http->answer_due = true;
  respond(connection, std::move(response));
}

bool HttpFace::on_peer_ended(Connection& connection) {
  if (connection.http && connection.http->answer_due) return !connection.http->waiter;
  if (connection.outbox.empty()) return false;
  connections_.finish(connection);
  return true;
}

}  // namespace peal::gateway
