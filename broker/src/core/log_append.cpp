// Log: what a publish becomes.
#include <algorithm>

#include "core/log.hpp"

namespace peal::broker {
namespace {

using Status = bus::Published::Status;

bus::Published refused(ErrorCode code, std::string message) {
  bus::Published outcome;
  outcome.status = Status::refused;
  outcome.error = fail(code, std::move(message));
  return outcome;
}

}  // namespace

bus::Published Log::append(const bus::PublishRequest& request, TimePoint now,
                           const std::optional<Epoch>& fresh) {
  expire(now);
  bus::Published outcome;
  if (request.place) {
    if (auto wrong = misplaced(request)) {
      outcome = std::move(*wrong);
    } else {
      place(request, now);
      outcome.position = *request.place;
      outcome.end_byte = end_byte_;
    }
  } else if (auto known = seen_before(request)) {
    outcome = std::move(*known);
  } else if (auto not_so = unexpected(request)) {
    outcome = std::move(*not_so);
  } else if (auto full = unfitting(request)) {
    outcome = std::move(*full);
  } else if (request.replace && !fresh) {
    outcome = refused(ErrorCode::internal_error, "no epoch to begin with");
  } else {
    if (request.replace) begin_anew(*fresh);
    add(request.publication, now);
    remember(request, now);
    outcome.position = Position{epoch_, top_};
    outcome.end_byte = end_byte_;
  }
  outcome.id = request.id;
  return outcome;
}

void Log::remember(const bus::PublishRequest& request, TimePoint now) {
  const PublicationView& publication = request.publication;
  if (!publication.source.empty()) {
    if (!marks_) marks_ = std::make_unique<SourceMarks>();
    marks_->set(publication.source, {publication.sequence, top_}, limits_->sources_max, now,
                journal_);
  }
  if (!request.idempotency_key.empty()) {
    if (!idempotency_keys_) idempotency_keys_ = std::make_unique<IdempotencyKeys>();
    idempotency_keys_->remember(request.idempotency_key, {IdempotencyKeys::hash(publication), top_},
                                limits_->idempotency_keys_max, now, journal_);
  }
}

std::optional<bus::Published> Log::seen_before(const bus::PublishRequest& request) const {
  const auto duplicate_of = [&](Offset offset) {
    bus::Published outcome;
    outcome.duplicate = true;
    if (offset.value != 0) outcome.position = Position{epoch_, offset};
    if (const Record* record = find(offset)) outcome.end_byte = record->end_byte();
    return outcome;
  };
  if (!request.idempotency_key.empty() && idempotency_keys_) {
    if (const auto known = idempotency_keys_->find(request.idempotency_key)) {
      if (known->body_hash != IdempotencyKeys::hash(request.publication)) {
        return refused(ErrorCode::idempotency_conflict,
                       "the Idempotency-Key was used with another body");
      }
      return duplicate_of(known->offset);
    }
  }
  if (request.publication.source.empty() || !marks_) return std::nullopt;
  const auto mark = marks_->find(request.publication.source);
  if (!mark || request.publication.sequence > mark->sequence) return std::nullopt;
  const bool same = request.publication.sequence == mark->sequence;
  bus::Published outcome = duplicate_of(same ? mark->offset : Offset{});
  outcome.last = mark->sequence;
  return outcome;
}

bus::Published Log::refused_with_current(std::string_view key, std::string message) const {
  auto outcome = refused(ErrorCode::expectation_failed, std::move(message));
  outcome.position = Position{epoch_, key.empty() ? top_ : last_of_key(key)};
  outcome.end_byte = end_byte_;
  return outcome;
}

std::optional<bus::Published> Log::unexpected(const bus::PublishRequest& request) const {
  const PublicationView& publication = request.publication;
  if (request.previous) {
    if (publication.source.empty()) {
      return refused(ErrorCode::command_invalid, "previous needs a source");
    }
    const auto mark = marks_ ? marks_->find(publication.source) : std::nullopt;
    if (!mark || mark->sequence != *request.previous) {
      auto outcome = refused(ErrorCode::sequence_gap,
                             "previous is not the sequence remembered of this source");
      if (mark) outcome.last = mark->sequence;
      return outcome;
    }
  }
  if (request.expect) {
    const Offset is = publication.key.empty() ? top_ : last_of_key(publication.key);
    if (request.expect->epoch != epoch_ || request.expect->offset != is) {
      return refused_with_current(publication.key, "the position is not the expected one");
    }
  }
  if (request.expect_value != bus::ExpectValue::any) {
    const Record* record = current(publication.key);
    const bool there = record != nullptr && record->kind() != Kind::deletion;
    if (there != (request.expect_value == bus::ExpectValue::present)) {
      return refused_with_current(publication.key,
                                  there ? "there is a value already" : "there is no value");
    }
  }
  if (request.expect_end && *request.expect_end != end_byte_) {
    return refused_with_current(publication.key, "the bytes do not end where it was expected");
  }
  return std::nullopt;
}

/// A deletion of what is there always fits: a full log can still be emptied of its values.
std::optional<bus::Published> Log::unfitting(const bus::PublishRequest& request) const {
  const PublicationView& publication = request.publication;
  if (top_ >= kOffsetMax || end_byte_ + publication.payload.size() > kOffsetMax.value) {
    return refused(ErrorCode::log_full, "the log has used up its offsets");
  }
  if (!options_->refuse_when_full) return std::nullopt;
  std::size_t length = request.replace ? 0 : live_;
  std::size_t bytes = request.replace ? 0 : bytes_;
  const Record* before = request.replace ? nullptr : current(publication.key);
  const bool value = before != nullptr && before->kind() != Kind::deletion;
  if (publication.kind == Kind::deletion && value) return std::nullopt;
  if (options_->compact && before != nullptr && !publication.key.empty()) {
    --length;
    bytes -= before->bytes();
  }
  if (length + 1 > options_->history_length_max) {
    return refused(ErrorCode::log_full, "the channel has its history_length_max publications");
  }
  if (bytes + bytes_of(publication) > options_->history_bytes_max) {
    return refused(ErrorCode::log_full, "it would have more than its history_bytes_max bytes");
  }
  return std::nullopt;
}

std::optional<bus::Published> Log::misplaced(const bus::PublishRequest& request) const {
  const Position& at = *request.place;
  const bool another_condition = request.previous || request.replace ||
                                 request.expect_value != bus::ExpectValue::any ||
                                 !request.idempotency_key.empty();
  if (another_condition) {
    return refused(ErrorCode::command_invalid, "place goes with no other condition");
  }
  const bool possible = at.offset.value != 0 && at.offset <= kOffsetMax &&
                        request.place_floor.value_or(Offset{}) <= at.offset &&
                        request.expect_end.value_or(0) <= kOffsetMax.value;
  if (!possible) return refused(ErrorCode::command_invalid, "place is no position of a log");
  const bool empty = top_.value == 0;
  if (request.expect && *request.expect != head().position()) {
    return refused_with_current({}, "the log's top is not the expected one");
  }
  if (!empty && (at.epoch != epoch_ || at.offset <= top_)) {
    return refused_with_current({}, "the log is in another epoch, or has that offset already");
  }
  if (!empty && request.expect_end.value_or(end_byte_) < end_byte_) {
    return refused(ErrorCode::command_invalid, "place begins before the log's last byte");
  }
  return std::nullopt;
}

/// What lies between the last one and this is not kept; whether it is covered, the floor says.
void Log::place(const bus::PublishRequest& request, TimePoint now) {
  const PublicationView& publication = request.publication;
  const Offset before{request.place->offset.value - 1};
  if (top_.value == 0 && request.place->epoch != epoch_) begin_anew(request.place->epoch);
  if (request.place_floor) {
    floor_ = std::max(floor_, *request.place_floor);
  } else if (before > top_) {
    floor_ = before;
  }
  top_ = before;
  end_byte_ = request.expect_end.value_or(end_byte_);
  while (live_ > 0 && begin()->offset() <= floor_) {
    remove(first_);
    tidy();
  }
  if (floor_ == request.place->offset) {
    top_ = floor_;
    end_byte_ += publication.payload.size();
  } else {
    add(publication, now);
  }
  const auto mark = marks_ ? marks_->find(publication.source) : std::nullopt;
  if (!mark || publication.sequence > mark->sequence) remember(request, now);
}

}  // namespace peal::broker
