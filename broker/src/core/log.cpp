#include "core/log.hpp"

#include <algorithm>
#include <cassert>

namespace peal::broker {
namespace {

/// A key's entry in the index, by what the allocator gives for it.
constexpr std::size_t kKeyBytes = 72;
constexpr std::chrono::hours kBlankTtl{24};

}  // namespace

std::chrono::seconds position_ttl(const Head& head, const Limits& limits) {
  const std::chrono::seconds blank = kBlankTtl;
  return head.top.value == 0 ? std::min(blank, limits.position_ttl) : limits.position_ttl;
}

Log::Log(Epoch epoch, const ChannelOptions& options, const Limits& limits)
    : options_(&options), limits_(&limits), epoch_(epoch) {}

Log::Log(const Meta& saved, const ChannelOptions& options, const Limits& limits)
    : options_(&options),
      limits_(&limits),
      epoch_(saved.head.epoch),
      top_(saved.head.top),
      floor_(saved.head.floor),
      end_byte_(saved.end_byte),
      bare_(true) {}

void Log::restore(const RecordInfo& record) {
  emplace({}, record);
}

void Log::restore_mark(std::string_view source, const SourceMarks::Mark& mark, TimePoint used) {
  if (!marks_) marks_ = std::make_unique<SourceMarks>();
  marks_->set(source, mark, limits_->sources_max, used, nullptr);
}

void Log::restore_key(std::string_view key, const IdempotencyKeys::Known& known, TimePoint since) {
  if (!idempotency_keys_) idempotency_keys_ = std::make_unique<IdempotencyKeys>();
  idempotency_keys_->remember(key, known, limits_->idempotency_keys_max, since, nullptr);
}

std::size_t Log::bytes() const {
  const std::size_t records = records_.capacity() * sizeof(Record);
  return sizeof *this + blocks_ + records + (records == 0 ? 0 : 16) +
         (last_of_key_ ? last_of_key_->size() * kKeyBytes + 128 : 0) +
         (marks_ ? marks_->bytes() : 0) + (idempotency_keys_ ? idempotency_keys_->bytes() : 0);
}

Log::Records::const_iterator Log::first_above(Offset offset) const {
  return std::upper_bound(begin(), records_.end(), offset, [](Offset value, const Record& record) {
    return value < record.offset();
  });
}

Offset Log::last_of_key(std::string_view key) const {
  if (key.empty()) return last_unkeyed_;
  if (!last_of_key_) return {};
  const auto found = last_of_key_->find(key);
  return found == last_of_key_->end() ? Offset{} : found->second;
}

bool Log::last_of_its_key(const Record& record) const {
  return last_of_key(record.key()) == record.offset();
}

const Record* Log::find(Offset offset) const {
  if (offset.value == 0) return nullptr;
  const auto found = first_above({offset.value - 1});
  const bool there = found != records_.end() && found->offset() == offset && !found->gone();
  return there ? &*found : nullptr;
}

const Record* Log::current(std::string_view key) const {
  if (!key.empty()) return find(last_of_key(key));
  return live_ == 0 ? nullptr : &records_.back();
}

Head Log::head(TimePoint now) {
  expire(now);
  return head();
}

Head Log::before_last() const {
  const Offset before{top_.value == 0 ? 0 : top_.value - 1};
  return {epoch_, before, std::min(floor_, before)};
}

void Log::index(const Record& record) {
  const std::string_view key = record.key();
  if (key.empty()) {
    last_unkeyed_ = record.offset();
    return;
  }
  if (!last_of_key_) last_of_key_ = std::make_unique<Keys>();
  auto known = last_of_key_->extract(key);
  if (!known) {
    last_of_key_->emplace(key, record.offset());
    return;
  }
  const Offset before = known.mapped();
  known.key() = key;  // the key now lies in this record's block
  known.mapped() = record.offset();
  last_of_key_->insert(std::move(known));
  if (!options_->compact) return;
  const auto older = first_above({before.value - 1});
  remove(static_cast<std::size_t>(older - records_.begin()));
}

void Log::emplace(const PublicationView& publication, const RecordInfo& info) {
  if (records_.size() == records_.capacity()) {
    records_.reserve(records_.size() + std::max<std::size_t>(2, records_.size() / 4));
  }
  if (bare_) {
    records_.emplace_back(info);
  } else {
    records_.emplace_back(publication, info);
  }
  ++live_;
  bytes_ += info.bytes;
  blocks_ += records_.back().block_bytes();
  if (journal_ != nullptr) journal_->on_added(info, publication);
  index(records_.back());
  tidy();
}

void Log::add(const PublicationView& publication, TimePoint now) {
  top_ = top_.next();
  end_byte_ += publication.payload.size();
  const RecordInfo info{top_,
                        publication.kind,
                        publication.key,
                        bytes_of(publication),
                        publication.payload.size(),
                        end_byte_,
                        now};
  if (journal_ == nullptr) {
    emplace(publication, info);
  } else {
    PublicationView placed = publication;
    placed.offset = top_;
    emplace(placed, info);
  }
  trim();
}

void Log::trim() {
  if (options_->refuse_when_full) return;
  while (live_ > options_->history_length_max ||
         (bytes_ > options_->history_bytes_max && live_ > 0)) {
    remove(first_);
    tidy();
  }
}

void Log::begin_anew(const Epoch& epoch) {
  assert(epoch != epoch_);
  const Log old = std::exchange(*this, Log(epoch, *options_, *limits_));
  bare_ = old.bare_;
  journal_ = old.journal_;
  if (journal_ != nullptr) journal_->on_begun();
}

void Log::remove(std::size_t i) {
  Record& record = records_[i];
  const Offset offset = record.offset();
  if (record.key().empty()) {
    floor_ = std::max(floor_, offset);
  } else if (last_of_its_key(record)) {
    last_of_key_->erase(record.key());
    if (last_of_key_->empty()) last_of_key_.reset();
    floor_ = std::max(floor_, offset);
  }
  bytes_ -= record.bytes();
  blocks_ -= record.block_bytes();
  --live_;
  record.drop();
  if (journal_ != nullptr) journal_->on_removed(offset);
}

/// Holes are closed when they are many, so that removing one is cheap.
void Log::tidy() {
  if (live_ == 0) {
    Records().swap(records_);  // an idle log holds no room for what it once had
    first_ = 0;
    return;
  }
  while (records_[first_].gone())
    ++first_;
  const std::size_t holes = records_.size() - live_;
  if (holes >= 32 && holes * 4 >= records_.size()) squeeze();
}

void Log::squeeze() {
  std::erase_if(records_, [](const Record& record) { return record.gone(); });
  first_ = 0;
}

void Log::expire(TimePoint now) {
  const bool ages = options_->history_age_max.count() > 0 && !options_->refuse_when_full;
  while (ages && live_ > 0 && begin()->appended() + options_->history_age_max <= now) {
    remove(first_);
    tidy();
  }
  if (marks_) {
    marks_->expire(limits_->source_ttl, now, journal_);
    if (marks_->empty()) marks_.reset();
  }
  if (idempotency_keys_) {
    idempotency_keys_->expire(limits_->idempotency_ttl, now, journal_);
    if (idempotency_keys_->empty()) idempotency_keys_.reset();
  }
}

}  // namespace peal::broker
