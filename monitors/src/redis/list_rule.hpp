#pragma once
// One list, what is made of its elements, and where in Redis those are kept that were taken. All
// keys of a list are in its slot, so that one script can move elements between them. Pure.

#include <string>
#include <string_view>

#include "mapping/message_rule.hpp"
#include "peal/redis/reply.hpp"
#include "redis/redis_config.hpp"

namespace peal::monitor {

class ListRule {
 public:
  /// The error names the entry.
  static Result<ListRule> compile(const ListConfig& config);

  const std::string& list() const { return config_.list; }
  /// "LEFT" or "RIGHT", the end with the oldest elements.
  const char* side() const { return config_.take == "left" ? "LEFT" : "RIGHT"; }
  Result<Ring> ring(std::string_view element, JsonReader& reader) const;

 private:
  ListConfig config_;
  MessageRule rule_;
};

struct ListKeys {
  std::string state;     ///< a hash: the lease and how far it is
  std::string taken;     ///< a list: elements that were taken and are not acknowledged
  std::string rejected;  ///< a list: elements that could not be published
};

/// Where they are for a monitor of that name.
ListKeys list_keys(const std::string& prefix, const std::string& monitor, const std::string& list);
/// Empty, or why a Cluster can't move elements of this list.
std::string cluster_trouble(const ListKeys& keys, const std::string& list);

}  // namespace peal::monitor
