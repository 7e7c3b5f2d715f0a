// fanout and channels: numbered messages from publishers to subscribers, at a rate that does not
// wait for the server (open loop): a message is late from the moment it was meant to be sent, also
// when the publisher itself could not send it in time.

#include <algorithm>
#include <random>

#include "bench/client/stamp.hpp"
#include "bench/crowd.hpp"
#include "json_text.hpp"
#include "signals.hpp"

namespace peal::cli {
namespace {

using bench::Histogram;
using bench::Stamp;
using bench::steady_ns;

constexpr std::uint64_t kQuiet = 1'000'000'000;  // after the last delivery: nothing more comes
constexpr std::uint64_t kAnswersPending = 16;    // as fast as answered: so many on their way
constexpr std::size_t kQueueMax = 4 << 20;       // a publisher's own backlog before it gives up
constexpr double kBusyShare = 0.10;              // idle less than this: the bench is the bottleneck

std::uint64_t ns_of(std::chrono::milliseconds ms) {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(ms).count());
}

class Traffic {
 public:
  Traffic(const BenchPlan& plan, Crowd& crowd)
      : plan_(plan), crowd_(crowd), run_(std::random_device{}()) {
    sent_.assign(plan.publishers * plan.channels, 0);
    next_.assign(plan.subscribers * plan.publishers, 0);
    pending_.assign(plan.publishers, 0);
    crowd_.on_text_hook = [this](std::size_t member, std::string_view text) { take(member, text); };
    crowd_.on_closed_hook = [this](std::size_t, int code, std::string_view why) {
      ++closed_;
      last_error_ = "closed: " + std::to_string(code) + " " + std::string(why);
    };
  }

  void run(Console& console) {
    const std::uint64_t start = steady_ns();
    measure_from_ = start + ns_of(plan_.warmup);
    measure_to_ = measure_from_ + ns_of(plan_.duration);
    interval_ns_ = plan_.rate > 0 ? 1e9 / plan_.rate : 0;
    std::uint64_t shown_at = start;
    std::uint64_t waited_before = 0;
    double cpu_before = 0;
    bool measuring = false;
    while (!interrupted()) {
      const std::uint64_t now = steady_ns();
      if (!measuring && now >= measure_from_) {
        measuring = true;
        waited_before = crowd_.loop().waited_ns();
        cpu_before = own_cpu_seconds();
        use_before_ = process_use(plan_.pid);
        measured_from_ = now;
      }
      if (now >= measure_to_) {
        break;
      }
      const std::uint64_t until = publish_due(start, now);
      crowd_.loop().turn(
          std::chrono::nanoseconds(std::min(until, measure_to_) - std::min(now, until)),
          interrupt_fd());
      if (now - shown_at > 200'000'000) {
        shown_at = now;
        console.progress("running " + human_duration(static_cast<double>(now - start) / 1e9) +
                         ", " + grouped(delivered_) + " deliveries, p99 " +
                         human_ns(static_cast<double>(latency_.quantile(0.99))));
      }
    }
    const std::uint64_t end = steady_ns();
    measured_seconds_ = static_cast<double>(end - std::max(measured_from_, start)) / 1e9;
    waited_seconds_ = static_cast<double>(crowd_.loop().waited_ns() - waited_before) / 1e9;
    own_cpu_ = own_cpu_seconds() - cpu_before;
    use_after_ = process_use(plan_.pid);
    counted_at_end_ = measured_;
    wait_for_the_rest();
  }

