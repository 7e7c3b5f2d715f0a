#include "failing_disk.hpp"

namespace peal::broker::test {
namespace {

using rocksdb::FileOptions;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class FailingFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FailingFile(std::unique_ptr<FSWritableFile> file, std::shared_ptr<FailingDisk::State> state)
      : FSWritableFileOwnerWrapper(std::move(file)), state_(std::move(state)) {}
  IOStatus Sync(const IOOptions& options, IODebugContext* context) override {
    if (const auto failed = fail(); !failed.ok()) return failed;
    return FSWritableFileOwnerWrapper::Sync(options, context);
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* context) override {
    if (const auto failed = fail(); !failed.ok()) return failed;
    return FSWritableFileOwnerWrapper::Fsync(options, context);
  }

 private:
  IOStatus fail() {
    state_->hang.wait(true);
    return state_->fail_syncs ? IOStatus::IOError("the disk is broken, says the test")
                              : IOStatus::OK();
  }
  const std::shared_ptr<FailingDisk::State> state_;
};

class FailingFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  explicit FailingFileSystem(std::shared_ptr<FailingDisk::State> state)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), state_(std::move(state)) {}
  const char* Name() const override { return "FailingFileSystem"; }
  IOStatus NewWritableFile(const std::string& name, const FileOptions& options,
                           std::unique_ptr<FSWritableFile>* file,
                           IODebugContext* context) override {
    const IOStatus made = FileSystemWrapper::NewWritableFile(name, options, file, context);
    if (made.ok() && name.ends_with(".log")) {
      *file = std::make_unique<FailingFile>(std::move(*file), state_);
    }
    return made;
  }

 private:
  const std::shared_ptr<FailingDisk::State> state_;
};

}  // namespace

FailingDisk::FailingDisk()
    : env_(rocksdb::NewCompositeEnv(std::make_shared<FailingFileSystem>(state_))) {}

void FailingDisk::hang(bool hang) {
  state_->hang = hang;
  state_->hang.notify_all();
}

}  // namespace peal::broker::test
