#pragma once
// From what is said on channels of Redis, by PUBLISH, to the bus, in its order.

#include "redis/topic_reader.hpp"

namespace peal::monitor {

/// The rule of one entry of the configuration; the error names the entry.
Result<MessageRule> listen_rule(const TopicConfig& config);

/// What it makes of what was said.
Result<Ring> listen_ring(const MessageRule& rule, std::string_view channel,
                         std::string_view payload, JsonReader& reader);

class ListenReader final : public TopicReader {
 public:
  /// The configuration has been checked.
  explicit ListenReader(const ReaderParts& parts);

 private:
  void hear(std::size_t rule, std::string_view channel, std::string_view payload) override;
};

}  // namespace peal::monitor
