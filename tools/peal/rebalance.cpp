#include "control_target.hpp"
#include "json_text.hpp"
#include "verbs.hpp"

namespace peal::cli {
namespace {

class Rebalance final : public Verb {
 public:
  std::string_view name() const override { return "rebalance"; }
  std::string_view summary() const override {
    return "Let a gateway give away what it has above its part of all sessions, at a gentle pace.";
  }

  void describe(Arguments& arguments) override {
    cli::describe(arguments, options_);
    arguments.example("peal rebalance --node gateway-1", "after gateways were added");
  }

  Outcome<void> run(Console& console) override {
    auto result = ask(options_, "rebalance", "{}");
    if (!result) {
      return result.error();
    }
    const std::string closing = std::to_string(JsonObject(*result).number("closing"));
    console.line(console.json ? *result : "closing " + closing + " sessions");
    return {};
  }

 private:
  ControlOptions options_;
};

}  // namespace

std::unique_ptr<Verb> make_rebalance() {
  return std::make_unique<Rebalance>();
}

}  // namespace peal::cli
