// connect: how fast a gateway takes connections. idle: what connections cost that only wait.

#include <cstdio>

#include "bench/client/stamp.hpp"
#include "bench/crowd.hpp"
#include "json_text.hpp"
#include "signals.hpp"

namespace peal::cli {
namespace {

void row(Console& console, std::string_view title, const std::string& text) {
  std::string padded(title);
  padded.resize(12, ' ');
  console.line(console.paint(Colour::bold, padded) + " " + text);
}

Outcome<void> verdict(const Crowd& crowd) {
  if (crowd.failures() > 0) {
    return Failure{Exit::refused,
                   {},
                   grouped(crowd.failures()) + " connections failed: " + crowd.last_failure()};
  }
  return {};
}

/// One message to all: whether each idle connection is really alive and subscribed.
std::uint64_t ring_once(const BenchPlan& plan, Crowd& crowd) {
  std::uint64_t heard = 0;
  const auto run = static_cast<std::uint32_t>(bench::steady_ns());
  crowd.on_text_hook = [&](std::size_t, std::string_view text) {
    const auto stamp = bench::find_stamp(text);
    heard += stamp && stamp->run == run ? 1 : 0;
  };
  const auto speaker = static_cast<bench::ClientId>(plan.subscribers);
  crowd.loop().send(
      speaker, publish_command(1, plan.channel, bench::stamped_message({run, 0, 0, 0}, plan.size)));
  const std::uint64_t deadline = bench::steady_ns() + 10'000'000'000;
  while (heard < plan.subscribers && bench::steady_ns() < deadline && !interrupted()) {
    crowd.loop().turn(std::chrono::milliseconds(50), interrupt_fd());
  }
  return heard;
}

}  // namespace

Outcome<void> run_connect(const BenchPlan& plan, Console& console) {
  auto targets = make_targets(plan);
  if (!targets) {
    return targets.error();
  }
  Crowd crowd(plan, std::move(*targets));
  const ProcessUse before = process_use(plan.pid);
  const std::uint64_t start = bench::steady_ns();
  if (auto gathered = crowd.gather(plan.subscribers, 0, console); !gathered) {
    return gathered;
  }
  const double seconds = static_cast<double>(bench::steady_ns() - start) / 1e9;
  const double idle = static_cast<double>(crowd.loop().waited_ns()) / 1e9 / seconds;
  const double cpu = process_use(plan.pid).cpu_seconds - before.cpu_seconds;
  const double per_second = static_cast<double>(crowd.ready()) / seconds;
  const auto quantile = [&](double share) {
    return static_cast<double>(crowd.ready_times().quantile(share));
  };
  if (console.json) {
    JsonBuilder out;
    out.text("bench", "connect")
        .number("connections", crowd.ready())
        .number("failed", crowd.failures());
    out.number("seconds", seconds).number("connects_per_second", per_second);
    out.raw("ready_us", JsonBuilder()
                            .number("p50", quantile(0.5) / 1e3)
                            .number("p99", quantile(0.99) / 1e3)
                            .number("p99.9", quantile(0.999) / 1e3)
                            .number("max", quantile(1) / 1e3)
                            .str());
    out.number("idle_share", idle);
    if (plan.pid != 0) {
      out.number("server_cpu_us_per_connect", cpu * 1e6 / static_cast<double>(crowd.ready()));
    }
    console.line(out.str());
  } else {
    row(console, "connect",
        grouped(crowd.ready()) + " connections in " + human_duration(seconds) +
            ", each subscribed: " + grouped(static_cast<std::uint64_t>(per_second)) + "/s");
    row(console, "until ready",
        "p50 " + human_ns(quantile(0.5)) + "   p99 " + human_ns(quantile(0.99)) + "   p99.9 " +
            human_ns(quantile(0.999)) + "   max " + human_ns(quantile(1)));
    row(console, "failed", grouped(crowd.failures()));
    row(console, "this bench",
        "idle " + std::to_string(static_cast<int>(idle * 100)) + " % of the time");
  }
  return verdict(crowd);
}

Outcome<void> run_idle(const BenchPlan& plan, Console& console) {
  auto targets = make_targets(plan);
  if (!targets) {
    return targets.error();
  }
  Crowd crowd(plan, std::move(*targets));
  const ProcessUse before = process_use(plan.pid);
  if (auto gathered = crowd.gather(plan.subscribers, 1, console); !gathered) {
    return gathered;
  }
  std::uint64_t closed = 0;
  crowd.on_closed_hook = [&](std::size_t, int, std::string_view) { ++closed; };
  const std::uint64_t end =
      bench::steady_ns() +
      static_cast<std::uint64_t>(std::chrono::nanoseconds(plan.duration).count());
  const ProcessUse settled = process_use(plan.pid);
  for (std::uint64_t now = bench::steady_ns(); now < end && !interrupted();
       now = bench::steady_ns()) {
    console.progress("idle for " + human_duration(static_cast<double>(end - now) / 1e9) + " more");
    crowd.loop().turn(std::chrono::milliseconds(200), interrupt_fd());
  }
  const ProcessUse after = process_use(plan.pid);
  console.progress("");
  const double count = static_cast<double>(crowd.ready());
  const double held = (after.private_bytes - before.private_bytes) / count;
  const double kernel = (after.kernel_bytes - before.kernel_bytes) / count;
  const double cpu = (after.cpu_seconds - settled.cpu_seconds);
  const std::uint64_t heard = interrupted() ? 0 : ring_once(plan, crowd);
  if (console.json) {
    JsonBuilder out;
    out.text("bench", "idle")
        .number("connections", crowd.ready())
        .number("failed", crowd.failures());
    out.number("closed", closed).number("heard", heard);
    out.number("kernel_bytes_per_connection_both_ends", kernel);
    if (plan.pid != 0) {
      out.number("process_bytes_per_connection", held).number("server_cpu_seconds", cpu);
    }
    console.line(out.str());
  } else {
    row(console, "idle",
        grouped(crowd.ready()) + " connections to " + plan.channel + ", " + grouped(closed) +
            " closed meanwhile; one message at the end was heard by " + grouped(heard));
    if (plan.pid != 0) {
      char text[100];
      std::snprintf(text, sizeof text, "%.0f bytes a connection, %.3f s of CPU while idle", held,
                    cpu);
      row(console, "process", text);
    } else {
      console.note("peal: --pid of the gateway shows its bytes per connection");
    }
    row(console, "kernel", human_bytes(kernel) + " a connection, both ends");
  }
  if (auto ok = verdict(crowd); !ok) {
    return ok;
  }
  if ((heard != plan.subscribers || closed > 0) && !interrupted()) {
    return Failure{Exit::refused, {}, "not every connection was alive at the end"};
  }
  return {};
}

}  // namespace peal::cli
