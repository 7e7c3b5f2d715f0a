#include "bus/turn_results.hpp"

#include <algorithm>

namespace peal::bus {

void TurnResults::head(const HeadNotice& notice) {
  heads_.push_back(notice);
  ordered(Kind::head);
}

void TurnResults::page(const Page& page) {
  pages_.push_back({page, page_publications_.size(), page.publications.size()});
  for (const PublicationView& publication : page.publications) {
    page_publications_.push_back(arena_.copy(publication));
  }
  ordered(Kind::page);
}

void TurnResults::presence(const PresenceAnswer& answer) {
  answers_.push_back({answer, members_.size(), answer.members.size()});
  for (const Member& member : answer.members)
    members_.push_back(keep(member));
  ordered(Kind::presence);
}

void TurnResults::presence_event(const PresenceEvent& event) {
  events_.push_back({event.alias, event.what, keep(event.member)});
  ordered(Kind::event);
}

void TurnResults::hand_over(BusSink& sink, WatchedAliases& watched) {
  std::size_t delivery = 0;
  std::size_t head = 0;
  std::size_t page = 0;
  std::size_t answer = 0;
  std::size_t event = 0;
  const auto gone = [&](const auto& item) { return !watched.contains(item.alias); };
  for (const Run& run : order_) {
    if (run.kind == Kind::delivery) {
      const auto all = std::span(deliveries_).subspan(delivery, run.count);
      delivery += run.count;
      const auto left = std::remove_if(all.begin(), all.end(), gone);
      if (left != all.begin()) sink.on_batch({all.begin(), left});
    } else if (run.kind == Kind::head) {
      const auto all = std::span(heads_).subspan(head, run.count);
      head += run.count;
      const auto left = std::remove_if(all.begin(), all.end(), gone);
      const std::span<const HeadNotice> due(all.begin(), left);
      for (const HeadNotice& notice : due) {
        if (notice.error) watched.remove(notice.alias);
      }
      if (!due.empty()) sink.on_heads(due);
    } else if (run.kind == Kind::event) {
      const auto all = std::span(events_).subspan(event, run.count);
      event += run.count;
      const auto left = std::remove_if(all.begin(), all.end(), gone);
      if (left != all.begin()) sink.on_presence_events({all.begin(), left});
    } else if (run.kind == Kind::presence) {
      for (std::uint32_t i = 0; i < run.count; ++i) {
        KeptAnswer& kept = answers_[answer++];
        kept.answer.members = std::span(members_).subspan(kept.first, kept.count);
        sink.on_presence(kept.answer);
      }
    } else {
      for (std::uint32_t i = 0; i < run.count; ++i) {
        KeptPage& kept = pages_[page++];
        kept.page.publications = std::span(page_publications_).subspan(kept.first, kept.count);
        sink.on_page(kept.page);
      }
    }
  }
  if (!outcomes_.empty()) sink.on_published(outcomes_);
}

void TurnResults::reset() {
  arena_.reset();
  order_.clear();
  deliveries_.clear();
  heads_.clear();
  pages_.clear();
  page_publications_.clear();
  answers_.clear();
  members_.clear();
  events_.clear();
  outcomes_.clear();
}

}  // namespace peal::bus
