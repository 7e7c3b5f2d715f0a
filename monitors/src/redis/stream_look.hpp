#pragma once
// What a look at a stream tells: how much of it was not read, since when that waits, and whether it
// may be trimmed away before it is read. Pure.

#include <optional>
#include <string>

#include "peal/proto/publication.hpp"
#include "peal/proto/result.hpp"
#include "peal/redis/reply.hpp"

namespace peal::monitor {

/// KEYS[1] the stream; ARGV a cursor. `StreamLook::parse` takes the answer. A stream that is not
/// there is empty.
extern const char* const kLookScript;

struct StreamLook {
  Sequence top;                  ///< the last id that it gave out
  std::uint64_t added = 0;       ///< entries, ever; 0 of a Redis before 7, which doesn't count
  std::uint64_t length = 0;      ///< entries that are there
  std::optional<Sequence> next;  ///< the first entry behind the cursor
  std::uint64_t bytes = 0;       ///< of all entries, as Redis estimates it; 0: it doesn't say

  static Result<StreamLook> parse(const redis::Reply& reply);

  std::uint64_t removed() const { return added < length ? 0 : added - length; }
  /// Entries that wait, when the first `ordinal` of all were read. Of a Redis before 7 only whether
  /// some do.
  std::uint64_t unread(std::uint64_t ordinal) const;
  /// Of these, if they are like the others.
  std::uint64_t unread_bytes(std::uint64_t ordinal) const;
};

/// How long a stream is when those who add to it trim it: what is further behind is lost. Nobody
/// can ask Redis for that, but it shows from one look to the next.
class StreamCeiling {
 public:
  void looked(const StreamLook& look);
  /// Entries; none: it was not seen to be trimmed.
  std::optional<std::uint64_t> entries() const { return entries_; }

 private:
  std::optional<StreamLook> last_;
  std::optional<std::uint64_t> trimmed_to_, entries_;
};

}  // namespace peal::monitor
