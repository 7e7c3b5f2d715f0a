#include "redis/stream_look.hpp"

#include <algorithm>

namespace peal::monitor {

const char* const kLookScript = R"(
if redis.call('EXISTS', KEYS[1]) == 0 then return {'0-0', 0, 0, '', 0} end
local info, found = redis.call('XINFO', 'STREAM', KEYS[1]), {}
for i = 1, #info, 2 do found[info[i]] = info[i + 1] end
local behind = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', 1)
-- Who has not the right to ask that may read all the same.
local bytes = redis.pcall('MEMORY', 'USAGE', KEYS[1])
return {found['last-generated-id'], found['entries-added'] or 0, found['length'],
        behind[1] and behind[1][1] or '', type(bytes) == 'number' and bytes or 0}
)";

Result<StreamLook> StreamLook::parse(const redis::Reply& reply) {
  const auto& parts = reply.elements;
  const auto top = parts.size() == 5 ? Sequence::parse(parts[0].text) : std::nullopt;
  if (!top) return fail(ErrorCode::internal_error, "an odd answer");
  StreamLook look;
  look.top = *top;
  look.added = static_cast<std::uint64_t>(parts[1].integer);
  look.length = static_cast<std::uint64_t>(parts[2].integer);
  look.next = Sequence::parse(parts[3].text);
  look.bytes = static_cast<std::uint64_t>(parts[4].integer);
  return look;
}

std::uint64_t StreamLook::unread(std::uint64_t ordinal) const {
  return std::max(added - std::min(added, ordinal), std::uint64_t{next ? 1U : 0U});
}

std::uint64_t StreamLook::unread_bytes(std::uint64_t ordinal) const {
  return length == 0 ? 0 : bytes / length * std::min(unread(ordinal), length);
}

void StreamCeiling::looked(const StreamLook& look) {
  // Removed by hand while nothing is added is no habit.
  if (last_ && look.added > last_->added && look.removed() > last_->removed())
    trimmed_to_ = look.length;
  if (last_ && look.added < last_->added) trimmed_to_.reset();  // it is another one
  last_ = look;
  if (trimmed_to_) {
    entries_ = std::max(*trimmed_to_, look.length);
  } else {
    entries_.reset();
  }
}

}  // namespace peal::monitor
