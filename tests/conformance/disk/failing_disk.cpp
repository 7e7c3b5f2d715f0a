#include "failing_disk.hpp"

namespace peal::broker::test {
namespace {

using rocksdb::DataVerificationInfo;
using rocksdb::FileOptions;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

using Moving = std::shared_lock<std::shared_mutex>;

class FailingFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FailingFile(std::unique_ptr<FSWritableFile> file, std::shared_ptr<FailingDisk::State> state,
              bool log)
      : FSWritableFileOwnerWrapper(std::move(file)), state_(std::move(state)), log_(log) {}
  IOStatus Append(const Slice& bytes, const IOOptions& options, IODebugContext* context) override {
    const Moving moving(state_->still);
    return FSWritableFileOwnerWrapper::Append(bytes, options, context);
  }
  IOStatus Append(const Slice& bytes, const IOOptions& options, const DataVerificationInfo& sums,
                  IODebugContext* context) override {
    const Moving moving(state_->still);
    return FSWritableFileOwnerWrapper::Append(bytes, options, sums, context);
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions& options,
                    IODebugContext* context) override {
    const Moving moving(state_->still);
    return FSWritableFileOwnerWrapper::Truncate(size, options, context);
  }
  IOStatus Close(const IOOptions& options, IODebugContext* context) override {
    const Moving moving(state_->still);
    return FSWritableFileOwnerWrapper::Close(options, context);
  }
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
    if (!log_) return IOStatus::OK();
    state_->hang.wait(true);
    return state_->fail_syncs ? IOStatus::IOError("the disk is broken, says the test")
                              : IOStatus::OK();
  }
  const std::shared_ptr<FailingDisk::State> state_;
  const bool log_;
};

class FailingFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  explicit FailingFileSystem(std::shared_ptr<FailingDisk::State> state)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), state_(std::move(state)) {}
  const char* Name() const override { return "FailingFileSystem"; }
  IOStatus NewWritableFile(const std::string& name, const FileOptions& options,
                           std::unique_ptr<FSWritableFile>* file,
                           IODebugContext* context) override {
    const Moving moving(state_->still);
    const IOStatus made = FileSystemWrapper::NewWritableFile(name, options, file, context);
    if (made.ok()) {
      *file = std::make_unique<FailingFile>(std::move(*file), state_, name.ends_with(".log"));
    }
    return made;
  }
  IOStatus DeleteFile(const std::string& name, const IOOptions& options,
                      IODebugContext* context) override {
    const Moving moving(state_->still);
    return FileSystemWrapper::DeleteFile(name, options, context);
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* context) override {
    const Moving moving(state_->still);
    return FileSystemWrapper::RenameFile(from, to, options, context);
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
