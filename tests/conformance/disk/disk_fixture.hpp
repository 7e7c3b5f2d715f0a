#pragma once
// A disk store on a folder of the test's own, wired like DiskStorage but with a disk that can be
// told to fail, to hang or to be full. `crash` leaves the files as a kill would: copied while the
// store is open. Time is the test's own.

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "disk/disk_log_store.hpp"
#include "failing_disk.hpp"
#include "log_capture.hpp"
#include "temp_folder.hpp"

namespace peal::broker::test {

class DiskTest : public testing::Test, public LogStoreSink {
 protected:
  ~DiskTest() override;

  Result<void> try_open(bool verify = true);
  void open();
  void close();
  /// Goes on with a copy of the folder as it is now, without closing anything first.
  void crash();
  /// Back to the folder from before the last crash, which is as it was.
  void step_back();
  double probe_value(std::string_view name) const;
  std::filesystem::path database_folder() const { return folder() / "db"; }
  std::filesystem::path folder() const { return folders_.back()->path(); }
  /// The newest file of the database with this ending.
  std::filesystem::path newest(const std::string& ending) const;

  bool until(const std::function<bool()>& so);
  bus::RequestId publish(std::string_view channel, std::string_view payload,
                         std::string_view source = {}, std::uint64_t sequence = 0);
  bus::Published publish_and_wait(std::string_view channel, std::string_view payload,
                                  std::string_view source = {}, std::uint64_t sequence = 0);
  /// The payloads that are kept, joined by spaces; "?" when it can't be read.
  std::string payloads(std::string_view channel);
  std::optional<Head> head_of(std::string_view channel);
  void turn_and_tick();

  void on_head(LogId log, const Result<Head>& head) override;
  void on_reset(LogId log, const Head& head) override { resets.emplace_back(log, head); }
  void on_appended(LogId, const Epoch&, const PublicationView& publication) override {
    appended.emplace_back(publication.payload);
  }
  void on_outcome(PeerId, const bus::Published& outcome) override {
    outcomes.emplace(outcome.id, outcome);
  }
  void on_page(PeerId peer, const bus::Page& page) override;

  Limits limits;
  ChannelOptions options{.recoverable = true,
                         .history_length_max = 100'000,
                         .history_age_max = std::chrono::seconds(0)};
  std::atomic<std::uint64_t> free_space{~0ULL};
  FailingDisk disk;
  std::shared_ptr<peal::test::LogCapture> said = std::make_shared<peal::test::LogCapture>();
  TimePoint now = std::chrono::steady_clock::now();

  std::map<bus::RequestId, bus::Published> outcomes;
  std::vector<std::string> appended;
  std::vector<std::pair<LogId, Head>> resets;
  std::vector<std::pair<LogId, Result<Head>>> heads;
  std::optional<std::string> page;

  std::unique_ptr<DiskLogStore> store;
  std::unique_ptr<disk::CommitThread> commits;
  disk::CommitProbe probe;
  runtime::ProbeRegistry probes;

 private:
  std::vector<std::unique_ptr<peal::test::TempFolder>> folders_;
  std::unique_ptr<disk::Database> database_;
  std::unique_ptr<disk::CommitGuard> guard_;
  std::unique_ptr<disk::StoreClock> clock_;
  std::mutex mutex_;
  std::condition_variable woken_;
  bool wake_ = false;
  bus::RequestId next_id_ = 1;
  std::uint64_t random_ = 0;
};

}  // namespace peal::broker::test
