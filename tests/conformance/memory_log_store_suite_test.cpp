// The memory store answers within each call; its logs end with it.
#include "log_store_suite.hpp"

namespace peal::broker::test {
namespace {

class MemoryPlace final : public LogStorePlace {
 public:
  std::unique_ptr<LogStore> make(StoreSeat seat) override {
    return make_memory_log_store(seat.sink, seat.options_of, seat.limits, seat.epochs);
  }
};

INSTANTIATE_TEST_SUITE_P(Memory, LogStoreSuite,
                         testing::Values(LogStoreParam{
                             "memory", false, [] { return std::make_unique<MemoryPlace>(); }}),
                         store_name);

}  // namespace
}  // namespace peal::broker::test
