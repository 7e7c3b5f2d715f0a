#include "control_target.hpp"
#include "dump_format.hpp"
#include "signals.hpp"
#include "verbs.hpp"

namespace peal::cli {
namespace {

constexpr std::uint64_t kPage = 1000;

class Dump final : public Verb {
 public:
  std::string_view name() const override { return "dump"; }
  std::string_view summary() const override { return "Write a channel's log out, exactly."; }

  void describe(Arguments& arguments) override {
    arguments.word("CHANNEL", channel_, "whose log");
    cli::describe(arguments, control_);
    arguments.example("peal dump orders > orders.ndjson", "one line a publication");
    arguments.example("peal dump orders | peal load --node other", "to another process");
  }

  Outcome<void> run(Console& console) override {
    auto client = open_control(control_);
    if (!client) return client.error();
    // An unread page says where the log begins; a page that begins there must follow.
    auto first = page(**client, "\"start\"", 1);
    if (!first) return first.error();
    const JsonObject stands(*first);
    const auto epoch = Epoch::parse(stands.text("epoch"));
    if (!epoch) return unreachable("an answer without an epoch");
    const DumpHead head{channel_, *epoch, {stands.number("floor")}, {stands.number("offset")}};
    console.line(head.line());
    DumpEnd end{*epoch, head.floor, 0};
    while (true) {
      const std::string since =
          JsonBuilder().text("epoch", epoch->view()).number("offset", end.top.value).str();
      auto next = page(**client, since, kPage);
      if (!next && next.error().code == "position_lost") {
        return Failure{Exit::refused, "position_lost",
                       "the log was trimmed or given up faster than it was read; dump it again"};
      }
      if (!next) return next.error();
      if (interrupted()) return unreachable("interrupted: the dump is not complete");
      const JsonObject object(*next);
      auto written = write(object, console);
      end.publications += written;
      end.top = {object.number("to")};
      console.progress(grouped(end.publications) + " publications, at " + grouped(end.top.value) +
                       " of " + grouped(object.number("offset")));
      if (end.top.value >= object.number("offset")) break;
    }
    console.line(end.line());
    return {};
  }

 private:
  Outcome<std::string> page(ControlClient& client, std::string_view since, std::uint64_t limit) {
    const std::string payload = JsonBuilder()
                                    .text("channel", channel_)
                                    .raw("since", since)
                                    .number("limit", limit)
                                    .boolean("exact", true)
                                    .str();
    return client.request("history", payload, control_.timeout);
  }

  /// The publications' own bytes, a line each.
  std::uint64_t write(const JsonObject& page, Console& console) {
    const auto elements = reader_.elements(page.raw("publications"));
    if (!elements) return 0;
    std::string lines;
    for (const std::string_view element : **elements)
      (lines += element) += '\n';
    console.raw(lines);
    return (*elements)->size();
  }

  std::string channel_;
  ControlOptions control_;
  JsonReader reader_;
};

}  // namespace

std::unique_ptr<Verb> make_dump() {
  return std::make_unique<Dump>();
}

}  // namespace peal::cli
