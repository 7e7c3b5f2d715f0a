#pragma once
// A message a line, from a descriptor to a Publisher: each at once, without end, with as many
// unanswered as the publisher's window. A lost link is waited for; what was on its way is reported,
// not sent again.

#include <chrono>
#include <cstdint>

#include "line_reader.hpp"
#include "output.hpp"
#include "peal/proto/json.hpp"
#include "publisher.hpp"

namespace peal::cli {

/// What has been sent and answered.
struct PublishTally {
  std::uint64_t sent = 0, answered = 0, failures = 0;
  PublishOutcome last, last_failure;
  std::uint64_t unanswered() const { return sent - answered; }
  void took(const PublishOutcome& outcome) {
    ++answered;
    last = outcome;
    if (!outcome.done()) {
      ++failures;
      last_failure = outcome;
    }
  }
};

struct LineOptions {
  bool commands = false;  ///< a line is a whole payload
  std::chrono::milliseconds timeout{5000};
  std::chrono::milliseconds reconnect_for{60'000};
};

class LineStream {
 public:
  /// `tally` is kept by the publisher's OnResult; `text` is what every line's publication has in
  /// common.
  LineStream(LineOptions options, Publisher& publisher, PublishTally& tally, PublishText text,
             Console& console);
  /// Until the end of the input, or a signal.
  Outcome<void> run(int fd);

 private:
  Outcome<void> send_lines(LineReader& lines);
  Outcome<void> send(const std::string& line);
  Outcome<void> wait(int fd, std::chrono::milliseconds timeout);
  Outcome<void> come_back(const Failure& why);
  Outcome<void> finish(const LineReader& lines);
  bool room() const { return tally_.unanswered() < publisher_.window(); }

  LineOptions options_;
  Publisher& publisher_;
  PublishTally& tally_;
  PublishText text_;
  Console& console_;
  JsonReader reader_;
};

}  // namespace peal::cli
