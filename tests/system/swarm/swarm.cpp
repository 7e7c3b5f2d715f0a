// Many WebSocket clients on one loop, for the system tests. Client i subscribes to `per-client`
// channels and stays; the last `churners` clients subscribe and unsubscribe all the time, and now
// and then close the connection and come back at another gateway; `silent` clients are connected
// and subscribe to nothing. Prints "ready" when every client that stays is subscribed; ends when
// standard input ends and nothing has been heard for a while. Prints a line of counts then.

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "arguments.hpp"
#include "bench/client/client_loop.hpp"
#include "bench/client/stamp.hpp"
#include "bench/plan.hpp"
#include "journal.hpp"
#include "json_text.hpp"

namespace peal::swarm {
namespace {

using bench::ClientId;
using bench::steady_ns;

struct Plan {
  std::vector<std::string> urls;
  std::string journal;
  std::uint64_t clients = 300;
  std::uint64_t churners = 30;
  std::uint64_t silent = 0;
  std::uint64_t channels = 20;
  std::uint64_t per_client = 2;
  std::uint64_t seed = 1;
  std::chrono::milliseconds quiet{3000};
};

/// One client of the plan; it may have several connections, one after the other.
struct Member {
  enum class Wish { none, in, out };
  ClientId connection = 0;
  bool churns = false;
  bool connected = false;
  std::vector<std::uint64_t> channels;
  std::map<std::uint64_t, Wish> asked;  ///< by command id: what was asked
  std::map<std::uint64_t, std::uint64_t> asked_channel;
  std::uint64_t next_id = 1;
  std::set<std::uint64_t> subscribed;
  std::uint64_t act_at = 0;  ///< churners: when to do the next thing
};

class Swarm final : public bench::ClientEvents {
 public:
  Swarm(const Plan& plan, std::vector<bench::Target> targets)
      : plan_(plan),
        targets_(std::move(targets)),
        loop_(*this),
        journal_(plan.journal),
        random_(plan.seed) {
    for (std::uint64_t i = 0; i < plan.clients; ++i) {
      Member member;
      member.churns = i >= plan.clients - plan.churners;
      const bool silent = i < plan.silent;
      for (std::uint64_t c = 0; c < plan.per_client && !silent; ++c) {
        member.channels.push_back((i + c * 7) % plan.channels);
      }
      members_.push_back(std::move(member));
    }
  }

  int run() {
    bool said_ready = false;
    bool input_open = true;
    last_heard_ = steady_ns();
    for (std::size_t i = 0; i < members_.size(); ++i) {
      open(i);
    }
    while (failed_.empty()) {
      loop_.turn(std::chrono::milliseconds(10));
      const std::uint64_t now = steady_ns();
      if (!said_ready && settled()) {
        said_ready = true;
        std::cout << "ready" << std::endl;
      }
      if (input_open) {
        churn(now);
        input_open = !input_ended();
        last_heard_ = input_open ? now : last_heard_;
      } else if (now - last_heard_ > static_cast<std::uint64_t>(plan_.quiet.count()) * 1'000'000) {
        break;
      }
    }
    journal_.flush();
    if (!failed_.empty()) {
      std::cerr << "swarm: " << failed_ << "\n";
      return 1;
    }
    std::cout << cli::JsonBuilder()
                     .number("deliveries", deliveries_)
                     .number("churns", churns_)
                     .number("reconnects", reconnects_)
                     .number("lost_connections", lost_connections_)
                     .number("refused_subscribes", refused_)
                     .number("resets", resets_)
                     .str()
              << std::endl;
    return 0;
  }

 private:
  void open(std::size_t index) {
    Member& member = members_[index];
    // A churner comes back anywhere; the others belong to one gateway.
    const std::size_t gateway =
        member.churns ? random_() % targets_.size() : index % targets_.size();
    auto id = loop_.connect(targets_[gateway]);
    if (!id) {
      failed_ = id.error().message;
      return;
    }
    if (*id >= owners_.size()) {
      owners_.resize(*id + 1);
    }
    owners_[*id] = index;
    member.connection = *id;
    member.connected = false;
    member.asked.clear();
    member.subscribed.clear();
  }

  static bool input_ended() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    char byte = 0;
    return ::poll(&input, 1, 0) > 0 && ::read(STDIN_FILENO, &byte, 1) == 0;
  }

  bool settled() const {
    return std::all_of(members_.begin(), members_.end(), [](const Member& member) {
      return member.churns ||
             (member.connected && member.subscribed.size() == member.channels.size());
    });
  }

  void ask(Member& member, std::size_t index, std::uint64_t channel, bool in) {
    const std::uint64_t id = member.next_id++;
    member.asked[id] = in ? Member::Wish::in : Member::Wish::out;
    member.asked_channel[id] = channel;
    if (!in) {
      journal_.write('U', index, channel, steady_ns());
    }
    loop_.send(member.connection,
               cli::JsonBuilder()
                   .number("id", id)
                   .text("action", in ? "subscribe" : "unsubscribe")
                   .raw("payload", cli::JsonBuilder().text("channel", job_channel(channel)).str())
                   .str());
  }

  void churn(std::uint64_t now) {
    for (std::size_t i = members_.size() - plan_.churners; i < members_.size(); ++i) {
      Member& member = members_[i];
      if (!member.connected || !member.asked.empty() || now < member.act_at) {
        continue;
      }
      ++churns_;
      member.act_at = now + (1 + random_() % 15) * 1'000'000;
      if (member.subscribed.size() < member.channels.size()) {
        subscribe_all(member, i);
      } else if (random_() % 4 == 0) {
        leave(member, i, now);
      } else {
        for (const std::uint64_t channel : member.channels) {
          ask(member, i, channel, false);
        }
      }
    }
  }

