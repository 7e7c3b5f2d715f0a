#include "redis/subscriptions.hpp"

#include "peal/redis/client.hpp"

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
}

Verdict Subscriptions::on_push(LinkId link, const Reply& reply, std::string_view host) {
  if (reply.is_error()) return on_error(link, reply, host);
  if (reply.elements.size() != 3) return {.kind = Verdict::Kind::failed};
  const std::string& kind = reply.elements[0].text;
  const std::string& channel = reply.elements[1].text;
  if (kind == "message" || kind == "smessage") {
    const auto found = entries_.find(channel);
    if (found != entries_.end() && found->second.confirmed && found->second.link == link) {
      actions_.message(channel, reply.elements[2].text);
    }
  } else if (kind == "subscribe" || kind == "ssubscribe") {
    on_confirmed(link, channel);
  } else if (kind == "unsubscribe" || kind == "sunsubscribe") {
    return on_left(link, channel);
  } else {
    return {.kind = Verdict::Kind::failed};
  }
  return {};
}

void Subscriptions::on_confirmed(LinkId link, const std::string& channel) {
  auto& asked = asked_[link];
  if (asked.empty() || !asked.front().subscribe || asked.front().channel != channel) return;
  const std::uint64_t turn = asked.front().turn;
  asked.pop_front();
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
  const auto found = entries_.find(front.channel);
  if (found != entries_.end() && found->second.turn == front.turn && front.subscribe) {
    lose(front.channel);
  }
  return verdict;
}

}  // namespace peal::redis
