#include "judge.hpp"

#include <algorithm>
#include <ostream>

#include "journal_lines.hpp"
#include "json_text.hpp"

namespace peal::swarm {
namespace {

constexpr std::uint64_t kSaidMax = 30;

std::uint64_t pair_of(std::uint64_t a, std::uint64_t b) {
  return a << 32 | b;
}

}  // namespace

std::string Verdict::json() const {
  const double rate = seconds > 0 ? static_cast<double>(publishes) / seconds : 0;
  return cli::JsonBuilder()
      .number("publishes", publishes)
      .number("ok", ok)
      .number("fired", fired)
      .number("refused", refused)
      .number("unknown", unknown)
      .number("seconds", seconds)
      .number("per_second", rate)
      .number("subscriptions", subscriptions)
      .number("deliveries", deliveries)
      .number("due", due)
      .number("lost", lost)
      .number("skipped", skipped)
      .number("duplicated", duplicated)
      .number("reordered", reordered)
      .number("phantom", phantom)
      .number("excused", excused)
      .number("again", again)
      .number("false_results", false_results)
      .number("resets", resets)
      .number("connections_lost", connections_lost)
      .number("back_after_ms", back_after_ms)
      .number("slowest_refusal_ms", slowest_refusal_ms)
      .number("faults", faults())
      .str();
}

bool Judge::read(std::string_view journal) {
  const std::size_t broken =
      each_line(journal, [this](char what, const std::vector<std::uint64_t>& numbers,
                                std::string_view word) { return take(what, numbers, word); });
  if (broken != 0) {
    says_ << "checker: line " << broken << " is no journal line\n";
  }
  return broken == 0;
}

bool Judge::take(char what, const std::vector<std::uint64_t>& n, std::string_view outcome) {
  switch (what) {
    case 'P':
      return (n.size() == 5 || n.size() == 7) && publish(n, outcome);
    case 'S':
    case 'U':
    case 'V':
    case 'R':
      if (n.size() != 3) {
        return false;
      }
      if (what == 'S') {
        subscribe(n[0], n[1], n[2]);
      } else if (what == 'R') {
        ++verdict_.resets;
      } else {
        leave(n[0], n[1], n[2], what == 'V');
      }
      return true;
    case 'X':
      if (n.size() != 2) {
        return false;
      }
      ++verdict_.connections_lost;
      ++connections_[n[0]];
      for (auto it = open_.lower_bound(pair_of(n[0], 0));
           it != open_.end() && it->first >> 32 == n[0]; ++it) {
        leave(n[0], it->first & 0xFFFFFFFF, n[1], true);
      }
      return true;
    case 'D':
      if (n.size() != 5) {
        return false;
      }
      deliver(n);
      return true;
    default:
      return false;
  }
}

bool Judge::publish(const std::vector<std::uint64_t>& n, std::string_view outcome) {
  Message message;
  message.publisher = static_cast<std::uint32_t>(n[0]);
  message.channel = n[1];
  message.number = static_cast<std::uint32_t>(n[2]);
  message.sent = n[3];
  message.done = n[4];
  using Outcome = Message::Outcome;
  if (outcome == "ok") {
    message.outcome = Outcome::ok;
    ++verdict_.ok;
  } else if (outcome == "fired") {
    message.outcome = Outcome::fired;
    ++verdict_.fired;
  } else if (outcome == "refused") {
    message.outcome = Outcome::refused;
    ++verdict_.refused;
  } else if (outcome == "unknown") {
    message.outcome = Outcome::unknown;
    ++verdict_.unknown;
  } else {
    return false;
  }
  ++verdict_.publishes;
  const auto index = static_cast<std::uint32_t>(messages_.size());
  if (!index_.emplace(pair_of(n[0], n[2]), index).second) {
    return false;  // a number used twice proves nothing
  }
  messages_.push_back(message);
  return true;
}

void Judge::subscribe(std::uint64_t client, std::uint64_t channel, std::uint64_t time) {
  if (Subscription* there = current(client, channel); there != nullptr && there->open) {
    return;
  }
  open_[pair_of(client, channel)] = static_cast<std::uint32_t>(subscriptions_.size());
  Subscription subscription;
  subscription.client = client;
  subscription.channel = channel;
  subscription.from = time;
  subscriptions_.push_back(std::move(subscription));
  ++verdict_.subscriptions;
}

Judge::Subscription* Judge::current(std::uint64_t client, std::uint64_t channel) {
  const auto found = open_.find(pair_of(client, channel));
  return found == open_.end() ? nullptr : &subscriptions_[found->second];
}

void Judge::leave(std::uint64_t client, std::uint64_t channel, std::uint64_t time, bool ended) {
  if (Subscription* there = current(client, channel); there != nullptr && there->open) {
    there->until = std::min(there->until, time);
    there->open = !ended;
  }
}

std::uint16_t& Judge::heard_by(std::uint64_t client, std::uint32_t message) {
  auto& flags = heard_[client];
  flags.resize(messages_.size());
  return flags[message];
}

void Judge::fault(std::uint64_t& counter, const char* what, std::uint64_t client,
                  const Message& message) {
  ++counter;
  if (++said_ <= kSaidMax) {
    says_ << "checker: " << what << ": client " << client << ", channel " << message.channel
          << ", publisher " << message.publisher << ", number " << message.number << "\n";
  }
}

void Judge::deliver(const std::vector<std::uint64_t>& n) {
  ++verdict_.deliveries;
  const auto found = index_.find(pair_of(n[2], n[3]));
  if (found == index_.end()) {
    Message stranger;
    stranger.channel = n[1];
    stranger.publisher = static_cast<std::uint32_t>(n[2]);
    stranger.number = static_cast<std::uint32_t>(n[3]);
    fault(verdict_.phantom, "phantom, never published", n[0], stranger);
    return;
  }
  const Message& message = messages_[found->second];
  Subscription* subscription = current(n[0], n[1]);
  if (message.channel != n[1] || message.outcome == Message::Outcome::refused ||
      n[4] < message.sent || subscription == nullptr || !subscription->open) {
    fault(verdict_.phantom, "phantom", n[0], message);
    return;
  }
  std::uint16_t& heard = heard_by(n[0], found->second);
  const auto connection = static_cast<std::uint16_t>(connections_[n[0]] + 1);
  if (heard == connection) {
    fault(verdict_.duplicated, "duplicated", n[0], message);
    return;
  }
  verdict_.again += heard != 0 ? 1 : 0;
  heard = connection;
  subscription->heard.push_back(found->second);
}

void Judge::order_channels() {
  std::map<std::uint64_t, const Subscription*> best;
  for (const Subscription& subscription : subscriptions_) {
    const Subscription*& there = best[subscription.channel];
    if (there == nullptr || there->heard.size() < subscription.heard.size()) {
      there = &subscription;
    }
  }
  for (const auto& [channel, subscription] : best) {
    order_[channel] = subscription->heard;
    for (std::size_t i = 0; i < subscription->heard.size(); ++i) {
      messages_[subscription->heard[i]].position = static_cast<std::int64_t>(i);
    }
  }
  for (std::uint32_t i = 0; i < messages_.size(); ++i) {
    by_sent_[messages_[i].channel].push_back(i);
  }
  for (auto& [channel, list] : by_sent_) {
    std::sort(list.begin(), list.end(), [&](std::uint32_t a, std::uint32_t b) {
      return messages_[a].sent < messages_[b].sent;
    });
  }
}

void Judge::check_order(const Subscription& subscription) {
  std::int64_t position = -1;
  std::map<std::uint32_t, std::uint32_t> last;  // by publisher: the number expected at least
  for (const std::uint32_t index : subscription.heard) {
    const Message& message = messages_[index];
    std::uint32_t& least = last[message.publisher];
    const bool back = message.position >= 0 && message.position < position;
    if (back || message.number < least) {
      fault(verdict_.reordered, "reordered", subscription.client, message);
    }
    position = std::max(position, message.position);
    least = std::max(least, message.number + 1);
  }
}

bool Judge::excused(const Message& message) const {
  return rules_.killed_ns != 0 && message.done + 1'000'000'000 > rules_.killed_ns &&
         message.sent < rules_.restarted_ns + rules_.back_ns;
}

void Judge::check_complete(const Subscription& subscription) {
  const std::uint32_t look = ++look_;
  std::int64_t first = -1;
  std::int64_t last = -1;
  for (const std::uint32_t index : subscription.heard) {
    const std::int64_t position = messages_[index].position;
    if (position >= 0) {
      first = first < 0 ? position : std::min(first, position);
      last = std::max(last, position);
    }
  }
  const auto consider = [&](std::uint32_t index) {
    Message& message = messages_[index];
    if (message.looked_at == look || message.outcome == Message::Outcome::refused ||
        message.outcome == Message::Outcome::unknown) {
      return;
    }
    const bool between = first >= 0 && message.position > first && message.position < last;
    const bool before_last = message.position >= 0 && message.position < last;
    const bool began = message.sent >= subscription.from || between;
    const bool still =
        subscription.until - message.done >= rules_.settle_ns && message.done <= subscription.until;
    if (!began || !(still || before_last)) {
      return;
    }
    message.looked_at = look;
    ++verdict_.due;
    if (heard_by(subscription.client, index) != 0) {
      return;
    }
    if (excused(message)) {
      ++verdict_.excused;
    } else if (before_last) {
      fault(verdict_.skipped, "skipped", subscription.client, message);
    } else {
      fault(verdict_.lost, "lost", subscription.client, message);
    }
  };
  const auto& sent = by_sent_[subscription.channel];
  auto at = std::lower_bound(
      sent.begin(), sent.end(), subscription.from,
      [&](std::uint32_t index, std::uint64_t time) { return messages_[index].sent < time; });
  for (; at != sent.end() && messages_[*at].sent <= subscription.until; ++at) {
    consider(*at);
  }
  const auto& order = order_[subscription.channel];
  for (std::int64_t i = first; i >= 0 && i <= last; ++i) {
    consider(order[static_cast<std::size_t>(i)]);
  }
}

void Judge::check_outage() {
  if (rules_.killed_ns == 0) {
    return;
  }
  std::uint64_t back = 0;
  for (const Message& message : messages_) {
    const bool ok = message.outcome == Message::Outcome::ok;
    if (ok && message.done > rules_.killed_ns + rules_.grace_ns &&
        message.done < rules_.restarted_ns) {
      fault(verdict_.false_results, "a result while no broker was alive", 0, message);
    }
    if (ok && message.sent >= rules_.restarted_ns) {
      back = back == 0 ? message.done : std::min(back, message.done);
    }
    if (message.sent > rules_.killed_ns && message.sent < rules_.restarted_ns &&
        message.outcome != Message::Outcome::fired) {
      verdict_.slowest_refusal_ms = std::max(
          verdict_.slowest_refusal_ms, static_cast<double>(message.done - message.sent) / 1e6);
    }
  }
  verdict_.back_after_ms = back == 0 ? -1 : static_cast<double>(back - rules_.restarted_ns) / 1e6;
}

Verdict Judge::verdict() {
  order_channels();
  for (const Subscription& subscription : subscriptions_) {
    check_order(subscription);
    check_complete(subscription);
  }
  check_outage();
  std::uint64_t first = ~std::uint64_t{0};
  std::uint64_t last = 0;
  for (const Message& message : messages_) {
    first = std::min(first, message.sent);
    last = std::max(last, message.done);
  }
  verdict_.seconds = messages_.empty() ? 0 : static_cast<double>(last - first) / 1e9;
  return verdict_;
}

}  // namespace peal::swarm
