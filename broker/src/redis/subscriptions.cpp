#include "redis/subscriptions.hpp"

#include <algorithm>

namespace peal::redis {

void Subscriptions::subscribe(std::string_view channel) {
  const auto [found, fresh] = entries_.try_emplace(std::string(channel));
  if (!fresh) return;
  found->second.slot = sharded_ ? slot_of(channel) : std::uint16_t{0};
  ask(found->first, found->second);
}

void Subscriptions::unsubscribe(std::string_view channel) {
  const auto found = entries_.find(channel);
  if (found == entries_.end()) return;
  const LinkId link = found->second.link;
  entries_.erase(found);
  if (link != 0) leave(std::string(channel), link);
}

void Subscriptions::listen(Topic topic) {
  const auto [found, fresh] = topics_.try_emplace(std::move(topic));
  if (fresh) seat(found->first, found->second);
}

/// Asks wherever it belongs and is not asked for yet, and leaves where it doesn't.
void Subscriptions::seat(const Topic& topic, Seats& seats) {
  std::vector<LinkId> wanted;
  if (topic.everywhere) {
    wanted = actions_.homes();
  } else if (const LinkId link = actions_.home(sharded_ ? slot_of(topic.name) : 0); link != 0) {
    wanted = {link};
  }
  std::vector<LinkId> leaving;
  for (const auto& [link, seat] : seats) {
    if (std::ranges::find(wanted, link) == wanted.end()) leaving.push_back(link);
  }
  for (const LinkId link : leaving) {
    asked_[link].push_back({false, topic.name, 0, topic.pattern});
    actions_.say(link, {topic.pattern ? "PUNSUBSCRIBE" : "UNSUBSCRIBE", topic.name});
    unseat(topic, seats, link);
  }
  for (const LinkId link : wanted) {
    const auto [found, fresh] = seats.try_emplace(link, Seat{turn_ + 1});
    if (!fresh) continue;
    asked_[link].push_back({true, topic.name, ++turn_, topic.pattern});
    actions_.say(link, {topic.pattern ? "PSUBSCRIBE" : "SUBSCRIBE", topic.name});
  }
}

void Subscriptions::unseat(const Topic& topic, Seats& seats, LinkId link) {
  const auto found = seats.find(link);
  if (found == seats.end()) return;
  const bool told = found->second.confirmed;
  seats.erase(found);
  if (told) actions_.deaf(topic);
}

Subscriptions::Topics::value_type* Subscriptions::asked_in(LinkId link, std::uint64_t turn) {
  for (auto& each : topics_) {
    const auto found = each.second.find(link);
    if (found != each.second.end() && found->second.turn == turn) return &each;
  }
  return nullptr;
}

bool Subscriptions::subscribed(std::string_view channel) const {
  const auto found = entries_.find(channel);
  return found != entries_.end() && found->second.confirmed;
}

void Subscriptions::ask(const std::string& channel, Entry& entry) {
  entry.link = actions_.home(entry.slot);
  entry.confirmed = false;
  if (entry.link == 0) return;
  entry.turn = ++turn_;
  asked_[entry.link].push_back({true, channel, entry.turn});
  actions_.say(entry.link, {sharded_ ? "SSUBSCRIBE" : "SUBSCRIBE", channel});
}

void Subscriptions::leave(const std::string& channel, LinkId link) {
  asked_[link].push_back({false, channel, 0});
  actions_.say(link, {sharded_ ? "SUNSUBSCRIBE" : "UNSUBSCRIBE", channel});
}

std::vector<std::string> Subscriptions::channels_that(
    const std::function<bool(const Entry&)>& apply) const {
  std::vector<std::string> channels;
  for (const auto& [channel, entry] : entries_) {
    if (apply(entry)) channels.push_back(channel);
  }
  return channels;
}

void Subscriptions::lose(const std::string& channel) {
  const auto found = entries_.find(channel);
  if (found == entries_.end()) return;
  const bool told = found->second.confirmed;
  found->second.link = 0;
  found->second.confirmed = false;
  if (told) actions_.broken(channel);
}

void Subscriptions::on_deaf(LinkId link) {
  asked_.erase(link);
  for (const auto& channel : channels_that([link](const Entry& e) { return e.link == link; })) {
    lose(channel);
  }
  for (auto& [topic, seats] : topics_)
    unseat(topic, seats, link);
}

void Subscriptions::rehome() {
  const auto away = [this](const Entry& e) {
    return e.link == 0 || e.link != actions_.home(e.slot);
  };
  for (const std::string& channel : channels_that(away)) {
    const auto found = entries_.find(channel);
    if (found == entries_.end()) continue;  // the owner left it meanwhile
    const LinkId link = found->second.link;
    if (link != 0) {
      leave(channel, link);
      lose(channel);
    }
    const auto again = entries_.find(channel);
    if (again != entries_.end() && again->second.link == 0) ask(channel, again->second);
  }
  for (auto& [topic, seats] : topics_)
    seat(topic, seats);
}

Verdict Subscriptions::on_push(LinkId link, const Reply& reply, std::string_view host) {
  if (reply.is_error()) return on_error(link, reply, host);
  const bool of_pattern = reply.elements.size() == 4 && reply.elements[0].text == "pmessage";
  if (reply.elements.size() != 3 && !of_pattern) return {.kind = Verdict::Kind::failed};
  const std::string& kind = reply.elements[0].text;
  const std::string& channel = reply.elements[1].text;
  if (of_pattern) {
    on_said(link, true, channel, reply.elements[2].text, reply.elements[3].text);
  } else if (kind == "message" || kind == "smessage") {
    on_said(link, false, channel, channel, reply.elements[2].text);
  } else if (kind == "subscribe" || kind == "ssubscribe" || kind == "psubscribe") {
    on_confirmed(link, channel, kind == "psubscribe");
  } else if (kind == "unsubscribe" || kind == "sunsubscribe" || kind == "punsubscribe") {
    return on_left(link, channel);
  } else {
    return {.kind = Verdict::Kind::failed};
  }
  return {};
}

void Subscriptions::on_said(LinkId link, bool pattern, const std::string& name,
                            const std::string& channel, const std::string& payload) {
  for (const bool everywhere : {false, true}) {
    const auto topic = topics_.find(Topic{name, pattern, everywhere});
    if (topic == topics_.end()) continue;
    const auto seat = topic->second.find(link);
    if (seat != topic->second.end() && seat->second.confirmed)
      actions_.heard(topic->first, channel, payload);
  }
  if (pattern) return;
  const auto found = entries_.find(channel);
  if (found != entries_.end() && found->second.confirmed && found->second.link == link)
    actions_.message(channel, payload);
}

void Subscriptions::on_confirmed(LinkId link, const std::string& channel, bool pattern) {
  auto& asked = asked_[link];
  if (asked.empty() || !asked.front().subscribe || asked.front().channel != channel ||
      asked.front().pattern != pattern) {
    return;
  }
  const std::uint64_t turn = asked.front().turn;
  asked.pop_front();
  if (auto* topic = asked_in(link, turn)) {
    topic->second[link].confirmed = true;
    return actions_.listening(topic->first);
  }
  const auto found = entries_.find(channel);
  if (found == entries_.end() || found->second.turn != turn || found->second.link != link) return;
  found->second.confirmed = true;
  actions_.subscribed(channel);
}

Verdict Subscriptions::on_left(LinkId link, const std::string& channel) {
  auto& asked = asked_[link];
  if (!asked.empty() && !asked.front().subscribe && asked.front().channel == channel) {
    asked.pop_front();
    return {};
  }
  const auto found = entries_.find(channel);
  if (found != entries_.end() && found->second.link == link) lose(channel);
  return {.kind = Verdict::Kind::again};
}

Verdict Subscriptions::on_error(LinkId link, const Reply& reply, std::string_view host) {
  auto& asked = asked_[link];
  Verdict verdict = verdict_of(reply, host);
  if (asked.empty()) return {.kind = Verdict::Kind::failed};
  const Asked front = std::move(asked.front());
  asked.pop_front();
  if (auto* topic = front.subscribe ? asked_in(link, front.turn) : nullptr) {
    unseat(topic->first, topic->second, link);
    return verdict;
  }
  const auto found = entries_.find(front.channel);
  if (found != entries_.end() && found->second.turn == front.turn && front.subscribe) {
    lose(front.channel);
  }
  return verdict;
}

}  // namespace peal::redis
