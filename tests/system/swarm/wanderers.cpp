// Clients that follow logs and never stay: each follows `per-client` recoverable channels, leaves
// after a random while by cutting its connection, and comes back with its positions, at any gateway
// and over any transport (WebSocket, server-sent events, long-poll). Writes what each heard and
// from where it followed (journal.hpp); the checker's Continuity judges. Prints "ready" when all
// have been told their first positions. When standard input ends nobody leaves any more; it ends
// when nothing has been heard for a while, with a line of counts.

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <random>

#include "arguments.hpp"
#include "bench/client/client_loop.hpp"
#include "bench/client/stamp.hpp"
#include "bench/plan.hpp"
#include "http_clients.hpp"
#include "journal.hpp"
#include "json_text.hpp"
#include "url.hpp"

namespace peal::swarm {
namespace {

using bench::ClientId;
using bench::steady_ns;

enum class Transport : std::uint8_t { websocket, sse, poll, eventsource };
constexpr const char* kTransports[] = {"websocket", "sse", "poll", "eventsource"};

struct Plan {
  std::vector<std::string> urls;
  std::vector<std::string> transports;
  std::string journal;
  std::uint64_t clients = 500;
  std::uint64_t channels = 50;
  std::uint64_t per_client = 3;
  std::uint64_t seed = 1;
  std::uint64_t drop_one_in = 0;  ///< planted: a message in so many is not written down
  std::chrono::milliseconds stay{2000};
  std::chrono::milliseconds away{300};
  std::chrono::milliseconds quiet{2000};
};

struct Follow {
  std::uint64_t channel = 0;
  std::string epoch;  ///< empty: no position yet
  std::uint64_t offset = 0;
  bool subscribed = false;  ///< on the connection of the moment
};

struct Wanderer {
  Transport transport = Transport::websocket;
  bool here = false;  ///< has a connection
  bool open = false;  ///< may send
  std::uint32_t connection = 0;
  std::uint64_t act_at = 0;  ///< when to leave, or to come back
  std::size_t gateway = 0;
  std::string in;                              ///< of a stream or a poll
  int status = 0;                              ///< of its answer
  std::string event_id;                        ///< eventsource: the last one
  std::map<std::uint64_t, std::size_t> asked;  ///< command id -> follow
  std::uint64_t next_id = 1;
  std::vector<Follow> follows;
};

class Wanderers final : public bench::ClientEvents, public HttpEvents {
 public:
  Wanderers(const Plan& plan, std::vector<bench::Target> targets,
            std::vector<std::string> authorities, std::vector<Transport> transports)
      : plan_(plan),
        targets_(std::move(targets)),
        authorities_(std::move(authorities)),
        transports_(std::move(transports)),
        sockets_(*this),
        requests_(*this),
        journal_(plan.journal),
        random_(plan.seed) {
    for (std::uint64_t i = 0; i < plan.clients; ++i) {
      Wanderer& one = all_.emplace_back();
      for (std::uint64_t c = 0; c < plan.per_client; ++c) {
        one.follows.push_back({(i + c * 7) % plan.channels, {}, 0, false});
      }
    }
  }

