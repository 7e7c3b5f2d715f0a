#include "io/proxy_preface.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace peal::gateway {
namespace {

using Status = ProxyPreface::Status;
using namespace std::string_view_literals;

constexpr std::string_view kFirst = "PROXY ";
constexpr std::size_t kFirstBytesMax = 107;
constexpr std::string_view kSecond = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::size_t kSecondHead = 16;

bool begins(std::string_view bytes, std::string_view mark) {
  const std::size_t both = std::min(bytes.size(), mark.size());
  return bytes.substr(0, both) == mark.substr(0, both);
}

std::optional<NetAddress> end_of(std::string_view host, std::string_view port, bool v4) {
  const std::string_view open = v4 ? "" : "[", close = v4 ? ":" : "]:";
  std::string text(open);
  text.append(host).append(close).append(port);
  const auto address = NetAddress::parse(text);
  return address && address->v4() == v4 ? address : std::nullopt;
}

ProxyPreface read_first(std::string_view bytes) {
  const auto end = bytes.substr(0, kFirstBytesMax).find("\r\n");
  if (end == std::string_view::npos)
    return {bytes.size() >= kFirstBytesMax ? Status::wrong : Status::more, bytes.size()};
  ProxyPreface preface{Status::whole, end + 2};
  std::string_view line = bytes.substr(kFirst.size(), end - kFirst.size());
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return preface;
  std::array<std::string_view, 5> words;
  for (std::string_view& word : words) {
    const auto space = std::min(line.find(' '), line.size());
    word = line.substr(0, space);
    line.remove_prefix(std::min(space + 1, line.size()));
  }
  const bool v4 = words[0] == "TCP4";
  if (!line.empty() || (!v4 && words[0] != "TCP6")) return {Status::wrong, end + 2};
  const auto source = end_of(words[1], words[3], v4), target = end_of(words[2], words[4], v4);
  if (!source || !target) return {Status::wrong, end + 2};
  preface.client = source;
  return preface;
}

std::size_t number_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]) * 256U + static_cast<unsigned char>(bytes[at + 1]);
}

ProxyPreface read_second(std::string_view bytes, std::size_t bytes_max) {
  if (bytes.size() < kSecondHead) return {Status::more, bytes.size()};
  const auto command = static_cast<unsigned char>(bytes[12]);
  const auto family = static_cast<unsigned char>(bytes[13]);
  const std::size_t length = kSecondHead + number_at(bytes, 14);
  if (length > bytes_max || (command != 0x20 && command != 0x21)) return {Status::wrong, length};
  if (bytes.size() < length) return {Status::more, bytes.size()};
  ProxyPreface preface{Status::whole, length};
  if (command == 0x20) return preface;  // the proxy itself: it looks whether all is well
  const std::size_t size = family == 0x11 ? 4 : family == 0x21 ? 16 : 0;
  if (size == 0) return preface;
  if (length < kSecondHead + 2 * size + 4) return {Status::wrong, length};
  const auto port = static_cast<std::uint16_t>(number_at(bytes, kSecondHead + 2 * size));
  preface.client = NetAddress::of_bytes(bytes.substr(kSecondHead, size), port);
  return preface;
}

}  // namespace

ProxyPreface read_proxy_preface(std::string_view bytes, std::size_t bytes_max) {
  if (bytes.empty()) return {};
  if (begins(bytes, kFirst)) {
    if (bytes.size() < kFirst.size()) return {Status::more, bytes.size()};
    return read_first(bytes);
  }
  if (begins(bytes, kSecond)) {
    if (bytes.size() < kSecond.size()) return {Status::more, bytes.size()};
    return read_second(bytes, bytes_max);
  }
  return {Status::absent, 0};
}

}  // namespace peal::gateway
