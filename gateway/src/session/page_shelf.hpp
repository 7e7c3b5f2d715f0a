#pragma once
// The pages that sessions catch up with. Equal positions share one: in flight, or read a moment ago
// and still wanted. A channel's pages are read by one shard of the gateway, its home; the others
// borrow them there, so a gateway reads each position once however many shards and sessions come
// back to it. A page may be a moment old: whoever uses it goes on from where it ends, and a Feed
// closes the rest. Bounded: pages that wait or are in flight number at most recovery_pages_max,
// then askers stand in line; what nobody wants goes after kUnused. One per shard, on its thread;
// `lend` is what other shards' threads post to the home's.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "peal/bus/bus_port.hpp"
#include "peal/proto/limits.hpp"
#include "session/mailbox.hpp"
#include "session/page_reads.hpp"
#include "session/shared_page.hpp"

namespace peal::gateway {

class PageShelf;

/// The shelves of one gateway, by shard: complete before the first shard runs, then immutable.
struct PageShelves {
  struct Place {
    std::shared_ptr<Mailbox> mailbox;
    PageShelf* shelf;  ///< touched on its shard's thread only
  };
  std::vector<Place> places;
};

/// Which page: of a channel in one epoch, from `after` on.
struct PageWish {
  std::string_view channel;
  Epoch epoch;
  Offset after;
  bool state = false;  ///< of each key only the last
  bool start = false;  ///< from the oldest kept: nothing below it counts as missed
};

class PageShelf {
 public:
  using Millis = std::uint64_t;
  static constexpr Millis kUnused = 1000, kAgeMax = 10'000;

  /// Who waits for a page: a recovery's {index, generation}.
  struct Waiter {
    std::uint32_t index;
    std::uint32_t generation;
  };
  /// Called on the shard's thread, never within `ask`.
  using Arrived = std::function<void(const SharedPageRef&, const std::vector<Waiter>&)>;

  PageShelf(PageReads& reads, const PageShelves& shelves, std::size_t shard, const Limits& limits,
            Arrived arrived)
      : reads_(reads),
        shelves_(shelves),
        shard_(shard),
        limits_(limits),
        arrived_(std::move(arrived)) {}

  enum class Answer : std::uint8_t { here, coming, full };
  /// here: `page` is it, until the next call. coming: `waiter` will be told. full: ask again when
  /// has_room().
  Answer ask(const PageWish& wish, Waiter waiter, CarriedPage*& page);
  bool has_room() const { return busy_ < limits_.recovery_pages_max; }
  /// Takes off what nobody wants any more.
  void tick(Millis now);
  std::size_t pages() const { return slots_.size(); }

 private:
  struct Slot {
    CarriedPage page;  ///< once it is here
    std::vector<Waiter> waiting;
    std::vector<std::function<void(const SharedPageRef&)>> borrowers;
    std::size_t unserved = 0;  ///< waiters that were told and have not come for it
    Millis made = 0;
    Millis used = 0;
    bool here = false;
  };
  using Slots = std::unordered_map<std::string, Slot>;

  static void make_key(std::string& key, const PageWish& wish);
  bus::ReadRequest request_of(const PageWish& wish) const;
  void fetch(const std::string& key, const PageWish& wish);
  void read(const std::string& key, const bus::ReadRequest& request);
  void lend(const std::string& key, const bus::ReadRequest& request,
            std::function<void(const SharedPageRef&)> borrower);
  void put(const std::string& key, const SharedPageRef& page);
  void settled(Slot& slot) {
    if (slot.unserved > 0 && --slot.unserved == 0) --busy_;
  }
  bool drop_stale(Slots::iterator at, bool for_others);
  void evict();

  PageReads& reads_;
  const PageShelves& shelves_;
  const std::size_t shard_;
  const Limits& limits_;
  const Arrived arrived_;
  Slots slots_;
  std::size_t busy_ = 0;  ///< slots in flight for our own waiters, or with some unserved
  Millis now_ = 0;
  std::string key_;
};

}  // namespace peal::gateway
