#include "producer.hpp"

#include <algorithm>

namespace peal::simulation {

using namespace std::chrono_literals;
using Outcome = Attempt::Outcome;

Producer::Producer(Network& network, Machine& machine, const std::vector<Machine*>& gateways,
                   std::uint64_t number, std::uint64_t channels, Journal& journal)
    : world_(network.world()),
      number_(number),
      journal_(journal),
      session_(network, machine, gateways, *this),
      pace_(world_.between(50ms, 600ms)) {
  lanes_.resize(channels);
  for (std::size_t i = 0; i < lanes_.size(); ++i)
    lanes_[i].channel = i;
}

bool Producer::idle() const {
  return std::ranges::all_of(lanes_, [](const Lane& lane) { return lane.settled; });
}

void Producer::resume() {
  finishing_ = false;
  if (session_.connected()) on_connected();
}

void Producer::on_connected() {
  for (Lane& lane : lanes_)
    next(lane);
}

/// The next message, or the next attempt, after a while.
void Producer::next(Lane& lane) {
  if (lane.settled && finishing_) return;
  session_.later(world_.between(Duration(0), 2 * pace_), [this, &lane] {
    if (lane.flying || (lane.settled && finishing_)) return;
    if (std::exchange(lane.settled, false)) {
      ++lane.message;
      lane.attempts = 0;
    }
    publish(lane);
  });
}

void Producer::publish(Lane& lane) {
  lane.flying = true;
  lane.attempt = {number_ * kLanes + lane.channel, lane.channel,
                  lane.message * kAttempts + lane.attempts++, journal_.now()};
  const std::string number = std::to_string(lane.attempt.number);
  const std::string publisher = std::to_string(lane.attempt.publisher);
  // Some are larger, so that credit and queues come to their ends.
  const std::string filler(world_.one_in(8) ? world_.below(1500) : 0, 'x');
  session_.send("publish",
                R"({"channel":")" + channel_name(lane.channel) + R"(","source":"p)" + publisher +
                    R"(","sequence":"1-)" + std::to_string(lane.message) + R"(","message":{"p":)" +
                    publisher + R"(,"n":)" + number + R"(,"x":")" + filler + R"("}})",
                [this, &lane](const cli::JsonObject* reply) { answered(lane, reply); });
}

void Producer::answered(Lane& lane, const cli::JsonObject* reply) {
  lane.flying = false;
  Attempt& attempt = lane.attempt;
  attempt.done = journal_.now();
  attempt.outcome = Outcome::unknown;
  if (reply != nullptr && reply->has("result")) {
    const cli::JsonObject result = reply->object("result");
    attempt.outcome = result.boolean("duplicate") ? Outcome::duplicate : Outcome::ok;
    attempt.epoch = result.text("epoch");
    attempt.offset = result.number("offset");
    lane.settled = true;
  } else if (reply != nullptr && reply->object("error").text("code") != "publish_outcome_unknown") {
    attempt.outcome = Outcome::refused;
  }
  journal_.attempted(attempt);
  if (session_.connected()) next(lane);
}

}  // namespace peal::simulation
