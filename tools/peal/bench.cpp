#include "bench/plan.hpp"
#include "verbs.hpp"

namespace peal::cli {
namespace {

class Bench final : public Verb {
 public:
  std::string_view name() const override { return "bench"; }
  std::string_view summary() const override {
    return "Measure a gateway: fanout, channels, connect, idle.";
  }

  void describe(Arguments& arguments) override {
    arguments.word("WHAT", what_,
                   "fanout: one channel, many subscribers · channels: a subscriber each · "
                   "connect: a storm · idle: what waiting costs");
    arguments.option("--url", "URL", plan_.urls,
                     "a gateway (default ws://127.0.0.1:8420/ws); several: spread");
    arguments.option("--key", "SECRET", plan_.key, "key for channels with a key:NAME rule");
    arguments.option("--channel", "NAME", plan_.channel,
                     "channel, or prefix of many (default demo:bench)");
    arguments.option("--subscribers", "N", plan_.subscribers, "connections (default 100)");
    arguments.option("--channels", "N", channels_,
                     "channels (default 1; channels: one a subscriber)");
    arguments.option("--publishers", "N", plan_.publishers, "publishing connections (default 1)");
    arguments.option("--rate", "N", plan_.rate,
                     "messages a second in all (default 1000; 0: as fast as answered)");
    arguments.option("--size", "BYTES", plan_.size, "of a message (default 128)");
    arguments.option("--duration", "TIME", plan_.duration, "measured time (default 10s)");
    arguments.option("--warmup", "TIME", plan_.warmup, "before it (default 1s)");
    arguments.option("--at-once", "N", plan_.at_once, "connections opened at a time (default 100)");
    arguments.option("--pid", "PID", plan_.pid,
                     "the gateway's process: shows its CPU and memory, too");
    arguments.example("peal bench fanout --subscribers 1000 --rate 100",
                      "one channel, 100,000 deliveries/s");
    arguments.example("peal bench channels --subscribers 1000 --rate 20000",
                      "1,000 channels of one subscriber");
    arguments.example("peal bench connect --subscribers 10000", "a connect storm");
    arguments.example("peal bench idle --subscribers 10000 --pid $(pidof peal-gateway)",
                      "bytes per connection");
  }

  Outcome<void> run(Console& console) override {
    if (plan_.urls.empty()) {
      plan_.urls = {"ws://127.0.0.1:8420/ws"};
    }
    if (plan_.subscribers == 0 || plan_.publishers == 0 || plan_.at_once == 0) {
      return usage("--subscribers, --publishers and --at-once are at least 1");
    }
    if (plan_.publishers > 65535 || plan_.subscribers > 1'000'000) {
      return usage("at most 65,535 publishers and 1,000,000 subscribers");
    }
    plan_.channels = channels_ != 0 ? channels_ : what_ == "channels" ? plan_.subscribers : 1;
    if (what_ == "fanout" || what_ == "channels") {
      return run_traffic(plan_, console, what_);
    }
    if (what_ == "connect") {
      return run_connect(plan_, console);
    }
    if (what_ == "idle") {
      plan_.channels = 1;
      return run_idle(plan_, console);
    }
    const std::string near = nearest_name(what_, {"fanout", "channels", "connect", "idle"});
    return usage(
        "no benchmark '" + what_ + "'" +
        (near.empty() ? ": fanout, channels, connect or idle" : "; did you mean " + near + "?"));
  }

 private:
  std::string what_;
  BenchPlan plan_;
  std::uint64_t channels_ = 0;
};

}  // namespace

std::unique_ptr<Verb> make_bench() {
  return std::make_unique<Bench>();
}

}  // namespace peal::cli
