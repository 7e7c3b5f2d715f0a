#include "subscriber.hpp"

#include <algorithm>

namespace peal::simulation {
namespace {

using namespace std::chrono_literals;
using Wire = Subscriber::Follow::Wire;

}  // namespace

Subscriber::Subscriber(Network& network, Machine& machine, const std::vector<Machine*>& gateways,
                       const Settings& settings, std::uint64_t number,
                       std::vector<std::uint64_t> channels, Journal& journal)
    : world_(network.world()),
      settings_(settings),
      number_(number),
      journal_(journal),
      session_(network, machine, gateways, *this) {
  for (const std::uint64_t channel : channels)
    follows_.emplace_back(channel);
}

void Subscriber::on_connected() {
  for (Follow& follow : follows_)
    ask(follow);
  session_.later(world_.between(500ms, 15s), [this] { wander(); });
}

void Subscriber::on_lost() {
  for (Follow& follow : follows_) {
    follow.wire = Wire::off;
    follow.later = follow.redo = false;
    follow.refusals = 0;
    follow.repaired_at = ~std::uint64_t{0};
  }
}

void Subscriber::wander() {
  if (stays_) return;
  if (world_.one_in(3)) {
    Follow& follow = follows_[world_.below(follows_.size())];
    if (follow.wire == Wire::on && !follow.redo) leave_channel(follow);
    session_.later(world_.between(500ms, 15s), [this] { wander(); });
  } else {
    session_.leave(world_.one_in(4) ? world_.between(3s, 20s) : world_.between(0ms, 500ms));
  }
}

void Subscriber::ask(Follow& follow) {
  follow.wire = Wire::asked;
  std::string payload = R"({"presence":true,"channel":")" + channel_name(follow.channel) + '"';
  if (follow.track.placed())
    payload += R"(,"since":{"epoch":")" + follow.track.epoch() + R"(","offset":)" +
               std::to_string(follow.track.offset()) + '}';
  session_.send("subscribe", payload + '}', [this, &follow](const cli::JsonObject* reply) {
    if (reply != nullptr) asked(follow, *reply);
  });
}

void Subscriber::asked(Follow& follow, const cli::JsonObject& reply) {
  if (reply.has("error")) return refused(follow, reply.object("error"), false);
  follow.wire = Wire::on;
  follow.refusals = 0;
  const cli::JsonObject result = reply.object("result");
  if (!result.has("epoch")) return complaints_.push_back("a channel that keeps no log");
  const bool first = !follow.track.placed();
  const std::uint64_t held = follow.track.offset();
  const std::optional<bool> recovered = follow.track.begin(result);
  if (recovered != true) {
    const auto told = !first;
    journal_.follows(number_, follow.channel, follow.track.epoch(), follow.track.offset(), told);
    if (!result.objects("publications").empty())
      complaints_.push_back("publications with a result that isn't recovered");
    return;
  }
  for (const cli::JsonObject& publication : result.objects("publications"))
    if (publication.number("offset") > held) take(follow, publication);
}

void Subscriber::on_push(const cli::JsonObject& push) {
  const std::string event = push.text("event");
  const std::string channel = push.text("channel");
  const auto found = std::ranges::find_if(
      follows_, [&](const Follow& each) { return channel_name(each.channel) == channel; });
  if (found == follows_.end() || found->redo || found->wire != Wire::on) return;
  Follow& follow = *found;
  if (event == "message" || event == "position") {
    const bool message = event == "message";
    // Some are lost as if a gateway had forgotten them: the next one shows it.
    if (message && !stays_ && world_.one_in(200)) return;
    const bool careless = settings_.plant == Plant::client_accepts_a_hole;
    const Track::Place place = follow.track.pushed(push, message, careless);
    if (place == Track::Place::gap) return repair(follow);
    if (place == Track::Place::fresh && message) take(follow, push);
  } else if (event == "reset") {
    follow.track.reset(push);
    journal_.follows(number_, follow.channel, follow.track.epoch(), follow.track.offset(), true);
  } else if (event == "unsubscribed") {
    refused(follow, push, false);
  }
}

void Subscriber::take(Follow& follow, const cli::JsonObject& publication) {
  const cli::JsonObject message = publication.object("message");
  journal_.heard(number_, follow.channel, message.number("p"), message.number("n"),
                 publication.number("offset"));
}

void Subscriber::repair(Follow& follow) {
  world_.tell("client", number_, "misses something of", follow.channel, follow.track.offset());
  const bool again = follow.repaired_at == follow.track.offset();
  follow.repaired_at = follow.track.offset();
  if (again) return refused(follow, cli::JsonObject(R"({"temporary":true})"), true);
  follow.redo = true;
  leave_channel(follow);
}

void Subscriber::leave_channel(Follow& follow) {
  follow.wire = Wire::leaving;
  const std::string payload = R"({"channel":")" + channel_name(follow.channel) + R"("})";
  session_.send("unsubscribe", payload, [this, &follow](const cli::JsonObject* reply) {
    if (reply == nullptr) return;
    follow.wire = Wire::off;
    // One that left by itself comes back after a while, one that misses something at once.
    const Duration time = std::exchange(follow.redo, false) ? 0ms : world_.between(0ms, 3s);
    if (follow.later) return;
    session_.later(time, [this, &follow] {
      if (follow.wire == Wire::off && !follow.later) ask(follow);
    });
  });
}

void Subscriber::refused(Follow& follow, const cli::JsonObject& error, bool redo) {
  world_.tell("client", number_, "is refused", follow.channel, error.text("code"));
  if (!error.boolean("temporary")) complaints_.push_back("refused for good: " + error.text("code"));
  follow.later = true;
  if (!redo) follow.wire = Wire::off;
  const Duration most = std::min<Duration>(4s, 200ms * (1 << std::min(follow.refusals++, 10)));
  session_.later(world_.between(Duration(0), most), [this, &follow, redo] {
    follow.later = false;
    if (redo && follow.wire == Wire::on) {
      follow.redo = true;
      leave_channel(follow);
    } else if (follow.wire == Wire::off) {
      ask(follow);
    }
  });
}

}  // namespace peal::simulation
