// Publishes numbered messages under a source and a sequence, each again and again until it is
// acknowledged, at any of the gateways: what a careful application does. Each channel has `lanes`
// sources, and a source has one publish under way at a time. What was not to be sent in time is
// left out, so an outage is not followed by a wave. When standard input ends what is under way is
// still brought to its end. Prints a line of counts.

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <vector>

#include "arguments.hpp"
#include "bench/client/stamp.hpp"
#include "journal.hpp"
#include "json_text.hpp"
#include "publisher.hpp"
#include "ways.hpp"

namespace peal::swarm {
namespace {

using bench::steady_ns;
using std::chrono::milliseconds;

constexpr std::uint64_t kPauseMin = 10'000'000, kPauseMax = 200'000'000;

struct Plan {
  std::string way, journal;
  std::vector<std::string> targets;
  std::uint64_t publisher = 0;
  std::uint64_t channels = 20;
  std::uint64_t lanes = 1;
  std::uint64_t size = 128;
  double rate = 100;
  milliseconds patience{30'000};
};

struct Lane {
  bool busy = false;       ///< `number` is not acknowledged yet
  bool under_way = false;  ///< and was handed over
  std::uint64_t round = 0;
  std::uint64_t number = 0, sent = 0, tries = 0, again_at = 0, pause = kPauseMin;
};

class Repeater {
 public:
  explicit Repeater(const Plan& plan)
      : plan_(plan), journal_(plan.journal), lanes_(plan.channels * plan.lanes) {}

  int run() {
    start_ = steady_ns();
    while (!input_ended()) {
      turn(true);
    }
    const auto patience = static_cast<std::uint64_t>(plan_.patience.count()) * 1'000'000;
    for (const std::uint64_t end = steady_ns() + patience; busy() != 0 && steady_ns() < end;) {
      turn(false);
    }
    return finish();
  }

 private:
  bool input_ended() {
    if (const std::uint64_t now = steady_ns(); now >= look_at_input_) {
      look_at_input_ = now + 20'000'000;
      pollfd input{STDIN_FILENO, POLLIN, 0};
      char byte = 0;
      ended_ = ended_ || (::poll(&input, 1, 0) > 0 && ::read(STDIN_FILENO, &byte, 1) == 0);
    }
    return ended_;
  }

  void turn(bool more) {
    if (way_ == nullptr && !connect()) {
      return;
    }
    const std::uint64_t now = steady_ns();
    bool linked = true;
    for (std::size_t i = 0; i < lanes_.size() && linked; ++i) {
      Lane& lane = lanes_[i];
      if (!lane.busy && more) begin(lane, i, now);
      if (lane.busy && !lane.under_way && now >= lane.again_at) linked = hand_over(lane, i);
    }
    if (!linked || !way_->wait(-1, milliseconds(2))) lost();
  }

  /// At the next gateway. What the lost one was asked has an unknown outcome.
  bool connect() {
    const std::string& target = plan_.targets[target_++ % plan_.targets.size()];
    way_ = make_way(
        plan_.way, target, {},
        [this](std::uint64_t id, const cli::PublishOutcome& outcome) { took(id, outcome); });
    if (way_ != nullptr && way_->connect(milliseconds(2000))) {
      ++links_;
      return true;
    }
    way_ = nullptr;
    ::poll(nullptr, 0, 50);
    return false;
  }

  void lost() {
    way_ = nullptr;
    for (const auto& [id, index] : attempts_) {
      again(lanes_[index], "link_lost");
    }
    attempts_.clear();
  }

  /// The newest number of the lane that is due.
  void begin(Lane& lane, std::size_t index, std::uint64_t now) {
    const double due = static_cast<double>(now - start_) * plan_.rate / 1e9;
    const auto first = static_cast<double>(index);
    if (due < first) return;
    const auto round =
        static_cast<std::uint64_t>((due - first) / static_cast<double>(lanes_.size()));
    if (round < lane.round) return;
    left_out_ += round - lane.round;
    lane = {.busy = true, .round = round + 1, .number = round * lanes_.size() + index, .sent = now};
    ++begun_;
  }

  bool hand_over(Lane& lane, std::size_t index) {
    cli::PublishText text;
    text.channel = job_channel(channel_of(lane.number));
    text.source = "repeater-" + std::to_string(plan_.publisher) + "-" + std::to_string(index);
    text.sequence = "0-" + std::to_string(lane.number + 1);
    text.message = bench::stamped_message({1, static_cast<std::uint16_t>(plan_.publisher),
                                           static_cast<std::uint32_t>(lane.number), lane.sent},
                                          plan_.size);
    lane.under_way = true;
    ++lane.tries;
    const std::uint64_t id = next_id_++;
    attempts_[id] = index;
    return way_->send(id, text).has_value();
  }
  std::uint64_t channel_of(std::uint64_t number) const {
    return (number + plan_.publisher) % plan_.channels;
  }

