#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>

#include "json_text.hpp"
#include "line_reader.hpp"
#include "peal/proto/channel_name.hpp"
#include "peal/proto/position.hpp"
#include "publisher.hpp"
#include "signals.hpp"
#include "verbs.hpp"

namespace peal::cli {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

class Publish final : public Verb {
 public:
  std::string_view name() const override { return "publish"; }
  std::string_view summary() const override { return "Publish a message, or one a line."; }

  void describe(Arguments& arguments) override {
    arguments.word("CHANNEL", channel_, "where to", false);
    arguments.word("MESSAGE", message_,
                   "JSON as it is, anything else as a JSON string; - or nothing: standard input",
                   false);
    arguments.flag("--lines", lines_, "standard input: a message a line, each at once, without end");
    arguments.flag("--commands", commands_,
                   "standard input: a whole publish payload a line, {\"channel\",\"message\",...}");
    cli::describe(arguments, control_);
    arguments.flag("--ingest", ingest_, "fire and forget through the ingest socket (ENDPOINT is its)");
    arguments.option("--url", "URL", http_.url, "over HTTP: http://127.0.0.1:8420");
    arguments.option("--key", "SECRET", http_.key, "bearer key for --url");
    arguments.option("--ca", "FILE", http_.ca, "authority to trust for https");
    arguments.option("--message-key", "KEY", text_.key, "the publication's key (keyed channels)");
    arguments.flag("--delete", text_.remove, "a deletion instead of a message");
    arguments.option("--expect", "EPOCH-OFFSET", text_.expect, "only when the channel is there");
    arguments.option("--source", "NAME", text_.source, "producer, for idempotent publishing");
    arguments.option("--sequence", "MAJOR-MINOR", text_.sequence, "the producer's number of this one");
    arguments.option("--previous", "MAJOR-MINOR", text_.previous, "its number of the one before");
    arguments.option("--idempotency-key", "KEY", text_.idempotency_key, "publish once under this key");
    arguments.option("--reconnect-for", "TIME", reconnect_for_,
                     "with --lines: how long a lost link may stay away (default 1m)");
    arguments.example("peal publish demo:room '{\"text\":\"hello\"}'", "JSON goes as it is");
    arguments.example("peal publish demo:room hello", "anything else becomes a JSON string");
    arguments.example("vmstat 1 | peal publish --lines demo:load", "a live feed, a message a line");
    arguments.example("peal publish --url http://127.0.0.1:8420 demo:room hello", "over HTTP");
  }

  Outcome<void> run(Console& console) override {
    console_ = &console;
    if (auto checked = check(); !checked) {
      return checked;
    }
    if (auto made = make_publisher(); !made) {
      return made;
    }
    if (auto connected = publisher_->connect(control_.timeout); !connected) {
      return connected;
    }
    return lines_ || commands_ ? publish_lines() : publish_one();
  }

 private:
  Outcome<void> check() {
    const bool stream = lines_ || commands_;
    if (channel_.empty() != commands_) {
      return usage(commands_ ? "with --commands each line names its channel" : "missing CHANNEL");
    }
    if (!channel_.empty() && !ChannelName::valid(channel_)) {
      return Failure{Exit::refused, "channel_name_invalid",
                     "a channel's name is 1 to 255 bytes of UTF-8 without control characters"};
    }
    if (stream && !message_.empty() && message_ != "-") {
      return usage("with --lines the messages come on standard input");
    }
    if (!text_.expect.empty() && !Position::parse(text_.expect)) {
      return usage("--expect takes EPOCH-OFFSET");
    }
    const bool more = !text_.key.empty() || text_.remove || !text_.expect.empty() ||
                      !text_.source.empty() || !text_.idempotency_key.empty() || commands_;
    if (ingest_ && (more || !http_.url.empty())) {
      return usage("--ingest takes a channel and messages, nothing else");
    }
    text_.channel = channel_;
    return {};
  }

  Outcome<void> make_publisher() {
    const auto on_result = [this](std::uint64_t id, const PublishOutcome& outcome) {
      took(id, outcome);
    };
    if (!http_.url.empty()) {
      auto made = make_http_publisher(http_, on_result);
      if (!made) {
        return made.error();
      }
      publisher_ = std::move(*made);
      return {};
    }
    auto keys = curve_keys(control_);
    auto endpoint = find_endpoint(control_, ingest_ ? ".ingest" : ".control");
    if (!keys || !endpoint) {
      return keys ? endpoint.error() : keys.error();
    }
    publisher_ = ingest_ ? make_ingest_publisher(*endpoint, *keys, on_result)
                         : make_control_publisher(*endpoint, *keys, on_result);
    return {};
  }

  Outcome<void> publish_one() {
    if (!text_.remove) {
      if (message_.empty() || message_ == "-") {
        auto all = read_all(STDIN_FILENO);
        if (!all) {
          return all.error();
        }
        message_ = std::move(*all);
        // What `echo` adds is not part of the message.
        if (message_.ends_with('\n')) {
          message_.pop_back();
        }
      }
      text_.message = message_json(reader_, message_);
    }
    ++sent_;
    if (auto sent = publisher_->send(1, text_); !sent) {
      return sent;
    }
    const auto deadline = Clock::now() + control_.timeout;
    while (unanswered() > 0 && Clock::now() < deadline && !interrupted()) {
      auto waited = publisher_->wait(
          -1, std::chrono::ceil<milliseconds>(deadline - Clock::now()));
      if (!waited && unanswered() > 0) {
        return waited;
      }
    }
    if (unanswered() > 0) {
      return unreachable("no answer: it may or may not have been published");
    }
    publisher_->finish(control_.timeout);
    if (!last_.done()) {
      return Failure{Exit::refused, last_.code, last_.message};
    }
    console_->line(console_->json ? minify(last_.result) : said(last_.result));
    return {};
  }

