#pragma once
// How many commits were durable, beside the database: written after each of them, without a sync of
// its own. So whatever of this file survives, the database must have at least that many: a
// write-ahead log whose damage looks like a torn tail is told from one that was torn. The commit
// thread's.
//   file := count(u64) ~count(u64)

#include <cstdint>
#include <memory>
#include <string>

#include "peal/proto/result.hpp"

namespace peal::disk {

class CommitGuard {
 public:
  static Result<std::unique_ptr<CommitGuard>> open(const std::string& path);
  ~CommitGuard();
  CommitGuard(const CommitGuard&) = delete;
  CommitGuard& operator=(const CommitGuard&) = delete;

  /// As read when opened, or written last; 0 when the file was missing or half written.
  std::uint64_t count() const { return count_; }
  void committed(std::uint64_t count);

 private:
  CommitGuard(int file, std::uint64_t count) : file_(file), count_(count) {}
  int file_;
  std::uint64_t count_;
};

}  // namespace peal::disk
