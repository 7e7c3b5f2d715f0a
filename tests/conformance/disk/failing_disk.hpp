#pragma once
// A disk that fails or hangs when told, and can be held still: under RocksDB. Failing and hanging
// are for the files of its write-ahead log; held still is everything, as a kill would find it. Any
// thread.

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>

namespace peal::broker::test {

class FailingDisk {
 public:
  FailingDisk();
  rocksdb::Env* env() { return env_.get(); }
  /// Syncing a log's file is an error from now on.
  void fail_syncs(bool fail) { state_->fail_syncs = fail; }
  /// Syncing waits until it is let go.
  void hang(bool hang);
  /// While it is held, no byte is written and no file made, renamed or deleted.
  std::unique_lock<std::shared_mutex> still() { return std::unique_lock(state_->still); }

  struct State {
    std::atomic<bool> fail_syncs{false};
    std::atomic<bool> hang{false};
    std::shared_mutex still;
  };

 private:
  std::shared_ptr<State> state_ = std::make_shared<State>();
  std::unique_ptr<rocksdb::Env> env_;
};

}  // namespace peal::broker::test
