#pragma once
// What is made of a message of named values, where no table is: an entry of a stream, an element of
// a list, what was said on a channel. Pure; immutable after compiling.

#include <string>
#include <string_view>
#include <vector>

#include "peal/monitor/ring.hpp"

namespace peal::monitor {

class MessageRule {
 public:
  struct Texts {
    std::string name;  ///< what {table} says: the source's
    std::string_view channel, key, payload;
  };
  /// The error names the key of the configuration that is wrong.
  static Result<MessageRule> compile(const Texts& texts);
  /// Where something can be missed: `reset`, or the fixed channel, is told.
  static Result<MessageRule> compile_with_gaps(const Texts& texts, const std::string& reset);

  const std::string& name() const { return name_; }
  /// `payload` is JSON, for a rule that has no template of its own.
  Result<Ring> ring(std::vector<Column> columns, std::string payload, JsonReader& reader) const;
  /// Something was missed: {"event": "reset", "WHAT": the name, "reason"?: why}.
  Ring reset(std::string_view what, std::string_view why) const;

 private:
  std::string name_;
  std::string reset_;
  RingTemplate rings_;
};

/// What somebody said: as it is when that is JSON, else a JSON string.
std::string said_json(std::string_view said, JsonReader& reader);

}  // namespace peal::monitor
