#include "wire_tamper.hpp"

namespace peal::simulation {
namespace {

/// An id that nobody waits for.
constexpr bus::RequestId kNobodys = 0x7fff'ffff'ffff;

}  // namespace

/// Writes again what it is told, but for what the plant changes.
class Tamper::Copy final : public wire::OperationSink {
 public:
  Copy(Tamper& tamper, wire::Writer& out, bool lose) : tamper_(tamper), out_(out), lose_(lose) {}

  void on_watch(bus::Alias alias, std::string_view channel,
                const std::optional<Epoch>& seen) override {
    out_.watch(alias, channel, seen);
    if (tamper_.late_unwatches_.erase(alias.index) != 0) out_.unwatch(alias);
  }
  void on_unwatch(bus::Alias alias) override {
    if (tamper_.plant_ == Plant::reordered_interest) {
      tamper_.late_unwatches_.insert(alias.index);
    } else {
      out_.unwatch(alias);
    }
  }
  void on_publish(const bus::PublishRequest& request) override {
    bus::PublishRequest copy = request;
    if (tamper_.plant_ == Plant::doubled_retry) copy.publication.source = {};
    out_.publish(copy);
  }
  void on_read(const bus::ReadRequest& request) override { out_.read(request); }
  void on_delivery(const bus::Delivery& delivery) override {
    // Never the only operation of its message: that would be another kind of message.
    if (lose_ && !out_.empty() && delivery.publication.offset.value != 0) {
      lose_ = false;
      return;
    }
    out_.delivery(delivery.alias, delivery.epoch, delivery.publication);
  }
  void on_head(const bus::HeadNotice& notice) override { out_.head(notice); }
  void on_published(const bus::Published& outcome) override {
    bus::Published copy = outcome;
    if (tamper_.plant_ == Plant::lost_acknowledgement && ++tamper_.seen_ % 40 == 0)
      copy.id = kNobodys;
    out_.published(copy);
  }
  void on_page(const bus::Page& page) override {
    bus::Page copy = page;
    if (tamper_.plant_ == Plant::repair_one_short && !copy.publications.empty())
      copy.publications = copy.publications.first(copy.publications.size() - 1);
    out_.page(copy);
  }
  void on_enter(bus::Alias alias, const bus::Member& member) override { out_.enter(alias, member); }
  void on_leave(bus::Alias alias, std::string_view session) override { out_.leave(alias, session); }
  void on_presence(const bus::PresenceRequest& request) override { out_.presence(request); }
  void on_presence_answer(const bus::PresenceAnswer& answer) override {
    out_.presence_answer(answer);
  }
  void on_presence_event(const bus::PresenceEvent& event) override { out_.presence_event(event); }

 private:
  Tamper& tamper_;
  wire::Writer& out_;
  bool lose_;  ///< a delivery
};

void Tamper::to_broker(wire::Message& message) {
  if (plant_ == Plant::doubled_retry || plant_ == Plant::reordered_interest)
    rewrite(message, wire::Direction::to_broker, false);
}

void Tamper::to_peer(wire::Message& message) {
  const bool lose = world_.one_in(100);
  if (lose || plant_ == Plant::lost_acknowledgement || plant_ == Plant::repair_one_short)
    rewrite(message, wire::Direction::to_peer, lose);
}

void Tamper::rewrite(wire::Message& message, wire::Direction direction, bool lose) {
  wire::Reader reader(direction);
  if (!reader.read(message.header, message.body) || reader.hello() || reader.refusal() ||
      !reader.has_operations())
    return;
  wire::Writer writer;
  Copy copy(*this, writer, lose);
  reader.walk(copy);
  message = writer.close(reader.stamp());
}

}  // namespace peal::simulation
