#pragma once
// A subscriber as a gateway's shard is one: it watches a recoverable channel, reads what it missed,
// joins live, and repairs holes from the log. What it ends up with is one list without gap or
// duplicate, or a told reset. It is a sink of its own: everything happens in callbacks, as in the
// gateway.

#include <vector>

#include "peal/bus/feed.hpp"
#include "recording_sink.hpp"

namespace peal::bus::test {

class FeedReader final : public RecordingSink {
 public:
  explicit FeedReader(std::size_t page) : page_(page) {}

  /// Called once with the port, before anything is heard.
  void begin(BusPort& port, std::string channel) {
    port_ = &port;
    channel_ = std::move(channel);
    port.watch(alias_, channel_);
  }

  void on_batch(std::span<const Delivery> batch) override {
    for (const Delivery& delivery : batch) {
      if (!started_) {
        broken = "a publication came before the head";
        continue;
      }
      // While the past is read, nothing is delivered: the log has it too.
      if (reading_) continue;
      step(feed_.on_publication(delivery.epoch, delivery.publication.offset), delivery.publication);
    }
  }

  void on_heads(std::span<const HeadNotice> notices) override {
    for (const HeadNotice& notice : notices) {
      if (notice.error || !notice.head) {
        broken = "the watch was refused";
        continue;
      }
      answers += notice.answer ? 1 : 0;
      pulls += notice.answer ? 0 : 1;
      const Head& head = *notice.head;
      if (!started_) {
        started_ = true;
        feed_ = Feed(Head{head.epoch, {0}, {0}});  // from the start of what is kept
        read_on();
      } else if (notice.answer) {
        // A new link: what was asked on the old one isn't answered any more.
        reading_ = false;
        ++request_;
        step(feed_.on_head(head), std::nullopt, &head);
      } else if (reading_) {
        if (head.epoch != feed_.epoch()) reset(head);
      } else {
        step(feed_.on_head(head), std::nullopt, &head);
      }
    }
  }

  void on_page(const Page& page) override {
    if (page.id != request_) return;
    reading_ = false;
    if (page.error) {
      if (page.error->code == ErrorCode::position_lost) {
        reset(page.head);
      } else if (!page.error->temporary()) {
        broken = page.error->message;
      }
      return;  // after a temporary error a new answer to the watch follows
    }
    holes += page.publications.size();
    for (const PublicationView& publication : page.publications)
      take(publication);
    feed_.advance(page.to);
    if (page.to < page.head.top) read_on();
  }

  std::vector<std::string> values;  ///< payloads since the last reset
  std::vector<std::uint64_t> offsets;
  std::size_t answers = 0, pulls = 0, holes = 0, resets = 0;
  std::string broken;

 private:
  void step(Feed::Step step, const std::optional<PublicationView>& publication,
            const Head* head = nullptr) {
    switch (step) {
      case Feed::Step::deliver:
        take(*publication);
        break;
      case Feed::Step::drop:
        break;
      case Feed::Step::hole:
        read_on();
        break;
      case Feed::Step::reset:
        // A publication of another epoch: its log tells where it stands.
        if (head != nullptr) {
          reset(*head);
        } else {
          port_->unwatch(alias_);
          ++alias_.generation;
          port_->watch(alias_, channel_);
          forget();
        }
        break;
    }
  }
  void take(const PublicationView& publication) {
    if (!offsets.empty() && publication.offset.value <= offsets.back()) broken = "out of order";
    values.emplace_back(publication.payload);
    offsets.push_back(publication.offset.value);
  }
  void read_on() {
    reading_ = true;
    ReadRequest request;
    request.id = ++request_;
    request.channel = channel_;
    request.epoch = feed_.epoch();
    request.after = {feed_.next().value - 1};
    request.limit = page_;
    port_->read(request);
  }
  void reset(const Head& head) {
    forget();
    started_ = true;
    feed_.restart(Head{head.epoch, head.floor, head.floor});
    read_on();
  }
  void forget() {
    ++resets;
    started_ = false;
    reading_ = false;
    values.clear();
    offsets.clear();
  }

  const std::size_t page_;
  std::string channel_;
  BusPort* port_ = nullptr;
  Alias alias_{0, 1};
  Feed feed_;
  RequestId request_ = 0;
  bool started_ = false;
  bool reading_ = false;
};

}  // namespace peal::bus::test
