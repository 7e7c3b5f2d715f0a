#pragma once
// What a benchmark was asked to do, and the little that all of them share: the targets, the pieces
// of the protocol they speak, and what the measured process used meanwhile (with --pid).

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bench/client/client_loop.hpp"
#include "output.hpp"

namespace peal::cli {

struct BenchPlan {
  std::vector<std::string> urls;  ///< of gateways; subscribers are spread over them
  std::string key;
  std::string channel = "demo:bench";  ///< with several channels: a prefix
  std::uint64_t subscribers = 100;
  std::uint64_t channels = 1;
  std::uint64_t publishers = 1;
  double rate =
      1000;  ///< publications a second, all publishers together; 0: as fast as they are answered
  std::uint64_t size = 128;
  std::chrono::milliseconds duration{10'000};
  std::chrono::milliseconds warmup{1'000};
  std::uint64_t at_once = 100;  ///< connections being opened at a time
  std::uint64_t pid = 0;
};

Outcome<std::vector<bench::Target>> make_targets(const BenchPlan& plan);
std::string connect_command(const std::string& key);
std::string subscribe_command(std::uint64_t id, std::string_view channel);
std::string publish_command(std::uint64_t id, std::string_view channel, std::string_view message);
std::string channel_name(const BenchPlan& plan, std::uint64_t index);

/// CPU time and memory of a process; zeros without one.
struct ProcessUse {
  double cpu_seconds = 0;
  double private_bytes = 0;  ///< what would be free if it ended (Private_Clean + Private_Dirty)
  double kernel_bytes = 0;   ///< of the whole machine: slabs, sockets; both ends
};
ProcessUse process_use(std::uint64_t pid);
double own_cpu_seconds();

/// "1.23 ms" from nanoseconds.
std::string human_ns(double ns);

Outcome<void> run_traffic(const BenchPlan& plan, Console& console, std::string_view name);
Outcome<void> run_connect(const BenchPlan& plan, Console& console);
Outcome<void> run_idle(const BenchPlan& plan, Console& console);

}  // namespace peal::cli
