#include "session/page_shelf.hpp"

#include <utility>

#include "peal/proto/channel_name.hpp"

namespace peal::gateway {

void PageShelf::make_key(std::string& key, const PageWish& wish) {
  key.assign(wish.epoch.view());
  key += wish.state ? 's' : wish.start ? '0' : 'p';
  key.append(reinterpret_cast<const char*>(&wish.after.value), sizeof wish.after.value);
  key += wish.channel;
}

bus::ReadRequest PageShelf::request_of(const PageWish& wish) const {
  bus::ReadRequest request;
  request.channel = wish.channel;
  request.mode = wish.state ? bus::ReadRequest::Mode::state : bus::ReadRequest::Mode::forward;
  if (!wish.start) request.epoch = wish.epoch;
  request.after = wish.after;
  request.limit = limits_.page_length_max;
  request.bytes = limits_.page_bytes_max;
  return request;
}

PageShelf::Answer PageShelf::ask(const PageWish& wish, Waiter waiter, CarriedPage*& page) {
  make_key(key_, wish);
  if (const auto found = slots_.find(key_); found != slots_.end() && !drop_stale(found, false)) {
    Slot& slot = found->second;
    if (slot.here) {
      slot.used = now_;
      settled(slot);
      page = &slot.page;
      return Answer::here;
    }
    if (!slot.waiting.empty() || has_room()) {
      if (slot.waiting.empty()) ++busy_;
      slot.waiting.push_back(waiter);
      return Answer::coming;
    }
    return Answer::full;
  }
  if (!has_room()) return Answer::full;
  Slot& slot = slots_[key_];
  ++busy_;
  slot.waiting.push_back(waiter);
  const std::string key = key_;
  fetch(key, wish);
  return Answer::coming;
}

void PageShelf::fetch(const std::string& key, const PageWish& wish) {
  const bus::ReadRequest request = request_of(wish);
  const std::size_t home = stable_hash(wish.channel) % shelves_.places.size();
  if (home == shard_) return read(key, request);
  const auto& mine = shelves_.places[shard_];
  const auto& theirs = shelves_.places[home];
  const auto borrower = [key, mailbox = mine.mailbox, shelf = this](const SharedPageRef& page) {
    mailbox->post([key, shelf, page] { shelf->put(key, page); });
  };
  theirs.mailbox->post([key, shelf = theirs.shelf, asked = request,
                        channel = std::string(wish.channel), borrower]() mutable {
    asked.channel = channel;
    shelf->lend(key, asked, borrower);
  });
}

void PageShelf::read(const std::string& key, const bus::ReadRequest& request) {
  reads_.read(request, [this, key](const bus::Page& page) {
    put(key, std::make_shared<const SharedPage>(page));
  });
}

void PageShelf::lend(const std::string& key, const bus::ReadRequest& request,
                     std::function<void(const SharedPageRef&)> borrower) {
  if (const auto old = slots_.find(key); old != slots_.end()) drop_stale(old, true);
  const auto [found, absent] = slots_.try_emplace(key);
  Slot& slot = found->second;
  if (slot.here) {
    slot.used = now_;
    return borrower(slot.page.shared());
  }
  slot.borrowers.push_back(std::move(borrower));
  if (absent) read(key, request);
}

void PageShelf::put(const std::string& key, const SharedPageRef& page) {
  const auto found = slots_.find(key);
  if (found == slots_.end() || found->second.here) return;
  Slot& slot = found->second;
  const auto waiting = std::exchange(slot.waiting, {});
  const auto borrowers = std::exchange(slot.borrowers, {});
  if (page->page().error) {
    if (!waiting.empty()) --busy_;
    slots_.erase(found);
  } else {
    slot.page = CarriedPage(page);
    slot.here = true;
    slot.made = slot.used = now_;
    slot.unserved = waiting.size();
    evict();
  }
  for (const auto& borrower : borrowers)
    borrower(page);
  if (!waiting.empty()) arrived_(page, waiting);
}

// A page that brought nobody further says only that there was nothing more at that moment: it is
// for those who waited for it, and whoever comes later asks anew.
bool PageShelf::drop_stale(Slots::iterator at, bool for_others) {
  const Slot& slot = at->second;
  if (!slot.here || slot.page.page().to > slot.page.page().after) return false;
  if (slot.unserved > 0 && !for_others) return false;
  if (slot.unserved > 0) --busy_;
  slots_.erase(at);
  return true;
}

// One at a time is enough: one has come.
void PageShelf::evict() {
  if (slots_.size() <= limits_.recovery_pages_max) return;
  auto oldest = slots_.end();
  for (auto at = slots_.begin(); at != slots_.end(); ++at) {
    if (!at->second.here || at->second.unserved > 0) continue;
    if (oldest == slots_.end() || at->second.used < oldest->second.used) oldest = at;
  }
  if (oldest != slots_.end()) slots_.erase(oldest);
}

void PageShelf::tick(Millis now) {
  now_ = now;
  std::erase_if(slots_, [&](const auto& entry) {
    const Slot& slot = entry.second;
    const bool old = slot.here && (now - slot.used > kUnused || now - slot.made > kAgeMax);
    if (old && slot.unserved > 0) --busy_;
    return old;
  });
}

}  // namespace peal::gateway
