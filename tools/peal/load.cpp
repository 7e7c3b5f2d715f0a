#include <poll.h>
#include <unistd.h>

#include "control_target.hpp"
#include "dump_format.hpp"
#include "line_reader.hpp"
#include "signals.hpp"
#include "verbs.hpp"

namespace peal::cli {
namespace {

/// A command's publications: so many, and so many bytes unless one alone has more.
constexpr std::size_t kBatch = 200;
constexpr std::size_t kBatchBytes = 128 * 1024;

Failure wrong(std::uint64_t line, const std::string& what) {
  return {Exit::refused, "message_invalid", "line " + std::to_string(line) + ": " + what};
}

class Load final : public Verb {
 public:
  std::string_view name() const override { return "load"; }
  std::string_view summary() const override { return "Restore a dumped log, at exact positions."; }

  void describe(Arguments& arguments) override {
    arguments.word("CHANNEL", channel_, "into which (default: the one that was dumped)", false);
    cli::describe(arguments, control_);
    arguments.example("peal load < orders.ndjson", "into a channel that has nothing yet");
    arguments.example("peal load copy < orders.ndjson", "under another name");
  }

  Outcome<void> run(Console& console) override {
    auto client = open_control(control_);
    if (!client) return client.error();
    client_ = std::move(*client);
    LineReader lines(STDIN_FILENO);
    std::string line;
    while (next(lines, line)) {
      ++number_;
      if (auto taken = take(line); !taken) return taken;
      if (ended_) break;
      console.progress(grouped(loaded_) + " publications");
    }
    if (interrupted()) return unreachable("interrupted: load again, it goes on where it stopped");
    if (number_ == 0) return usage("nothing on standard input: peal load < FILE");
    if (auto sent = flush(); !sent) return sent;
    if (!ended_) {
      return wrong(number_, "the dump was cut off: its last line is missing; " + grouped(loaded_) +
                                " publications were loaded");
    }
    return report(console);
  }

 private:
  /// Waits for a whole line. False: the end, or interrupted.
  static bool next(LineReader& lines, std::string& line) {
    while (!lines.take(line)) {
      if (interrupted()) return false;
      pollfd ready[] = {{STDIN_FILENO, POLLIN, 0}, {interrupt_fd(), POLLIN, 0}};
      ::poll(ready, 2, -1);
      if (!lines.fill() && !lines.has_line()) return false;
    }
    return true;
  }

  Outcome<void> take(const std::string& line) {
    if (!reader_.validate(line)) return wrong(number_, "not JSON");
    const JsonObject object(line);
    if (number_ == 1) return begin(object);
    if (object.has("end")) return finish(object.object("end"));
    const std::uint64_t offset = object.number("offset");
    if (offset == 0) return wrong(number_, "a publication without an offset");
    ++lines_;
    if (offset <= top_.value) return {};  // it is there already
    batch_bytes_ += line.size();
    if (!batch_.empty()) batch_ += ',';
    batch_ += line;
    last_ = {offset};
    if (++batched_ < kBatch && batch_bytes_ < kBatchBytes) return {};
    return flush();
  }

  Outcome<void> begin(const JsonObject& head) {
    if (!head.has("peal_dump")) return wrong(1, "this is no dump of a log");
    if (head.number("peal_dump") != kDumpVersion) {
      return wrong(1, "a dump of version " + head.text("peal_dump") + "; this peal reads " +
                          std::to_string(kDumpVersion));
    }
    const auto epoch = Epoch::parse(head.text("epoch"));
    if (!epoch) return wrong(1, "no epoch");
    head_ = {head.text("channel"), *epoch, {head.number("floor")}, {head.number("top")}};
    if (channel_.empty()) channel_ = head_.channel;
    auto stands = look();
    if (!stands) return stands.error();
    const JsonObject log(*stands);
    top_ = {log.number("offset")};
    if (top_.value != 0 && log.text("epoch") != head_.epoch.view()) {
      return Failure{Exit::refused, "expectation_failed",
                     "the channel has a log of its own (" + log.text("epoch") + "-" +
                         log.text("offset") +
                         "): a dump goes into one that has nothing yet, or on from where the "
                         "same dump stopped"};
    }
    started_empty_ = top_.value == 0;
    return {};
  }

  Outcome<void> finish(const JsonObject& end) {
    if (auto sent = flush(); !sent) return sent;
    ended_ = true;
    if (end.number("publications") != lines_) {
      return wrong(number_, "the dump has " + grouped(lines_) + " publications and says " +
                                grouped(end.number("publications")));
    }
    const Offset top{end.number("top")};
    // A log that kept nothing has a position all the same.
    if (lines_ == 0 && top.value > top_.value) {
      head_.floor = top;
      return send("[]");
    }
    return {};
  }

  Outcome<std::string> look() {
    return client_->request(
        "history", JsonBuilder().text("channel", channel_).number("limit", std::uint64_t{1}).str(),
        control_.timeout);
  }

  Outcome<void> flush() {
    if (batched_ == 0) return {};
    if (auto sent = send("[" + batch_ + "]"); !sent) return sent;
    loaded_ += batched_;
    top_ = last_;
    batched_ = batch_bytes_ = 0;
    batch_.clear();
    return {};
  }

  Outcome<void> send(const std::string& publications) {
    JsonBuilder payload;
    payload.text("channel", channel_)
        .text("epoch", head_.epoch.view())
        .number("floor", head_.floor.value);
    if (top_.value != 0) payload.number("after", top_.value);
    payload.raw("publications", publications);
    auto result = client_->request("load", payload.str(), control_.timeout);
    if (!result) return result.error();
    return {};
  }

  Outcome<void> report(Console& console) {
    auto stands = look();
    if (!stands) return stands.error();
    const JsonObject log(*stands);
    if (console.json) {
      console.line(JsonBuilder()
                       .text("channel", channel_)
                       .text("epoch", head_.epoch.view())
                       .raw("offset", log.raw("offset"))
                       .raw("floor", log.raw("floor"))
                       .number("loaded", loaded_)
                       .str());
    } else {
      console.line(printable(channel_) + ": " + grouped(loaded_) + " publications, at " +
                   log.text("epoch") + "-" + log.text("offset"));
    }
    if (started_empty_ && log.number("floor") > head_.floor.value) {
      console.note("peal: the channel's rule keeps less than was loaded: what is not above " +
                   log.text("floor") + " is gone again");
    }
    return {};
  }

  std::string channel_;
  ControlOptions control_;
  std::unique_ptr<ControlClient> client_;
  JsonReader reader_;
  DumpHead head_;
  Offset top_;   ///< of the log that is loaded into
  Offset last_;  ///< of the batch
  std::string batch_;
  std::size_t batched_ = 0, batch_bytes_ = 0;
  std::uint64_t number_ = 0, lines_ = 0, loaded_ = 0;
  bool started_empty_ = false, ended_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_load() {
  return std::make_unique<Load>();
}

}  // namespace peal::cli
