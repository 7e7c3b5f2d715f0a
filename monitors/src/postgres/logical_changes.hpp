#pragma once
// From pgoutput's messages to changes: remembers what the relations are, makes JSON of values,
// fills in what an update left alone where the old row tells it, and counts within a transaction.
// Pure, but for the types it asks its owner for.

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "peal/monitor/change.hpp"
#include "postgres/json_value.hpp"
#include "postgres/pgoutput.hpp"

namespace peal::monitor {

/// Who hears what the messages say.
class LogicalSink {
 public:
  virtual ~LogicalSink() = default;
  virtual void on_begin(const pgoutput::Begin& /*begin*/) {}
  virtual void on_commit(const pgoutput::Commit& /*commit*/) {}
  /// Again whenever the table is another, as by a new name.
  virtual void on_relation(const pgoutput::Relation& /*relation*/) {}
  virtual void on_change(const Change& change) = 0;
};

class LogicalChanges {
 public:
  /// What is known of these types; asked once for each.
  using AskTypes = std::function<Result<std::unordered_map<std::uint32_t, TypeInfo>>(
      std::vector<std::uint32_t>)>;
  explicit LogicalChanges(AskTypes ask_types) : ask_types_(std::move(ask_types)) {}

  /// One message. An error: it is none, or of a relation that was never told, or the types can't be
  /// asked for.
  Result<void> take(std::string_view bytes, LogicalSink& sink);

 private:
  Result<void> learn(const pgoutput::Relation& relation);
  Result<Change> change_of(const pgoutput::RowChange& row);
  Result<const pgoutput::Relation*> relation(std::uint32_t id) const;
  Change change_in(const pgoutput::Relation& relation, Change::What what) const;
  Row row_of(const pgoutput::Relation& relation, const pgoutput::Tuple& tuple, bool only_key,
             const pgoutput::Tuple* filling);

  AskTypes ask_types_;
  JsonValues values_;
  std::unordered_map<std::uint32_t, pgoutput::Relation> relations_;
  std::int64_t time_ms_ = 0;
};

}  // namespace peal::monitor
