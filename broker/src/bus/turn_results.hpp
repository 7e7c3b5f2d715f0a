#pragma once
// What cores said to one port during one turn, in order, until it is handed to the port's sink:
// runs of deliveries, heads, pages and presence in the core's order, then the outcomes of publishes
// (their order among themselves is kept; against what was delivered it has no meaning). Storage is
// kept for the next turn.

#include <cstdint>
#include <span>
#include <vector>

#include "bus/arena.hpp"
#include "bus/watched_aliases.hpp"
#include "peal/bus/bus_port.hpp"

namespace peal::bus {

class TurnResults {
 public:
  /// The publication's bytes must outlive these results.
  void deliver(Alias alias, const Epoch& epoch, const PublicationView& publication) {
    deliveries_.push_back({alias, epoch, publication});
    ordered(Kind::delivery);
  }
  PublicationView keep(const PublicationView& publication) { return arena_.copy(publication); }
  void head(const HeadNotice& notice);
  void page(const Page& page);
  void presence(const PresenceAnswer& answer);
  void presence_event(const PresenceEvent& event);
  void published(const Published& outcome) { outcomes_.push_back(outcome); }

  bool empty() const { return order_.empty() && outcomes_.empty(); }
  std::size_t bytes() const { return arena_.used() + deliveries_.size() * sizeof(Delivery); }
  std::span<const Published> outcomes() const { return outcomes_; }

  /// Calls the sink; what is for aliases no longer watched is left out.
  void hand_over(BusSink& sink, WatchedAliases& watched);
  void reset();

 private:
  enum class Kind : std::uint8_t { delivery, head, page, presence, event };
  struct Run {
    Kind kind;
    std::uint32_t count;
  };
  struct KeptPage {
    Page page;
    std::size_t first;  ///< of page_publications_
    std::size_t count;
  };
  struct KeptAnswer {
    PresenceAnswer answer;
    std::size_t first;  ///< of members_
    std::size_t count;
  };
  Member keep(const Member& member) {
    return {arena_.copy(member.session), arena_.copy(member.user), arena_.copy(member.data)};
  }

  void ordered(Kind kind) {
    if (order_.empty() || order_.back().kind != kind) order_.push_back({kind, 0});
    ++order_.back().count;
  }

  Arena arena_;
  std::vector<Run> order_;
  std::vector<Delivery> deliveries_;
  std::vector<HeadNotice> heads_;
  std::vector<KeptPage> pages_;
  std::vector<PublicationView> page_publications_;
  std::vector<KeptAnswer> answers_;
  std::vector<Member> members_;
  std::vector<PresenceEvent> events_;
  std::vector<Published> outcomes_;
};

}  // namespace peal::bus
