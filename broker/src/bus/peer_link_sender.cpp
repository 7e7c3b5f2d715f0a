#include "bus/peer_link_sender.hpp"

#include <utility>

namespace peal::bus {

LinkSender::LinkSender(PeerLink& link, MessageSink& out, std::size_t batch_bytes_max)
    : link_(link), out_(out), batch_bytes_max_(batch_bytes_max) {}

wire::Writer& LinkSender::write(wire::LinkClass c, std::size_t bytes) {
  if (open_.bytes() >= batch_bytes_max_) {
    seal();
    pump(now_);
  }
  return append(c, bytes);
}

wire::Writer& LinkSender::append(wire::LinkClass c, std::size_t bytes) {
  link_.charge(c, bytes);
  open_bytes_[c] += static_cast<std::uint32_t>(bytes);
  return open_;
}

void LinkSender::seal() {
  if (open_.empty()) return;
  sealed_.push_back({std::move(open_), open_bytes_, marker_});
  open_bytes_ = {};
  ++batch_;
  if (spare_.empty()) {
    open_ = wire::Writer();
  } else {
    open_ = std::move(spare_.back());
    spare_.pop_back();
  }
}

void LinkSender::send(wire::Message message) {
  switch (out_.send(message)) {
    case MessageSink::Sent::ok:
      return;
    case MessageSink::Sent::full:
      stuck_ = std::move(message);
      return;
    case MessageSink::Sent::gone:
      gone_ = true;
      return;
  }
}

void LinkSender::pump(LinkTime now) {
  if (stuck_) {
    auto message = std::exchange(stuck_, std::nullopt);
    send(std::move(*message));
  }
  while (!sealed_.empty() && !stuck_ && !gone_ && link_.may_send()) {
    Sealed& next = sealed_.front();
    const auto stamp = link_.stamp(next.bytes, next.writer.numbered(), true, now);
    marker_sent_ = next.marker;
    send(next.writer.close(stamp));
    spare_.push_back(std::move(next.writer));
    sealed_.pop_front();
  }
}

void LinkSender::flush(LinkTime now) {
  now_ = now;
  if (gone_) return;
  if (sealed_.empty() && link_.may_send()) seal();
  pump(now);
  if (stuck_ || gone_ || !link_.linked()) return;
  if (link_.report_due() || link_.heartbeat_due(now)) {
    wire::Writer beat;
    send(beat.close(link_.stamp({}, 0, false, now)));
  }
}

void LinkSender::hello(LinkTime now) {
  now_ = now;
  wire::Writer greeting;
  greeting.hello(link_.me());
  send(greeting.close(link_.stamp({}, 0, false, now)));
}

void LinkSender::refuse(const Error& why, LinkTime now) {
  wire::Writer goodbye;
  goodbye.refusal(why);
  if (!stuck_ && !gone_) send(goodbye.close(link_.stamp({}, 0, false, now)));
}

}  // namespace peal::bus
