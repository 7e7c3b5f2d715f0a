#include "continuity.hpp"

#include <algorithm>
#include <ostream>
#include <set>

#include "journal_lines.hpp"
#include "json_text.hpp"

namespace peal::swarm {
namespace {

constexpr std::uint64_t kSaidMax = 30;

}  // namespace

std::string ContinuityVerdict::json() const {
  return cli::JsonBuilder()
      .number("publishes", publishes)
      .number("ok", ok)
      .number("refused", refused)
      .number("unknown", unknown)
      .number("kept", kept)
      .number("unheard", unheard)
      .number("epochs", epochs)
      .number("followed", followed)
      .number("deliveries", deliveries)
      .number("due", due)
      .number("told", told)
      .number("told_min", told_min)
      .number("told_max", told_max)
      .number("lost", lost)
      .number("skipped", skipped)
      .number("duplicated", duplicated)
      .number("reordered", reordered)
      .number("phantom", phantom)
      .number("stale", stale)
      .number("false_results", false_results)
      .number("back_after_ms", back_after_ms)
      .number("silence_ms", silence_ms)
      .number("seconds", seconds)
      .number("per_second", per_second)
      .number("faults", faults())
      .str();
}

bool Continuity::read(std::string_view journal) {
  using Numbers = std::vector<std::uint64_t>;
  const auto take = [&](char letter, const Numbers& n, std::string_view word) {
    switch (letter) {
      case 'P':
        return publish(n, word);
      case 'B':
        if (n.size() != 5 || (word != "first" && word != "told")) {
          return false;
        }
        begin(n, word == "told");
        return true;
      case 'D':
        if (n.size() != 6) {
          return false;
        }
        deliver(n);
        return true;
      case 'E':
        if (n.size() != 3) {
          return false;
        }
        followers_[{n[0], n[1]}].told_end = true;
        return true;
      default:
        return false;
    }
  };
  const std::size_t broken = each_line(journal, take);
  if (broken != 0) {
    says_ << "checker: line " << broken << " is no journal line\n";
  }
  return broken == 0;
}

bool Continuity::publish(const std::vector<std::uint64_t>& n, std::string_view outcome) {
  if (n.size() != 5 && n.size() != 7) {
    return false;
  }
  const bool placed = n.size() == 7;
  Message message{.channel = n[1], .sent = n[3], .places = {}};
  if (outcome == "ok" && placed) {
    message.outcome = Outcome::ok;
    ++verdict_.ok;
  } else if (outcome == "kept") {
    message.outcome = Outcome::kept;
    ++verdict_.kept;
  } else if (outcome == "refused" && !placed) {
    message.outcome = Outcome::refused;
    ++verdict_.refused;
  } else if (outcome == "unknown" && !placed) {
    message.outcome = Outcome::unknown;
    ++verdict_.unknown;
  } else {
    return false;  // without a position nothing can be judged
  }
  ++verdict_.publishes;
  const std::uint64_t name = n[0] << 32 | n[2];
  const std::uint64_t done = n[4];
  const bool acknowledged = message.outcome == Outcome::ok || message.outcome == Outcome::kept;
  if (placed) {
    message.places[n[6]] = n[5];
  }
  if (!messages_.emplace(name, std::move(message)).second) {
    return false;
  }
  if (placed && !at_[{n[1], n[6]}].emplace(n[5], name).second) {
    fault(verdict_.phantom, "two publications acknowledged at one position", 0, n[1], n[5]);
  }
  if (acknowledged) {
    first_sent_ = std::min(first_sent_, n[3]);
    last_done_ = std::max(last_done_, done);
    if (rules_.killed_ns != 0 && done > rules_.killed_ns + rules_.grace_ns &&
        done < rules_.restarted_ns) {
      fault(verdict_.false_results, "acknowledged by nobody", n[0], n[1], placed ? n[5] : 0);
    }
  }
  return true;
}

void Continuity::begin(const std::vector<std::uint64_t>& n, bool told) {
  Follower& follower = followers_[{n[0], n[1]}];
  verdict_.told += told ? 1 : 0;
  follower.told += told ? 1 : 0;
  if (follower.epoch != 0 && follower.epoch != n[3]) {
    follower.left.push_back(follower.epoch);
  }
  if (std::ranges::find(follower.left, n[3]) != follower.left.end()) {
    fault(verdict_.stale, "follows an epoch again that it had left", n[0], n[1], n[4]);
  }
  // What was missing before it was told is what it was told of.
  follower.missing.clear();
  follower.epoch = n[3];
  follower.next = n[4] + 1;
}

void Continuity::deliver(const std::vector<std::uint64_t>& n) {
  ++verdict_.deliveries;
  const std::uint64_t offset = n[5];
  const auto follower = followers_.find({n[0], n[1]});
  const auto message = messages_.find(n[2] << 32 | n[3]);
  if (follower == followers_.end() || message == messages_.end() ||
      !belongs(message->second, n, follower->second.epoch)) {
    return fault(verdict_.phantom, "phantom", n[0], n[1], offset);
  }
  Follower& at = follower->second;
  listen(at, message->second, n[4]);
  if (offset < at.next) {
    if (std::erase(at.missing, offset) != 0) {
      return fault(verdict_.reordered, "reordered", n[0], n[1], offset);
    }
    return fault(verdict_.duplicated, "duplicated", n[0], n[1], offset);
  }
  for (; at.next < offset; ++at.next) {
    at.missing.push_back(at.next);
  }
  ++at.next;
}

bool Continuity::belongs(Message& message, const std::vector<std::uint64_t>& n,
                         std::uint64_t epoch) {
  if (message.outcome == Outcome::refused || message.channel != n[1]) {
    return false;
  }
  const auto place = message.places.find(epoch);
  if (place != message.places.end()) {
    return place->second == n[5];
  }
  // Of the others it is not known where they stand, or not where else.
  if (message.outcome == Outcome::ok ||
      !at_[{n[1], epoch}].emplace(n[5], n[2] << 32 | n[3]).second) {
    return false;
  }
  message.places[epoch] = n[5];
  return true;
}

/// When it heard of what: how long it was silent while there were publications, and when it was
/// back after the outage.
void Continuity::listen(Follower& follower, const Message& message, std::uint64_t time) const {
  const std::uint64_t before = follower.heard_at;
  follower.heard_at = time;
  if (before != 0 && time > before) {
    follower.silence = std::max(follower.silence, time - before);
  }
  if (follower.back_at == 0 && message.sent >= rules_.restarted_ns) {
    follower.back_at = time;
  }
}

void Continuity::finish(const Key& key, Follower& follower) {
  const auto& [client, channel] = key;
  for (const std::uint64_t offset : follower.missing) {
    fault(verdict_.skipped, "skipped", client, channel, offset);
  }
  if (!follower.told_end || follower.next == 0) {
    return;
  }
  const auto log = at_.find({channel, follower.epoch});
  const std::uint64_t top =
      log == at_.end() || log->second.empty() ? 0 : log->second.rbegin()->first;
  for (std::uint64_t offset = follower.next; offset <= top; ++offset) {
    fault(verdict_.lost, "lost", client, channel, offset);
  }
}

void Continuity::fault(std::uint64_t& counter, const char* what, std::uint64_t client,
                       std::uint64_t channel, std::uint64_t offset) {
  ++counter;
  if (++said_ <= kSaidMax) {
    says_ << "checker: " << what << ": client " << client << ", channel " << channel << ", offset "
          << offset << "\n";
  }
}

ContinuityVerdict Continuity::verdict() {
  for (auto& [key, follower] : followers_) {
    finish(key, follower);
  }
  verdict_.followed = followers_.size();
  verdict_.due = verdict_.deliveries - verdict_.duplicated - verdict_.phantom + verdict_.lost +
                 verdict_.skipped;
  verdict_.epochs = at_.size();
  sum_up();
  return verdict_;
}

void Continuity::sum_up() {
  bool all_back = !followers_.empty();
  std::uint64_t last_back = rules_.restarted_ns;
  std::uint64_t silence = 0;
  verdict_.told_min = followers_.empty() ? 0 : ~std::uint64_t{0};
  for (const auto& [key, follower] : followers_) {
    verdict_.told_min = std::min(verdict_.told_min, follower.told);
    verdict_.told_max = std::max(verdict_.told_max, follower.told);
    silence = std::max(silence, follower.silence);
    all_back = all_back && follower.back_at != 0;
    last_back = std::max(last_back, follower.back_at);
  }
  verdict_.silence_ms = static_cast<double>(silence) / 1e6;
  if (rules_.restarted_ns != 0 && all_back) {
    verdict_.back_after_ms = static_cast<double>(last_back - rules_.restarted_ns) / 1e6;
  }
  for (const auto& [name, message] : messages_) {
    verdict_.unheard += message.outcome == Outcome::kept && message.places.empty() ? 1 : 0;
  }
  if (last_done_ > first_sent_) {
    verdict_.seconds = static_cast<double>(last_done_ - first_sent_) / 1e9;
    verdict_.per_second = static_cast<double>(verdict_.ok + verdict_.kept) / verdict_.seconds;
  }
}

}  // namespace peal::swarm
