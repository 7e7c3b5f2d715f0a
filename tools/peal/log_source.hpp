#pragma once
// Pages of one channel's log, from wherever it can be read: a process's control socket, or a
// gateway's HTTP. One thread.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control_target.hpp"
#include "json_text.hpp"
#include "peal/proto/position.hpp"
#include "publisher.hpp"

namespace peal::cli {

struct LogQuery {
  std::string channel;
  std::optional<Position> since;  ///< none: from the oldest kept (reverse: from the newest)
  std::uint64_t limit = 1000;
  bool reverse = false;
  bool wait = false;  ///< nothing there: wait a while for something
};

struct LogPage {
  Epoch epoch;
  Offset top;
  Offset to;  ///< a next page goes on from here
  std::vector<JsonObject> publications;
};

class LogSource {
 public:
  virtual ~LogSource() = default;
  /// Refused with position_lost when the log no longer covers `since`.
  virtual Outcome<LogPage> read(const LogQuery& query) = 0;
};

Outcome<std::unique_ptr<LogSource>> make_log_source(const ControlOptions& control,
                                                    const HttpOptions& http);

}  // namespace peal::cli
