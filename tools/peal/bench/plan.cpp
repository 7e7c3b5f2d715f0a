#include "bench/plan.hpp"

#include <cstdio>
#include <fstream>
#include <sstream>

#include <sys/resource.h>
#include <unistd.h>

#include "json_text.hpp"
#include "url.hpp"

namespace peal::cli {
namespace {

/// The sum of the named rows ("Name:   123 kB") of a /proc file, in bytes.
double rows_of(const std::string& path, const std::vector<std::string>& names) {
  std::ifstream file(path);
  double kilobytes = 0;
  for (std::string line; std::getline(file, line);) {
    for (const std::string& name : names) {
      if (line.starts_with(name + ":")) {
        kilobytes += std::strtod(line.c_str() + name.size() + 1, nullptr);
      }
    }
  }
  return kilobytes * 1024;
}

double cpu_seconds_of(std::uint64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string all((std::istreambuf_iterator<char>(file)), {});
  const auto name_end = all.rfind(')');
  if (name_end == std::string::npos) {
    return 0;
  }
  std::istringstream rest(all.substr(name_end + 2));
  std::string skipped;
  for (int field = 3; field < 14; ++field) {
    rest >> skipped;
  }
  double user = 0;
  double system = 0;
  rest >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace

Outcome<std::vector<bench::Target>> make_targets(const BenchPlan& plan) {
  std::vector<bench::Target> targets;
  for (const std::string& text : plan.urls) {
    auto url = parse_url(text);
    if (!url) {
      return url.error();
    }
    const std::string path = url->path.empty() || url->path == "/" ? "/ws" : url->path;
    auto target = bench::make_target(url->host, url->port, url->authority(), path, url->tls);
    if (!target) {
      return unreachable(target.error().message);
    }
    targets.push_back(*target);
  }
  return targets;
}

std::string connect_command(const std::string& key) {
  return JsonBuilder()
      .text("action", "connect")
      .raw("payload", JsonBuilder().text("token", key).str())
      .str();
}

std::string subscribe_command(std::uint64_t id, std::string_view channel) {
  return JsonBuilder()
      .number("id", id)
      .text("action", "subscribe")
      .raw("payload", JsonBuilder().text("channel", channel).str())
      .str();
}

std::string publish_command(std::uint64_t id, std::string_view channel, std::string_view message) {
  return JsonBuilder()
      .number("id", id)
      .text("action", "publish")
      .raw("payload", JsonBuilder().text("channel", channel).raw("message", message).str())
      .str();
}

std::string channel_name(const BenchPlan& plan, std::uint64_t index) {
  return plan.channels == 1 ? plan.channel : plan.channel + ":" + std::to_string(index);
}

ProcessUse process_use(std::uint64_t pid) {
  ProcessUse use;
  use.kernel_bytes = rows_of("/proc/meminfo", {"Slab", "KernelStack", "PageTables"});
  if (pid != 0) {
    use.cpu_seconds = cpu_seconds_of(pid);
    use.private_bytes = rows_of("/proc/" + std::to_string(pid) + "/smaps_rollup",
                                {"Private_Clean", "Private_Dirty"});
  }
  return use;
}

double own_cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::string human_ns(double ns) {
  char text[40];
  if (ns < 1e6) {
    std::snprintf(text, sizeof text, "%.0f us", ns / 1e3);
  } else if (ns < 1e9) {
    std::snprintf(text, sizeof text, "%.2f ms", ns / 1e6);
  } else {
    std::snprintf(text, sizeof text, "%.2f s", ns / 1e9);
  }
  return text;
}

}  // namespace peal::cli
