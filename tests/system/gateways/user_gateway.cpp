// peal-gateway whose application knows its users: a connect token "user:NAME" makes the session
// NAME's. Everything else, the command line too, is as in peal-gateway.
#include "server/app.hpp"
#include "server/app_config.hpp"

using namespace peal;

int main(int argc, char** argv) {
  gateway::AppConfig config;
  runtime::ConfigSchema schema;
  describe(schema, config);
  const auto loaded =
      runtime::load_config(schema, "user_gateway", "A gateway that knows users.",
                           {argv + 1, argv + argc}, [&] { return complete(config); });
  if (const auto code = runtime::said_and_done(loaded)) return *code;
  auto backend = runtime::log_of(config.process, loaded);
  config.gateway.hooks.connect = [](const gateway::ConnectQuestion& question,
                                    const gateway::HookCompletion& completion) {
    constexpr std::string_view kUser = "user:";
    if (!question.token.starts_with(kUser)) {
      return completion.deny(fail(ErrorCode::token_invalid, "no user's token"));
    }
    auto principal = std::make_shared<gateway::Principal>(*question.principal);
    principal->user = question.token.substr(kUser.size());
    completion.allow(std::move(principal));
  };
  return gateway::App(std::move(config), std::move(backend)).run();
}
