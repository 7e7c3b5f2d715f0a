#pragma once
// What every LogStore has to do, written once. A store's test file instantiates the suite with a
// way to make it:
//
//   INSTANTIATE_TEST_SUITE_P(Memory, LogStoreSuite, testing::Values(LogStoreParam{…}), store_name);
//
// A store may answer within a call or later: the suite turns it until what is waited for is there.
// Time is the test's own, steady and given with each call. Channels: "full…" refuse when full,
// "compact…" keep the last of each key, "short…" keep five publications, for ten seconds, "kept…"
// keep all for ever, others as the defaults say.

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "peal/broker/log_store.hpp"

namespace peal::broker::test {

/// Where one test's stores keep their logs: made again, the next one finds what the last one left.
class LogStorePlace {
 public:
  virtual ~LogStorePlace() = default;
  virtual std::unique_ptr<LogStore> make(StoreSeat seat) = 0;
};

struct LogStoreParam {
  const char* name;
  bool survives;  ///< logs outlive the store that made them
  std::function<std::unique_ptr<LogStorePlace>()> place;
  friend void PrintTo(const LogStoreParam& param, std::ostream* out) { *out << param.name; }
};

inline std::string store_name(const testing::TestParamInfo<LogStoreParam>& tested) {
  return tested.param.name;
}

/// All that a store said, in order, copied.
struct StoreEvent {
  enum class What { head, reset, appended, outcome, page } what = What::head;
  LogId log = 0;
  PeerId peer = 0;
  Head head{};                ///< head, reset, page
  bool refused = false;       ///< head: the watch was refused
  Epoch epoch{};              ///< appended
  Publication publication{};  ///< appended
  bus::Published outcome{};
  bus::Page page{};  ///< its publications are in `publications`
  std::vector<Publication> publications{};
};

class LogStoreSuite : public testing::TestWithParam<LogStoreParam>, public LogStoreSink {
 protected:
  LogStoreSuite();
  ~LogStoreSuite() override;
  static ChannelOptions options_of(std::string_view channel);

  /// Makes the store anew, over the same place.
  void reopen();
  LogStore& store() { return *store_; }
  /// Turns the store until it is so, or a deadline has passed.
  bool until(const std::function<bool()>& so);

  static bus::PublishRequest request(std::string_view channel, std::string_view payload,
                                     std::string_view key = {});
  /// Asks without waiting; returns the request's number. Its texts are scribbled over afterwards.
  bus::RequestId append(bus::PublishRequest request, PeerId peer = 1);
  bus::Published append_and_wait(const bus::PublishRequest& request);
  bus::Published append_and_wait(std::string_view channel, std::string_view payload);
  Head watch_and_wait(LogId log, std::string_view channel);
  /// The page's event.
  StoreEvent read_and_wait(bus::ReadRequest request);
  /// Payloads of a page, one after the other.
  std::string payloads(bus::ReadRequest request);
  static bus::ReadRequest reading(std::string_view channel,
                                  bus::ReadRequest::Mode mode = bus::ReadRequest::Mode::forward,
                                  std::uint64_t after = 0);
  std::optional<Head> listed(std::string_view channel);
  /// Ticks for as long as a store may take to look at all its logs.
  void tick_around();

  std::size_t count(StoreEvent::What what) const;
  const StoreEvent& last(StoreEvent::What what) const;
  bool answered(bus::RequestId id) const;

  void on_head(LogId log, const Result<Head>& head) override;
  void on_reset(LogId log, const Head& head) override;
  void on_appended(LogId log, const Epoch& epoch, const PublicationView& publication) override;
  void on_outcome(PeerId peer, const bus::Published& outcome) override;
  void on_page(PeerId peer, const bus::Page& page) override;

  std::vector<StoreEvent> events;
  TimePoint now{std::chrono::hours(1000)};
  Limits limits;

 private:
  std::mutex mutex_;
  std::condition_variable woken_;
  bool wake_ = false;
  std::unique_ptr<LogStorePlace> place_;
  std::unique_ptr<LogStore> store_;
  std::uint64_t random_ = 0;
  bus::RequestId next_id_ = 1;
};

}  // namespace peal::broker::test
