#include "peal/broker/redis_storage.hpp"

#include "redis_store/redis_log_store.hpp"
#include "redis_store/redis_thread.hpp"

namespace peal::broker {

struct RedisStorage::Impl {
  Impl(const RedisStoreConfig& config, const runtime::Logger& logger,
       runtime::ProbeRegistry& probes_, Ahead ahead_)
      : probes(probes_),
        ahead(std::move(ahead_)),
        thread(config, logger),
        probe_handle(probes.add(thread.probe())) {}

  runtime::ProbeRegistry& probes;
  const Ahead ahead;
  redis_store::RedisThread thread;
  std::shared_ptr<void> probe_handle;  ///< ends first
};

RedisStorage::RedisStorage(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RedisStorage::~RedisStorage() = default;

std::unique_ptr<RedisStorage> RedisStorage::open(const RedisStoreConfig& config,
                                                 const runtime::Logger& logger,
                                                 runtime::ProbeRegistry& probes, Ahead ahead) {
  return std::unique_ptr<RedisStorage>(
      new RedisStorage(std::make_unique<Impl>(config, logger, probes, std::move(ahead))));
}

MakeLogStore RedisStorage::maker() {
  return [impl = impl_.get()](StoreSeat seat) -> std::unique_ptr<LogStore> {
    return std::make_unique<RedisLogStore>(std::move(seat), impl->thread, impl->probes,
                                           impl->ahead);
  };
}

std::shared_ptr<ClusterRelay> RedisStorage::relay(std::string name, const Limits& limits) {
  return impl_->thread.relay(std::move(name), limits);
}

std::string RedisStorage::trouble() const {
  return impl_->thread.trouble();
}

}  // namespace peal::broker
