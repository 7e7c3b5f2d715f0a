// The disk store answers after its commit; its logs outlive it.
#include "log_store_suite.hpp"
#include "peal/broker/disk_storage.hpp"
#include "peal/runtime/logger.hpp"
#include "temp_folder.hpp"

namespace peal::broker::test {
namespace {

/// Each store over a storage that was opened anew.
class DiskPlace final : public LogStorePlace {
 public:
  std::unique_ptr<LogStore> make(StoreSeat seat) override {
    storage_.reset();
    StoreConfig config{.driver = "disk", .path = folder_.path()};
    storage_ = DiskStorage::open(config, seat.limits, runtime::Logger(), probes_).value();
    return storage_->maker()(std::move(seat));
  }

 private:
  peal::test::TempFolder folder_;
  runtime::ProbeRegistry probes_;
  std::unique_ptr<DiskStorage> storage_;
};

INSTANTIATE_TEST_SUITE_P(Disk, LogStoreSuite,
                         testing::Values(LogStoreParam{
                             "disk", true, [] { return std::make_unique<DiskPlace>(); }}),
                         store_name);

}  // namespace
}  // namespace peal::broker::test
