#include "core/log.hpp"

#include <algorithm>

namespace peal::broker {
namespace {

using Status = bus::Published::Status;

bus::Published refused(ErrorCode code, std::string message) {
  bus::Published outcome;
  outcome.status = Status::refused;
  outcome.error = fail(code, std::move(message));
  return outcome;
}

bus::Published duplicate_of(const Position& position) {
  bus::Published outcome;
  outcome.duplicate = true;
  if (position.offset.value != 0) outcome.position = position;
  return outcome;
}

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

}  // namespace

Log::Log(Epoch epoch, const ChannelOptions& options, const Limits& limits)
    : epoch_(epoch), options_(options), limits_(limits) {}

std::size_t Log::bytes() const {
  constexpr std::size_t kRecord = 160, kKey = 96;
  return sizeof *this + bytes_ + size() * kRecord + last_of_key_.size() * kKey + marks_.bytes() +
         marks_.size() * kRecord + idempotency_keys_.bytes() + idempotency_keys_.size() * kRecord;
}

Log::Records::const_iterator Log::first_above(Offset offset) const {
  return std::upper_bound(begin(), records_.end(), offset, [](Offset value, const Record& record) {
    return value < record.offset();
  });
}

Offset Log::last_of_key(std::string_view key) const {
  if (key.empty()) return last_unkeyed_;
  const auto found = last_of_key_.find(key);
  return found == last_of_key_.end() ? Offset{} : found->second;
}

bool Log::last_of_its_key(const Record& record) const {
  return last_of_key(record.key()) == record.offset();
}

Head Log::head(TimePoint now) {
  expire(now);
  return head();
}

bus::Published Log::append(const bus::PublishRequest& request, TimePoint now) {
  expire(now);
  bus::Published outcome;
  if (auto known = seen_before(request)) {
    outcome = std::move(*known);
  } else if (auto not_so = unexpected(request)) {
    outcome = std::move(*not_so);
  } else if (top_ == kOffsetMax) {
    outcome = refused(ErrorCode::internal_error, "the log has used up its offsets");
  } else {
    add(request.publication, now);
    outcome.position = Position{epoch_, top_};
    const PublicationView& publication = request.publication;
    if (!publication.source.empty()) {
      marks_.set(publication.source, {publication.sequence, top_}, limits_.sources_max, now);
    }
    if (!request.idempotency_key.empty()) {
      idempotency_keys_.remember(request.idempotency_key,
                                 {IdempotencyKeys::hash(publication), top_},
                                 limits_.idempotency_keys_max, now);
    }
  }
  outcome.id = request.id;
  return outcome;
}

std::optional<bus::Published> Log::seen_before(const bus::PublishRequest& request) const {
  if (!request.idempotency_key.empty()) {
    if (const auto known = idempotency_keys_.find(request.idempotency_key)) {
      if (known->body_hash != IdempotencyKeys::hash(request.publication)) {
        return refused(ErrorCode::idempotency_conflict,
                       "the Idempotency-Key was used with another body");
      }
      return duplicate_of({epoch_, known->offset});
    }
  }
  if (request.publication.source.empty()) return std::nullopt;
  const auto mark = marks_.find(request.publication.source);
  if (!mark || request.publication.sequence > mark->sequence) return std::nullopt;
  const bool same = request.publication.sequence == mark->sequence;
  bus::Published outcome = duplicate_of({epoch_, same ? mark->offset : Offset{}});
  outcome.last = mark->sequence;
  return outcome;
}

std::optional<bus::Published> Log::unexpected(const bus::PublishRequest& request) const {
  const PublicationView& publication = request.publication;
  if (request.previous) {
    if (publication.source.empty()) {
      return refused(ErrorCode::command_invalid, "previous needs a source");
    }
    const auto mark = marks_.find(publication.source);
    if (!mark || mark->sequence != *request.previous) {
      auto outcome = refused(ErrorCode::sequence_gap,
                             "previous is not the sequence remembered of this source");
      if (mark) outcome.last = mark->sequence;
      return outcome;
    }
  }
  if (request.expect) {
    const Offset current = publication.key.empty() ? top_ : last_of_key(publication.key);
    if (request.expect->epoch != epoch_ || request.expect->offset != current) {
      auto outcome = refused(ErrorCode::expectation_failed, "the position is not the expected one");
      outcome.position = Position{epoch_, current};
      return outcome;
    }
  }
  return std::nullopt;
}

void Log::add(const PublicationView& publication, TimePoint now) {
  top_ = top_.next();
  const Record& record = records_.emplace_back(publication, top_, now);
  bytes_ += record.bytes();
  if (record.key().empty()) {
    last_unkeyed_ = top_;
  } else if (auto known = last_of_key_.extract(record.key())) {
    known.key() = record.key();  // the key now lies in this record's block
    known.mapped() = top_;
    last_of_key_.insert(std::move(known));
  } else {
    last_of_key_.emplace(record.key(), top_);
  }
  while (size() > options_.history_length_max || bytes_ > options_.history_bytes_max) {
    remove_first();
  }
}

void Log::remove_first() {
  Record& record = records_[first_];
  if (last_of_its_key(record)) {
    if (!record.key().empty()) last_of_key_.erase(record.key());
    floor_ = record.offset();
  } else if (record.key().empty()) {
    floor_ = record.offset();
  }
  bytes_ -= record.bytes();
  ++first_;
  if (first_ == records_.size()) {
    Records().swap(records_);  // an idle log holds no room for what it once had
    first_ = 0;
  } else if (first_ >= 32 && first_ * 2 >= records_.size()) {
    records_.erase(records_.begin(), records_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void Log::expire(TimePoint now) {
  const bool ages = options_.history_age_max.count() > 0;
  while (ages && size() > 0 && begin()->appended() + options_.history_age_max <= now)
    remove_first();
  marks_.expire(limits_.source_ttl, now);
  idempotency_keys_.expire(limits_.idempotency_ttl, now);
}

bus::Page Log::read(const bus::ReadRequest& request, std::vector<PublicationView>& publications,
                    TimePoint now) {
  using Mode = bus::ReadRequest::Mode;
  bus::Page page;
  page.id = request.id;
  page.head = head(now);
  publications.clear();
  const bool other = request.epoch && *request.epoch != epoch_;
  const bool uncovered = request.mode == Mode::forward && request.epoch &&
                         !page.head.covers({*request.epoch, request.after});
  if (other || uncovered) {
    page.error = fail(ErrorCode::position_lost, "the log no longer covers that position");
    return page;
  }
  if (request.mode == Mode::reverse) {
    read_down(request, page, publications);
  } else {
    read_up(request, page, publications);
  }
  page.publications = publications;
  return page;
}

void Log::read_up(const bus::ReadRequest& request, bus::Page& page,
                  std::vector<PublicationView>& out) const {
  const bool state = request.mode == bus::ReadRequest::Mode::state;
  page.after = std::min(request.after, top_);
  page.to = top_;
  Room room(request);
  for (auto record = first_above(page.after); record != records_.end(); ++record) {
    if (state && !last_of_its_key(*record)) continue;
    if (!room.take(record->bytes())) {
      page.to = out.empty() ? page.after : out.back().offset;
      return;
    }
    out.push_back(record->view());
  }
}

void Log::read_down(const bus::ReadRequest& request, bus::Page& page,
                    std::vector<PublicationView>& out) const {
  page.to = top_;
  if (request.after.value != 0) page.to = std::min(page.to, Offset{request.after.value - 1});
  page.after = {};
  Room room(request);
  for (auto record = first_above(page.to); record != begin();) {
    --record;
    if (!room.take(record->bytes())) {
      page.after = out.empty() ? page.to : Offset{out.back().offset.value - 1};
      return;
    }
    out.push_back(record->view());
  }
}

}  // namespace peal::broker
