#include <unistd.h>

#include "json_text.hpp"
#include "line_reader.hpp"
#include "line_stream.hpp"
#include "peal/proto/channel_name.hpp"
#include "peal/proto/position.hpp"
#include "peal/proto/publication.hpp"
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
    arguments.flag("--lines", lines_,
                   "standard input: a message a line, each at once, without end");
    arguments.flag("--commands", commands_,
                   "standard input: a whole publish payload a line, {\"channel\",\"message\",...}");
    cli::describe(arguments, control_);
    arguments.flag("--ingest", ingest_,
                   "fire and forget through the ingest socket (ENDPOINT is its)");
    arguments.option("--bus", "ENDPOINT", bus_,
                     "as a node of the bus, to a broker: tcp://HOST:8422; or to several: "
                     "NAME=tcp://HOST:8422,NAME=…");
    arguments.option("--url", "URL", http_.url, "over HTTP: http://127.0.0.1:8420");
    arguments.option("--key", "SECRET", http_.key, "bearer key for --url");
    arguments.option("--ca", "FILE", http_.ca, "authority to trust for https");
    arguments.option("--message-key", "KEY", text_.key, "the publication's key (keyed channels)");
    arguments.flag("--delete", text_.remove, "a deletion instead of a message");
    arguments.option("--expect", "EPOCH-OFFSET", text_.expect, "only when the channel is there");
    arguments.option("--source", "NAME", text_.source, "producer, for idempotent publishing");
    arguments.option("--sequence", "MAJOR-MINOR", text_.sequence,
                     "the producer's number of this one");
    arguments.option("--previous", "MAJOR-MINOR", text_.previous, "its number of the one before");
    arguments.option("--idempotency-key", "KEY", text_.idempotency_key,
                     "publish once under this key");
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
    if (!lines_ && !commands_) {
      return publish_one();
    }
    LineOptions options;
    options.commands = commands_;
    options.timeout = control_.timeout;
    options.reconnect_for = reconnect_for_;
    return LineStream(options, *publisher_, tally_, text_, console).run(STDIN_FILENO);
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
    if (ingest_ && more) {
      return usage("--ingest takes a channel and messages, nothing else");
    }
    if (!bus_.empty() && commands_) {
      return usage("--commands goes to a control socket or --url");
    }
    if ((ingest_ ? 1 : 0) + (bus_.empty() ? 0 : 1) + (http_.url.empty() ? 0 : 1) > 1) {
      return usage("--ingest, --bus and --url are different ways: choose one");
    }
    if (!text_.sequence.empty() && !Sequence::parse(text_.sequence)) {
      return usage("--sequence takes MAJOR-MINOR");
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
    auto endpoint = bus_.empty() ? find_endpoint(control_, ingest_ ? ".ingest" : ".control")
                                 : Outcome<std::string>(bus_);
    if (!endpoint) {
      return endpoint.error();
    }
    auto curve = curve_keys(control_, *endpoint);
    if (!curve) {
      return curve.error();
    }
    if (!bus_.empty()) {
      publisher_ = make_bus_publisher(bus_, *curve, on_result);
      return {};
    }
    publisher_ = ingest_ ? make_ingest_publisher(*endpoint, *curve, on_result)
                         : make_control_publisher(*endpoint, *curve, on_result);
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
    ++tally_.sent;
    if (auto sent = publisher_->send(1, text_); !sent) {
      return sent;
    }
    const auto deadline = Clock::now() + control_.timeout;
    while (tally_.unanswered() > 0 && Clock::now() < deadline && !interrupted()) {
      auto waited = publisher_->wait(-1, std::chrono::ceil<milliseconds>(deadline - Clock::now()));
      if (!waited && tally_.unanswered() > 0) {
        return waited;
      }
    }
    if (tally_.unanswered() > 0) {
      return unreachable("no answer: it may or may not have been published");
    }
    publisher_->finish(control_.timeout);
    if (!tally_.last.done()) {
      return Failure{Exit::refused, tally_.last.code, tally_.last.message};
    }
    console_->line(console_->json ? minify(tally_.last.result) : said(tally_.last.result));
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

  void took(std::uint64_t id, const PublishOutcome& outcome) {
    tally_.took(outcome);
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

  std::string channel_, message_;
  bool lines_ = false;
  bool commands_ = false;
  bool ingest_ = false;
  std::string bus_;
  milliseconds reconnect_for_{60'000};
  ControlOptions control_;
  HttpOptions http_;
  PublishText text_;

  Console* console_ = nullptr;
  JsonReader reader_;
  std::unique_ptr<Publisher> publisher_;
  PublishTally tally_;
};

}  // namespace

std::unique_ptr<Verb> make_publish() {
  return std::make_unique<Publish>();
}

}  // namespace peal::cli