  void took(std::uint64_t id, const cli::PublishOutcome& outcome) {
    const auto attempt = attempts_.find(id);
    if (attempt == attempts_.end()) {
      ++strays_;
      return;
    }
    Lane& lane = lanes_[attempt->second];
    attempts_.erase(attempt);
    if (!outcome.done()) {
      return again(lane, outcome.code);
    }
    ++acknowledged_;
    const cli::JsonObject result(outcome.result);
    duplicates_ += result.boolean("duplicate") ? 1 : 0;
    journal(lane, lane.tries == 1 ? "ok" : "kept", result);
    lane.busy = lane.under_way = false;
  }

  void again(Lane& lane, const std::string& code) {
    ++codes_[code];
    lane.under_way = false;
    lane.again_at = steady_ns() + lane.pause;
    lane.pause = std::min(2 * lane.pause, kPauseMax);
  }

  void journal(const Lane& lane, const char* word, const cli::JsonObject& result) {
    const std::uint64_t channel = channel_of(lane.number);
    if (result.has("offset")) {
      journal_.write('P', plan_.publisher, channel, lane.number, lane.sent, word, steady_ns(),
                     result.number("offset"), epoch_number(result.text("epoch")));
    } else {
      journal_.write('P', plan_.publisher, channel, lane.number, lane.sent, word, steady_ns());
    }
  }

  std::uint64_t busy() const {
    return static_cast<std::uint64_t>(std::ranges::count_if(lanes_, &Lane::busy));
  }

  int finish() {
    const std::uint64_t unfinished = busy();
    for (const Lane& lane : lanes_) {
      if (lane.busy) journal(lane, "unknown", {});
    }
    journal_.flush();
    cli::JsonBuilder codes;
    for (const auto& [code, count] : codes_) {
      codes.number(code, count);
    }
    std::cout << cli::JsonBuilder()
                     .number("published", begun_)
                     .number("acknowledged", acknowledged_)
                     .number("duplicates", duplicates_)
                     .number("unfinished", unfinished)
                     .number("left_out", left_out_)
                     .number("links", links_)
                     .number("strays", strays_)
                     .raw("codes", codes.str())
                     .number("seconds", static_cast<double>(steady_ns() - start_) / 1e9)
                     .str()
              << std::endl;
    return 0;
  }

  const Plan& plan_;
  Journal journal_;
  std::unique_ptr<cli::Publisher> way_;
  std::vector<Lane> lanes_;
  std::map<std::uint64_t, std::size_t> attempts_;  ///< by id: whose
  std::uint64_t start_ = 0, look_at_input_ = 0, next_id_ = 1, target_ = 0;
  std::uint64_t begun_ = 0, acknowledged_ = 0, duplicates_ = 0, left_out_ = 0, links_ = 0;
  std::uint64_t strays_ = 0;
  bool ended_ = false;
  std::map<std::string, std::uint64_t> codes_;
};

int main_with(const std::vector<std::string>& words) {
  Plan plan;
  cli::Arguments arguments;
  arguments.word("WAY", plan.way, "websocket or control");
  arguments.option("--target", "WHERE", plan.targets, "URLs or endpoints, one after the other");
  arguments.option("--journal", "FILE", plan.journal, "where to write what became of each");
  arguments.option("--publisher", "N", plan.publisher, "this repeater's number");
  arguments.option("--channels", "N", plan.channels, "channels there are");
  arguments.option("--lanes", "N", plan.lanes, "sources for each channel");
  arguments.option("--size", "BYTES", plan.size, "of a message");
  arguments.option("--rate", "N", plan.rate, "messages a second");
  arguments.option("--patience", "TIME", plan.patience, "for what is under way at the end");
  auto parsed = arguments.parse(words);
  if (!parsed || plan.targets.empty() || plan.journal.empty()) {
    std::cerr << "repeater: " << (parsed ? "needs --target and --journal" : parsed.error().message)
              << "\n";
    return 2;
  }
  return Repeater(plan).run();
}

}  // namespace
}  // namespace peal::swarm

int main(int argc, char** argv) {
  return peal::swarm::main_with(std::vector<std::string>(argv + 1, argv + argc));
}
