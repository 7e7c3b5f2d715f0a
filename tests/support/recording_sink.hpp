#pragma once
// A BusSink that keeps copies of what a port says, in order, and a Waker that counts. For one
// thread; the waker for any.

#include <atomic>
#include <string>
#include <vector>

#include "peal/bus/bus_port.hpp"

namespace peal::bus::test {

class RecordingSink : public BusSink {
 public:
  struct Heard {
    Alias alias;
    Epoch epoch;
    Publication publication;
  };

  void on_batch(std::span<const Delivery> batch) override {
    ++batches;
    for (const Delivery& delivery : batch) {
      heard.push_back({delivery.alias, delivery.epoch, copy_of(delivery.publication)});
      story.push_back("message " + std::string(delivery.publication.payload));
    }
  }
  void on_heads(std::span<const HeadNotice> notices) override {
    for (const HeadNotice& notice : notices) {
      heads.push_back(notice);
      story.push_back("head " + std::to_string(notice.alias.index));
    }
  }
  void on_published(std::span<const Published> due) override {
    for (const Published& outcome : due) {
      outcomes.push_back(outcome);
      story.push_back("published " + std::to_string(outcome.id));
    }
  }
  void on_page(const Page& page) override {
    pages.push_back(page);
    pages.back().publications = {};
    page_publications.emplace_back();
    for (const auto& publication : page.publications) {
      page_publications.back().push_back(copy_of(publication));
    }
    story.push_back("page " + std::to_string(page.id));
  }
  void on_state(const BusState& state) override {
    states.push_back(state);
    story.push_back(state.linked ? "linked" : "not linked");
  }

  std::size_t batches = 0;
  std::vector<Heard> heard;
  std::vector<HeadNotice> heads;
  std::vector<Published> outcomes;
  std::vector<Page> pages;                                  ///< without their publications …
  std::vector<std::vector<Publication>> page_publications;  ///< … which are here
  std::vector<BusState> states;
  std::vector<std::string> story;
};

class CountingWaker final : public Waker {
 public:
  void wake() noexcept override { wakes.fetch_add(1); }
  std::atomic<int> wakes{0};
};

inline PublishRequest publish_request(std::string_view channel, std::string_view payload,
                                      RequestId id = 0) {
  PublishRequest request;
  request.id = id;
  request.channel = channel;
  request.publication.payload = payload;
  return request;
}

}  // namespace peal::bus::test