  void report(Console& console, std::string_view name) const {
    const double idle = measured_seconds_ > 0 ? waited_seconds_ / measured_seconds_ : 0;
    const std::uint64_t expected = expected_deliveries();
    const std::uint64_t unique = delivered_ - late_;
    const std::uint64_t lost = expected > unique ? expected - unique : 0;
    const double per_second =
        measured_seconds_ > 0 ? static_cast<double>(counted_at_end_) / measured_seconds_ : 0;
    const double cpu = use_after_.cpu_seconds - use_before_.cpu_seconds;
    if (console.json) {
      JsonBuilder out;
      out.text("bench", name)
          .number("subscribers", plan_.subscribers)
          .number("channels", plan_.channels);
      out.number("publishers", plan_.publishers)
          .number("size", plan_.size)
          .number("rate", plan_.rate);
      out.number("seconds", measured_seconds_)
          .number("published", published_)
          .number("refused", refused_);
      out.number("deliveries", delivered_).number("deliveries_per_second", per_second);
      out.number("lost", lost).number("reordered", late_).number("closed", closed_);
      out.raw("latency_us", latency_json())
          .number("idle_share", idle)
          .number("own_cpu_seconds", own_cpu_);
      if (plan_.pid != 0) {
        out.number("server_cpu_share", cpu / measured_seconds_);
        out.number("server_cpu_us_per_delivery",
                   counted_at_end_ > 0 ? cpu * 1e6 / static_cast<double>(counted_at_end_) : 0.0);
      }
      console.line(out.str());
    } else {
      print(console, name, idle, lost, per_second, cpu);
    }
    if (idle < kBusyShare) {
      console.note("peal: this bench was busy " +
                   std::to_string(static_cast<int>((1 - idle) * 100)) +
                   " % of the time: it may be the bottleneck, not the server");
    }
    if (refused_ + closed_ > 0) {
      console.note("peal: " + grouped(refused_) + " publishes refused, " + grouped(closed_) +
                   " connections closed; last: " + printable(last_error_));
    }
  }

  bool clean() const {
    return expected_deliveries() <= delivered_ - late_ && late_ == 0 && closed_ == 0;
  }

 private:
  /// Sends what is due; gives the time of the next one.
  std::uint64_t publish_due(std::uint64_t start, std::uint64_t now) {
    if (interval_ns_ == 0) {
      for (std::size_t p = 0; p < plan_.publishers; ++p) {
        while (pending_[p] < kAnswersPending) {
          publish(p, now);
        }
      }
      return now + 100'000'000;
    }
    for (;;) {
      const std::uint64_t due =
          start +
          static_cast<std::uint64_t>(static_cast<double>(published_ + skipped_) * interval_ns_);
      if (due > now || due >= measure_to_) {
        return due;
      }
      publish((published_ + skipped_) % plan_.publishers, due);
    }
  }

  void publish(std::size_t publisher, std::uint64_t intended) {
    const auto member = static_cast<bench::ClientId>(plan_.subscribers + publisher);
    auto& loop = crowd_.loop();
    if (!loop.is_open(member) || loop.queued_bytes(member) > kQueueMax) {
      ++skipped_;
      ++pending_[publisher];  // never answered: as fast as answered stops here
      return;
    }
    const std::uint64_t channel = (published_ / plan_.publishers) % plan_.channels;
    std::uint32_t& number = sent_[publisher * plan_.channels + channel];
    const Stamp stamp{run_, static_cast<std::uint16_t>(publisher), number++, intended};
    loop.send(member, publish_command(++command_id_, channel_name(plan_, channel),
                                      stamped_message(stamp, plan_.size)));
    ++published_;
    ++pending_[publisher];
  }

  void take(std::size_t member, std::string_view text) {
    if (member >= plan_.subscribers) {
      take_answer(member - plan_.subscribers, text);
      return;
    }
    const auto stamp = bench::find_stamp(text);
    if (!stamp || stamp->run != run_ || stamp->publisher >= plan_.publishers) {
      return;
    }
    ++delivered_;
    last_delivery_ = steady_ns();
    std::uint32_t& next = next_[member * plan_.publishers + stamp->publisher];
    if (stamp->number < next) {
      ++late_;  // after a later one, or once more
    } else {
      next = stamp->number + 1;
    }
    if (stamp->time_ns >= measure_from_) {
      ++measured_;
      latency_.add(last_delivery_ > stamp->time_ns ? last_delivery_ - stamp->time_ns : 0);
    }
  }

  void take_answer(std::size_t publisher, std::string_view text) {
    if (pending_[publisher] > 0) {
      --pending_[publisher];
    }
    if (text.find("\"error\"") != std::string_view::npos) {
      ++refused_;
      const JsonObject reply(text);
      const JsonObject error = reply.has("error") ? reply.object("error") : reply;
      last_error_ = error.text("code") + ": " + error.text("message");
    }
  }

  void wait_for_the_rest() {
    last_delivery_ = steady_ns();
    while (!interrupted() && delivered_ - late_ < expected_deliveries() &&
           steady_ns() - last_delivery_ < kQuiet) {
      crowd_.loop().turn(std::chrono::milliseconds(50), interrupt_fd());
    }
  }

