#pragma once
// The opening handshake of WebSocket (RFC 6455, 4.2) as a pure decision: a request in, either the
// headers of the 101 answer and the protocol that will be spoken, or the refusal.

#include <memory>
#include <span>
#include <variant>

#include "http/http_machine.hpp"
#include "session/http_service.hpp"
#include "session/protocol.hpp"

namespace peal::gateway::http {

struct Handshake {
  Protocol* protocol = nullptr;
  HttpHeaders headers;
};

/// `protocols` is never empty; the first is spoken when the client offers none.
std::variant<Handshake, Response> shake_hands(const Request& request,
                                              std::span<const std::unique_ptr<Protocol>> protocols);

}  // namespace peal::gateway::http
