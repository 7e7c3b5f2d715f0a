#pragma once
// The streaming replication protocol over one connection: changes come as XLogData, and what was
// published is told back. Positions are LSNs. Used by one thread.
//   in  := 'w' start:8 end:8 time:8 pgoutput | 'k' end:8 time:8 reply_wanted:1
//   out := 'r' written:8 flushed:8 applied:8 time:8 reply_wanted:1

#include <cstdint>
#include <optional>
#include <string>

#include "postgres/connection.hpp"

namespace peal::monitor {

struct ServerIdentity {
  std::string system;
  std::uint64_t timeline = 0;
};

/// A slot that lives as long as its connection, and the snapshot that shows what was there before
/// its first change.
struct FreshSlot {
  std::string snapshot;
  std::uint64_t consistent_lsn = 0;
};

/// "16/B374D848" as a number.
std::uint64_t parse_lsn(std::string_view text);

class Replication {
 public:
  static Result<Replication> open(const std::string& dsn, const std::string& application,
                                  WaitFor wait_for);

  Result<ServerIdentity> identify();
  Result<FreshSlot> make_temporary_slot(const std::string& name);
  Result<void> start(const std::string& slot, const std::string& publication);

  struct Came {
    std::string bytes;  ///< of pgoutput; empty: only news of where the server is
    std::uint64_t end_lsn = 0;
    bool reply_wanted = false;
  };
  /// None: nothing is there yet.
  Result<std::optional<Came>> next();
  /// Everything below `flushed` may be forgotten.
  Result<void> confirm(std::uint64_t flushed);
  int fd() const { return connection_.fd(); }

 private:
  explicit Replication(Connection connection) : connection_(std::move(connection)) {}
  Connection connection_;
};

}  // namespace peal::monitor
