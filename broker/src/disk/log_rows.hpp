#pragma once
// Between a Log and its rows: RowJournal turns what a log's journal hears into changes of rows, and
// `load_log` makes the log again from them. A log is loaded without the texts of its publications,
// so its cost is its index. One core's thread.

#include <memory>
#include <optional>
#include <string>

#include "core/log.hpp"
#include "core/options_table.hpp"
#include "disk/database.hpp"
#include "disk/store_clock.hpp"
#include "peal/broker/epoch_source.hpp"

namespace peal::disk {

/// Hears one log at a time; its views are of that log's calls.
class RowJournal final : public broker::LogJournal {
 public:
  using NewNumber = std::function<LogNumber()>;
  RowJournal(const StoreClock& clock, NewNumber new_number)
      : clock_(clock), new_number_(std::move(new_number)) {}

  /// From now on of this log; `number` changes when an epoch begins.
  void hear(LogNumber& number);
  /// What is added was read from its row.
  void restoring(bool is) { restoring_ = is; }
  /// Whether rows changed since `hear`.
  bool changed() const { return changed_; }
  /// Whether a mark or key was set since `hear`.
  bool remembered() const { return remembered_; }
  /// The texts row of what was added last.
  std::string take_texts() { return std::exchange(texts_, {}); }
  RowBatch& rows() { return rows_; }
  RowBatch take_rows() { return std::exchange(rows_, RowBatch()); }

  void on_begun() override;
  void on_added(const broker::RecordInfo& info, const PublicationView& publication) override;
  void on_removed(Offset offset) override;
  void on_mark(std::string_view source, const broker::SourceMarks::Mark& mark,
               broker::TimePoint used) override;
  void on_mark_gone(std::string_view source) override;
  void on_key(std::string_view key, const broker::IdempotencyKeys::Known& known,
              broker::TimePoint since) override;
  void on_key_gone(std::string_view key) override;

 private:
  const StoreClock& clock_;
  const NewNumber new_number_;
  RowBatch rows_;
  LogNumber* number_ = nullptr;
  std::string texts_;
  bool changed_ = false;
  bool remembered_ = false;
  bool restoring_ = false;
};

/// All rows of one log but its meta.
void erase_log(RowBatch& rows, LogNumber log);

struct LoadedLog {
  Meta meta;
  std::unique_ptr<broker::Log> log;
};
struct LoadOrder {
  const broker::ChannelOptions& options;  ///< this and the limits must outlive the log
  const Limits& limits;
  const StoreClock& clock;
  RowJournal& journal;  ///< hears what the options, if they are others now, remove
  LogNumber& number;    ///< the log's is put there
};
/// Null: there is none.
Result<std::optional<LoadedLog>> load_log(const Database& database, std::string_view channel,
                                          const LoadOrder& order);

/// Each log goes on in a later epoch with all that it has; how many there are.
Result<std::size_t> begin_epochs(Database& database, broker::EpochSource epochs);

}  // namespace peal::disk
