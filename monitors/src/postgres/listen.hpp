#pragma once
// One channel of NOTIFY and what is made of what comes there. Pure, but for the query that fetches.

#include <string>

#include "peal/monitor/ring.hpp"
#include "postgres/monitor_config.hpp"

namespace peal::monitor {

class Listen {
 public:
  /// The error names the entry.
  static Result<Listen> compile(const ListenConfig& config);

  const std::string& name() const { return config_.name; }
  /// A query with $1; empty: none.
  const std::string& fetch() const { return config_.fetch; }
  /// What is published; `said` is the payload of NOTIFY, or what was fetched for it.
  Result<Ring> ring(std::string_view said, JsonReader& reader) const;
  /// Something may have been missed.
  Ring reset() const;

 private:
  ListenConfig config_;
  RingTemplate rings_;
};

}  // namespace peal::monitor
