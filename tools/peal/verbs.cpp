#include "verbs.hpp"

#include <algorithm>

#include "signals.hpp"

namespace peal::cli {
namespace {

std::vector<std::unique_ptr<Verb>> all_verbs() {
  std::vector<std::unique_ptr<Verb>> verbs;
  verbs.push_back(make_publish());
  verbs.push_back(make_subscribe());
  verbs.push_back(make_history());
  verbs.push_back(make_dump());
  verbs.push_back(make_load());
  verbs.push_back(make_get());
  verbs.push_back(make_put());
  verbs.push_back(make_delete());
  verbs.push_back(make_stats());
  verbs.push_back(make_channels());
  verbs.push_back(make_presence());
  verbs.push_back(make_sessions());
  verbs.push_back(make_count());
  verbs.push_back(make_disconnect());
  verbs.push_back(make_cluster());
  verbs.push_back(make_drain());
  verbs.push_back(make_rebalance());
  verbs.push_back(make_log_level());
  verbs.push_back(make_monitor());
  verbs.push_back(make_keygen());
  verbs.push_back(make_bench());
  return verbs;
}

std::string overview(const std::vector<std::unique_ptr<Verb>>& verbs) {
  std::string out = "peal " PEAL_VERSION
                    " - ring once; every client hears\n\n"
                    "Usage: peal VERB [words] [options]\n\nVerbs:\n";
  for (const auto& verb : verbs) {
    std::string name(verb->name());
    name.resize(std::max<std::size_t>(12, name.size()), ' ');
    out += "  " + name + " " + std::string(verb->summary()) + "\n";
  }
  out +=
      "\nEvery verb takes --json and --help.\n"
      "Exit codes: 0 done, 1 refused, 2 wrong usage, 3 cannot reach the other side,\n"
      "4 not every gateway has answered.\n";
  return out;
}

int run_verb(Verb& verb, const std::vector<std::string>& words, Console& console) {
  Arguments arguments;
  verb.describe(arguments);
  arguments.flag("--json", console.json, "results as JSON, one object a line");
  if (auto parsed = arguments.parse(words); !parsed) {
    const int code = console.fail(parsed.error());
    console.note("Try: peal " + std::string(verb.name()) + " --help");
    return code;
  }
  if (arguments.help_wanted()) {
    console.raw(arguments.help(verb.name(), verb.summary()));
    return static_cast<int>(Exit::done);
  }
  install_signals();
  auto outcome = verb.run(console);
  console.progress("");
  return outcome ? static_cast<int>(Exit::done) : console.fail(outcome.error());
}

}  // namespace

int run(const std::vector<std::string>& words) {
  Console console;
  const auto verbs = all_verbs();
  if (words.empty()) {
    console.note(overview(verbs));
    return static_cast<int>(Exit::usage);
  }
  const std::string& wanted = words.front();
  const bool help = wanted == "help" || wanted == "--help" || wanted == "-h";
  if (help && words.size() == 1) {
    console.raw(overview(verbs));
    return static_cast<int>(Exit::done);
  }
  if (wanted == "--version") {
    console.line("peal " PEAL_VERSION);
    return static_cast<int>(Exit::done);
  }
  const std::string& name = help ? words[1] : wanted;
  const auto verb = std::find_if(verbs.begin(), verbs.end(),
                                 [&](const auto& candidate) { return candidate->name() == name; });
  if (verb == verbs.end()) {
    std::vector<std::string> names;
    names.reserve(verbs.size());
    for (const auto& candidate : verbs) {
      names.emplace_back(candidate->name());
    }
    const std::string near = nearest_name(name, names);
    return console.fail(
        usage("no verb '" + printable(name) + "'" +
              (near.empty() ? "; peal --help lists them" : "; did you mean 'peal " + near + "'?")));
  }
  const std::vector<std::string> rest =
      help ? std::vector<std::string>{"--help"}
           : std::vector<std::string>(words.begin() + 1, words.end());
  return run_verb(**verb, rest, console);
}

}  // namespace peal::cli
