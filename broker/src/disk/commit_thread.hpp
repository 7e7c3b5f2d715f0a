#pragma once
// The thread that makes rows durable. Each store has at most one batch here; whatever batches are
// waiting are committed together, with one sync. Too little free space: refused, nothing is
// written. A write that fails: nobody can tell what of it is there, so its outcome is unknown, the
// database is closed, and opened again when that works; `times_opened` tells stores to look anew.
//   writable <-> full (until there is space again)
//   writable  -> closed -> writable (tried each second)

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "disk/commit_guard.hpp"
#include "disk/database.hpp"
#include "disk/disk_probe.hpp"
#include "disk/store_clock.hpp"
#include "peal/runtime/logger.hpp"

namespace peal::disk {

enum class Committed : std::uint8_t {
  done,
  refused,  ///< certainly not written
  unknown,
};

/// A store's place at the thread. The store's side: one thread.
class CommitSlot {
 public:
  explicit CommitSlot(std::function<void()> wake) : wake_(std::move(wake)) {}
  /// What became of the last batch; once.
  std::optional<Committed> take();
  void wait(std::chrono::milliseconds at_most);
  /// The store is gone: nobody is to be woken.
  void detach();

 private:
  friend class CommitThread;
  void finish(Committed result);
  void wake();

  std::mutex mutex_;
  std::condition_variable finished_;
  std::optional<Committed> result_;
  std::function<void()> wake_;
  RowBatch rows_;  ///< the thread's from submit until it is finished
};

/// The state that the database shows, or why that can't be all that was committed.
Result<State> check_state(const Database& database, const CommitGuard& guard);

struct CommitOptions {
  std::string folder;          ///< whose free space counts
  std::uint64_t free_min = 0;  ///< less: refused
  State state{};               ///< as the last run left it
  std::function<ClockReading()> clocks = read_clocks;
  /// The folder's free space; none: asked of the system.
  std::function<std::uint64_t()> free_space{};
};

class CommitThread {
 public:
  CommitThread(Database& database, CommitGuard& guard, const StoreClock& clock,
               CommitOptions options, CommitProbe& probe, runtime::Logger logger);
  /// Commits what it was given, then ends.
  ~CommitThread();

  // Any thread:
  void attach(const std::shared_ptr<CommitSlot>& slot);
  void submit(const std::shared_ptr<CommitSlot>& slot, RowBatch rows);
  LogNumber new_log() { return next_log_.fetch_add(1); }
  bool writable() const { return writable_.load(); }
  std::uint64_t times_opened() const { return times_opened_.load(); }
  /// Empty, or why publishes are refused, or what is damaged.
  std::string trouble() const;
  /// Something could not be read: the process isn't ready any more, and it is said once.
  void found_damage(const std::string& what);

 private:
  using Slots = std::vector<std::shared_ptr<CommitSlot>>;
  void run();
  void look();
  void try_to_open(Steady now);
  void commit(const Slots& group);
  void finish(const Slots& group, Committed result);
  void say(const std::string& trouble);
  void wake_all();

  Database& database_;
  CommitGuard& guard_;
  const StoreClock& clock_;
  const CommitOptions options_;
  CommitProbe& probe_;
  const runtime::Logger logger_;
  std::uint64_t commits_;
  Steady looked_{};
  bool full_ = false;

  std::atomic<LogNumber> next_log_;
  std::atomic<bool> writable_{true};
  std::atomic<std::uint64_t> times_opened_{1};
  mutable std::mutex mutex_;
  std::condition_variable work_;
  Slots queue_;
  std::vector<std::weak_ptr<CommitSlot>> attached_;
  std::string trouble_;
  std::string damage_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace peal::disk
