#include "peal/broker/disk_storage.hpp"

#include "disk/disk_log_store.hpp"
#include "disk/folder.hpp"

namespace peal::broker {
namespace {

Result<std::optional<disk::State>> read_state(const disk::Database& database,
                                              const std::string& folder) {
  const auto row = database.get(disk::state_key());
  if (!row) return row.error();
  if (!*row) return std::optional<disk::State>();
  auto state = disk::decode_state(**row);
  if (!state) {
    return fail(ErrorCode::storage_unavailable,
                folder + " is damaged: its state cannot be read. Restore a backup of it");
  }
  return state;
}

}  // namespace

struct DiskStorage::Impl {
  std::unique_ptr<disk::Database> database;
  std::unique_ptr<disk::StoreClock> clock;
  disk::CommitProbe probe;
  runtime::ProbeRegistry* probes = nullptr;
  std::shared_ptr<void> probe_handle;
  std::unique_ptr<disk::CommitThread> commits;  ///< ends first
};

DiskStorage::DiskStorage(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DiskStorage::~DiskStorage() = default;

Result<std::unique_ptr<DiskStorage>> DiskStorage::open(const StoreConfig& config,
                                                       const Limits& limits,
                                                       const runtime::Logger& logger,
                                                       runtime::ProbeRegistry& probes) {
  const auto folder = disk::prepare_folder(config.path);
  if (!folder) return folder.error();
  const auto began = std::chrono::steady_clock::now();
  auto database = disk::Database::open(
      {.folder = *folder, .cache_bytes = limits.disk_cache_bytes_max, .verify = config.verify});
  if (!database) return database.error();
  const auto state = read_state(**database, config.path);
  if (!state) return state.error();

  auto impl = std::make_unique<Impl>();
  impl->database = std::move(*database);
  const auto now = std::chrono::steady_clock::now();
  std::optional<disk::SavedClock> last;
  disk::CommitOptions options{.folder = config.path, .free_min = limits.disk_free_min};
  if (*state) {
    last = (*state)->clock;
    options.next_log = (*state)->next_log;
  }
  impl->clock = std::make_unique<disk::StoreClock>(last, disk::read_clocks(), now);
  impl->probes = &probes;
  impl->probe_handle = probes.add(impl->probe);
  impl->commits = std::make_unique<disk::CommitThread>(*impl->database, *impl->clock, options,
                                                       impl->probe, logger.with("store"));
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(now - began);
  logger.with("store").info("open", {{"path", config.path},
                                     {"bytes", impl->database->bytes_on_disk()},
                                     {"milliseconds", took.count()}});
  return std::unique_ptr<DiskStorage>(new DiskStorage(std::move(impl)));
}

MakeLogStore DiskStorage::maker() {
  return [impl = impl_.get()](StoreSeat seat) -> std::unique_ptr<LogStore> {
    return std::make_unique<DiskLogStore>(
        std::move(seat), DiskShared{*impl->database, *impl->commits, *impl->clock, *impl->probes});
  };
}

std::string DiskStorage::trouble() const {
  return impl_->commits->trouble();
}

}  // namespace peal::broker
