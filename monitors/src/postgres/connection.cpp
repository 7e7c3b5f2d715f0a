#include "postgres/connection.hpp"

#include <poll.h>

#include <algorithm>
#include <charconv>
#include <chrono>

namespace peal::monitor {
namespace {

/// Until somebody is there: also one that takes the connection and says nothing.
constexpr std::chrono::seconds kConnectMax{30};

std::string one_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
    text.pop_back();
  std::ranges::replace(text, '\n', ' ');
  return text;
}

/// Whether asking again later may help.
bool is_temporary(std::string_view sqlstate) {
  // Connections, resources, an operator's shutdown, conflicts and deadlocks, time-outs.
  static constexpr std::string_view kClasses[] = {"08", "53", "57", "58", "40", "55", "XX"};
  return sqlstate.empty() || std::ranges::any_of(kClasses, [&](std::string_view each) {
           return sqlstate.starts_with(each);
         });
}

Error error_of(const PGresult* result, const std::string& denied) {
  const auto field = [&](int which) {
    const char* text = PQresultErrorField(result, which);
    return std::string(text != nullptr ? text : "");
  };
  const std::string sqlstate = field(PG_DIAG_SQLSTATE);
  std::string message = one_line(field(PG_DIAG_MESSAGE_PRIMARY));
  if (message.empty()) message = one_line(PQresultErrorMessage(result));
  if (const std::string hint = one_line(field(PG_DIAG_MESSAGE_HINT)); !hint.empty())
    message += " (" + hint + ")";
  if (sqlstate == "42501" && !denied.empty()) message += "; " + denied;
  return fail(is_temporary(sqlstate) ? ErrorCode::storage_unavailable : ErrorCode::config_invalid,
              "Postgres: " + message);
}

}  // namespace

bool Answer::copies() const {
  return PQresultStatus(result_.get()) == PGRES_COPY_BOTH;
}

Error Answer::error() const {
  if (result_ == nullptr) return fail(ErrorCode::storage_unavailable, "Postgres: it has ended");
  return error_of(result_.get(), "");
}

Cell Answer::at(std::size_t row, int column) const {
  const int number = static_cast<int>(row);
  if (PQgetisnull(result_.get(), number, column) != 0) return std::nullopt;
  return std::string(PQgetvalue(result_.get(), number, column),
                     static_cast<std::size_t>(PQgetlength(result_.get(), number, column)));
}