  /// Several channels' results come as a list; one without a position is ephemeral.
  static std::string said(const std::string& result) {
    const JsonObject object(result);
    std::string out = object.boolean("duplicate") ? "ok, a duplicate" : "ok";
    if (object.has("epoch")) {
      out += " " + object.text("epoch") + "-" + object.text("offset");
    }
    return out;
  }

  Outcome<void> publish_lines() {
    LineReader lines(STDIN_FILENO);
    bool open = true;
    while (open && !interrupted()) {
      const bool room = unanswered() < publisher_->window();
      if (room && !lines.has_line()) {
        if (auto waited = publisher_->wait(STDIN_FILENO, milliseconds(60'000)); !waited) {
          if (auto back = come_back(waited.error()); !back) {
            return back;
          }
        }
        open = lines.fill();
      }
      for (std::string line; unanswered() < publisher_->window() && lines.take(line);) {
        if (auto sent = send_line(line); !sent) {
          if (auto back = come_back(sent.error()); !back) {
            return back;
          }
        }
      }
      if (unanswered() >= publisher_->window()) {
        if (auto waited = publisher_->wait(-1, control_.timeout); !waited) {
          if (auto back = come_back(waited.error()); !back) {
            return back;
          }
        }
      }
    }
    return finish_lines(lines);
  }

  Outcome<void> finish_lines(LineReader& lines) {
    for (std::string line; lines.take(line);) {
      if (auto sent = send_line(line); !sent) {
        return sent;
      }
      if (unanswered() >= publisher_->window()) {
        if (auto waited = publisher_->wait(-1, control_.timeout); !waited) {
          return waited;
        }
      }
    }
    const auto deadline = Clock::now() + control_.timeout;
    while (unanswered() > 0 && Clock::now() < deadline) {
      if (auto waited = publisher_->wait(-1, milliseconds(100)); !waited) {
        break;
      }
    }
    publisher_->finish(control_.timeout);
    failures_ += unanswered();
    if (lines.too_long() > 0) {
      return Failure{Exit::refused, "message_too_large",
                     grouped(lines.too_long()) + " lines were too long"};
    }
    if (failures_ > 0) {
      return Failure{Exit::refused, last_failure_.code.empty() ? "publish_outcome_unknown"
                                                               : last_failure_.code,
                     grouped(failures_) + " of " + grouped(sent_) + " messages were not published"};
    }
    return {};
  }

  Outcome<void> send_line(const std::string& line) {
    if (line.empty() || (commands_ && line.find_first_not_of(" \t\r") == std::string::npos)) {
      return {};
    }
    const std::uint64_t id = ++sent_;
    if (commands_) {
      if (!reader_.validate(line) || line[line.find_first_not_of(" \t")] != '{') {
        took(id, {{}, "command_invalid", "the line is not a JSON object"});
        return {};
      }
      text_.whole = line;
    } else {
      text_.message = message_json(reader_, line);
    }
    return publisher_->send(id, text_);
  }

  /// A lost link: tries again with growing pauses until it is back or the time is up.
  Outcome<void> come_back(const Failure& why) {
    console_->note("peal: " + why.message + "; trying again");
    const auto deadline = Clock::now() + reconnect_for_;
    milliseconds pause(50);
    for (;;) {
      if (auto connected = publisher_->connect(control_.timeout)) {
        console_->note("peal: the link is back");
        return {};
      }
      if (Clock::now() + pause > deadline || interrupted()) {
        return why;
      }
      pollfd wait{interrupt_fd(), POLLIN, 0};
      ::poll(&wait, 1, static_cast<int>(pause.count()));
      pause = std::min(pause * 2, milliseconds(1000));
    }
  }

  void took(std::uint64_t id, const PublishOutcome& outcome) {
    ++answered_;
    last_ = outcome;
    if (!outcome.done()) {
      ++failures_;
      last_failure_ = outcome;
    }
    if (!lines_ && !commands_) {
      return;
    }
    if (console_->json) {
      JsonBuilder out;
      out.number("line", id);
      if (outcome.done()) {
        out.raw("result", minify(outcome.result));
      } else {
        out.raw("error",
                JsonBuilder().text("code", outcome.code).text("message", outcome.message).str());
      }
      console_->line(out.str());
    } else if (!outcome.done()) {
      console_->note("peal: line " + std::to_string(id) + ": " + outcome.code + ": " +
                     outcome.message);
    }
  }

  std::uint64_t unanswered() const { return sent_ - answered_; }

  std::string channel_, message_;
  bool lines_ = false;
  bool commands_ = false;
  bool ingest_ = false;
  milliseconds reconnect_for_{60'000};
  ControlOptions control_;
  HttpOptions http_;
  PublishText text_;

  Console* console_ = nullptr;
  JsonReader reader_;
  std::unique_ptr<Publisher> publisher_;
  std::uint64_t sent_ = 0, answered_ = 0, failures_ = 0;
  PublishOutcome last_, last_failure_;
};

}  // namespace

std::unique_ptr<Verb> make_publish() { return std::make_unique<Publish>(); }

}  // namespace peal::cli
