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

namespace {

/// A line break inside is a new `data:` line, which readers join again.
void break_lines(std::string& out, std::size_t begin) {
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
}

}  // namespace

void finish_event(std::string& out, std::size_t begin) {
  break_lines(out, begin);
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
std::size_t Encoder::append_framed(std::string& out, bool text, Write&& write, std::size_t shared) {
  const std::size_t begin = out.size();
  out.append(kLikelyHeader, '\0');
  write();
  const std::size_t payload = out.size() - begin - kLikelyHeader;
  std::array<char, 10> header;
  const std::size_t size = websocket::encode_header(
      header, text ? websocket::Opcode::text : websocket::Opcode::binary, payload + shared);
  if (size > kLikelyHeader) out.append(size - kLikelyHeader, '\0');
  if (size != kLikelyHeader)
    std::memmove(out.data() + begin + size, out.data() + begin + kLikelyHeader, payload);
  if (size < kLikelyHeader) out.resize(begin + size + payload);
  std::memcpy(out.data() + begin, header.data(), size);
  return size;
}

void Encoder::append_push(std::string& out, std::uint8_t variant, const Push& push) {
  Protocol& protocol = *variants_[variant].protocol;
  const Framing framing = variants_[variant].framing;
  if (framing == Framing::websocket) {
    append_framed(out, protocol.text(), [&] { protocol.encode_push(out, push); });
    return;
  }
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

FrameRef Encoder::list_frame(std::uint8_t variant, std::span<const PublicationView> publications) {
  scratch_.clear();
  variants_[variant].protocol->encode_list(scratch_, publications);
  if (sse(variant)) break_lines(scratch_, 0);
  return FrameRef::make(scratch_, static_cast<std::uint32_t>(publications.size()), true);
}

std::span<const FrameRef> Encoder::result_frames(std::uint8_t variant,
                                                 std::optional<std::uint64_t> id,
                                                 const SubscribeResult& result,
                                                 const FrameRef& list) {
  Protocol& protocol = *variants_[variant].protocol;
  std::size_t at = 0;
  SubscribeResult open = result;
  open.list_at = &at;
  scratch_.clear();
  if (sse(variant)) {
    append_push(scratch_, variant, SubscribedPush{&open, result.position});
  } else {
    const std::size_t header = append_framed(
        scratch_, protocol.text(), [&] { protocol.encode_reply(scratch_, id.value_or(0), open); },
        list->size());
    at += header - kLikelyHeader;
  }
  const std::string_view bytes = scratch_;
  parts_ = {FrameRef::make(bytes.substr(0, at), 0, true), list,
            FrameRef::make(bytes.substr(at), 0)};
  return parts_;
}

}  // namespace peal::gateway
