#include "http/handshake.hpp"

#include <algorithm>

#include "http/text.hpp"
#include "websocket/codec.hpp"

namespace peal::gateway::http {
namespace {

Response upgrade_required(const std::string& why) {
  Response response = problem(fail(ErrorCode::upgrade_required, why));
  response.headers.emplace_back("Upgrade", "websocket");
  response.headers.emplace_back("Connection", "Upgrade");
  response.headers.emplace_back("Sec-WebSocket-Version", "13");
  return response;
}

/// Base64 of 16 bytes: 22 digits and "==".
bool valid_key(std::string_view key) {
  const auto digit = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
           c == '/';
  };
  return key.size() == 24 && key.ends_with("==") && std::ranges::all_of(key.substr(0, 22), digit);
}

}  // namespace

std::variant<Handshake, Response> shake_hands(
    const Request& request, std::span<const std::unique_ptr<Protocol>> protocols) {
  if (!has_token(request.header("Connection"), "upgrade") ||
      !has_token(request.header("Upgrade"), "websocket")) {
    return upgrade_required("this path speaks WebSocket: the request asks for no upgrade to it");
  }
  if (request.header("Sec-WebSocket-Version") != "13") {
    return upgrade_required("Sec-WebSocket-Version must be 13");
  }
  const std::string_view key = request.header("Sec-WebSocket-Key");
  if (!valid_key(key)) {
    return problem(fail(ErrorCode::request_invalid, "Sec-WebSocket-Key is not base64 of 16 bytes"));
  }
  Handshake result;
  result.headers.emplace_back("Sec-WebSocket-Accept", websocket::accept_key(key));
  std::string offered;
  for (const auto& [name, value] : request.headers) {
    if (equal_ignoring_case(name, "Sec-WebSocket-Protocol")) (offered += value) += ',';
  }
  std::string_view list = offered;
  std::string_view wanted;
  bool any = false;
  while (result.protocol == nullptr && next_element(list, wanted)) {
    any = true;
    for (const auto& protocol : protocols) {
      if (protocol->subprotocol() == wanted) result.protocol = protocol.get();
    }
  }
  if (result.protocol != nullptr) {
    result.headers.emplace_back("Sec-WebSocket-Protocol", std::string(wanted));
  } else if (any) {
    return problem(
        fail(ErrorCode::not_acceptable, "none of the offered subprotocols is spoken here; " +
                                            std::string(protocols.front()->subprotocol()) + " is"));
  } else {
    result.protocol = protocols.front().get();
  }
  return result;
}

}  // namespace peal::gateway::http