  std::uint64_t expected_deliveries() const {
    std::uint64_t expected = 0;
    for (std::uint64_t subscriber = 0; subscriber < plan_.subscribers; ++subscriber) {
      for (std::uint64_t p = 0; p < plan_.publishers; ++p) {
        expected += sent_[p * plan_.channels + subscriber % plan_.channels];
      }
    }
    // A refused message reaches nobody; its channel isn't known any more, its share is.
    return expected - refused_ * plan_.subscribers / plan_.channels;
  }

  std::string latency_json() const {
    JsonBuilder out;
    for (const auto& [label, share] : {std::pair<const char*, double>{"p50", 0.5},
                                       {"p90", 0.9},
                                       {"p99", 0.99},
                                       {"p99.9", 0.999},
                                       {"max", 1.0}}) {
      out.number(label, static_cast<double>(latency_.quantile(share)) / 1e3);
    }
    return out.number("mean", latency_.mean() / 1e3).str();
  }

  void print(Console& console, std::string_view name, double idle, std::uint64_t lost,
             double per_second, double cpu) const {
    const auto quantile = [&](double share) {
      return human_ns(static_cast<double>(latency_.quantile(share)));
    };
    const auto row = [&](std::string_view title, const std::string& text) {
      std::string padded(title);
      padded.resize(12, ' ');
      console.line(console.paint(Colour::bold, padded) + " " + text);
    };
    row(name, grouped(plan_.subscribers) + " subscribers, " + grouped(plan_.channels) +
                  " channels, " + grouped(plan_.publishers) + " publishers, " +
                  grouped(plan_.size) + " bytes, " +
                  (plan_.rate > 0 ? grouped(static_cast<std::uint64_t>(plan_.rate)) + " messages/s"
                                  : std::string("as fast as answered")));
    row("deliveries", grouped(static_cast<std::uint64_t>(per_second)) + "/s, " +
                          grouped(delivered_) + " of " + grouped(published_) + " messages");
    row("latency", "p50 " + quantile(0.5) + "   p99 " + quantile(0.99) + "   p99.9 " +
                       quantile(0.999) + "   max " + quantile(1.0));
    row("lost", console.paint(lost == 0 ? Colour::green : Colour::red, grouped(lost)) +
                    ", reordered " +
                    console.paint(late_ == 0 ? Colour::green : Colour::red, grouped(late_)));
    if (plan_.pid != 0) {
      char text[80];
      std::snprintf(text, sizeof text, "%.0f %% of a core, %.2f us a delivery",
                    cpu * 100 / measured_seconds_,
                    counted_at_end_ > 0 ? cpu * 1e6 / static_cast<double>(counted_at_end_) : 0.0);
      row("server", text);
    }
    row("this bench", "idle " + std::to_string(static_cast<int>(idle * 100)) + " % of the time");
  }

  const BenchPlan& plan_;
  Crowd& crowd_;
  std::uint32_t run_;
  std::vector<std::uint32_t> sent_;  ///< by publisher and channel
  std::vector<std::uint32_t> next_;  ///< by subscriber and publisher
  std::vector<std::uint64_t> pending_;
  double interval_ns_ = 0;
  std::uint64_t measure_from_ = 0, measure_to_ = 0, measured_from_ = 0;
  std::uint64_t published_ = 0, skipped_ = 0, refused_ = 0, closed_ = 0, command_id_ = 0;
  std::uint64_t delivered_ = 0, measured_ = 0, late_ = 0, counted_at_end_ = 0, last_delivery_ = 0;
  double measured_seconds_ = 0, waited_seconds_ = 0, own_cpu_ = 0;
  ProcessUse use_before_, use_after_;
  Histogram latency_;
  std::string last_error_;
};

}  // namespace

Outcome<void> run_traffic(const BenchPlan& plan, Console& console, std::string_view name) {
  auto targets = make_targets(plan);
  if (!targets) {
    return targets.error();
  }
  Crowd crowd(plan, std::move(*targets));
  if (auto gathered = crowd.gather(plan.subscribers, plan.publishers, console); !gathered) {
    return gathered;
  }
  if (crowd.failures() > 0) {
    return Failure{Exit::refused,
                   {},
                   grouped(crowd.failures()) + " connections failed: " + crowd.last_failure()};
  }
  Traffic traffic(plan, crowd);
  traffic.run(console);
  console.progress("");
  traffic.report(console, name);
  if (!traffic.clean() && !interrupted()) {
    return Failure{Exit::refused, {}, "messages were lost, reordered, or connections closed"};
  }
  return {};
}

}  // namespace peal::cli
