// Clients that follow logs and never stay: each follows `per-client` recoverable channels, leaves
// after a random while by cutting its connection, and comes back with its positions, at any gateway
// and over any transport (WebSocket, server-sent events, long-poll). Writes what each heard and
// from where it followed (journal.hpp); the checker's Continuity judges. Prints "ready" when all
// have been told their first positions. When standard input has ended, and there were as many
// returns as are wanted, nobody leaves any more; it ends when nothing has been heard for a while,
// with a line of counts. With --stay 0 nobody leaves: they come back only when they are cut off,
// and the counts say how long that took (until the last of its channels is followed again) and how
// many were cut off within the worst 200 ms.

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <random>

#include "arguments.hpp"
#include "bench/client/stamp.hpp"
#include "bench/plan.hpp"
#include "journal.hpp"
#include "links.hpp"
#include "url.hpp"

namespace peal::swarm {
namespace {

using bench::steady_ns;

constexpr std::uint64_t kNever = ~std::uint64_t{0};

struct Plan {
  std::vector<std::string> urls;
  std::vector<std::string> transports;
  std::string journal;
  std::uint64_t clients = 500;
  std::uint64_t channels = 50;
  std::uint64_t per_client = 3;
  std::uint64_t returns = 0;  ///< as many there are at least, however slow all is
  std::uint64_t mixed = 0;    ///< 1: each keeps its transport, by turns
  std::uint64_t seed = 1;
  std::uint64_t drop_one_in = 0;  ///< planted: a message in so many is not written down
  std::chrono::milliseconds stay{2000};
  std::chrono::milliseconds away{300};
  std::chrono::milliseconds quiet{3000};
};

struct Follow {
  std::uint64_t channel = 0;
  std::string epoch;  ///< empty: no position yet
  std::uint64_t offset = 0;
};

struct Wanderer {
  bool here = false;
  std::uint64_t act_at = 0;   ///< when to leave, or to come back
  std::uint64_t cut_at = 0;   ///< since when it wants to be back
  std::size_t following = 0;  ///< channels that are followed over this link
  bool told = false;          ///< since it was cut off
  std::vector<Follow> follows;
};

struct Counts {
  std::uint64_t deliveries = 0, returns = 0, recovered = 0, caught_up = 0, told = 0;
  std::uint64_t cut_off = 0, refused = 0;
  std::uint64_t cuts = 0, back_recovered = 0, back_told = 0;
  std::uint64_t came_over[std::size(kTransports)] = {};
};

class Wanderers final : public LinkEvents {
 public:
  Wanderers(const Plan& plan, std::vector<bench::Target> targets,
            std::vector<std::string> authorities, std::vector<Transport> transports)
      : plan_(plan),
        gateways_(targets.size()),
        transports_(std::move(transports)),
        links_(*this, std::move(targets), std::move(authorities), plan.clients),
        journal_(plan.journal),
        random_(plan.seed) {
    for (std::uint64_t i = 0; i < plan.clients; ++i) {
      Wanderer& one = all_.emplace_back();
      for (std::uint64_t c = 0; c < plan.per_client; ++c) {
        one.follows.push_back({(i + c * 7) % plan.channels, {}, 0});
      }
    }
  }

  int run() {
    bool input_open = true;
    bool wandering = true;
    bool said_ready = false;
    last_heard_ = steady_ns();
    for (std::size_t i = 0; i < all_.size(); ++i) {
      come(i);
    }
    while (failed_.empty()) {
      links_.turn();
      const std::uint64_t now = steady_ns();
      if (!said_ready && std::ranges::all_of(all_, knows_positions)) {
        said_ready = true;
        std::cout << "ready" << std::endl;
      }
      wander(now, said_ready && wandering);
      if (wandering) {
        input_open = input_open && !input_ended();
        wandering = input_open || counts_.returns < plan_.returns;
        last_heard_ = wandering ? now : last_heard_;
      } else if (now - last_heard_ > static_cast<std::uint64_t>(plan_.quiet.count()) * 1'000'000 &&
                 std::ranges::all_of(all_, [](const Wanderer& one) { return one.here; })) {
        break;
      }
    }
    return finish();
  }

 private:
  static bool knows_positions(const Wanderer& one) {
    return std::ranges::all_of(one.follows,
                               [](const Follow& follow) { return !follow.epoch.empty(); });
  }
  static bool input_ended() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    char byte = 0;
    return ::poll(&input, 1, 0) > 0 && ::read(STDIN_FILENO, &byte, 1) == 0;
  }
  /// A quarter to three times of it.
  std::uint64_t about(std::chrono::milliseconds time) {
    const auto ns = static_cast<std::uint64_t>(time.count()) * 1'000'000;
    return ns / 4 + random_() % (2 * ns + ns / 2 + 1);
  }

