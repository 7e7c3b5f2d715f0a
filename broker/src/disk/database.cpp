#include "disk/database.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <shared_mutex>

namespace peal::disk {
namespace {

constexpr std::size_t kWriteBufferBytes = 16 * 1024 * 1024;
constexpr int kOpenFilesMax = 512;

rocksdb::Slice slice(std::string_view text) {
  return {text.data(), text.size()};
}
std::string_view view(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

rocksdb::Options make_options(const DatabaseOptions& wanted) {
  rocksdb::Options options;
  if (wanted.env != nullptr) options.env = wanted.env;
  options.create_if_missing = true;
  // What a crash tore off at the end was never acknowledged; damage anywhere else must be seen.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.track_and_verify_wals_in_manifest = true;
  options.paranoid_checks = true;
  // After a failure only opening again tells what is there: see Database::write.
  options.max_bgerror_resume_count = 0;
  options.write_buffer_size = kWriteBufferBytes;
  options.max_background_jobs = 2;
  options.max_open_files = kOpenFilesMax;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.keep_log_file_num = 2;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  const auto compressions = rocksdb::GetSupportedCompressions();
  const bool lz4 = std::ranges::count(compressions, rocksdb::kLZ4Compression) > 0;
  options.compression = lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(wanted.cache_bytes);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

Error unreadable(const rocksdb::Status& status) {
  return fail(ErrorCode::storage_unavailable, "the store cannot be read: " + status.ToString());
}

Error cannot_open(const DatabaseOptions& options, const rocksdb::Status& status) {
  const std::string said = status.ToString();
  if (said.find("lock") != std::string::npos && status.IsIOError()) {
    return fail(
        ErrorCode::storage_unavailable,
        options.folder + " is used by another process, which must stop first (" + said + ")");
  }
  if (status.IsCorruption() || status.IsNotSupported() || status.IsInvalidArgument()) {
    return fail(ErrorCode::storage_unavailable,
                options.folder + " is damaged: " + said +
                    ". Nothing was changed. Restore a backup of it; or move the folder away and "
                    "start without: every channel then begins a new epoch, and clients are told");
  }
  return fail(ErrorCode::storage_unavailable, options.folder + " cannot be opened: " + said);
}

}  // namespace

struct RowBatch::Impl {
  rocksdb::WriteBatch rows;
};

RowBatch::RowBatch() : impl_(std::make_unique<Impl>()) {}
RowBatch::~RowBatch() = default;
RowBatch::RowBatch(RowBatch&& other) noexcept = default;
RowBatch& RowBatch::operator=(RowBatch&& other) noexcept = default;

void RowBatch::put(std::string_view key, std::string_view value) {
  impl_->rows.Put(slice(key), slice(value));
}
void RowBatch::erase(std::string_view key) {
  impl_->rows.Delete(slice(key));
}
void RowBatch::erase(const KeyRange& range) {
  impl_->rows.DeleteRange(slice(range.first), slice(range.end));
}
bool RowBatch::empty() const {
  return impl_->rows.Count() == 0;
}
std::size_t RowBatch::bytes() const {
  return impl_->rows.GetDataSize();
}

struct Database::Impl {
  DatabaseOptions wanted;
  rocksdb::Options options;
  /// Shared by readers, alone whoever opens and closes.
  mutable std::shared_mutex mutex;
  std::unique_ptr<rocksdb::DB> db;

  Result<void> open() {
    rocksdb::DB* opened = nullptr;
    rocksdb::Status status = rocksdb::DB::Open(options, wanted.folder, &opened);
    std::unique_ptr<rocksdb::DB> made(opened);
    if (status.ok() && wanted.verify) status = made->VerifyChecksum();
    if (!status.ok()) return cannot_open(wanted, status);
    const std::unique_lock lock(mutex);
    db = std::move(made);
    return {};
  }
  /// Null while it is closed or being opened.
  std::shared_lock<std::shared_mutex> reading() const {
    std::shared_lock lock(mutex, std::try_to_lock);
    if (lock && !db) lock.unlock();
    return lock;
  }
};

namespace {

Error closed() {
  return fail(ErrorCode::not_ready, "the store is closed after a failure");
}

}  // namespace

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::~Database() {
  close();
}

Result<std::unique_ptr<Database>> Database::open(const DatabaseOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->wanted = options;
  impl->options = make_options(options);
  if (auto opened = impl->open(); !opened) return opened.error();
  return std::unique_ptr<Database>(new Database(std::move(impl)));
}

Result<void> Database::reopen() {
  close();
  return impl_->open();
}

void Database::close() {
  const std::unique_lock lock(impl_->mutex);
  impl_->db.reset();
}

bool Database::is_open() const {
  return static_cast<bool>(impl_->reading());
}

Result<std::optional<std::string>> Database::get(std::string_view key) const {
  const auto lock = impl_->reading();
  if (!lock) return closed();
  std::string value;
  const auto status = impl_->db->Get(rocksdb::ReadOptions(), slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return unreadable(status);
  return std::optional(std::move(value));
}

Result<void> Database::scan(const KeyRange& range, const Visit& visit) const {
  const auto lock = impl_->reading();
  if (!lock) return closed();
  rocksdb::ReadOptions options;
  const rocksdb::Slice end = slice(range.end);
  options.iterate_upper_bound = &end;
  const std::unique_ptr<rocksdb::Iterator> row(impl_->db->NewIterator(options));
  for (row->Seek(slice(range.first)); row->Valid(); row->Next()) {
    if (!visit(view(row->key()), view(row->value()))) return {};
  }
  if (!row->status().ok()) return unreadable(row->status());
  return {};
}

Result<void> Database::pick(std::span<const std::string> keys, const Visit& visit) const {
  if (keys.empty()) return {};
  if (keys.size() == 1) {
    const auto value = get(keys.front());
    if (!value) return value.error();
    if (*value) visit(keys.front(), **value);
    return {};
  }
  const auto lock = impl_->reading();
  if (!lock) return closed();
  const std::unique_ptr<rocksdb::Iterator> row(impl_->db->NewIterator(rocksdb::ReadOptions()));
  for (const std::string& key : keys) {
    if (row->Valid()) row->Next();  // most often they lie side by side
    if (!row->Valid() || row->key() != slice(key)) row->Seek(slice(key));
    if (!row->status().ok()) return unreadable(row->status());
    if (!row->Valid() || row->key() != slice(key)) continue;
    if (!visit(key, view(row->value()))) return {};
  }
  return {};
}

Result<void> Database::write(std::span<RowBatch* const> batches) {
  rocksdb::Status status;
  {
    const std::shared_lock lock(impl_->mutex);
    if (!impl_->db) return closed();
    for (std::size_t i = 0; i < batches.size() && status.ok(); ++i) {
      // The last one's sync takes what was written before it along.
      rocksdb::WriteOptions options;
      options.sync = i + 1 == batches.size();
      status = impl_->db->Write(options, &batches[i]->impl_->rows);
    }
  }
  if (status.ok()) return {};
  close();
  return fail(ErrorCode::storage_unavailable, "the store cannot be written: " + status.ToString());
}

std::uint64_t Database::bytes_on_disk() const {
  const auto lock = impl_->reading();
  std::uint64_t bytes = 0;
  if (lock) impl_->db->GetIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &bytes);
  return bytes;
}

}  // namespace peal::disk
