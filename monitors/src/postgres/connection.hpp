#pragma once
// The door to libpq: one connection of one thread. While it waits for an answer its owner does what
// else there is to do, and may give up. What breaks the connection is a
// temporary error; what no reconnect helps against is config_invalid and says what to do. A
// password is in no error.

#include <libpq-fe.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peal/proto/result.hpp"

namespace peal::monitor {

using Cell = std::optional<std::string>;  ///< none: NULL

/// What a query answered.
class Answer {
 public:
  explicit Answer(PGresult* result) : result_(result, PQclear) {}
  std::size_t rows() const { return static_cast<std::size_t>(PQntuples(result_.get())); }
  Cell at(std::size_t row, int column) const;
  /// "" for NULL.
  std::string text(std::size_t row, int column) const { return at(row, column).value_or(""); }
  std::uint64_t number(std::size_t row, int column) const;
  bool copies() const;  ///< both sides may send copy data now
  Error error() const;  ///< what it says instead
  bool is_true(std::size_t row, int column) const { return text(row, column) == "t"; }

 private:
  std::unique_ptr<PGresult, decltype(&PQclear)> result_;
};

/// What NOTIFY said.
struct Notification {
  std::string channel;
  std::string payload;
};

/// Until `fd` is ready for these events of poll(2), or a moment has passed; false: give up.
using WaitFor = std::function<bool(int fd, short events)>;
bool wait_patiently(int fd, short events);

class Connection {
 public:
  /// `dsn` as libpq takes it (URI or key = value).
  static Result<Connection> open(const std::string& dsn, const std::string& application,
                                 WaitFor wait_for = wait_patiently);
  /// One that takes replication commands, besides simple statements.
  static Result<Connection> open_replication(const std::string& dsn, const std::string& application,
                                             WaitFor wait_for);

  /// From now on values are written in one way, and no statement or wait is ended for its length,
  /// whatever the role's and the database's settings are.
  Result<void> use_own_settings();
  /// One statement with parameters $1, $2, …; text in, text out.
  Result<Answer> ask(const char* sql, const std::vector<Cell>& parameters = {});
  /// Several statements, one transaction.
  Result<void> run(const std::string& sql);
  /// As `run`, and what the last of them answered.
  Result<Answer> ask_simply(const std::string& sql);
  /// A command after which both sides send copy data.
  Result<void> start_copy(const std::string& command);
  /// A message of it, if one is there; an error when the other side has ended it.
  Result<Cell> copied();
  Result<void> put_copy(std::string_view bytes);
  /// Takes in what came, in order.
  Result<std::vector<Notification>> notified();
  /// What a refusal for want of rights says besides, from now on: what to grant.
  void explain_denied(std::string what) { denied_ = std::move(what); }
  /// Of texts that it has, as Postgres calls it.
  std::string encoding() const;
  int fd() const { return PQsocket(connection_.get()); }
  std::string quoted(std::string_view identifier) const;
  std::string literal(std::string_view text) const;

 private:
  Connection(PGconn* connection, WaitFor wait_for)
      : connection_(connection, PQfinish), wait_for_(std::move(wait_for)) {}
  static Result<Connection> open(const std::string& dsn, const std::string& application,
                                 const char* replication, WaitFor wait_for);
  Result<void> wait(short events);
  Result<void> flush();
  Result<Answer> finish();
  Error lost() const;

  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
  WaitFor wait_for_;
  std::string denied_;
};

}  // namespace peal::monitor
