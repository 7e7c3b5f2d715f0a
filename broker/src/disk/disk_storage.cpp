#include "peal/broker/disk_storage.hpp"

#include "disk/disk_log_store.hpp"
#include "disk/folder.hpp"
#include "disk/log_rows.hpp"
#include "disk/place.hpp"

namespace peal::broker {
namespace {

/// What to do about a store that opens and isn't whole.
Error not_whole(const std::string& path, const Error& why) {
  return fail(why.code, path + " is damaged: " + why.message +
                            ". Restore a backup of it; or move " +
                            "the folder away and start without: every channel then begins a new " +
                            "epoch, and clients are told");
}

/// A copy may be older than what clients have heard, and go on beside the original: whatever it
/// says from now on is of later epochs.
Result<void> settle(disk::Database& database, const std::string& path,
                    const runtime::Logger& logger) {
  if (!disk::in_place(path)) {
    const auto clock = [] { return static_cast<std::uint64_t>(disk::read_clocks().wall.count()); };
    const auto begun = disk::begin_epochs(database, EpochSource::ordered(clock, 0, 1));
    if (!begun) return begun.error();
    if (*begun > 0) {
      logger.warn("the folder is not where it was written: all channels go on in new epochs",
                  {{"path", path}, {"channels", *begun}});
    }
  }
  return disk::take_place(path);
}

}  // namespace

struct DiskStorage::Impl {
  std::unique_ptr<disk::Database> database;
  std::unique_ptr<disk::CommitGuard> guard;
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
  auto guard = disk::CommitGuard::open(config.path + "/commits");
  if (!guard) return guard.error();
  const auto state = disk::check_state(**database, **guard);
  if (!state) return not_whole(config.path, state.error());
  if (auto settled = settle(**database, config.path, logger.with("store")); !settled) {
    return settled.error();
  }

  auto impl = std::make_unique<Impl>();
  impl->database = std::move(*database);
  const auto now = std::chrono::steady_clock::now();
  impl->guard = std::move(*guard);
  const disk::CommitOptions options{
      .folder = config.path, .free_min = limits.disk_free_min, .state = *state};
  const auto last = state->commits > 0 ? std::optional(state->clock) : std::nullopt;
  impl->clock = std::make_unique<disk::StoreClock>(last, disk::read_clocks(), now);
  impl->probes = &probes;
  impl->probe_handle = probes.add(impl->probe);
  impl->commits = std::make_unique<disk::CommitThread>(*impl->database, *impl->guard, *impl->clock,
                                                       options, impl->probe, logger.with("store"));
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
