#pragma once
// A CoreOut that keeps copies of everything a core says, in order.

#include <string>
#include <vector>

#include "peal/broker/core.hpp"

namespace peal::broker::test {

struct RecordedDelivery {
  PeerId peer;
  bus::Alias alias;
  Epoch epoch;
  Publication publication;
};

class RecordingOut final : public CoreOut {
 public:
  void deliver(std::span<const Target> targets, const Epoch& epoch,
               const PublicationView& publication) override {
    ++deliver_calls;
    for (const Target& target : targets) {
      deliveries.push_back({target.peer, target.alias, epoch, copy_of(publication)});
      story.push_back("deliver " + std::to_string(target.peer) + ' ' +
                      std::string(publication.payload));
    }
  }
  void head(PeerId peer, const bus::HeadNotice& notice) override {
    heads.push_back(notice);
    story.push_back((notice.error ? "refused " : "head ") + std::to_string(peer));
  }
  void published(PeerId peer, const bus::Published& outcome) override {
    outcomes.push_back(outcome);
    story.push_back("published " + std::to_string(peer) + ' ' + std::to_string(outcome.id));
  }
  void page(PeerId, const bus::Page& page) override {
    page_publications.clear();
    for (const auto& publication : page.publications) {
      page_publications.push_back(copy_of(publication));
    }
    pages.push_back(page);
    pages.back().publications = {};
    story.push_back("page " + std::to_string(page.id));
  }
  void presence(PeerId peer, const bus::PresenceAnswer& answer) override {
    presence_members.clear();
    for (const bus::Member& member : answer.members)
      presence_members.push_back(text_of(member));
    answers.push_back(answer);
    answers.back().members = {};
    story.push_back("presence " + std::to_string(peer) + ' ' + std::to_string(answer.sessions) +
                    ' ' + std::to_string(answer.users));
  }
  void presence_event(PeerId peer, const bus::PresenceEvent& event) override {
    constexpr const char* kWhat[] = {"join ", "leave ", "changed", "refused "};
    story.push_back(std::to_string(peer) + ' ' + kWhat[static_cast<std::size_t>(event.what)] +
                    text_of(event.member));
  }
  void occupancy(Occupancy what, std::string_view channel) override {
    story.push_back(occupancy_json(what, channel));
  }
  static std::string text_of(const bus::Member& member) {
    std::string text(member.session);
    if (!member.user.empty()) text.append(" ").append(member.user);
    if (!member.data.empty()) text.append(" ").append(member.data);
    return text;
  }
  void clear() { *this = RecordingOut(); }

  std::size_t deliver_calls = 0;
  std::vector<RecordedDelivery> deliveries;
  std::vector<bus::HeadNotice> heads;
  std::vector<bus::Published> outcomes;
  std::vector<bus::Page> pages;                ///< without their publications …
  std::vector<Publication> page_publications;  ///< … which are here: those of the last page
  std::vector<bus::PresenceAnswer> answers;    ///< without their members …
  std::vector<std::string> presence_members;   ///< … which are here: those of the last answer
  std::vector<std::string> story;
};

/// Reads a probe's numbers: "name" or "name{label}".
class NumbersSink final : public runtime::MetricSink {
 public:
  explicit NumbersSink(const runtime::Probe& probe) { probe.collect(*this); }
  void counter(std::string_view name, std::string_view, double value,
               runtime::Labels labels) override {
    add(name, value, labels);
  }
  void gauge(std::string_view name, std::string_view, double value,
             runtime::Labels labels) override {
    add(name, value, labels);
  }
  double operator[](std::string_view name) const {
    for (const auto& [key, value] : numbers_) {
      if (key == name) return value;
    }
    return 0;
  }

 private:
  void add(std::string_view name, double value, runtime::Labels labels) {
    std::string key(name);
    for (const auto& label : labels)
      key += "{" + std::string(label.second) + "}";
    numbers_.emplace_back(std::move(key), value);
  }
  std::vector<std::pair<std::string, double>> numbers_;
};

}  // namespace peal::broker::test
