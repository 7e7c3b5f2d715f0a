#include "load/contender_process.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>

namespace peal::bench {

Stat operator-(const Stat& a, const Stat& b) {
  return {a.cpu_us - b.cpu_us,
          a.user_us - b.user_us,
          a.system_us - b.system_us,
          a.rss - b.rss,
          a.allocations - b.allocations,
          a.flushes - b.flushes,
          a.encodes - b.encodes,
          a.messages - b.messages,
          a.sessions,
          a.subscriptions,
          a.channels,
          a.connections,
          a.turns - b.turns,
          a.reads - b.reads};
}

void pin_to(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  ::sched_setaffinity(0, sizeof set, &set);
}

ContenderProcess::ContenderProcess(std::string name, std::vector<std::string> command, int core)
    : name_(std::move(name)) {
  int in[2], out[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin_to(core);
    ::dup2(in[0], 0);
    ::dup2(out[1], 1);
    std::vector<char*> arguments;
    for (auto& argument : command)
      arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  to_ = ::fdopen(in[1], "w");
  from_ = ::fdopen(out[0], "r");
  unsigned port = 0;
  char line[64] = "";
  if (std::fgets(line, sizeof line, from_) == nullptr || std::sscanf(line, "port %u", &port) != 1)
    throw std::runtime_error("can't start " + command[0]);
  port_ = static_cast<std::uint16_t>(port);
}

ContenderProcess::~ContenderProcess() {
  std::fclose(to_);
  ::waitpid(pid_, nullptr, 0);
  std::fclose(from_);
}

Stat ContenderProcess::stat(bool trim) {
  std::fputs(trim ? "trim\n" : "stat\n", to_);
  std::fflush(to_);
  char line[512];
  if (std::fgets(line, sizeof line, from_) == nullptr)
    throw std::runtime_error(name_ + " has died");
  Stat stat;
  std::sscanf(line, "%lf %lf %lf %lf %lf %lf %lf %lf %lf %lf %lf %lf %lf %lf", &stat.cpu_us,
              &stat.user_us, &stat.system_us, &stat.rss, &stat.allocations, &stat.flushes,
              &stat.encodes, &stat.messages, &stat.sessions, &stat.subscriptions, &stat.channels,
              &stat.connections, &stat.turns, &stat.reads);
  return stat;
}

}  // namespace peal::bench
