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

void TurnCommands::replay(broker::Core& core, broker::PeerId peer, broker::TimePoint now) const {
  struct {
    broker::Core& core;
    broker::PeerId peer;
    broker::TimePoint now;
    void watch(Alias alias, std::string_view channel) { core.watch(peer, alias, channel, now); }
    void unwatch(Alias alias) { core.unwatch(peer, alias, now); }
    void publish(const PublishRequest& request) { core.publish(peer, request, now); }
    void read(const ReadRequest& request) { core.read(peer, request, now); }
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
}

}  // namespace peal::bus
