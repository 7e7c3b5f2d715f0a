// Publishes numbered messages to all channels in turn, by one of four ways, as fast as they are
// answered (or at --rate), and writes what became of each. Ends after --count messages, or when
// standard input ends
// (--count 0). Prints a line of counts.

#include <poll.h>
#include <unistd.h>

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

struct Plan {
  std::string way, target, journal, peal;
  std::uint64_t publisher = 0;
  std::uint64_t count = 0;
  std::uint64_t channels = 20;
  std::uint64_t size = 128;
  std::uint64_t window = 64;
  double rate = 0;
  std::chrono::milliseconds patience{30'000};
};

class Producer {
 public:
  explicit Producer(const Plan& plan) : plan_(plan), journal_(plan.journal) {}

  int run() {
    const auto on_result = [this](std::uint64_t id, const cli::PublishOutcome& outcome) {
      took(id, outcome);
    };
    way_ = make_way(plan_.way, plan_.target, plan_.peal, on_result);
    if (way_ == nullptr) {
      std::cerr << "producer: no way '" << plan_.way << "'\n";
      return 2;
    }
    if (auto connected = way_->connect(plan_.patience); !connected) {
      return ended_by(connected.error());
    }
    const std::uint64_t start = steady_ns();
    while (more()) {
      const std::uint64_t now = steady_ns();
      while (pending_.size() < plan_.window && more() && due(start) <= now && now >= pause_until_) {
        if (auto sent = publish(); !sent) {
          return ended_by(sent.error());
        }
      }
      if (auto waited = way_->wait(
              -1, std::chrono::milliseconds(pending_.size() < plan_.window && plan_.rate == 0 &&
                                                    pause_until_ <= now
                                                ? 0
                                                : 2));
          !waited) {
        return ended_by(waited.error());
      }
    }
    const auto patience = static_cast<std::uint64_t>(plan_.patience.count()) * 1'000'000;
    for (const std::uint64_t end = steady_ns() + patience;
         !pending_.empty() && steady_ns() < end;) {
      if (auto waited = way_->wait(-1, std::chrono::milliseconds(20)); !waited) {
        return ended_by(waited.error());
      }
    }
    way_->finish(plan_.patience);
    finish(static_cast<double>(steady_ns() - start) / 1e9);
    return pending_.empty() ? 0 : 1;
  }

 private:
  struct Sent {
    std::uint64_t channel, at;
  };

  bool more() {
    if (plan_.count != 0) {
      return next_ < plan_.count;
    }
    if (steady_ns() >= look_at_input_) {
      look_at_input_ = steady_ns() + 20'000'000;
      pollfd input{STDIN_FILENO, POLLIN, 0};
      char byte = 0;
      input_ended_ =
          input_ended_ || (::poll(&input, 1, 0) > 0 && ::read(STDIN_FILENO, &byte, 1) == 0);
    }
    return !input_ended_;
  }

  std::uint64_t due(std::uint64_t start) const {
    return plan_.rate == 0
               ? 0
               : start + static_cast<std::uint64_t>(static_cast<double>(next_) * 1e9 / plan_.rate);
  }

  cli::Outcome<void> publish() {
    const std::uint64_t number = next_++;
    cli::PublishText text;
    const std::uint64_t channel = (number + plan_.publisher) % plan_.channels;
    text.channel = job_channel(channel);
    const std::uint64_t now = steady_ns();
    const auto publisher = static_cast<std::uint16_t>(plan_.publisher);
    text.message =
        bench::stamped_message({1, publisher, static_cast<std::uint32_t>(number), now}, plan_.size);
    pending_[number + 1] = {channel, now};
    return way_->send(number + 1, text);
  }

  void took(std::uint64_t id, const cli::PublishOutcome& outcome) {
    const auto found = pending_.find(id);
    if (found == pending_.end()) {
      std::cerr << "producer: an answer to nothing: " << id << "\n";
      ++strays_;
      return;
    }
    const char* word = outcome.done() ? (plan_.way == "ingest" ? "fired" : "ok")
                       : outcome.code == "publish_outcome_unknown" ? "unknown"
                                                                   : "refused";
    ++counts_[word];
    if (!outcome.done()) {
      ++codes_[outcome.code];
      pause_until_ =
          steady_ns() + 10'000'000;  // what is refused now would be refused again at once
    }
    const Sent& sent = found->second;
    const cli::JsonObject result(outcome.result);
    if (outcome.done() && result.has("offset")) {
      journal_.write('P', plan_.publisher, sent.channel, id - 1, sent.at, word, steady_ns(),
                     result.number("offset"), epoch_number(result.text("epoch")));
    } else {
      journal_.write('P', plan_.publisher, sent.channel, id - 1, sent.at, word, steady_ns());
    }
    pending_.erase(found);
  }

  int ended_by(const cli::Failure& failure) {
    std::cerr << "producer: " << failure.message << "\n";
    finish(0);
    return 3;
  }

  /// What was never answered may have happened.
  void finish(double seconds) {
    for (const auto& [id, sent] : pending_) {
      journal_.write('P', plan_.publisher, sent.channel, id - 1, sent.at, "unknown", steady_ns());
    }
    journal_.flush();
    cli::JsonBuilder codes;
    for (const auto& [code, count] : codes_) {
      codes.number(code, count);
    }
    std::cout << cli::JsonBuilder()
                     .text("way", plan_.way)
                     .number("sent", next_)
                     .number("ok", counts_["ok"])
                     .number("fired", counts_["fired"])
                     .number("refused", counts_["refused"])
                     .number("unknown", counts_["unknown"])
                     .number("unanswered", static_cast<std::uint64_t>(pending_.size()))
                     .number("strays", strays_)
                     .raw("codes", codes.str())
                     .number("seconds", seconds)
                     .str()
              << std::endl;
  }

  const Plan& plan_;
  Journal journal_;
  std::unique_ptr<cli::Publisher> way_;
  std::map<std::uint64_t, Sent> pending_;
  std::uint64_t next_ = 0, strays_ = 0, look_at_input_ = 0, pause_until_ = 0;
  bool input_ended_ = false;
  std::map<std::string, std::uint64_t> counts_, codes_;
};

int main_with(const std::vector<std::string>& words) {
  Plan plan;
  cli::Arguments arguments;
  arguments.word("WAY", plan.way, "websocket, control, ingest or cli");
  arguments.option("--target", "WHERE", plan.target, "URL or endpoint");
  arguments.option("--peal", "PATH", plan.peal, "the command line, for cli");
  arguments.option("--journal", "FILE", plan.journal, "where to write what became of each");
  arguments.option("--publisher", "N", plan.publisher, "this producer's number");
  arguments.option("--count", "N", plan.count, "messages; 0: until standard input ends");
  arguments.option("--channels", "N", plan.channels, "channels there are");
  arguments.option("--size", "BYTES", plan.size, "of a message");
  arguments.option("--window", "N", plan.window, "unanswered at a time");
  arguments.option("--rate", "N", plan.rate, "a second; 0: as fast as they are answered");
  auto parsed = arguments.parse(words);
  if (!parsed || plan.target.empty() || plan.journal.empty()) {
    std::cerr << "producer: " << (parsed ? "needs --target and --journal" : parsed.error().message)
              << "\n";
    return 2;
  }
  return Producer(plan).run();
}

}  // namespace
}  // namespace peal::swarm

int main(int argc, char** argv) {
  return peal::swarm::main_with(std::vector<std::string>(argv + 1, argv + argc));
}
