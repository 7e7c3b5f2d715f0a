#include "paged_list.hpp"
#include "verbs.hpp"

namespace peal::cli {
namespace {

class Sessions final : public Verb {
 public:
  std::string_view name() const override { return "sessions"; }
  std::string_view summary() const override { return "List the sessions of a gateway."; }

  void describe(Arguments& arguments) override {
    arguments.option("--limit", "N", options_.limit, "at most N (default: all)");
    arguments.option("--after", "SESSION", options_.after, "begin behind this session");
    cli::describe(arguments, options_.control);
    arguments.example("peal sessions --limit 20", "who is connected");
    arguments.example("peal sessions --json | jq -r 'select(.queued_bytes > 0).session'",
                      "who reads slowly");
  }

  Outcome<void> run(Console& console) override {
    Table table({{"SESSION"},
                 {"USER"},
                 {"ADDRESS"},
                 {"PROTOCOL"},
                 {"CHANNELS", Table::Align::right},
                 {"QUEUED", Table::Align::right},
                 {"CONNECTED", Table::Align::right}});
    auto listed = for_each_listed(options_, "sessions", [&](const JsonObject& item) {
      if (console.json) {
        JsonBuilder out;
        for (const auto& [name, value] : item.members()) {
          out.raw(name, value);
        }
        console.line(out.str());
        return;
      }
      table.row({printable(item.text("session")), printable(item.text("user")),
                 printable(item.text("address")), printable(item.text("protocol")),
                 grouped(item.number("channels")),
                 human_bytes(static_cast<double>(item.number("queued_bytes"))),
                 human_duration(static_cast<double>(item.number("connected_ms")) / 1000)});
    });
    if (!listed) {
      return listed;
    }
    if (!console.json) {
      table.empty() ? console.note("no sessions") : table.print(console);
    }
    return {};
  }

 private:
  ListOptions options_;
};

}  // namespace

std::unique_ptr<Verb> make_sessions() {
  return std::make_unique<Sessions>();
}

}  // namespace peal::cli
