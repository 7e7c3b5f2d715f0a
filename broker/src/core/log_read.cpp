// Log: what a read covers.
#include <algorithm>

#include "core/log.hpp"

namespace peal::broker {
namespace {

using Mode = bus::ReadRequest::Mode;

/// Counts publications and bytes against a read's limits; the first one always fits.
class Room {
 public:
  explicit Room(const bus::ReadRequest& request) : request_(request) {}
  bool take(std::size_t bytes) {
    bytes_ += bytes;
    if (taken_ == request_.limit || (taken_ > 0 && bytes_ > request_.bytes)) return false;
    ++taken_;
    return true;
  }

 private:
  const bus::ReadRequest& request_;
  std::size_t taken_ = 0;
  std::size_t bytes_ = 0;
};

void lose(bus::Page& page) {
  page.error = fail(ErrorCode::position_lost, "the log no longer covers that position");
}

}  // namespace

bus::Page Log::read(const bus::ReadRequest& request, std::vector<PublicationView>& publications,
                    TimePoint now) {
  bus::Page page;
  publications.clear();
  for (const Chosen& chosen : choose(request, page, now)) {
    publications.push_back(chosen.record->view());
    std::string_view& payload = publications.back().payload;
    payload = payload.substr(chosen.begin, chosen.size);
  }
  page.publications = publications;
  return page;
}

bus::Page Log::plan(const bus::ReadRequest& request, std::vector<Piece>& pieces, TimePoint now) {
  bus::Page page;
  pieces.clear();
  for (const Chosen& chosen : choose(request, page, now)) {
    pieces.push_back({chosen.record->offset(), chosen.begin, chosen.size});
  }
  return page;
}

std::vector<Log::Chosen> Log::choose(const bus::ReadRequest& request, bus::Page& page,
                                     TimePoint now) {
  std::vector<Chosen> chosen;
  chosen.reserve(std::min({request.limit, live_, std::size_t{256}}));
  page.id = request.id;
  page.head = head(now);
  page.end_byte = end_byte_;
  const bool other = request.epoch && *request.epoch != epoch_;
  const bool uncovered = request.mode == Mode::forward && request.epoch &&
                         !page.head.covers({*request.epoch, request.after});
  if (other || uncovered) {
    lose(page);
  } else if (request.mode == Mode::bytes) {
    choose_bytes(request, page, chosen);
  } else if (request.mode == Mode::reverse) {
    choose_down(request, page, chosen);
  } else {
    choose_up(request, page, chosen);
  }
  return chosen;
}

void Log::choose_up(const bus::ReadRequest& request, bus::Page& page,
                    std::vector<Chosen>& out) const {
  page.after = std::min(request.after, top_);
  page.to = top_;
  Room room(request);
  for (auto record = first_above(page.after); record != records_.end(); ++record) {
    if (record->gone()) continue;
    if (request.mode == Mode::state && !last_of_its_key(*record)) continue;
    if (!room.take(record->bytes())) {
      page.to = out.empty() ? page.after : out.back().record->offset();
      return;
    }
    if (out.empty()) page.first_byte = record->end_byte() - record->payload_bytes();
    out.push_back({&*record, 0, record->payload_bytes()});
  }
}

void Log::choose_down(const bus::ReadRequest& request, bus::Page& page,
                      std::vector<Chosen>& out) const {
  page.to = top_;
  if (request.after.value != 0) page.to = std::min(page.to, Offset{request.after.value - 1});
  page.after = {};
  Room room(request);
  for (auto record = first_above(page.to); record != begin();) {
    --record;
    if (record->gone()) continue;
    if (!room.take(record->bytes())) {
      page.after = out.empty() ? page.to : Offset{out.back().record->offset().value - 1};
      return;
    }
    out.push_back({&*record, 0, record->payload_bytes()});
  }
}

/// Bytes that are not kept are lost, and so is what lies beyond the end; a page stops before a
/// hole.
void Log::choose_bytes(const bus::ReadRequest& request, bus::Page& page, std::vector<Chosen>& out) {
  std::uint64_t at = request.after.value;
  page.first_byte = at;
  if (at > end_byte_) return lose(page);
  page.after = page.to = top_;
  if (at == end_byte_) return;
  if (records_.size() != live_ + first_) squeeze();
  auto record = std::partition_point(begin(), records_.cend(),
                                     [&](const Record& one) { return one.end_byte() <= at; });
  std::uint64_t left = request.bytes;
  for (; record != records_.end() && left > 0 && out.size() < request.limit; ++record) {
    const std::uint64_t size = record->payload_bytes();
    const std::uint64_t begins = record->end_byte() - size;
    if (begins > at) break;
    const std::uint64_t skip = at - begins;
    const std::uint64_t taken = std::min(size - skip, left);
    if (taken == 0) continue;
    out.push_back({&*record, static_cast<std::size_t>(skip), static_cast<std::size_t>(taken)});
    at += taken;
    left -= taken;
  }
  const bool wanted = request.bytes > 0 && request.limit > 0;
  if (out.empty()) return wanted ? lose(page) : void();
  page.after = {out.front().record->offset().value - 1};
  page.to = out.back().record->offset();
}

}  // namespace peal::broker
