// The embedded bus: every node is a shard of one bus. There is no link, so LinkedBusSuite is not
// for it. Once more with its logs on disk: then the cores answer after their turn.
#include "peal/bus/embedded_bus.hpp"

#include "bus_suite.hpp"
#include "peal/broker/disk_storage.hpp"
#include "peal/proto/channel_name.hpp"
#include "peal/runtime/logger.hpp"
#include "temp_folder.hpp"

namespace peal::bus::test {
namespace {

enum class Logs : std::uint8_t { in_memory, on_disk };

class EmbeddedDriver final : public BusDriver {
 public:
  EmbeddedDriver(const BusDriverOptions& options, Logs logs) : options_(options), logs_(logs) {}

  void attach(std::span<const std::unique_ptr<BusNode>> nodes) override {
    shards_ = nodes.size();
    if (logs_ == Logs::on_disk) {
      const broker::StoreConfig config{.driver = "disk", .path = folder_.path()};
      storage_ =
          broker::DiskStorage::open(config, options_.limits, runtime::Logger(), probes_).value();
    }
    bus_ = make_embedded_bus(nodes.size(), options_.options_of, options_.limits, probes_,
                             storage_ ? storage_->maker() : broker::MakeLogStore());
    if (options_.handler_of) bus_->answer_with(options_.handler_of(0));
    std::vector<BusPort*> ports;
    for (const auto& node : nodes)
      ports.push_back(&bus_->attach(node->sink(), *node));
    ASSERT_TRUE(bus_->start().has_value());
    for (std::size_t i = 0; i < nodes.size(); ++i)
      nodes[i]->start(*ports[i]);
  }
  void stop() override { bus_->stop(); }
  std::size_t buses() const override { return 1; }
  Bus& bus(std::size_t) override { return *bus_; }
  std::string channel_away_from(std::size_t node, std::string prefix) override {
    while (stable_hash(prefix) % shards_ == node)
      prefix += '_';
    return prefix;
  }

 private:
  BusDriverOptions options_;
  const Logs logs_;
  peal::test::TempFolder folder_;
  runtime::ProbeRegistry probes_;
  std::unique_ptr<broker::DiskStorage> storage_;
  std::unique_ptr<Bus> bus_;
  std::size_t shards_ = 1;
};

BusDriverParam embedded(const char* name, Logs logs) {
  return {name, [logs](const BusDriverOptions& options) {
            return std::make_unique<EmbeddedDriver>(options, logs);
          }};
}

const auto kInMemory = embedded("embedded", Logs::in_memory);
const auto kOnDisk = embedded("embedded_disk", Logs::on_disk);

INSTANTIATE_TEST_SUITE_P(Embedded, BusSuite, testing::Values(kInMemory, kOnDisk), driver_name);
INSTANTIATE_TEST_SUITE_P(Embedded, SharedBusSuite, testing::Values(kInMemory, kOnDisk),
                         driver_name);

}  // namespace
}  // namespace peal::bus::test
