#include "line_stream.hpp"

#include <poll.h>

#include <algorithm>

#include "json_text.hpp"
#include "signals.hpp"

namespace peal::cli {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

LineStream::LineStream(LineOptions options, Publisher& publisher, PublishTally& tally,
                       PublishText text, Console& console)
    : options_(options),
      publisher_(publisher),
      tally_(tally),
      text_(std::move(text)),
      console_(console) {}

Outcome<void> LineStream::run(int fd) {
  LineReader lines(fd);
  for (bool open = true; open && !interrupted();) {
    if (!lines.has_line()) {
      if (auto waited = wait(fd, milliseconds(60'000)); !waited) {
        return waited;
      }
      open = lines.fill();
    }
    if (auto sent = send_lines(lines); !sent) {
      return sent;
    }
  }
  if (auto sent = send_lines(lines); !sent) {
    return sent;
  }
  return finish(lines);
}

Outcome<void> LineStream::send_lines(LineReader& lines) {
  for (std::string line; lines.take(line);) {
    while (!room()) {
      if (auto waited = wait(-1, options_.timeout); !waited) {
        return waited;
      }
      if (interrupted()) {
        return {};
      }
    }
    if (auto sent = send(line); !sent) {
      if (auto back = come_back(sent.error()); !back) {
        return back;
      }
    }
  }
  return {};
}

Outcome<void> LineStream::send(const std::string& line) {
  if (line.empty() || (options_.commands && line.find_first_not_of(" \t") == std::string::npos)) {
    return {};
  }
  const std::uint64_t id = ++tally_.sent;
  if (!options_.commands) {
    text_.message = message_json(reader_, line);
    return publisher_.send(id, text_);
  }
  // Not a command at all: it goes out anyway when it is JSON, and the other side says what is
  // wrong.
  text_.whole = reader_.validate(line) ? line : json_string("not JSON");
  return publisher_.send(id, text_);
}

Outcome<void> LineStream::wait(int fd, milliseconds timeout) {
  auto waited = publisher_.wait(fd, timeout);
  return waited ? waited : come_back(waited.error());
}

/// Tries again with growing pauses until the link is back or the time is up.
Outcome<void> LineStream::come_back(const Failure& why) {
  console_.note("peal: " + why.message + "; trying again");
  const auto deadline = Clock::now() + options_.reconnect_for;
  for (milliseconds pause(50); !interrupted(); pause = std::min(pause * 2, milliseconds(1000))) {
    if (publisher_.connect(options_.timeout)) {
      console_.note("peal: the link is back");
      return {};
    }
    if (Clock::now() + pause > deadline) {
      break;
    }
    pollfd signal{interrupt_fd(), POLLIN, 0};
    ::poll(&signal, 1, static_cast<int>(pause.count()));
  }
  return why;
}

Outcome<void> LineStream::finish(const LineReader& lines) {
  const auto deadline = Clock::now() + options_.timeout;
  while (tally_.unanswered() > 0 && Clock::now() < deadline) {
    if (auto waited = publisher_.wait(-1, milliseconds(100)); !waited) {
      break;
    }
  }
  publisher_.finish(options_.timeout);
  const std::uint64_t failures = tally_.failures + tally_.unanswered();
  if (lines.too_long() > 0) {
    return Failure{Exit::refused, "message_too_large",
                   grouped(lines.too_long()) + " lines were too long"};
  }
  if (failures > 0) {
    const std::string& code = tally_.last_failure.code;
    return Failure{
        Exit::refused, code.empty() ? "publish_outcome_unknown" : code,
        grouped(failures) + " of " + grouped(tally_.sent) + " messages were not published"};
  }
  return {};
}

}  // namespace peal::cli