  void leave(Member& member, std::size_t index, std::uint64_t now) {
    ++reconnects_;
    for (const std::uint64_t channel : member.channels) {
      journal_.write('U', index, channel, now);
    }
    loop_.drop(member.connection);
    journal_.write('X', index, steady_ns());
    open(index);
  }

  void subscribe_all(Member& member, std::size_t index) {
    for (const std::uint64_t channel : member.channels) {
      ask(member, index, channel, true);
    }
  }

  void on_open(ClientId id) override {
    Member& member = members_[owners_[id]];
    member.connected = true;
    if (!member.churns) {
      subscribe_all(member, owners_[id]);
    }
  }

  void on_text(ClientId id, std::string_view text) override {
    const std::size_t index = owners_[id];
    if (text.starts_with("{\"event\":\"message\"")) {
      take_message(index, text);
      return;
    }
    const cli::JsonObject object(text);
    const std::string event = object.text("event");
    if (event == "message") {
      take_message(index, text);
    } else if (event == "reset" || event == "unsubscribed") {
      ++resets_;
      journal_.write('R', index, channel_of(object.text("channel")), steady_ns());
    } else if (object.has("id")) {
      take_reply(members_[index], index, object);
    }
  }

  static std::uint64_t channel_of(const std::string& name) {
    return name.starts_with("job:") ? std::stoull(name.substr(4)) : 0;
  }

  void take_message(std::size_t index, std::string_view text) {
    const auto stamp = bench::find_stamp(text);
    const auto at = text.find("\"job:");
    if (!stamp || at == std::string_view::npos) {
      failed_ = "a message without a stamp: " + std::string(text);
      return;
    }
    last_heard_ = steady_ns();
    ++deliveries_;
    const std::uint64_t channel = std::strtoull(text.data() + at + 5, nullptr, 10);
    journal_.write('D', index, channel, std::uint64_t{stamp->publisher},
                   std::uint64_t{stamp->number}, last_heard_);
  }

  void take_reply(Member& member, std::size_t index, const cli::JsonObject& reply) {
    const auto asked = member.asked.find(reply.number("id"));
    if (asked == member.asked.end()) {
      return;
    }
    const bool in = asked->second == Member::Wish::in;
    const std::uint64_t channel = member.asked_channel[asked->first];
    member.asked_channel.erase(asked->first);
    member.asked.erase(asked);
    if (reply.has("error")) {
      ++refused_;
      const bool temporary = reply.object("error").boolean("temporary");
      if (!temporary) {
        failed_ = "refused: " + std::string(reply.raw("error"));
      } else if (!member.churns) {
        ask(member, index, channel, true);
      }
      return;
    }
    journal_.write(in ? 'S' : 'V', index, channel, steady_ns());
    if (in) {
      member.subscribed.insert(channel);
    } else {
      member.subscribed.erase(channel);
    }
  }

  void on_closed(ClientId id, int code, std::string_view why) override {
    const std::size_t index = owners_[id];
    ++lost_connections_;
    journal_.write('X', index, steady_ns());
    std::cerr << "swarm: client " << index << " lost its connection: " << code << " " << why
              << "\n";
    if (lost_connections_ > 10 * plan_.clients) {
      failed_ = "too many connections were lost";
      return;
    }
    open(index);
  }

  const Plan& plan_;
  std::vector<bench::Target> targets_;
  bench::ClientLoop loop_;
  Journal journal_;
  std::mt19937_64 random_;
  std::vector<Member> members_;
  std::vector<std::size_t> owners_;  ///< by connection
  std::uint64_t last_heard_ = 0, deliveries_ = 0, churns_ = 0, reconnects_ = 0;
  std::uint64_t lost_connections_ = 0, refused_ = 0, resets_ = 0;
  std::string failed_;
};

int main_with(const std::vector<std::string>& words) {
  Plan plan;
  cli::Arguments arguments;
  arguments.option("--url", "URL", plan.urls, "a gateway; several: the clients are spread");
  arguments.option("--journal", "FILE", plan.journal, "where to write what is heard");
  arguments.option("--clients", "N", plan.clients, "all clients");
  arguments.option("--churners", "N", plan.churners, "of them: those that come and go");
  arguments.option("--silent", "N", plan.silent, "of them: those that subscribe to nothing");
  arguments.option("--channels", "N", plan.channels, "channels there are");
  arguments.option("--per-client", "N", plan.per_client, "channels a client follows");
  arguments.option("--seed", "N", plan.seed, "of the churners' choices");
  arguments.option("--quiet", "TIME", plan.quiet, "silence that ends it");
  auto parsed = arguments.parse(words);
  if (!parsed || plan.urls.empty() || plan.journal.empty() ||
      plan.churners + plan.silent > plan.clients) {
    std::cerr << "swarm: " << (parsed ? "needs --url and --journal" : parsed.error().message)
              << "\n";
    return 2;
  }
  cli::BenchPlan targets_plan;
  targets_plan.urls = plan.urls;
  auto targets = cli::make_targets(targets_plan);
  if (!targets) {
    std::cerr << "swarm: " << targets.error().message << "\n";
    return 3;
  }
  return Swarm(plan, std::move(*targets)).run();
}

}  // namespace
}  // namespace peal::swarm

int main(int argc, char** argv) {
  return peal::swarm::main_with(std::vector<std::string>(argv + 1, argv + argc));
}
