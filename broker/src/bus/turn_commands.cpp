#include "bus/turn_commands.hpp"

namespace peal::bus {

void TurnCommands::watch(Alias alias, std::string_view channel) {
  watches_.push_back({alias, arena_.copy(channel)});
  ordered(Kind::watch);
}

void TurnCommands::unwatch(Alias alias) {
  unwatches_.push_back(alias);
  ordered(Kind::unwatch);
}

void TurnCommands::publish(const PublishRequest& request) {
  PublishRequest& copied = publishes_.emplace_back(request);
  copied.channel = arena_.copy(request.channel);
  copied.publication = arena_.copy(request.publication);
  copied.idempotency_key = arena_.copy(request.idempotency_key);
  ordered(Kind::publish);
}

void TurnCommands::read(const ReadRequest& request) {
  reads_.push_back(request);
  reads_.back().channel = arena_.copy(request.channel);
  ordered(Kind::read);
}

void TurnCommands::enter(Alias alias, const Member& member) {
  comings_.push_back(
      {alias, {arena_.copy(member.session), arena_.copy(member.user), arena_.copy(member.data)}});
  ordered(Kind::enter);
}

void TurnCommands::leave(Alias alias, std::string_view session) {
  comings_.push_back({alias, {arena_.copy(session), {}, {}}});
  ordered(Kind::leave);
}

void TurnCommands::presence(const PresenceRequest& request) {
  presences_.push_back(request);
  presences_.back().channel = arena_.copy(request.channel);
  presences_.back().after = arena_.copy(request.after);
  ordered(Kind::presence);
}

void TurnCommands::replay(broker::Core& core, broker::PeerId peer, broker::TimePoint now) const {
  struct {
    broker::Core& core;
    broker::PeerId peer;
    broker::TimePoint now;
    void watch(Alias alias, std::string_view channel) { core.watch(peer, alias, channel, now); }
    void unwatch(Alias alias) { core.unwatch(peer, alias, now); }
    void publish(const PublishRequest& request) { core.publish(peer, request, now); }
    void read(const ReadRequest& request) { core.read(peer, request, now); }
    void enter(Alias alias, const Member& member) { core.enter(peer, alias, member); }
    void leave(Alias alias, std::string_view session) { core.leave(peer, alias, session); }
    void presence(const PresenceRequest& request) { core.presence(peer, request); }
  } visitor{core, peer, now};
  visit(visitor);
}

void TurnCommands::reset() {
  arena_.reset();
  order_.clear();
  watches_.clear();
  unwatches_.clear();
  publishes_.clear();
  reads_.clear();
  comings_.clear();
  presences_.clear();
}

}  // namespace peal::bus
