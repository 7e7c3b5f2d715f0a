#include "cluster_options.hpp"
#include "verbs.hpp"

namespace peal::cli {
namespace {

class Disconnect final : public Verb {
 public:
  std::string_view name() const override { return "disconnect"; }
  std::string_view summary() const override {
    return "Close a session, or all of a user, at every gateway.";
  }

  void describe(Arguments& arguments) override {
    arguments.word("SESSION", session_, "as `peal sessions` lists them", false);
    arguments.option("--user", "USER", user_, "all sessions of this user");
    arguments.flag("--for-good", for_good_, "tell the client not to come back");
    arguments.option("--reason", "TEXT", reason_, "told to the client");
    cli::describe(arguments, options_);
    arguments.example("peal disconnect 3f21c9d4-00-1a-1", "one session; its client comes back");
    arguments.example("peal disconnect --user ann --for-good", "every session of a user, for good");
  }

  Outcome<void> run(Console& console) override {
    if (session_.empty() == user_.empty()) {
      return usage("give a SESSION or --user USER");
    }
    JsonBuilder payload;
    payload.text(user_.empty() ? "session" : "user", user_.empty() ? session_ : user_)
        .boolean("reconnect", !for_good_);
    if (!reason_.empty()) {
      payload.text("reason", reason_);
    }
    add(payload, options_);
    options_.control.timeout = patience(options_);
    auto result = ask(options_.control, "disconnect", payload.str());
    if (!result) {
      return result.error();
    }
    const JsonObject found(*result);
    const std::uint64_t count = found.number("disconnected");
    console.line(console.json ? minify(*result)
                              : "disconnected " + std::to_string(count) +
                                    (count == 1 ? " session" : " sessions"));
    return tell_answered(console, found);
  }

 private:
  ClusterOptions options_;
  std::string session_, user_, reason_;
  bool for_good_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_disconnect() {
  return std::make_unique<Disconnect>();
}

}  // namespace peal::cli
