#pragma once
// A contender as a child process on a core of its own, with its numbers.

#include <sys/types.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace peal::bench {

struct Stat {
  double cpu_us = 0, user_us = 0, system_us = 0;
  double rss = 0, allocations = 0, flushes = 0;
  double encodes = 0, messages = 0;  ///< these and below: of the gateway only
  double sessions = 0, subscriptions = 0, channels = 0, connections = 0, turns = 0, reads = 0;
};
Stat operator-(const Stat& a, const Stat& b);

class ContenderProcess {
 public:
  ContenderProcess(std::string name, std::vector<std::string> command, int core);
  ~ContenderProcess();
  ContenderProcess(const ContenderProcess&) = delete;

  const std::string& name() const { return name_; }
  std::uint16_t port() const { return port_; }
  pid_t pid() const { return pid_; }
  Stat stat(bool trim = false);

 private:
  std::string name_;
  pid_t pid_ = -1;
  std::FILE* to_ = nullptr;
  std::FILE* from_ = nullptr;
  std::uint16_t port_ = 0;
};

void pin_to(int core);

}  // namespace peal::bench
