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
  static std::string text_of(const Member& member) {
    std::string text(member.session);
    if (!member.user.empty()) text.append(" ").append(member.user);
    if (!member.data.empty()) text.append(" ").append(member.data);
    return text;
  }
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
  void on_presence(const PresenceAnswer& answer) override {
    presence.push_back(answer);
    presence.back().members = {};
    presence_members.emplace_back();
    for (const Member& member : answer.members)
      presence_members.back().push_back(text_of(member));
    story.push_back("presence " + std::to_string(answer.id));
  }
  void on_presence_events(std::span<const PresenceEvent> due) override {
    constexpr const char* kWhat[] = {"join ", "leave ", "changed ", "refused "};
    for (const PresenceEvent& event : due) {
      presence_events.push_back({event.alias, event.what, {}});
      came_and_went.push_back(kWhat[static_cast<std::size_t>(event.what)] + text_of(event.member));
      story.push_back(came_and_went.back());
    }
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
  std::vector<PresenceAnswer> presence;                     ///< without their members …
  std::vector<std::vector<std::string>> presence_members;   ///< … which are here, as text_of()
  std::vector<PresenceEvent> presence_events;               ///< without their members …
  std::vector<std::string> came_and_went;  ///< … which are here, "join s1 ann {}"
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
