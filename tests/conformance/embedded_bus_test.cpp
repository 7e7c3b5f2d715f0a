// The embedded bus: every node is a shard of one bus. There is no link, so LinkedBusSuite is not
// for it.
#include "peal/bus/embedded_bus.hpp"

#include "bus_suite.hpp"
#include "peal/proto/channel_name.hpp"

namespace peal::bus::test {
namespace {

class EmbeddedDriver final : public BusDriver {
 public:
  explicit EmbeddedDriver(const BusDriverOptions& options) : options_(options) {}

  void attach(std::span<const std::unique_ptr<BusNode>> nodes) override {
    shards_ = nodes.size();
    bus_ = make_embedded_bus(nodes.size(), options_.options_of, options_.limits, probes_);
    std::vector<BusPort*> ports;
    for (const auto& node : nodes)
      ports.push_back(&bus_->attach(node->sink(), *node));
    ASSERT_TRUE(bus_->start().has_value());
    for (std::size_t i = 0; i < nodes.size(); ++i)
      nodes[i]->start(*ports[i]);
  }
  void stop() override { bus_->stop(); }
  std::string channel_away_from(std::size_t node, std::string prefix) override {
    while (stable_hash(prefix) % shards_ == node)
      prefix += '_';
    return prefix;
  }

 private:
  BusDriverOptions options_;
  runtime::ProbeRegistry probes_;
  std::unique_ptr<Bus> bus_;
  std::size_t shards_ = 1;
};

INSTANTIATE_TEST_SUITE_P(Embedded, BusSuite,
                         testing::Values(BusDriverParam{"embedded",
                                                        [](const BusDriverOptions& options) {
                                                          return std::make_unique<EmbeddedDriver>(
                                                              options);
                                                        }}),
                         driver_name);

}  // namespace
}  // namespace peal::bus::test
