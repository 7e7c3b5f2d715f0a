#include "http_client.hpp"

#include <stdexcept>

#include "http/text.hpp"
#include "socket_client.hpp"

namespace peal::test {

std::string HttpAnswer::header(std::string_view name) const {
  for (std::size_t at = head.find("\r\n"); at != std::string::npos; at = head.find("\r\n", at)) {
    at += 2;
    const auto colon = head.find(':', at);
    if (colon == std::string::npos) break;
    if (!gateway::http::equal_ignoring_case(std::string_view(head).substr(at, colon - at), name))
      continue;
    return std::string(gateway::http::trim(
        std::string_view(head).substr(colon + 1, head.find('\r', at) - colon - 1)));
  }
  return {};
}

std::string HttpAnswer::member(std::string_view name) const {
  const std::string wanted = '"' + std::string(name) + "\":";
  auto at = body.find(wanted);
  if (at == std::string::npos) return {};
  at += wanted.size();
  if (body[at] == '"') return body.substr(at + 1, body.find('"', at + 1) - at - 1);
  return body.substr(at, body.find_first_of(",}]", at) - at);
}

HttpAnswer read_answer(std::string_view text) {
  const auto end = text.find("\r\n\r\n");
  if (end == std::string_view::npos || !text.starts_with("HTTP/1.1 "))
    throw std::runtime_error("no HTTP answer: " + std::string(text.substr(0, 200)));
  HttpAnswer answer;
  answer.status = static_cast<unsigned>(std::stoi(std::string(text.substr(9, 3))));
  answer.head = std::string(text.substr(0, end + 2));
  answer.body = std::string(text.substr(end + 4));
  return answer;
}

HttpAnswer ask(std::uint16_t port, std::string_view method, std::string_view target,
               std::string_view body, const std::vector<std::string>& headers) {
  SocketClient client(port);
  std::string text(method);
  (text += ' ') += target;
  text += " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
  for (const std::string& line : headers)
    text += line + "\r\n";
  text += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  client.send_bytes(text.append(body));
  return read_answer(client.read_all());
}

}  // namespace peal::test
