#include "session/shared_page.hpp"

#include <utility>

namespace peal::gateway {

SharedPage::SharedPage(const bus::Page& page) {
  std::size_t size = 0;
  for (const PublicationView& publication : page.publications)
    size += bytes_of(publication);
  bytes_.reserve(size);  // never moved afterwards: the views point into it
  const auto keep = [&](std::string_view& text) {
    const std::size_t at = bytes_.size();
    bytes_.append(text);
    text = std::string_view(bytes_).substr(at);
  };
  publications_.assign(page.publications.begin(), page.publications.end());
  for (PublicationView& publication : publications_) {
    for (auto* text : {&publication.payload, &publication.key, &publication.type, &publication.tags,
                       &publication.source, &publication.origin, &publication.unknown_fields})
      keep(*text);
  }
  page_ = page;
  page_.publications = publications_;
}

const FrameRef& CarriedPage::list(Encoder& encoder, std::uint8_t variant) {
  FrameRef& frame = lists_[variant];
  if (!frame) {
    frame = encoder.list_frame(variant, page().publications);
    encodes_ += page().publications.size();
  }
  return frame;
}

void CarriedPage::each_push(std::string_view channel,
                            const std::function<void(const Push&)>& each) const {
  const Epoch& epoch = page().head.epoch;
  Offset expected = page().after.next();
  for (const PublicationView& publication : page().publications) {
    std::optional<Offset> after;
    if (publication.offset > expected) after = Offset{publication.offset.value - 1};
    each(MessagePush{channel, &publication, after, epoch});
    expected = publication.offset.next();
  }
  if (expected <= page().to) each(PositionPush{channel, page().to, epoch});
}

const FrameRef& CarriedPage::messages(Encoder& encoder, std::uint8_t variant,
                                      std::string_view channel) {
  FrameRef& frame = messages_[variant];
  if (frame || page().to == page().after) return frame;
  std::string bytes;
  each_push(channel, [&](const Push& push) { encoder.append_push(bytes, variant, push); });
  encodes_ += page().publications.size();
  frame = FrameRef::make(bytes, static_cast<std::uint32_t>(page().publications.size()));
  return frame;
}

}  // namespace peal::gateway
