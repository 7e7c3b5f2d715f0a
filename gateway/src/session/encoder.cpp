#include "session/encoder.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "websocket/codec.hpp"

namespace peal::gateway {
namespace {

// Most messages need a header of 4 bytes; another size moves the payload once.
constexpr std::size_t kLikelyHeader = 4;

}  // namespace

std::uint8_t Encoder::variant_of(Protocol& protocol) {
  const auto found = std::find(variants_.begin(), variants_.end(), &protocol);
  if (found == variants_.end()) {
    if (variants_.size() == kVariantsMax) return kVariantsMax;
    variants_.push_back(&protocol);
    return static_cast<std::uint8_t>(variants_.size() - 1);
  }
  return static_cast<std::uint8_t>(found - variants_.begin());
}

template <class Write>
void Encoder::append_framed(std::string& out, bool text, Write&& write) {
  const std::size_t begin = out.size();
  out.append(kLikelyHeader, '\0');
  write();
  const std::size_t payload = out.size() - begin - kLikelyHeader;
  std::array<char, 10> header;
  const std::size_t size = websocket::encode_header(
      header, text ? websocket::Opcode::text : websocket::Opcode::binary, payload);
  if (size > kLikelyHeader) out.append(size - kLikelyHeader, '\0');
  if (size != kLikelyHeader)
    std::memmove(out.data() + begin + size, out.data() + begin + kLikelyHeader, payload);
  if (size < kLikelyHeader) out.resize(begin + size + payload);
  std::memcpy(out.data() + begin, header.data(), size);
}

void Encoder::append_push(std::string& out, std::uint8_t variant, const Push& push) {
  Protocol& protocol = *variants_[variant];
  append_framed(out, protocol.text(), [&] { protocol.encode_push(out, push); });
}

FrameRef Encoder::push_frame(std::uint8_t variant, const Push& push, std::uint32_t messages) {
  scratch_.clear();
  append_push(scratch_, variant, push);
  return FrameRef::make(scratch_, messages);
}

FrameRef Encoder::reply_frame(std::uint8_t variant, std::uint64_t id, const ReplyBody& reply) {
  Protocol& protocol = *variants_[variant];
  scratch_.clear();
  append_framed(scratch_, protocol.text(), [&] { protocol.encode_reply(scratch_, id, reply); });
  return FrameRef::make(scratch_, 0);
}

}  // namespace peal::gateway
