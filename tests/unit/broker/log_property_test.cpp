// Log against LogModel: one that keeps texts, and a bare one that is made again now and then from
// what a store saved of it.

#include "core/log.hpp"
#include "log_history.hpp"
#include "saved_log.hpp"

namespace peal::broker::test {
namespace {

/// What a log promises of its last append, whichever it was.
void check_before_last(const Log& log, const bus::Published& outcome) {
  if (outcome.status != bus::Published::Status::ok || outcome.duplicate) return;
  EXPECT_EQ(log.before_last().top.next(), outcome.position->offset);
  EXPECT_LE(log.before_last().floor, log.before_last().top);
}

class InMemory final : public TestedLog {
 public:
  InMemory(const Epoch& epoch, const ChannelOptions& options, const Limits& limits)
      : log_(epoch, options, limits) {}

  bus::Published append(const bus::PublishRequest& request, TimePoint now,
                        const Epoch& fresh) override {
    auto outcome = log_.append(request, now, fresh);
    check_before_last(log_, outcome);
    return outcome;
  }
  bus::Page read(const bus::ReadRequest& request, std::vector<PublicationView>& publications,
                 TimePoint now) override {
    return log_.read(request, publications, now);
  }
  Head head(TimePoint now) override { return log_.head(now); }
  std::uint64_t end_byte() override { return log_.meta().end_byte; }

 private:
  Log log_;
};

class Saved final : public TestedLog {
 public:
  Saved(const Epoch& epoch, const ChannelOptions& options, const Limits& limits)
      : saved_(epoch, options, limits) {}

  bus::Published append(const bus::PublishRequest& request, TimePoint now,
                        const Epoch& fresh) override {
    auto outcome = saved_.log().append(request, now, fresh);
    check_before_last(saved_.log(), outcome);
    return outcome;
  }
  bus::Page read(const bus::ReadRequest& request, std::vector<PublicationView>& publications,
                 TimePoint now) override {
    return saved_.read(request, publications, now);
  }
  Head head(TimePoint now) override { return saved_.log().head(now); }
  std::uint64_t end_byte() override { return saved_.log().meta().end_byte; }
  void crash() override { saved_.crash(); }

 private:
  SavedLog saved_;
};

TEST(LogProperty, AgreesWithTheModelOverRandomHistories) {
  run_log_histories(5000,
                    [](const Epoch& epoch, const ChannelOptions& options, const Limits& limits) {
                      TestedLogs logs;
                      logs.push_back(std::make_unique<InMemory>(epoch, options, limits));
                      logs.push_back(std::make_unique<Saved>(epoch, options, limits));
                      return logs;
                    });
}

}  // namespace
}  // namespace peal::broker::test
