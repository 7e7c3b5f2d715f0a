#include "session/encoder.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "websocket/codec.hpp"

namespace peal::gateway {
namespace {

// Most messages need a header of 4 bytes; another size moves the payload once.
constexpr std::size_t kLikelyHeader = 4;
constexpr std::string_view kData = "data: ";

}  // namespace

std::optional<Position> position_after(const Push& push) {
  if (const auto* message = std::get_if<MessagePush>(&push)) {
    if (message->publication->offset.value == 0) return std::nullopt;
    return Position{message->epoch, message->publication->offset};
  }
  if (const auto* position = std::get_if<PositionPush>(&push))
    return Position{position->epoch, position->offset};
  if (const auto* reset = std::get_if<ResetPush>(&push)) return reset->position;
  if (const auto* subscribed = std::get_if<SubscribedPush>(&push)) return subscribed->reached;
  return std::nullopt;
}

void finish_event(std::string& out, std::size_t begin) {
  constexpr std::string_view kBreaks = "\r\n";
  if (out.find_first_of(kBreaks, begin) != std::string::npos) {
    const std::string text = out.substr(begin);
    out.resize(begin);
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (kBreaks.find(text[at]) == std::string_view::npos) {
        out += text[at];
        continue;
      }
      if (text[at] == '\r' && at + 1 < text.size() && text[at + 1] == '\n') ++at;
      (out += '\n') += kData;
    }
  }
  out += "\n\n";
}

std::uint8_t Encoder::variant_of(Protocol& protocol, Framing framing) {
  const auto found = std::ranges::find_if(variants_, [&](const Variant& variant) {
    return variant.protocol == &protocol && variant.framing == framing;
  });
  if (found == variants_.end()) {
    if (variants_.size() == kVariantsMax) return kVariantsMax;
    variants_.push_back({&protocol, framing});
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
  Protocol& protocol = *variants_[variant].protocol;
  const Framing framing = variants_[variant].framing;
  if (framing == Framing::websocket)
    return append_framed(out, protocol.text(), [&] { protocol.encode_push(out, push); });
  if (framing == Framing::sse_positions) {
    if (const auto position = position_after(push))
      ((out += "id: ") += position->to_string()) += '\n';
  }
  out += kData;
  const std::size_t begin = out.size();
  protocol.encode_push(out, push);
  finish_event(out, begin);
}

FrameRef Encoder::push_frame(std::uint8_t variant, const Push& push, std::uint32_t messages) {
  scratch_.clear();
  append_push(scratch_, variant, push);
  return FrameRef::make(scratch_, messages);
}

FrameRef Encoder::reply_frame(std::uint8_t variant, std::uint64_t id, const ReplyBody& reply) {
  Protocol& protocol = *variants_[variant].protocol;
  scratch_.clear();
  append_framed(scratch_, protocol.text(), [&] { protocol.encode_reply(scratch_, id, reply); });
  return FrameRef::make(scratch_, 0);
}

}  // namespace peal::gateway
