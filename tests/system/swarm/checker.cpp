// Reads journals of producers and of the swarm, judges (judge.hpp; of wanderers: continuity.hpp),
// prints one JSON line of counts.
// Exit code: 0 no fault, 1 faults (the first of them on standard error), 2 journals that cannot be
// judged.

#include <fstream>
#include <iostream>
#include <iterator>

#include "arguments.hpp"
#include "continuity.hpp"
#include "judge.hpp"

namespace {

template <class Judge>
int judged(Judge judge, const std::vector<std::string>& journals) {
  for (const std::string& path : journals) {
    std::ifstream file(path, std::ios::binary);
    const std::string journal((std::istreambuf_iterator<char>(file)), {});
    if (!file || !judge.read(journal)) {
      std::cerr << "checker: cannot judge " << path << "\n";
      return 2;
    }
  }
  const auto verdict = judge.verdict();
  std::cout << verdict.json() << std::endl;
  return verdict.faults() == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace peal;
  std::vector<std::string> producers;
  std::vector<std::string> swarms;
  std::vector<std::string> wanderers;
  std::uint64_t killed = 0;
  std::uint64_t restarted = 0;
  std::chrono::milliseconds settle{1000};
  std::chrono::milliseconds back{5000};
  cli::Arguments arguments;
  arguments.option("--producer", "FILE", producers, "a producer's journal");
  arguments.option("--swarm", "FILE", swarms, "the swarm's journal");
  arguments.option("--wanderers", "FILE", wanderers,
                   "the wanderers' journal, instead of a swarm's");
  arguments.option("--settle", "TIME", settle, "between an answer and the unsubscribe, to be due");
  arguments.option("--killed", "NS", killed, "when the broker was dead, steady clock");
  arguments.option("--restarted", "NS", restarted, "just before it was started again");
  arguments.option("--back-within", "TIME", back, "how long it may take to serve again");
  auto parsed = arguments.parse(std::vector<std::string>(argv + 1, argv + argc));
  if (!parsed) {
    std::cerr << "checker: " << parsed.error().message << "\n";
    return 2;
  }
  swarm::Rules rules;
  rules.settle_ns = static_cast<std::uint64_t>(settle.count()) * 1'000'000;
  rules.back_ns = static_cast<std::uint64_t>(back.count()) * 1'000'000;
  rules.killed_ns = killed;
  rules.restarted_ns = restarted;
  const auto& listeners = wanderers.empty() ? swarms : wanderers;
  producers.insert(producers.end(), listeners.begin(), listeners.end());
  if (!wanderers.empty()) {
    return judged(swarm::Continuity(rules, std::cerr), producers);
  }
  return judged(swarm::Judge(rules, std::cerr), producers);
}
