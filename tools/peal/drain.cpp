#include "control_target.hpp"
#include "verbs.hpp"

namespace peal::cli {
namespace {

class Drain final : public Verb {
 public:
  std::string_view name() const override { return "drain"; }
  std::string_view summary() const override {
    return "Stop a process in peace: no new sessions, then paced closes, then exit.";
  }

  void describe(Arguments& arguments) override {
    cli::describe(arguments, options_);
    arguments.example("peal drain --node gateway-2", "as SIGTERM would");
  }

  Outcome<void> run(Console& console) override {
    auto result = ask(options_, "drain", "{}");
    if (!result) {
      return result.error();
    }
    console.line(console.json ? *result : "draining");
    return {};
  }

 private:
  ControlOptions options_;
};

}  // namespace

std::unique_ptr<Verb> make_drain() {
  return std::make_unique<Drain>();
}

}  // namespace peal::cli
