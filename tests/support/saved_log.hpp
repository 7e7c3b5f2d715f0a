#pragma once
// A store as a test wants one: a bare Log, everything that its journal said in plain maps, and a
// crash after which the log is made again from them. Texts are only in the maps.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/log.hpp"

namespace peal::broker::test {

class SavedLog final : public LogJournal {
 public:
  SavedLog(Epoch epoch, const ChannelOptions& options, const Limits& limits)
      : options_(options), limits_(limits), log_(std::make_unique<Log>(epoch, options, limits)) {
    log_->keep(Log::Keeps::bare);
    log_->tell(this);
  }

  Log& log() { return *log_; }

  /// What the store wrote is all that is left.
  void crash() {
    const Log::Meta meta = log_->meta();
    log_ = std::make_unique<Log>(meta, options_, limits_);
    for (const auto& [offset, record] : records_) {
      RecordInfo info = record.info;
      info.key = record.publication.key;
      log_->restore(info);
    }
    for (const auto& [number, mark] : marks_)
      log_->restore_mark(mark.source, mark.mark, mark.used);
    for (const auto& [number, key] : keys_)
      log_->restore_key(key.key, key.known, key.since);
    log_->tell(this);
  }

  /// The page's publications, filled from what was written.
  bus::Page read(const bus::ReadRequest& request, std::vector<PublicationView>& publications,
                 TimePoint now) {
    bus::Page page = log_->plan(request, pieces_, now);
    publications.clear();
    for (const Log::Piece& piece : pieces_) {
      publications.push_back(view_of(records_.at(piece.offset).publication));
      std::string_view& payload = publications.back().payload;
      payload = payload.substr(piece.begin, piece.size);
    }
    page.publications = publications;
    return page;
  }

  void on_begun() override {
    records_.clear();
    marks_.clear();
    keys_.clear();
  }
  void on_added(const RecordInfo& info, const PublicationView& publication) override {
    records_.insert_or_assign(info.offset, Saved{info, copy_of(publication)});
  }
  void on_removed(Offset offset) override { records_.erase(offset); }
  void on_mark(std::string_view source, const SourceMarks::Mark& mark, TimePoint used) override {
    on_mark_gone(source);
    marks_[++numbers_] = {std::string(source), mark, used};
  }
  void on_mark_gone(std::string_view source) override {
    std::erase_if(marks_, [&](const auto& each) { return each.second.source == source; });
  }
  void on_key(std::string_view key, const IdempotencyKeys::Known& known, TimePoint since) override {
    keys_[++numbers_] = {std::string(key), known, since};
  }
  void on_key_gone(std::string_view key) override {
    std::erase_if(keys_, [&](const auto& each) { return each.second.key == key; });
  }

 private:
  struct Saved {
    RecordInfo info;
    Publication publication;
  };
  struct SavedMark {
    std::string source;
    SourceMarks::Mark mark;
    TimePoint used;
  };
  struct SavedKey {
    std::string key;
    IdempotencyKeys::Known known;
    TimePoint since;
  };

  const ChannelOptions& options_;
  const Limits& limits_;
  std::map<Offset, Saved> records_;
  std::map<std::uint64_t, SavedMark> marks_;
  std::map<std::uint64_t, SavedKey> keys_;
  std::uint64_t numbers_ = 0;
  std::vector<Log::Piece> pieces_;
  std::unique_ptr<Log> log_;
};

}  // namespace peal::broker::test
