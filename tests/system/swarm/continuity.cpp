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
      .number("epochs", epochs)
      .number("followed", followed)
      .number("deliveries", deliveries)
      .number("due", due)
      .number("told", told)
      .number("lost", lost)
      .number("skipped", skipped)
      .number("duplicated", duplicated)
      .number("reordered", reordered)
      .number("phantom", phantom)
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
  Message message;
  if (outcome == "ok" && n.size() == 7) {
    message = {n[1], Outcome::ok, true, n[5], n[6]};
    ++verdict_.ok;
  } else if (outcome == "refused" && n.size() == 5) {
    message = {n[1], Outcome::refused, false, 0, 0};
    ++verdict_.refused;
  } else if (outcome == "unknown" && n.size() == 5) {
    message = {n[1], Outcome::unknown, false, 0, 0};
    ++verdict_.unknown;
  } else {
    return false;  // without a position nothing can be judged
  }
  ++verdict_.publishes;
  const std::uint64_t name = n[0] << 32 | n[2];
  if (!messages_.emplace(name, message).second) {
    return false;
  }
  if (message.placed && !at_[{n[1], n[6]}].emplace(n[5], name).second) {
    fault(verdict_.phantom, "two publications acknowledged at one position", 0, n[1], n[5]);
  }
  return true;
}

void Continuity::begin(const std::vector<std::uint64_t>& n, bool told) {
  Follower& follower = followers_[{n[0], n[1]}];
  verdict_.told += told ? 1 : 0;
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
  if (!message.placed) {
    const auto placed = at_[{n[1], epoch}].emplace(n[5], n[2] << 32 | n[3]);
    if (!placed.second) {
      return false;
    }
    message.placed = true;
    message.offset = n[5];
    message.epoch = epoch;
  }
  return message.offset == n[5] && message.epoch == epoch;
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
  return verdict_;
}

}  // namespace peal::swarm