  int finish() {
    const std::uint64_t now = steady_ns();
    for (std::size_t i = 0; i < all_.size() && failed_.empty(); ++i) {
      for (const Follow& follow : all_[i].follows) {
        journal_.write('E', i, follow.channel, now);
      }
    }
    journal_.flush();
    if (!failed_.empty()) {
      std::cerr << "wanderers: " << failed_ << "\n";
      return 1;
    }
    cli::JsonBuilder came;
    for (std::size_t i = 0; i < std::size(kTransports); ++i) {
      came.number(kTransports[i], counts_.came_over[i]);
    }
    std::cout << cli::JsonBuilder()
                     .number("deliveries", counts_.deliveries)
                     .number("returns", counts_.returns)
                     .number("recovered", counts_.recovered)
                     .number("caught_up", counts_.caught_up)
                     .number("told", counts_.told)
                     .number("cut_off", counts_.cut_off)
                     .number("cuts", counts_.cuts)
                     .number("cuts_at_once", most_at_once(cuts_at_))
                     .number("back", static_cast<std::uint64_t>(back_ms_.size()))
                     .number("back_recovered", counts_.back_recovered)
                     .number("back_told", counts_.back_told)
                     .number("back_p99_ms", percentile_99(back_ms_))
                     .number("refused", counts_.refused)
                     .number("polls", links_.polls())
                     .raw("came_over", came.str())
                     .str()
              << std::endl;
    return 0;
  }

  /// How many lie within 200 ms, at most.
  static std::uint64_t most_at_once(const std::vector<std::uint64_t>& times) {
    std::size_t most = 0;
    for (std::size_t first = 0, i = 0; i < times.size(); ++i) {
      while (times[i] - times[first] > 200'000'000)
        ++first;
      most = std::max(most, i + 1 - first);
    }
    return most;
  }
  static double percentile_99(std::vector<double> all) {
    std::ranges::sort(all);
    return all.empty() ? 0 : all[(all.size() * 99 - 1) / 100];
  }

  void wander(std::uint64_t now, bool leave) {
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (now < all_[i].act_at) {
        continue;
      }
      if (!all_[i].here) {
        come(i);
      } else if (leave) {
        go(i);
      }
    }
  }

  void go(std::size_t index) {
    links_.go(index);
    all_[index].here = false;
    all_[index].act_at = steady_ns() + about(plan_.away);
  }

  void come(std::size_t index) {
    Wanderer& one = all_[index];
    const bool first = !knows_positions(one);
    const Transport transport = plan_.mixed != 0 ? transports_[index % transports_.size()]
                                : first          ? transports_.front()
                                                 : transports_[random_() % transports_.size()];
    ++counts_.came_over[static_cast<std::size_t>(transport)];
    counts_.returns += first ? 0 : 1;
    one.here = true;
    one.act_at = plan_.stay.count() == 0 ? kNever : steady_ns() + about(plan_.stay);
    one.following = 0;
    if (auto why = links_.come(index, transport, random_() % gateways_); !why.empty()) {
      failed_ = why;
    }
  }

  std::vector<Wish> wishes(std::size_t index) override {
    std::vector<Wish> wishes;
    for (const Follow& follow : all_[index].follows) {
      wishes.push_back({job_channel(follow.channel), follow.epoch, follow.offset});
    }
    return wishes;
  }

  void on_cut(std::size_t index) override {
    Wanderer& one = all_[index];
    const std::uint64_t now = steady_ns();
    ++counts_.cut_off;
    if (one.cut_at == 0 && one.following == one.follows.size()) {
      ++counts_.cuts;
      cuts_at_.push_back(now);
      one.cut_at = now;
      one.told = false;
    }
    one.here = false;
    one.act_at = now + about(plan_.away);
  }

  /// A channel more is followed over this link.
  void follows(Wanderer& one, bool told) {
    one.told = one.told || told;
    if (++one.following != one.follows.size() || one.cut_at == 0) {
      return;
    }
    back_ms_.push_back(static_cast<double>(steady_ns() - one.cut_at) / 1e6);
    one.cut_at = 0;
    (one.told ? counts_.back_told : counts_.back_recovered) += 1;
  }

  void on_refused(std::size_t index, const cli::JsonObject& error) override {
    ++counts_.refused;
    if (!error.boolean("temporary")) {
      failed_ =
          "refused: " + error.text("code") + " " + error.text("message") + error.text("detail");
    } else {
      go(index);
    }
  }

  void on_event(std::size_t index, const cli::JsonObject& event) override {
    const std::string what = event.text("event");
    if (what == "unsubscribed") {
      return on_refused(index, event);
    }
    const std::string channel = event.text("channel");
    auto& follows = all_[index].follows;
    const auto follow = std::ranges::find_if(
        follows, [&](const Follow& each) { return job_channel(each.channel) == channel; });
    if (channel.empty()) {
      return;  // heartbeats and the like
    }
    if (follow == follows.end()) {
      failed_ = what + " of a channel that is not followed: " + channel;
    } else if (what == "message") {
      take_message(index, *follow, event);
    } else if (what == "subscribed") {
      take_subscribed(index, *follow, event);
    } else if (what == "reset") {
      begin(index, *follow, event, "told");
    }
  }