std::uint64_t Answer::number(std::size_t row, int column) const {
  const std::string digits = text(row, column);
  std::uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

Result<Connection> Connection::open(const std::string& dsn, const std::string& application,
                                    WaitFor wait_for) {
  return open(dsn, application, "false", std::move(wait_for));
}

Result<Connection> Connection::open_replication(const std::string& dsn,
                                                const std::string& application, WaitFor wait_for) {
  return open(dsn, application, "database", std::move(wait_for));
}

Result<Connection> Connection::open(const std::string& dsn, const std::string& application,
                                    const char* replication, WaitFor wait_for) {
  // Later keywords win over what the first one says; a dead peer is noticed within seconds.
  struct Setting {
    const char* keyword;
    const char* value;
  };
  const Setting settings[] = {
      {"dbname", dsn.c_str()},       {"fallback_application_name", application.c_str()},
      {"connect_timeout", "10"},     {"keepalives_idle", "5"},
      {"keepalives_interval", "2"},  {"keepalives_count", "3"},
      {"tcp_user_timeout", "15000"}, {"client_encoding", "UTF8"},
      {"replication", replication},  {nullptr, nullptr}};
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  for (const Setting& setting : settings) {
    keywords.push_back(setting.keyword);
    values.push_back(setting.value);
  }
  Connection made(PQconnectStartParams(keywords.data(), values.data(), 1), std::move(wait_for));
  PGconn* const connection = made.connection_.get();
  PostgresPollingStatusType status = PGRES_POLLING_WRITING;
  const auto deadline = std::chrono::steady_clock::now() + kConnectMax;
  while (connection != nullptr && PQstatus(connection) != CONNECTION_BAD &&
         status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED) {
    if (std::chrono::steady_clock::now() > deadline)
      return fail(ErrorCode::storage_unavailable, "Postgres: it takes connections and is silent");
    if (auto waited = made.wait(status == PGRES_POLLING_READING ? POLLIN : POLLOUT); !waited)
      return waited.error();
    status = PQconnectPoll(connection);
  }
  if (PQstatus(connection) != CONNECTION_OK) return made.lost();
  if (PQserverVersion(connection) < 140'000) {
    return fail(ErrorCode::config_invalid, "Postgres: version 14 or newer is needed");
  }
  PQsetnonblocking(connection, 1);
  PQsetNoticeProcessor(
      connection, [](void*, const char*) {}, nullptr);
  return made;
}

Error Connection::lost() const {
  return fail(ErrorCode::storage_unavailable,
              "Postgres: " + one_line(PQerrorMessage(connection_.get())));
}

Result<void> Connection::wait(short events) {
  if (fd() < 0) return lost();
  if (!wait_for_(fd(), events)) return fail(ErrorCode::draining, "stopping");
  return {};
}

bool wait_patiently(int fd, short events) {
  pollfd one{fd, events, 0};
  ::poll(&one, 1, 10'000);
  return true;
}

Result<void> Connection::use_own_settings() {
  std::string sql =
      "set datestyle = 'ISO'; set intervalstyle = 'postgres'; set extra_float_digits = 3; "
      "set bytea_output = 'hex'; set timezone = 'UTC'; set statement_timeout = 0; "
      "set lock_timeout = 0; set idle_in_transaction_session_timeout = 0; "
      "set idle_session_timeout = 0; set standard_conforming_strings = on; set "
      "default_transaction_isolation = 'read committed'";
  if (PQserverVersion(connection_.get()) >= 170'000) sql += "; set transaction_timeout = 0";
  return run(sql);
}

Result<Answer> Connection::ask(const char* sql, const std::vector<Cell>& parameters) {
  std::vector<const char*> values;
  for (const Cell& cell : parameters)
    values.push_back(cell ? cell->c_str() : nullptr);
  if (PQsendQueryParams(connection_.get(), sql, static_cast<int>(values.size()), nullptr,
                        values.data(), nullptr, nullptr, 0) == 0)
    return lost();
  return finish();
}

Result<Answer> Connection::ask_simply(const std::string& sql) {
  if (PQsendQuery(connection_.get(), sql.c_str()) == 0) return lost();
  return finish();
}

Result<void> Connection::run(const std::string& sql) {
  auto answer = ask_simply(sql);
  if (!answer) return answer.error();
  return {};
}

Result<void> Connection::start_copy(const std::string& command) {
  PGconn* const connection = connection_.get();
  if (PQsendQuery(connection, command.c_str()) == 0) return lost();
  if (auto flushed = flush(); !flushed) return flushed;
  while (PQisBusy(connection) != 0) {
    if (auto waited = wait(POLLIN); !waited) return waited;
    if (PQconsumeInput(connection) == 0) return lost();
  }
  const Answer answer(PQgetResult(connection));
  if (answer.copies()) return {};
  return answer.error();
}

Result<Cell> Connection::copied() {
  PGconn* const connection = connection_.get();
  char* buffer = nullptr;
  int size = PQgetCopyData(connection, &buffer, 1);
  if (size == 0) {
    if (PQconsumeInput(connection) == 0) return lost();
    size = PQgetCopyData(connection, &buffer, 1);
  }
  if (size > 0) {
    std::string bytes(buffer, static_cast<std::size_t>(size));
    PQfreemem(buffer);
    return Cell(std::move(bytes));
  }
  if (size == 0) return Cell();
  if (PQstatus(connection) != CONNECTION_OK) return lost();
  return Answer(PQgetResult(connection)).error();
}

Result<void> Connection::put_copy(std::string_view bytes) {
  if (PQputCopyData(connection_.get(), bytes.data(), static_cast<int>(bytes.size())) != 1)
    return lost();
  return flush();
}

Result<void> Connection::flush() {
  PGconn* const connection = connection_.get();
  for (int left = PQflush(connection); left != 0; left = PQflush(connection)) {
    if (left < 0) return lost();
    if (auto waited = wait(POLLIN | POLLOUT); !waited) return waited;
    if (PQconsumeInput(connection) == 0) return lost();
  }
  return {};
}

Result<Answer> Connection::finish() {
  PGconn* const connection = connection_.get();
  if (auto flushed = flush(); !flushed) return flushed.error();
  std::optional<Answer> last;
  std::optional<Error> wrong;
  while (true) {
    while (PQisBusy(connection) != 0) {
      if (auto waited = wait(POLLIN); !waited) return waited.error();
      if (PQconsumeInput(connection) == 0) return lost();
    }
    PGresult* const result = PQgetResult(connection);
    if (result == nullptr) break;
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && !wrong)
      wrong = error_of(result, denied_);
    last.emplace(result);
  }
  if (PQstatus(connection) != CONNECTION_OK && !wrong) return lost();
  if (wrong) return *wrong;
  if (!last) return lost();
  return std::move(*last);
}

Result<std::vector<Notification>> Connection::notified() {
  if (PQconsumeInput(connection_.get()) == 0) return lost();
  std::vector<Notification> found;
  while (PGnotify* const notify = PQnotifies(connection_.get())) {
    found.push_back({notify->relname, notify->extra});
    PQfreemem(notify);
  }
  if (PQstatus(connection_.get()) != CONNECTION_OK) return lost();
  return found;
}

std::string Connection::encoding() const {
  const char* const name = PQparameterStatus(connection_.get(), "server_encoding");
  return name == nullptr ? "" : name;
}

std::string Connection::quoted(std::string_view identifier) const {
  char* const text = PQescapeIdentifier(connection_.get(), identifier.data(), identifier.size());
  if (text == nullptr) return {};
  std::string out = text;
  PQfreemem(text);
  return out;
}

std::string Connection::literal(std::string_view text) const {
  char* const quoted = PQescapeLiteral(connection_.get(), text.data(), text.size());
  if (quoted == nullptr) return {};
  std::string out = quoted;
  PQfreemem(quoted);
  return out;
}

}  // namespace peal::monitor
