#include "control_target.hpp"
#include "json_text.hpp"
#include "verbs.hpp"

namespace peal::cli {
namespace {

class Cluster final : public Verb {
 public:
  std::string_view name() const override { return "cluster"; }
  std::string_view summary() const override {
    return "Show the brokers and their links, and which of them serves a channel.";
  }

  void describe(Arguments& arguments) override {
    arguments.rest("where CHANNEL", words_, "who serves this channel, and who would after it",
                   false);
    cli::describe(arguments, control_);
    arguments.example("peal cluster", "the brokers, as the one that is asked sees them");
    arguments.example("peal cluster where room:1", "its broker, then those that would take over");
  }

  Outcome<void> run(Console& console) override {
    const bool where = !words_.empty();
    if (where && (words_.size() != 2 || words_.front() != "where")) {
      return usage("cluster takes nothing, or: where CHANNEL");
    }
    auto result = where ? ask(control_, "where", JsonBuilder().text("channel", words_[1]).str())
                        : ask(control_, "cluster", "{}");
    if (!result) {
      Failure failure = result.error();
      if (failure.code == "action_unknown")
        failure.message = "only a broker can say that: give the --control of a peal-broker";
      return failure;
    }
    if (console.json) {
      console.line(minify(*result));
      return {};
    }
    const JsonObject answer(*result);
    where ? show_place(console, answer) : show_members(console, answer);
    return {};
  }

 private:
  static void show_place(Console& console, const JsonObject& answer) {
    Table table({{"RANK", Table::Align::right}, {"BROKER"}, {"STATE"}, {""}});
    std::size_t rank = 0;
    for (const JsonObject& broker : answer.objects("ranks")) {
      const std::string name = broker.text("broker");
      table.row({std::to_string(++rank), printable(name), broker.text("state"),
                 name == answer.text("server") ? "<- asked for it now" : ""});
    }
    table.print(console);
    if (!answer.has("server")) {
      console.note("nobody serves it now");
    }
  }

  static void show_members(Console& console, const JsonObject& answer) {
    console.line("broker " + printable(answer.text("broker")) + ", logs in " +
                 answer.text("store") + (answer.boolean("ready") ? "" : ", not ready"));
    if (answer.has("reason")) {
      console.line(printable(answer.text("reason")));
    }
    Table members({{"BROKER"}, {"STATE"}, {"REASON"}});
    for (const JsonObject& member : answer.objects("members")) {
      members.row(
          {printable(member.text("name")), member.text("state"), printable(member.text("reason"))});
    }
    if (!members.empty()) {
      members.print(console);
    }
    Table links({{"LINKED"},
                 {"KIND"},
                 {"VERSION", Table::Align::right},
                 {"ON THE WAY", Table::Align::right},
                 {"CREDIT", Table::Align::right},
                 {"DROPPED", Table::Align::right}});
    for (const JsonObject& link : answer.objects("links")) {
      links.row({printable(link.text("node")), link.text("kind"), link.text("version"),
                 grouped(link.number("live_bytes")), grouped(link.number("credit_bytes")),
                 grouped(link.number("dropped"))});
    }
    links.empty() ? console.note("no links") : links.print(console);
  }

  ControlOptions control_;
  std::vector<std::string> words_;
};

}  // namespace

std::unique_ptr<Verb> make_cluster() {
  return std::make_unique<Cluster>();
}

}  // namespace peal::cli