  void take_subscribed(std::size_t index, Follow& follow, const cli::JsonObject& result) {
    if (!result.has("epoch")) {
      failed_ = "the channel keeps no log";
      return;
    }
    if (follow.epoch.empty()) {
      begin(index, follow, result, "first");
    } else if (result.has("recovered") && !result.boolean("recovered")) {
      begin(index, follow, result, "told");
    } else if (!result.has("recovered") || result.text("epoch") != follow.epoch) {
      failed_ = "neither recovered nor told";
      return;
    }
    follows(all_[index], result.has("recovered") && !result.boolean("recovered"));
    const auto publications = result.objects("publications");
    (publications.empty() ? counts_.caught_up : counts_.recovered) += 1;
    for (const cli::JsonObject& publication : publications) {
      take_message(index, follow, publication);
    }
  }

  void begin(std::size_t index, Follow& follow, const cli::JsonObject& from, const char* why) {
    follow.epoch = from.text("epoch");
    follow.offset = from.number("offset");
    journal_.write('B', index, follow.channel, steady_ns(), epoch_number(follow.epoch),
                   follow.offset, why);
    counts_.told += why[0] == 't' ? 1 : 0;
  }

  void take_message(std::size_t index, Follow& follow, const cli::JsonObject& message) {
    const auto stamp = bench::find_stamp(message.raw("message"));
    const std::uint64_t offset = message.number("offset");
    if (!stamp || offset == 0) {
      failed_ = "a message without a stamp or an offset";
      return;
    }
    last_heard_ = steady_ns();
    follow.offset = std::max(follow.offset, offset);
    if (++counts_.deliveries;
        plan_.drop_one_in != 0 && counts_.deliveries % plan_.drop_one_in == 0) {
      return;
    }
    journal_.write('D', index, follow.channel, std::uint64_t{stamp->publisher},
                   std::uint64_t{stamp->number}, last_heard_, offset);
  }

  const Plan& plan_;
  const std::size_t gateways_;
  const std::vector<Transport> transports_;
  Links links_;
  Journal journal_;
  std::mt19937_64 random_;
  std::vector<Wanderer> all_;
  std::uint64_t last_heard_ = 0;
  std::vector<std::uint64_t> cuts_at_;
  std::vector<double> back_ms_;
  Counts counts_;
  std::string failed_;
};

int usage(const std::string& why) {
  std::cerr << "wanderers: " << why << "\n";
  return 2;
}

int main_with(const std::vector<std::string>& words) {
  Plan plan;
  cli::Arguments arguments;
  arguments.option("--url", "URL", plan.urls, "a gateway; several: they come back to any");
  arguments.option(
      "--transport", "NAME", plan.transports,
      "websocket, sse, poll or eventsource; several: any of them, the first time the first");
  arguments.option("--journal", "FILE", plan.journal, "where to write what is heard");
  arguments.option("--clients", "N", plan.clients, "clients");
  arguments.option("--channels", "N", plan.channels, "channels there are");
  arguments.option("--per-client", "N", plan.per_client, "channels a client follows");
  arguments.option("--returns", "N", plan.returns, "returns there are at least");
  arguments.option("--mixed", "1", plan.mixed, "each client keeps its transport, by turns");
  arguments.option("--seed", "N", plan.seed, "of their choices");
  arguments.option("--stay", "TIME", plan.stay, "how long about a client stays");
  arguments.option("--away", "TIME", plan.away, "how long about it is away");
  arguments.option("--quiet", "TIME", plan.quiet, "silence that ends it");
  arguments.option("--drop-one-in", "N", plan.drop_one_in,
                   "planted fault: forgets one delivery in N");
  auto parsed = arguments.parse(words);
  if (!parsed) return usage(parsed.error().message);
  if (plan.urls.empty() || plan.journal.empty()) return usage("needs --url and --journal");
  if (plan.transports.empty()) plan.transports = {"websocket"};
  std::vector<Transport> transports;
  for (const std::string& name : plan.transports) {
    const auto found = std::ranges::find(kTransports, name);
    if (found == std::end(kTransports)) return usage("no transport '" + name + "'");
    transports.push_back(static_cast<Transport>(found - std::begin(kTransports)));
  }
  cli::BenchPlan targets_plan;
  targets_plan.urls = plan.urls;
  auto targets = cli::make_targets(targets_plan);
  if (!targets) return usage(targets.error().message);
  std::vector<std::string> authorities;
  for (const std::string& url : plan.urls)
    authorities.push_back(cli::parse_url(url)->authority());
  return Wanderers(plan, std::move(*targets), std::move(authorities), std::move(transports)).run();
}

}  // namespace
}  // namespace peal::swarm

int main(int argc, char** argv) {
  return peal::swarm::main_with(std::vector<std::string>(argv + 1, argv + argc));
}
