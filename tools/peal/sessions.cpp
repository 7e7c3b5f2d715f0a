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
    return print_listed(
        options_, "sessions", console,
        {{"SESSION"},
         {"USER"},
         {"ADDRESS"},
         {"PROTOCOL"},
         {"CHANNELS", Table::Align::right},
         {"QUEUED", Table::Align::right},
         {"CONNECTED", Table::Align::right}},
        [](const JsonObject& item) {
          return std::vector<std::string>{
              printable(item.text("session")),
              printable(item.text("user")),
              printable(item.text("address")),
              printable(item.text("protocol")),
              grouped(item.number("channels")),
              human_bytes(static_cast<double>(item.number("queued_bytes"))),
              human_duration(static_cast<double>(item.number("connected_ms")) / 1000)};
        });
  }

 private:
  ListOptions options_;
};

}  // namespace

std::unique_ptr<Verb> make_sessions() {
  return std::make_unique<Sessions>();
}

}  // namespace peal::cli
