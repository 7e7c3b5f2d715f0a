#pragma once
// Told of everything in a log that a store must remember to make the same log again, as it
// happens. Beside it the store saves Log::meta(), which any of these may have changed. Views are
// valid during the call.

#include "core/idempotency_keys.hpp"
#include "core/record.hpp"
#include "core/source_marks.hpp"

namespace peal::broker {

class LogJournal {
 public:
  virtual ~LogJournal() = default;
  /// A new epoch begins: nothing of what was told before is left.
  virtual void on_begun() = 0;
  virtual void on_added(const RecordInfo& info, const PublicationView& publication) = 0;
  virtual void on_removed(Offset offset) = 0;
  virtual void on_mark(std::string_view source, const SourceMarks::Mark& mark, TimePoint used) = 0;
  virtual void on_mark_gone(std::string_view source) = 0;
  virtual void on_key(std::string_view key, const IdempotencyKeys::Known& known,
                      TimePoint since) = 0;
  virtual void on_key_gone(std::string_view key) = 0;
};

}  // namespace peal::broker
