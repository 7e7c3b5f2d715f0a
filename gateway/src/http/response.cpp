// The response side of HTTP: status line, headers, body; and RFC 9457 problems.
#include <boost/beast/http/status.hpp>

#include <array>
#include <ctime>

#include "http/http_machine.hpp"
#include "peal/proto/json.hpp"

namespace peal::gateway::http {
namespace {

/// IMF-fixdate, formatted once a second and thread.
std::string_view date() {
  thread_local std::time_t formatted_at = -1;
  thread_local std::array<char, 32> text{};
  thread_local std::size_t size = 0;
  const std::time_t now = std::time(nullptr);
  if (now != formatted_at) {
    std::tm parts{};
    gmtime_r(&now, &parts);
    // Spelled out, since strftime's names follow the locale.
    constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::array<char, 32> rest{};
    std::strftime(rest.data(), rest.size(), "%Y %H:%M:%S GMT", &parts);
    std::string line = kDays[static_cast<std::size_t>(parts.tm_wday)];
    line += parts.tm_mday < 10 ? ", 0" : ", ";
    line += std::to_string(parts.tm_mday) + ' ';
    line += kMonths[static_cast<std::size_t>(parts.tm_mon)];
    line += ' ';
    line += rest.data();
    size = line.copy(text.data(), text.size());
    formatted_at = now;
  }
  return {text.data(), size};
}

/// A header's value can't start a line of its own, wherever it came from.
void append_value(std::string& out, std::string_view value) {
  for (const char c : value) {
    if (static_cast<unsigned char>(c) >= 0x20U && c != '\x7f') out += c;
  }
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  append_value(out, value);
  out += "\r\n";
}

bool has_content_length(unsigned status) {
  return status >= 200 && status != 204 && status != 304;
}

}  // namespace

void append_response(std::string& out, const Response& response, bool keep_alive) {
  out += "HTTP/1.1 ";
  out += std::to_string(response.status);
  out += ' ';
  out += boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(response.status));
  out += "\r\n";
  append_header(out, "Date", date());
  for (const auto& [name, value] : response.headers)
    append_header(out, name, value);
  if (response.chunked) {
    append_header(out, "Transfer-Encoding", "chunked");
  } else if (has_content_length(response.status)) {
    append_header(out, "Content-Length",
                  std::to_string(response.body_bytes.value_or(response.body.size())));
  }
  if (response.status >= 200) {
    append_header(out, "Connection", keep_alive && !response.close ? "keep-alive" : "close");
  }
  out += "\r\n";
  if (!response.head_only && has_content_length(response.status)) out += response.body;
}

void append_stream_head(std::string& out,
                        const std::vector<std::pair<std::string, std::string>>& headers) {
  out += "HTTP/1.1 200 OK\r\n";
  append_header(out, "Date", date());
  append_header(out, "Content-Type", "text/event-stream");
  append_header(out, "Cache-Control", "no-store");
  append_header(out, "X-Accel-Buffering", "no");
  append_header(out, "Connection", "close");
  for (const auto& [name, value] : headers)
    append_header(out, name, value);
  out += "\r\n";
}

Response problem(const Error& error, const std::optional<Position>& position) {
  const ErrorInfo& about = info(error.code);
  Response response;
  response.status = about.http_status;
  response.headers = {{"Content-Type", "application/problem+json"}, {"Cache-Control", "no-store"}};
  response.body = R"({"type":"about:blank","title":)";
  append_json_string(response.body, about.meaning);
  response.body += R"(,"status":)" + std::to_string(about.http_status);
  response.body += R"(,"code":)";
  append_json_string(response.body, about.name);
  response.body += R"(,"detail":)";
  append_json_string(response.body, error.message);
  response.body += about.temporary ? R"(,"temporary":true)" : R"(,"temporary":false)";
  if (position) {
    response.body += R"(,"epoch":")";
    response.body += position->epoch.view();
    response.body += R"(","offset":)" + std::to_string(position->offset.value);
  }
  response.body += '}';
  if (about.http_status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (about.http_status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

}  // namespace peal::gateway::http
