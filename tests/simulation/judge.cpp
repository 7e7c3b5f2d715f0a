#include "judge.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "continuity.hpp"
#include "run.hpp"

namespace peal::simulation {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kKeepsAll = 100'000;

std::uint64_t number_of(std::string_view payload, std::string_view name) {
  return cli::JsonObject(payload).number(name);
}

}  // namespace

Position Judge::current(Run& run, const std::string& channel) {
  Position found{};
  for (const Run::Broker& broker : run.brokers_) {
    if (!broker.life || !broker.life->serves(channel)) continue;
    broker.life->router().core().channels({}, 1000, [&](const broker::Core::ChannelInfo& info) {
      if (info.name == channel && info.head) found = info.head->position();
    });
  }
  return found;
}

void Judge::judge() {
  for (const Run::Client& client : run_.clients_) {
    if (!client.subscriber) continue;
    for (const Subscriber::Follow& follow : client.subscriber->follows())
      if (follow.track.placed()) run_.journal_.stayed(client.subscriber->number(), follow.channel);
    for (const std::string& complaint : client.subscriber->complaints())
      run_.fault(client.machine->name + ": " + complaint);
  }
  judge_continuity();
  judge_attempts();
  judge_truth();
  judge_silence();
  judge_told();
  judge_servers();
  judge_presence();
}

void Judge::judge_continuity() {
  std::ostringstream says;
  swarm::Continuity continuity({}, says);
  if (!continuity.read(run_.journal_.text())) run_.fault("the journal is broken");
  const swarm::ContinuityVerdict verdict = continuity.verdict();
  // A gateway that was cut off may tell of the epoch before, until it notices: told twice is told.
  if (verdict.faults() != verdict.stale) run_.fault(verdict.json() + "\n" + says.str());
}

/// What a publisher was told is so.
void Judge::judge_attempts() {
  for (const Attempt& attempt : run_.journal_.attempts()) {
    if (attempt.outcome != Attempt::Outcome::ok) continue;
    const auto epoch = Epoch::parse(attempt.epoch);
    const Position position{epoch.value_or(Epoch()), {attempt.offset}};
    const std::string_view payload = run_.truth_.at(channel_name(attempt.channel), position);
    if (payload.empty() || number_of(payload, "p") != attempt.publisher ||
        number_of(payload, "n") != attempt.number)
      run_.fault("acknowledged, and not there: publisher " + std::to_string(attempt.publisher) +
                 ", number " + std::to_string(attempt.number) + " at " + position.to_string());
  }
}

void Judge::judge_truth() {
  for (const std::string& contradiction : run_.truth_.contradictions())
    run_.fault(contradiction);
  std::set<std::tuple<std::string, Epoch, std::uint64_t, std::uint64_t>> seen;
  std::map<std::string, std::set<Epoch>> epochs;
  for (const Truth::Taken& taken : run_.truth_.all()) {
    epochs[taken.channel].insert(taken.position.epoch);
    const std::uint64_t message = number_of(taken.payload, "n") / Producer::kAttempts;
    const std::uint64_t publisher = number_of(taken.payload, "p");
    if (!seen.emplace(taken.channel, taken.position.epoch, publisher, message).second)
      run_.fault("published twice: publisher " + std::to_string(publisher) + ", message " +
                 std::to_string(message) + " of " + taken.channel);
  }
  for (const auto& [channel, all] : epochs)
    if (run_.settings_.store == StoreKind::disk && all.size() > 1)
      run_.fault(channel + " has " + std::to_string(all.size()) + " epochs on one disk");
}

/// What was acknowledged in one epoch while somebody followed another one is lost to that one, who
/// has to be told of it: nobody follows an epoch on in which it isn't.
void Judge::judge_silence() {
  std::map<std::string, std::vector<const Truth::Taken*>> acknowledged;  // by channel
  for (const Attempt& attempt : run_.journal_.attempts()) {
    if (attempt.outcome != Attempt::Outcome::ok) continue;
    const std::string channel = channel_name(attempt.channel);
    const auto epoch = Epoch::parse(attempt.epoch);
    const Position position{epoch.value_or(Epoch()), {attempt.offset}};
    if (const auto* taken = run_.truth_.taken(channel, position))
      acknowledged[channel].push_back(taken);
  }
  for (const auto& [follower, begun] : run_.journal_.last_begun()) {
    const auto& [client, channel] = follower;
    for (const Truth::Taken* taken : acknowledged[channel_name(channel)]) {
      if (taken->when <= begun.when || taken->position.epoch.view() == begun.epoch) continue;
      run_.fault("client " + std::to_string(client) + " follows " + begun.epoch + " of " +
                 taken->channel + " and was never told that " + taken->position.to_string() +
                 " was acknowledged elsewhere");
      break;
    }
  }
}

/// Nobody is told that the past is gone when it is there.
void Judge::judge_told() {
  const bool past_may_go = run_.broker_crashes_ > 0 || run_.settings_.brokers > 1;
  if (run_.settings_.store == StoreKind::memory && past_may_go) return;
  for (const auto& [channel, told] : run_.journal_.told_by_channel())
    if (run_.settings_.kept[channel] == kKeepsAll)
      run_.fault(std::to_string(told) + " were told that the past of " + channel_name(channel) +
                 " is gone");
}

/// Of several brokers one serves a channel, once they all see each other.
void Judge::judge_servers() {
  for (std::uint64_t i = 0; i < run_.settings_.channels; ++i) {
    const std::string channel = channel_name(i);
    const auto servers = std::ranges::count_if(run_.brokers_, [&](const Run::Broker& broker) {
      return broker.life && broker.life->serves(channel);
    });
    if (servers != 1) run_.fault(std::to_string(servers) + " brokers serve " + channel);
  }
}

void Judge::judge_presence() {
  std::map<std::string, std::set<std::string>> there;  // by channel
  for (const Run::Client& client : run_.clients_)
    if (client.subscriber)
      for (const Subscriber::Follow& follow : client.subscriber->follows())
        there[channel_name(follow.channel)].insert(client.subscriber->session().id());
  for (const Run::Broker& broker : run_.brokers_) {
    if (!broker.life) continue;
    for (const auto& [channel, sessions] : there) {
      if (!broker.life->serves(channel)) continue;
      std::set<std::string> said;
      broker.life->router().look({0, channel, {}, 1000}, [&](const bus::PresenceAnswer& answer) {
        for (const bus::Member& member : answer.members)
          said.emplace(member.session);
      });
      for (const std::string& session : said)
        if (!sessions.contains(session)) run_.world_.tell(session, "isn't in", channel);
      if (said != sessions)
        run_.fault(std::to_string(sessions.size()) + " sessions are in " + channel + ", " +
                   std::to_string(said.size()) + " are said to be");
    }
  }
}

}  // namespace peal::simulation
