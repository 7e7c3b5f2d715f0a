#include "paged_list.hpp"
#include "verbs.hpp"

namespace peal::cli {
namespace {

class Channels final : public Verb {
 public:
  std::string_view name() const override { return "channels"; }
  std::string_view summary() const override { return "List the channels that a process knows."; }

  void describe(Arguments& arguments) override {
    arguments.option("--prefix", "TEXT", options_.prefix, "only names that begin so");
    arguments.option("--limit", "N", options_.limit, "at most N (default: all)");
    arguments.option("--after", "NAME", options_.after, "begin behind this name");
    cli::describe(arguments, options_.control);
    arguments.example("peal channels --prefix demo:", "what is followed under a prefix");
  }

  Outcome<void> run(Console& console) override {
    return print_listed(
        options_, "channels", console,
        {{"CHANNEL"}, {"SUBSCRIBERS", Table::Align::right}, {"POSITION"}},
        [](const JsonObject& item) {
          return std::vector<std::string>{
              printable(item.text("name")), grouped(item.number("subscribers")),
              item.has("epoch") ? item.text("epoch") + "-" + item.text("offset") : ""};
        });
  }

 private:
  ListOptions options_;
};

}  // namespace

std::unique_ptr<Verb> make_channels() {
  return std::make_unique<Channels>();
}

}  // namespace peal::cli
