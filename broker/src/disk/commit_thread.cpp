#include "disk/commit_thread.hpp"

#include <algorithm>

#include "disk/folder.hpp"

namespace peal::disk {
namespace {

constexpr std::chrono::seconds kLookEvery{1};

}  // namespace

std::optional<Committed> CommitSlot::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(result_, std::nullopt);
}

void CommitSlot::wait(std::chrono::milliseconds at_most) {
  std::unique_lock lock(mutex_);
  finished_.wait_for(lock, at_most, [this] { return result_.has_value(); });
}

void CommitSlot::detach() {
  const std::lock_guard lock(mutex_);
  wake_ = nullptr;
}

void CommitSlot::finish(Committed result) {
  const std::lock_guard lock(mutex_);
  rows_ = RowBatch();
  result_ = result;
  finished_.notify_all();
  if (wake_) wake_();
}

void CommitSlot::wake() {
  const std::lock_guard lock(mutex_);
  if (wake_) wake_();
}

Result<State> check_state(const Database& database, const CommitGuard& guard) {
  const auto row = database.get(state_key());
  if (!row) return row.error();
  const auto state = *row ? decode_state(**row) : State();
  if (!state) return fail(ErrorCode::storage_unavailable, "the store's state cannot be read");
  if (state->commits < guard.count()) {
    return fail(ErrorCode::storage_unavailable,
                "acknowledged publications are missing: " + std::to_string(state->commits) +
                    " of " + std::to_string(guard.count()) + " commits are there");
  }
  return *state;
}

CommitThread::CommitThread(Database& database, CommitGuard& guard, const StoreClock& clock,
                           CommitOptions options, CommitProbe& probe, runtime::Logger logger)
    : database_(database),
      guard_(guard),
      clock_(clock),
      options_(std::move(options)),
      probe_(probe),
      logger_(std::move(logger)),
      commits_(options_.state.commits),
      next_log_(options_.state.next_log) {
  look();
  thread_ = std::thread([this] { run(); });
}

CommitThread::~CommitThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  thread_.join();
}

void CommitThread::attach(const std::shared_ptr<CommitSlot>& slot) {
  const std::lock_guard lock(mutex_);
  std::erase_if(attached_, [](const auto& known) { return known.expired(); });
  attached_.push_back(slot);
}

void CommitThread::submit(const std::shared_ptr<CommitSlot>& slot, RowBatch rows) {
  slot->rows_ = std::move(rows);
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(slot);
  }
  work_.notify_one();
}

std::string CommitThread::trouble() const {
  const std::lock_guard lock(mutex_);
  return damage_.empty() ? trouble_ : damage_;
}

void CommitThread::found_damage(const std::string& what) {
  {
    const std::lock_guard lock(mutex_);
    if (!damage_.empty()) return;
    damage_ = what;
  }
  logger_.error("the store is damaged: restore a backup, or move its folder away",
                {{"reason", what}});
}

void CommitThread::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait_for(lock, kLookEvery, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_ && queue_.empty()) return;
    const Slots group = std::exchange(queue_, {});
    lock.unlock();
    const Steady now = std::chrono::steady_clock::now();
    if (!group.empty() || now - looked_ >= kLookEvery) look();
    if (!group.empty()) commit(group);
    lock.lock();
  }
}

void CommitThread::look() {
  const Steady now = std::chrono::steady_clock::now();
  if (!database_.is_open() && now - looked_ >= kLookEvery) try_to_open(now);
  const std::uint64_t free =
      options_.free_space ? options_.free_space() : free_bytes(options_.folder);
  full_ = free < options_.free_min;
  const bool open = database_.is_open();
  const bool before = writable_.exchange(open && !full_);
  if (open && full_) {
    say("the disk is full: " + std::to_string(free) + " bytes are free, limits.disk_free_min is " +
        std::to_string(options_.free_min));
  } else if (open) {
    say({});
  }
  if (now - looked_ >= kLookEvery) {
    probe_.looked(free, database_.bytes_on_disk(), writable_.load());
    looked_ = now;
  }
  if (!before && writable_.load()) wake_all();
}

void CommitThread::try_to_open(Steady now) {
  looked_ = now;
  if (auto opened = database_.reopen(); !opened) return say(opened.error().message);
  const auto state = check_state(database_, guard_);
  if (!state) {
    database_.close();
    return say(state.error().message);
  }
  commits_ = std::max(commits_, state->commits);
  probe_.reopened();
  times_opened_.fetch_add(1);
}

/// One line when it begins, changes or ends.
void CommitThread::say(const std::string& trouble) {
  {
    const std::lock_guard lock(mutex_);
    // How much is free changes all the time; that there is too little is said once.
    const bool both_full =
        trouble_.starts_with("the disk is full") && trouble.starts_with("the disk is full");
    const bool same = trouble == trouble_ || both_full;
    trouble_ = trouble;
    if (same) return;
  }
  if (trouble.empty()) return logger_.info("the store takes publications again");
  logger_.error("publishes to channels with a log are refused", {{"reason", trouble}});
}

void CommitThread::commit(const Slots& group) {
  if (!writable_.load()) {
    probe_.refused();
    return finish(group, Committed::refused);
  }
  const Steady began = std::chrono::steady_clock::now();
  const State state{next_log_.load(), ++commits_, clock_.saved(options_.clocks(), began)};
  std::vector<RowBatch*> batches;
  std::size_t bytes = 0;
  for (const auto& slot : group) {
    slot->rows_.put(state_key(), encode(state));
    bytes += slot->rows_.bytes();
    batches.push_back(&slot->rows_);
  }
  if (auto written = database_.write(batches); !written) {
    writable_.store(false);
    looked_ = began;  // not at once again
    probe_.failed();
    say(written.error().message);
    return finish(group, Committed::unknown);
  }
  guard_.committed(commits_);
  probe_.committed(group.size(), bytes, std::chrono::steady_clock::now() - began);
  finish(group, Committed::done);
}

void CommitThread::finish(const Slots& group, Committed result) {
  for (const auto& slot : group)
    slot->finish(result);
}

void CommitThread::wake_all() {
  Slots slots;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& known : attached_) {
      if (auto slot = known.lock()) slots.push_back(std::move(slot));
    }
  }
  for (const auto& slot : slots)
    slot->wake();
}

}  // namespace peal::disk
