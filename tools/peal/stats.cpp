#include <poll.h>

#include <cmath>
#include <cstdlib>
#include <map>

#include "control_target.hpp"
#include "json_text.hpp"
#include "signals.hpp"
#include "verbs.hpp"

namespace peal::cli {
namespace {

using Clock = std::chrono::steady_clock;
using Metrics = std::map<std::string, double>;

Metrics metrics_of(const JsonObject& stats) {
  Metrics metrics;
  const JsonObject told = stats.object("metrics");
  for (const auto& [name, value] : told.members()) {
    metrics[name] = std::strtod(value.c_str(), nullptr);
  }
  return metrics;
}

std::string number(double value) {
  if (value >= 0 && value < 1e15 && std::floor(value) == value) {
    return grouped(static_cast<std::uint64_t>(value));
  }
  char text[40];
  std::snprintf(text, sizeof text, "%.3f", value);
  return text;
}

/// Only what counts up has a rate.
bool counts_up(const std::string& metric) {
  return metric.substr(0, metric.find('{')).ends_with("_total");
}

class Stats final : public Verb {
 public:
  std::string_view name() const override { return "stats"; }
  std::string_view summary() const override { return "Show a process's state and metrics."; }

  void describe(Arguments& arguments) override {
    arguments.flag("--watch", watch_, "again and again, with rates; Ctrl-C ends it");
    arguments.option("--interval", "TIME", interval_, "between looks with --watch (default 1s)");
    arguments.flag("--all", all_, "metrics that are zero, too");
    cli::describe(arguments, options_);
    arguments.example("peal stats --watch", "live, redrawn on a terminal");
    arguments.example("peal stats --json | jq .metrics.peal_sessions", "one number for a script");
  }

  Outcome<void> run(Console& console) override {
    auto client = open_control(options_);
    if (!client) {
      return client.error();
    }
    Metrics before;
    Clock::time_point before_at;
    const bool redraw = watch_ && console.terminal() && !console.json;
    do {
      auto result = (*client)->request("stats", "{}", options_.timeout);
      if (interrupted() && watch_) {
        return {};
      }
      if (!result) {
        return result.error();
      }
      const auto now = Clock::now();
      if (console.json) {
        console.line(minify(*result));
      } else {
        if (redraw) {
          console.raw("\x1b[H\x1b[J");
        }
        const JsonObject stats(*result);
        Metrics metrics = metrics_of(stats);
        const double seconds = std::chrono::duration<double>(now - before_at).count();
        head(console, stats);
        body(console, metrics, before, before.empty() ? 0 : seconds, redraw);
        before = std::move(metrics);
      }
      before_at = now;
      if (watch_) {
        pollfd wait{interrupt_fd(), POLLIN, 0};
        ::poll(&wait, 1, static_cast<int>(interval_.count()));
      }
    } while (watch_ && !interrupted());
    return {};
  }

 private:
  static void head(Console& console, const JsonObject& stats) {
    std::string line = console.paint(Colour::bold, printable(stats.text("node"))) + "  " +
                       printable(stats.text("kind")) + " " + printable(stats.text("version")) +
                       "  up " +
                       human_duration(static_cast<double>(stats.number("uptime_ms")) / 1000) + "  ";
    if (stats.boolean("draining")) {
      line += console.paint(Colour::yellow, "draining");
    } else if (!stats.has("ready") || stats.boolean("ready")) {
      line += console.paint(Colour::green, "ready");
    } else {
      line += console.paint(Colour::red, "not ready");
      if (stats.has("ready_reason")) {
        line += ": " + printable(stats.text("ready_reason"));
      }
    }
    console.line(line);
    if (stats.has("note")) {
      console.line(console.paint(Colour::yellow, printable(stats.text("note"))));
    }
    console.line("");
  }

  void body(Console& console, const Metrics& metrics, const Metrics& before, double seconds,
            bool redraw) const {
    std::vector<Table::Column> columns{{"METRIC"}, {"VALUE", Table::Align::right}};
    if (watch_) {
      columns.push_back({"PER SECOND", Table::Align::right});
    }
    Table table(columns);
    const int room = redraw ? console.rows() - 5 : -1;
    int rows = 0;
    for (const auto& [name, value] : metrics) {
      if ((value == 0 && !all_) || (room >= 0 && rows >= room)) {
        continue;
      }
      ++rows;
      std::vector<std::string> cells{printable(name), number(value)};
      if (watch_) {
        const auto old = before.find(name);
        const bool rate = seconds > 0 && old != before.end() && counts_up(name);
        cells.push_back(rate ? number(std::round((value - old->second) / seconds)) : "");
      }
      table.row(std::move(cells));
    }
    table.print(console);
  }

  ControlOptions options_;
  bool watch_ = false;
  bool all_ = false;
  std::chrono::milliseconds interval_{1000};
};

}  // namespace

std::unique_ptr<Verb> make_stats() {
  return std::make_unique<Stats>();
}

}  // namespace peal::cli
