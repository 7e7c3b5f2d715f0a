#include <algorithm>

#include "log_source.hpp"
#include "publication_printer.hpp"
#include "signals.hpp"
#include "verbs.hpp"

namespace peal::cli {
namespace {

constexpr std::uint64_t kPage = 1000;

class History final : public Verb {
 public:
  std::string_view name() const override { return "history"; }
  std::string_view summary() const override { return "Print what a channel's log has kept."; }

  void describe(Arguments& arguments) override {
    arguments.word("CHANNEL", channel_, "whose log");
    arguments.option("--since", "EPOCH-OFFSET", since_,
                     "what came after this position (reverse: before it); start: all that is kept");
    arguments.option("--limit", "N", limit_, "at most N (default: all)");
    arguments.flag("--reverse", reverse_, "the newest first");
    arguments.flag("--follow", follow_, "then go on as publications come, until Ctrl-C");
    cli::describe(arguments, control_);
    arguments.option("--url", "URL", http_.url, "over HTTP: http://127.0.0.1:8420");
    arguments.option("--key", "SECRET", http_.key, "bearer key for --url");
    arguments.option("--ca", "FILE", http_.ca, "authority to trust for https");
    arguments.example("peal history orders --limit 10 --reverse", "the last ten");
    arguments.example("peal history orders --since 8MbK2xQz-41 --follow",
                      "what was missed, then live, without gap or duplicate");
  }

  Outcome<void> run(Console& console) override {
    LogQuery query;
    query.channel = channel_;
    query.reverse = reverse_;
    if (!since_.empty() && since_ != "start") {
      query.since = Position::parse(since_);
      if (!query.since) return usage("--since takes EPOCH-OFFSET, or start");
    }
    if (reverse_ && follow_) return usage("--follow goes forwards: leave --reverse out");
    auto source = make_log_source(control_, http_);
    if (!source) return source.error();
    PublicationPrinter printer(console, limit_);
    bool live = false;
    for (std::uint64_t printed = 0; !interrupted() && !printer.finished();) {
      query.limit = limit_ == 0 ? kPage : std::min(kPage, limit_ - printed);
      query.wait = live;
      auto page = (*source)->read(query);
      if (!page && live && page.error().code == "position_lost") {
        // Everything that is kept is newer than what was printed, or of another epoch.
        console.note("peal: the log's past was given up; going on with what it has now");
        query.since.reset();
        continue;
      }
      if (!page && live && interrupted()) break;
      if (!page) return page.error();
      for (const JsonObject& publication : page->publications)
        printer.print(channel_, publication);
      printed += page->publications.size();
      query.since = Position{page->epoch, page->to};
      const bool end = reverse_ ? page->to.value <= 1 : page->to >= page->top;
      if (end || page->publications.empty()) {
        if (!follow_) break;
        live = true;
      }
    }
    return {};
  }

 private:
  std::string channel_, since_;
  std::uint64_t limit_ = 0;
  bool reverse_ = false, follow_ = false;
  ControlOptions control_;
  HttpOptions http_;
};

}  // namespace

std::unique_ptr<Verb> make_history() {
  return std::make_unique<History>();
}

}  // namespace peal::cli
