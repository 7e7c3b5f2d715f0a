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
  auto watch = watches_.begin();
  auto unwatch = unwatches_.begin();
  auto publish = publishes_.begin();
  auto read = reads_.begin();
  for (const Run& run : order_) {
    for (std::uint32_t i = 0; i < run.count; ++i) {
      switch (run.kind) {
        case Kind::watch:
          core.watch(peer, watch->alias, watch->channel, now);
          ++watch;
          break;
        case Kind::unwatch:
          core.unwatch(peer, *unwatch++, now);
          break;
        case Kind::publish:
          core.publish(peer, *publish++, now);
          break;
        case Kind::read:
          core.read(peer, *read++, now);
          break;
      }
    }
  }
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
