#pragma once
// A response of server-sent events, read as a browser reads it: blocks end at an empty line, data
// lines are joined, comments are counted, and an id counts from the end of its block on.

#include <cstdint>
#include <string>
#include <string_view>

#include "socket_client.hpp"

namespace peal::test {

class EventStream {
 public:
  /// Sends a whole request and reads the answer's head.
  EventStream(std::uint16_t port, std::string_view request, SocketClient::Options options = {})
      : client_(port, options) {
    client_.send_bytes(request);
    head_ = client_.receive_until("\r\n\r\n");
  }
  static EventStream get(std::uint16_t port, std::string_view target,
                         std::string_view headers = "") {
    return {port, "GET " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n" +
                      "Accept: text/event-stream\r\n" + std::string(headers) + "\r\n"};
  }
  static EventStream post(std::uint16_t port, std::string_view body) {
    return {port,
            "POST /stream HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
            "Content-Type: application/json\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + std::string(body)};
  }

  const std::string& head() const { return head_; }
  /// The data of the next event; empty when the stream ended.
  std::string next() {
    for (;;) {
      std::string_view block = block_ = client_.receive_until("\n\n");
      if (block.empty()) return {};
      std::string data;
      bool any = false;
      while (!block.empty()) {
        const std::size_t end = block.find('\n');
        take(block.substr(0, end), data, any);
        block.remove_prefix(end + 1);
      }
      last_id_ = next_id_;
      if (any) return data;
    }
  }
  const std::string& last_id() const { return last_id_; }
  int comments() const { return comments_; }
  int retry_ms() const { return retry_ms_; }
  SocketClient& client() { return client_; }

 private:
  void take(std::string_view line, std::string& data, bool& any) {
    if (line.starts_with(':')) ++comments_;
    if (line.starts_with("id: ")) next_id_ = line.substr(4);
    if (line.starts_with("retry: ")) retry_ms_ = std::stoi(std::string(line.substr(7)));
    if (!line.starts_with("data: ")) return;
    if (any) data += '\n';
    data += line.substr(6);
    any = true;
  }

  SocketClient client_;
  std::string head_, block_, next_id_, last_id_;
  int comments_ = 0;
  int retry_ms_ = 0;
};

}  // namespace peal::test
