#include "session/http_face.hpp"

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
  if (http.answered) http.machine.next();
  http.answered = false;
  http.fresh = false;
  http::HttpMachine::Step step = http.machine.feed({input.data(), input.size()});
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
    if (http.machine.in_body() && !http.body_timed) {
      http.body_timed = true;
      connections_.schedule(connection, limits_.body_timeout);
    }
    return;
  }
  probe_.requested();
  connections_.cancel_timer(connection);
  http.answer_due = true;
  http.keep_alive = step.request->keep_alive;
  http.head = step.request->method == "HEAD";
  service_->handle(*step.request,
                   Exchange(shard_, connection.index, connections_.generation(connection)));
}

void HttpFace::respond(Connection& connection, http::Response response) {
  if (!connection.http || !connection.http->answer_due) return;
  Connection::Http& http = *connection.http;
  http.answer_due = false;
  http.answered = true;
  http.fresh = true;
  http.body_timed = false;
  if (http.head) response.head_only = true;
  if (draining_ || connection.peer_ended) response.close = true;
  const bool keep = http.keep_alive && !response.close;
  scratch_.clear();
  http::append_response(scratch_, response, keep);
  send(connection, scratch_);
  if (scratch_.capacity() > 1024 * 1024) scratch_ = std::string();
  if (!keep) {
    connections_.finish(connection);
    return;
  }
  connections_.schedule(connection, limits_.header_timeout);
  connections_.resume(connection);
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
  if (connection.http && connection.http->answer_due) return;
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
  if (connection.http && connection.http->answer_due) return true;
  if (connection.outbox.empty()) return false;
  connections_.finish(connection);
  return true;
}

}  // namespace peal::gateway
