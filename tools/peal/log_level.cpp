#include "control_target.hpp"
#include "json_text.hpp"
#include "verbs.hpp"

namespace peal::cli {
namespace {

class LogLevel final : public Verb {
 public:
  std::string_view name() const override { return "log-level"; }
  std::string_view summary() const override { return "Show or change how much a process logs."; }

  void describe(Arguments& arguments) override {
    arguments.word("LEVEL", level_, "debug, info, warn or error", false);
    cli::describe(arguments, options_);
    arguments.example("peal log-level debug --node gateway-1", "until it is set back or restarts");
  }

  Outcome<void> run(Console& console) override {
    JsonBuilder payload;
    if (!level_.empty()) {
      payload.text("level", level_);
    }
    auto result = ask(options_, "log-level", payload.str());
    if (!result) {
      return result.error();
    }
    console.line(console.json ? minify(*result) : JsonObject(*result).text("level"));
    return {};
  }

 private:
  ControlOptions options_;
  std::string level_;
};

}  // namespace

std::unique_ptr<Verb> make_log_level() {
  return std::make_unique<LogLevel>();
}

}  // namespace peal::cli
