#pragma once
// The one door to RocksDB: rows in order, and batches of them written whole and synced. Reads from
// any thread; `write`, `reopen` and `close` from one. Whoever opened it knows that all it shows is
// on the disk: a write that failed closes it, since nobody can tell what of that write is there,
// and opening again writes what the write-ahead log still had into new files. The tail of that log
// which a crash tore is cut; any damage before it makes `open` fail and say what to do.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "disk/rows.hpp"
#include "peal/proto/result.hpp"

namespace rocksdb {
class Env;
}

namespace peal::disk {

/// Rows to be written or erased together, in order.
class RowBatch {
 public:
  RowBatch();
  ~RowBatch();
  RowBatch(RowBatch&&) noexcept;
  RowBatch& operator=(RowBatch&&) noexcept;

  void put(std::string_view key, std::string_view value);
  void erase(std::string_view key);
  void erase(const KeyRange& range);
  bool empty() const;
  std::size_t bytes() const;

 private:
  friend class Database;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct DatabaseOptions {
  std::string folder;
  std::size_t cache_bytes = 64 * 1024 * 1024;
  bool verify = true;           ///< read every file's checksums when opening
  rocksdb::Env* env = nullptr;  ///< tests: a disk that fails; null: the system's
};

class Database {
 public:
  static Result<std::unique_ptr<Database>> open(const DatabaseOptions& options);
  ~Database();

  // Reads fail with not_ready while it is closed, with storage_unavailable when it is damaged.
  /// Null: no such row.
  Result<std::optional<std::string>> get(std::string_view key) const;
  /// Until the end of the range or until `visit` is false. Views are valid during the call.
  using Visit = std::function<bool(std::string_view key, std::string_view value)>;
  Result<void> scan(const KeyRange& range, const Visit& visit) const;
  /// The rows of these keys, which must ascend; those that there are.
  Result<void> pick(std::span<const std::string> keys, const Visit& visit) const;

  /// All batches, in order, then one sync. A failure closes the database.
  Result<void> write(std::span<RowBatch* const> batches);
  Result<void> reopen();
  void close();
  bool is_open() const;
  std::uint64_t bytes_on_disk() const;

 private:
  struct Impl;
  explicit Database(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace peal::disk
