#pragma once
// One stream and what is made of its entries. Pure.

#include <string>
#include <vector>

#include "mapping/message_rule.hpp"
#include "peal/redis/reply.hpp"
#include "redis/redis_config.hpp"

namespace peal::monitor {

/// An entry: its id, "milliseconds-number", which is its place in the stream's order, and fields.
struct StreamEntry {
  std::string id;
  Sequence sequence;
  std::vector<std::pair<std::string, std::string>> fields;
};

/// What XREAD answered, of one stream; empty: nothing was there.
Result<std::vector<StreamEntry>> entries_of(const redis::Reply& reply);

class StreamRule {
 public:
  /// The error names the entry.
  static Result<StreamRule> compile(const StreamConfig& config);

  const std::string& stream() const { return config_.stream; }
  bool from_start() const { return config_.from == "start"; }
  Result<Ring> ring(const StreamEntry& entry, JsonReader& reader) const;
  /// What is larger than a message may be rings without its fields:
  ///   {"stream","id","key"?,"too_large": true}
  /// False: it is not too large.
  bool cut_to_size(Ring& ring, const StreamEntry& entry, std::size_t message_bytes_max) const;
  /// Entries were missed; `why` for a person.
  Ring reset(std::string_view why) const;

 private:
  StreamConfig config_;
  MessageRule rule_;
};

/// The hash in Redis that says how far a monitor of that name has read a stream.
std::string stream_state_key(const RedisMonitorConfig& config, const std::string& stream);

}  // namespace peal::monitor