  int run() {
    bool input_open = true;
    bool said_ready = false;
    last_heard_ = steady_ns();
    for (std::size_t i = 0; i < all_.size(); ++i) {
      come(i);
    }
    while (failed_.empty()) {
      sockets_.turn(std::chrono::milliseconds(5), requests_.descriptor());
      requests_.turn();
      const std::uint64_t now = steady_ns();
      if (!said_ready && std::ranges::all_of(all_, knows_positions)) {
        said_ready = true;
        std::cout << "ready" << std::endl;
      }
      wander(now, said_ready && input_open);
      if (input_open) {
        input_open = !input_ended();
        last_heard_ = input_open ? now : last_heard_;
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
  std::uint64_t some_of(std::chrono::milliseconds time) {
    const auto ns = static_cast<std::uint64_t>(time.count()) * 1'000'000;
    return ns / 4 + random_() % (ns + ns / 2 + 1);
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
      came.number(kTransports[i], came_over_[i]);
    }
    std::cout << cli::JsonBuilder()
                     .number("deliveries", deliveries_)
                     .number("returns", returns_)
                     .number("recovered", recovered_)
                     .number("caught_up", caught_up_)
                     .number("told", told_)
                     .number("cut_off", cut_off_)
                     .number("refused", refused_)
                     .number("polls", polls_)
                     .raw("came_over", came.str())
                     .str()
              << std::endl;
    return 0;
  }

  void wander(std::uint64_t now, bool leave) {
    for (std::size_t i = 0; i < all_.size(); ++i) {
      Wanderer& one = all_[i];
      if (now < one.act_at) {
        continue;
      }
      if (!one.here) {
        come(i);
      } else if (leave) {
        go(one);
      }
    }
  }

  void go(Wanderer& one) {
    if (one.transport == Transport::websocket) {
      sockets_.drop(one.connection);
    } else {
      requests_.drop(one.connection);
    }
    gone(one);
  }

  void gone(Wanderer& one) {
    one.here = one.open = false;
    one.asked.clear();
    one.in.clear();
    one.act_at = steady_ns() + some_of(plan_.away);
    for (Follow& follow : one.follows) {
      follow.subscribed = false;
    }
  }

  void come(std::size_t index) {
    Wanderer& one = all_[index];
    one.gateway = random_() % targets_.size();
    // The first time over a WebSocket, whose first answers are positions.
    const bool first = !knows_positions(one);
    const Transport before = one.transport;
    one.transport = first ? transports_.front() : transports_[random_() % transports_.size()];
    if (one.transport != before) {
      one.event_id.clear();
    }
    ++came_over_[static_cast<std::size_t>(one.transport)];
    returns_ += first ? 0 : 1;
    one.here = true;
    one.act_at = steady_ns() + some_of(plan_.stay);
    if (one.transport != Transport::websocket) {
      return request(index);
    }
    auto id = sockets_.connect(targets_[one.gateway]);
    if (!id) {
      failed_ = id.error().message;
      return;
    }
    owns(socket_owners_, *id, index);
    one.connection = *id;
  }

  static void owns(std::vector<std::size_t>& owners, std::uint32_t id, std::size_t index) {
    if (id >= owners.size()) {
      owners.resize(id + 1);
    }
    owners[id] = index;
  }

  void request(std::size_t index) {
    Wanderer& one = all_[index];
    one.in.clear();
    one.status = 0;
    const std::string& authority = authorities_[one.gateway];
    std::string text;
    if (one.transport == Transport::eventsource && !one.event_id.empty()) {
      text = "GET /stream?";
      for (const Follow& follow : one.follows) {
        text += "channel=" + job_channel(follow.channel) + "&";
      }
      text.pop_back();
      text += " HTTP/1.1\r\nHost: " + authority +
              "\r\nAccept: text/event-stream\r\nLast-Event-ID: " + one.event_id +
              "\r\nConnection: close\r\n\r\n";
    } else {
      std::string list;
      for (const Follow& follow : one.follows) {
        list += (list.empty() ? "" : ",") + wish(follow);
      }
      const std::string body = "{\"channels\":[" + list + "]}";
      const bool poll = one.transport == Transport::poll;
      polls_ += poll ? 1 : 0;
      text = std::string("POST /stream") + (poll ? "?wait=10" : "") +
             " HTTP/1.1\r\nHost: " + authority +
             "\r\nAccept: " + (poll ? "application/json" : "text/event-stream") +
             "\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " +
             std::to_string(body.size()) + "\r\n\r\n" + body;
    }
    auto id = requests_.start(targets_[one.gateway], std::move(text));
    if (!id) {
      failed_ = id.error().message;
      return;
    }
    owns(request_owners_, *id, index);
    one.connection = *id;
  }

  /// {"channel":…,"since"?:…}
  static std::string wish(const Follow& follow) {
    cli::JsonBuilder wish;
    wish.text("channel", job_channel(follow.channel));
    if (!follow.epoch.empty()) {
      wish.raw(
          "since",
          cli::JsonBuilder().text("epoch", follow.epoch).number("offset", follow.offset).str());
    }
    return wish.str();
  }

  // WebSocket
  void on_open(ClientId id) override {
    Wanderer& one = all_[socket_owners_[id]];
    one.open = true;
    for (std::size_t i = 0; i < one.follows.size(); ++i) {
      const std::uint64_t number = one.next_id++;
      one.asked[number] = i;
      sockets_.send(id, cli::JsonBuilder()
                            .number("id", number)
                            .text("action", "subscribe")
                            .raw("payload", wish(one.follows[i]))
                            .str());
    }
  }

  void on_text(ClientId id, std::string_view text) override {
    const std::size_t index = socket_owners_[id];
    if (text.starts_with("{\"event\":")) {
      return take_event(index, text);
    }
    const cli::JsonObject reply(text);
    Wanderer& one = all_[index];
    const auto asked = one.asked.find(reply.number("id"));
    if (asked == one.asked.end()) {
      return;
    }
    Follow& follow = one.follows[asked->second];
    one.asked.erase(asked);
    if (reply.has("error")) {
      return refused(index, reply.object("error"));
    }
    take_subscribed(index, follow, reply.object("result"));
  }

  void on_closed(ClientId id, int code, std::string_view why) override {
    ++cut_off_;
    std::cerr << "wanderers: cut off: " << code << " " << why << "\n";
    gone(all_[socket_owners_[id]]);
  }

  // Streams and polls
  void on_status(RequestId id, int status) override {
    Wanderer& one = all_[request_owners_[id]];
    one.status = status;
    one.open = status == 200;
  }

  void on_body(RequestId id, std::string_view bytes) override {
    const std::size_t index = request_owners_[id];
    Wanderer& one = all_[index];
    one.in.append(bytes);
    if (one.status != 200 || one.transport == Transport::poll) {
      return;
    }
    std::size_t begin = 0;
    for (auto end = one.in.find("\n\n");
         end != std::string::npos && one.here && one.connection == id;
         end = one.in.find("\n\n", begin)) {
      take_block(index, std::string_view(one.in).substr(begin, end - begin));
      begin = end + 2;
    }
    if (one.here && one.connection == id) {
      one.in.erase(0, begin);
    }
  }

  void take_block(std::size_t index, std::string_view block) {
    std::string data;
    while (!block.empty()) {
      const auto line = block.substr(0, block.find('\n'));
      block.remove_prefix(std::min(block.size(), line.size() + 1));
      if (line.starts_with("data:")) {
        data += line.substr(line.starts_with("data: ") ? 6 : 5);
      } else if (line.starts_with("id:")) {
        all_[index].event_id = line.substr(line.starts_with("id: ") ? 4 : 3);
      }
    }
    if (!data.empty()) {
      const std::string event = std::move(data);
      take_event(index, event);
    }
  }

  void on_end(RequestId id, bool whole) override {
    const std::size_t index = request_owners_[id];
    Wanderer& one = all_[index];
    if (one.status != 200 && one.status != 0) {
      return refused(index, cli::JsonObject(one.in));
    }
    if (one.transport != Transport::poll || !whole || one.status == 0) {
      ++cut_off_;
      return gone(one);
    }
    const std::string body = std::move(one.in);
    const cli::JsonObject answer(body);
    if (!answer.has("events")) {
      failed_ = "a poll's answer has no events: " + body;
      return;
    }
    for (const cli::JsonObject& event : answer.objects("events")) {
      take_event(index, event);
    }
    if (one.here) {
      request(index);
    }
  }

  void refused(std::size_t index, const cli::JsonObject& error) {
    ++refused_;
    if (!error.boolean("temporary")) {
      failed_ = "refused over " +
                std::string(kTransports[static_cast<int>(all_[index].transport)]) + ": " +
                error.text("code") + " " + error.text("message") + error.text("detail");
      return;
    }
    if (all_[index].here) {
      go(all_[index]);
    }
  }

  // What comes, over whatever transport
  Follow* follow_of(Wanderer& one, std::string_view channel) {
    const auto found = std::ranges::find_if(
        one.follows, [&](const Follow& follow) { return job_channel(follow.channel) == channel; });
    if (found == one.follows.end()) {
      failed_ = "something of a channel that is not followed: " + std::string(channel);
      return nullptr;
    }
    return &*found;
  }

  void take_event(std::size_t index, std::string_view text) {
    take_event(index, cli::JsonObject(text));
  }

  void take_event(std::size_t index, const cli::JsonObject& event) {
    const std::string what = event.text("event");
    if (what == "heartbeat" || what == "error" || what == "closed") {
      return;
    }
    Wanderer& one = all_[index];
    Follow* follow = follow_of(one, event.text("channel"));
    if (follow == nullptr) {
      return;
    }
    if (what == "message") {
      take_message(index, *follow, event);
    } else if (what == "subscribed") {
      take_subscribed(index, *follow, event);
    } else if (what == "reset") {
      begin(index, *follow, event, "told");
    } else if (what == "unsubscribed") {
      refused(index, event);
    }
  }

  void take_subscribed(std::size_t index, Follow& follow, const cli::JsonObject& result) {
    if (!result.has("epoch")) {
      failed_ = "the channel keeps no log";
      return;
    }
    follow.subscribed = true;
    if (follow.epoch.empty()) {
      begin(index, follow, result, "first");
    } else if (result.has("recovered") && !result.boolean("recovered")) {
      begin(index, follow, result, "told");
    } else if (!result.has("recovered") || result.text("epoch") != follow.epoch) {
      failed_ = "neither recovered nor told";
      return;
    }
    const auto publications = result.objects("publications");
    (publications.empty() ? caught_up_ : recovered_) += 1;
    for (const cli::JsonObject& publication : publications) {
      take_message(index, follow, publication);
    }
  }

  void begin(std::size_t index, Follow& follow, const cli::JsonObject& from, const char* why) {
    follow.epoch = from.text("epoch");
    follow.offset = from.number("offset");
    journal_.write('B', index, follow.channel, steady_ns(), epoch_number(follow.epoch),
                   follow.offset, why);
    told_ += why[0] == 't' ? 1 : 0;
  }

  void take_message(std::size_t index, Follow& follow, const cli::JsonObject& message) {
    const auto stamp = bench::find_stamp(message.raw("message"));
    const std::uint64_t offset = message.number("offset");
    if (!stamp || offset == 0) {
      failed_ = "a message without a stamp or an offset";
      return;
    }
    last_heard_ = steady_ns();
    ++deliveries_;
    follow.offset = std::max(follow.offset, offset);
    if (plan_.drop_one_in != 0 && deliveries_ % plan_.drop_one_in == 0) {
      return;
    }
    journal_.write('D', index, follow.channel, std::uint64_t{stamp->publisher},
                   std::uint64_t{stamp->number}, last_heard_, offset);
  }

  const Plan& plan_;
  std::vector<bench::Target> targets_;
  std::vector<std::string> authorities_;
  std::vector<Transport> transports_;
  bench::ClientLoop sockets_;
  HttpClients requests_;
  Journal journal_;
  std::mt19937_64 random_;
  std::vector<Wanderer> all_;
  std::vector<std::size_t> socket_owners_, request_owners_;
  std::uint64_t last_heard_ = 0, deliveries_ = 0, returns_ = 0, recovered_ = 0, caught_up_ = 0;
  std::uint64_t told_ = 0, cut_off_ = 0, refused_ = 0, polls_ = 0;
  std::uint64_t came_over_[std::size(kTransports)] = {};
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
