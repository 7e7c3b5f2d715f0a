#pragma once
// A disk that fails or hangs when told: under RocksDB, the files of its write-ahead log. Any
// thread.

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <atomic>
#include <memory>

namespace peal::broker::test {

class FailingDisk {
 public:
  FailingDisk();
  rocksdb::Env* env() { return env_.get(); }
  /// Syncing a log's file is an error from now on.
  void fail_syncs(bool fail) { state_->fail_syncs = fail; }
  /// Syncing waits until it is let go.
  void hang(bool hang);

  struct State {
    std::atomic<bool> fail_syncs{false};
    std::atomic<bool> hang{false};
  };

 private:
  std::shared_ptr<State> state_ = std::make_shared<State>();
  std::unique_ptr<rocksdb::Env> env_;
};

}  // namespace peal::broker::test
