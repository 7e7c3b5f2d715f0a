// The contender that counts: a real shard, router, protocol and embedded bus, as peal-gateway runs
// them. usage: bench_gateway [--shards N] [CERTIFICATE KEY]
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "contender.hpp"
#include "io/transport.hpp"
#include "local_gateway.hpp"

namespace {
std::atomic<std::uint64_t> allocations{0};
thread_local bool counted = true;  // not of the thread that answers questions
}  // namespace

void* operator new(std::size_t size) {
  if (counted) allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

int main(int argc, char** argv) {
  peal::test::LocalGateway gateway;
  gateway.config.shards = 1;
  if (argc >= 3 && std::string_view(argv[1]) == "--shards") {
    gateway.config.shards = static_cast<std::size_t>(std::atoi(argv[2]));
    argc -= 2;
    argv += 2;
  }
  // The load opens all its connections at once and then leaves them alone for long.
  gateway.config.limits.ping_interval = std::chrono::minutes(10);
  gateway.config.limits.position_interval = std::chrono::minutes(10);
  gateway.options_of = [](std::string_view channel) {
    peal::broker::ChannelOptions options;
    options.recoverable = channel.starts_with("log:");
    return options;
  };
  if (argc == 3) gateway.config.tls = peal::gateway::TlsContext::make(argv[1], argv[2]).value();
  gateway.start();
  counted = false;
  peal::bench::answer_questions(
      gateway.port(), [] { return allocations.load(); },
      [&](std::string_view line) {
        if (line.starts_with("trim")) ::malloc_trim(0);
        std::string text;
        for (const char* name :
             {"peal_flushes_total", "peal_encodes_total", "peal_messages_sent_total",
              "peal_sessions", "peal_subscriptions", "peal_channels_watched", "peal_connections",
              "peal_turns_total", "peal_page_reads_total"})
          text += std::to_string(static_cast<std::uint64_t>(gateway.metric(name))) + " ";
        return text;
      });
  gateway.stop();
}
