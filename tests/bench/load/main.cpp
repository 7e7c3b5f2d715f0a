// The load and the report. usage: bench_load [--bin FOLDER] [--full] [--tls CERTIFICATE KEY]
// [SCENARIO…]
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "load/scenarios.hpp"

int main(int argc, char** argv) {
  peal::bench::Options options;
  options.bin = "build/dev/bin";
  std::vector<std::string> wanted;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--full")
      options.full = true;
    else if (argument == "--bin" && i + 1 < argc)
      options.bin = argv[++i];
    else if (argument == "--tls" && i + 2 < argc) {
      options.certificate = argv[++i];
      options.key = argv[++i];
    } else
      wanted.push_back(argument);
  }
  peal::bench::pin_to(1);
  bool good = true;
  try {
    for (const auto& scenario : peal::bench::scenarios(options.full)) {
      if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), scenario.name) == wanted.end())
        continue;
      std::printf("%s: %s\n", scenario.name, scenario.about);
      std::fflush(stdout);
      good = scenario.run(options) && good;
      std::fflush(stdout);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench: %s\n", error.what());
    return 1;
  }
  return good ? 0 : 1;
}
