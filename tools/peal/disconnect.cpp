#include "control_target.hpp"
#include "json_text.hpp"
#include "verbs.hpp"

namespace peal::cli {
namespace {

class Disconnect final : public Verb {
 public:
  std::string_view name() const override { return "disconnect"; }
  std::string_view summary() const override { return "Close a session, or all of a user."; }

  void describe(Arguments& arguments) override {
    arguments.word("SESSION", session_, "as `peal sessions` lists them", false);
    arguments.option("--user", "USER", user_, "all sessions of this user");
    arguments.flag("--for-good", for_good_, "tell the client not to come back");
    cli::describe(arguments, options_);
    arguments.example("peal disconnect 3kTq9sXb", "one session; its client comes back");
    arguments.example("peal disconnect --user ann --for-good", "every session of a user, for good");
  }

  Outcome<void> run(Console& console) override {
    if (session_.empty() == user_.empty()) {
      return usage("give a SESSION or --user USER");
    }
    auto result =
        ask(options_, "disconnect",
            JsonBuilder()
                .text(user_.empty() ? "session" : "user", user_.empty() ? session_ : user_)
                .boolean("reconnect", !for_good_)
                .str());
    if (!result) {
      return result.error();
    }
    const std::uint64_t count = JsonObject(*result).number("disconnected");
    console.line(console.json ? minify(*result)
                              : "disconnected " + std::to_string(count) +
                                    (count == 1 ? " session" : " sessions"));
    return {};
  }

 private:
  ControlOptions options_;
  std::string session_, user_;
  bool for_good_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_disconnect() {
  return std::make_unique<Disconnect>();
}

}  // namespace peal::cli
