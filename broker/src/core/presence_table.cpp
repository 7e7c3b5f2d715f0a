#include "core/presence_table.hpp"

#include <algorithm>

namespace peal::broker {

using What = bus::PresenceEvent::What;

PresenceTable::Channel* PresenceTable::find(std::string_view channel) const {
  const auto found = channels_.find(channel);
  return found == channels_.end() ? nullptr : found->second.get();
}

PresenceTable::Channel& PresenceTable::make(std::string_view name) {
  if (Channel* const channel = find(name)) return *channel;
  auto made = std::make_unique<Channel>();
  made->name = name;
  Channel& channel = *made;
  channels_.emplace(channel.name, std::move(made));
  return channel;
}

std::list<PresenceTable::Entry*>& PresenceTable::members_of(HolderId holder) {
  if (holder >= by_holder_.size()) by_holder_.resize(holder + std::size_t{1});
  return by_holder_[holder];
}

PresenceTable::Port& PresenceTable::port_of(Channel& channel, HolderId holder, bus::Alias alias) {
  for (Port& port : channel.ports)
    if (port.holder == holder && port.alias.index == alias.index) return port;
  return channel.ports.emplace_back(Port{holder, alias, 0, 0, store_ == nullptr});
}

void PresenceTable::release_port(Channel& channel, const Entry& entry) {
  for (Port& port : channel.ports) {
    if (port.holder != entry.holder || port.alias.index != entry.alias) continue;
    if (--port.members == 0) {
      port = channel.ports.back();
      channel.ports.pop_back();
    }
    return;
  }
}

void PresenceTable::tell(const Channel& channel, What what, const bus::Member& member) const {
  if (quiet_) return;
  for (const Port& port : channel.ports) {
    // A port that has not entered again since its link came back will ask for the set.
    const auto peer = leases_.peer_of(port.holder);
    if (!port.hears && what != What::changed) continue;
    if (!peer || port.round != leases_.round_of(port.holder)) continue;
    sink_.on_presence_event(*peer, {port.alias, what, member});
  }
}

void PresenceTable::add_user(Channel& channel, const bus::Member& member) {
  const bool first = member.user.empty() || ++channel.users[std::string(member.user)] == 1;
  if (member.user.empty()) ++channel.anonymous;
  if (!first) return;
  channel.digest ^= bus::presence_key(member);
  if (store_ == nullptr) tell(channel, What::join, member);
}

void PresenceTable::remove_user(Channel& channel, const bus::Member& member) {
  if (member.user.empty()) {
    --channel.anonymous;
  } else {
    const auto user = channel.users.find(std::string(member.user));
    if (--user->second != 0) return;
    channel.users.erase(user);
  }
  channel.digest ^= bus::presence_key(member);
  if (store_ == nullptr) tell(channel, What::leave, member);
}

void PresenceTable::enter(HolderId holder, bus::Alias alias, std::string_view name,
                          const bus::Member& member) {
  Channel& channel = make(name);
  auto at = channel.sessions.find(member.session);
  if (at != channel.sessions.end() &&
      (at->second.user != member.user || at->second.holder != holder)) {
    remove(channel, at);
    return enter(holder, alias, name, member);  // its channel may be gone
  }
  auto& mine = members_of(holder);
  const bool known = at != channel.sessions.end();
  if (!known) {
    at = channel.sessions.emplace(std::string(member.session), Entry()).first;
    Entry& entry = at->second;
    entry.channel = &channel;
    entry.session = &at->first;
    entry.user = member.user;
    entry.holder = holder;
    entry.place = mine.insert(mine.end(), &entry);
    ++members_;
  } else {
    mine.splice(mine.end(), mine, at->second.place);
    if (at->second.alias != alias.index) release_port(channel, at->second);
  }
  Entry& entry = at->second;
  const bool counted = known && entry.alias == alias.index;
  const bool other = !known || entry.data != member.data;
  entry.alias = alias.index;
  entry.data = member.data;
  entry.round = leases_.round_of(holder);
  Port& port = port_of(channel, holder, alias);
  port.alias = alias;
  port.round = entry.round;
  if (!counted) ++port.members;
  if (!known) add_user(channel, view(at->first, entry));
  if (store_ != nullptr && (other || !port.hears))
    store_->enter(name, view(at->first, entry), !known, !port.hears);
}

void PresenceTable::hear(std::string_view name, std::string_view session) {
  Channel* const channel = find(name);
  if (channel == nullptr) return;
  const auto at = channel->sessions.find(session);
  if (at == channel->sessions.end()) return;
  for (Port& port : channel->ports)
    if (port.holder == at->second.holder && port.alias.index == at->second.alias) port.hears = true;
}

void PresenceTable::tell(std::string_view name, What what, const bus::Member& member) {
  if (const Channel* const channel = find(name)) tell(*channel, what, member);
}

void PresenceTable::each_member(const PresenceStoreSink::Each& each) const {
  for (const auto& [name, channel] : channels_) {
    for (const auto& [session, entry] : channel->sessions) {
      const bus::Member member = view(session, entry);
      each(name, &member);
    }
  }
}

void PresenceTable::leave(HolderId holder, std::string_view name, std::string_view session) {
  Channel* const channel = find(name);
  if (channel == nullptr) return;
  const auto at = channel->sessions.find(session);
  if (at != channel->sessions.end() && at->second.holder == holder) remove(*channel, at);
}

void PresenceTable::remove(Channel& channel, Sessions::iterator at) {
  auto node = channel.sessions.extract(at);
  Entry& entry = node.mapped();
  by_holder_[entry.holder].erase(entry.place);
  --members_;
  release_port(channel, entry);
  remove_user(channel, view(node.key(), entry));
  if (store_ != nullptr) store_->leave(channel.name, node.key());
  if (channel.sessions.empty()) channels_.erase(channels_.find(channel.name));
}

void PresenceTable::leave_all(HolderId holder, bus::Alias alias, std::string_view name) {
  const Channel* const channel = find(name);
  if (channel == nullptr) return;
  const auto has = [&](const Port& port) {
    return port.holder == holder && port.alias.index == alias.index;
  };
  if (std::ranges::none_of(channel->ports, has)) return;
  std::vector<std::string> sessions;
  for (const auto& [session, entry] : channel->sessions)
    if (entry.holder == holder && entry.alias == alias.index) sessions.push_back(session);
  for (const std::string& session : sessions)
    leave(holder, name, session);
}

bool PresenceTable::expire(HolderId holder, std::size_t limit) {
  auto& mine = members_of(holder);
  const bool away = !leases_.peer_of(holder).has_value();
  const std::uint32_t round = leases_.round_of(holder);
  for (std::size_t i = 0; i < limit && !mine.empty(); ++i) {
    const Entry& oldest = *mine.front();
    if (!away && oldest.round == round) return false;
    remove(*oldest.channel, oldest.channel->sessions.find(*oldest.session));
  }
  return !mine.empty() && (away || mine.front()->round != round);
}

void PresenceTable::answer(const bus::PresenceRequest& request, std::size_t bytes,
                           std::vector<bus::Member>& members, bus::PresenceAnswer& out) const {
  members.clear();
  out.settled = !quiet_;
  const Channel* const channel = find(request.channel);
  if (channel == nullptr) return;
  out.sessions = channel->sessions.size();
  out.users = channel->users.size() + channel->anonymous;
  out.digest = channel->digest;
  std::size_t gathered = 0;
  for (auto at = channel->sessions.upper_bound(request.after); at != channel->sessions.end();
       ++at) {
    const bus::Member member = view(at->first, at->second);
    gathered += member.session.size() + member.user.size() + member.data.size();
    out.more = members.size() == request.limit || (!members.empty() && gathered > bytes);
    if (out.more) break;
    members.push_back(member);
  }
  if (request.limit == 0) out.more = false;
  out.members = members;
}

void PresenceTable::set_quiet(bool quiet) {
  if (quiet == quiet_) return;
  quiet_ = quiet;
  if (quiet) return;
  for (const auto& [name, channel] : channels_)
    tell(*channel, What::changed, {});
}

}  // namespace peal::broker
