#include "postgres/outbox.hpp"

#include <algorithm>

#include "postgres/catalog.hpp"
#include "postgres/outbox_sql.hpp"

namespace peal::monitor {
namespace {

Change::What what_of(std::string_view op) {
  for (const auto what : {Change::What::insert, Change::What::update, Change::What::remove}) {
    if (name_of(what) == op) return what;
  }
  return Change::What::truncate;
}

}  // namespace

Result<void> Outbox::check(Connection& connection,
                           const std::map<std::string, std::vector<std::string>>& tables) {
  connection.explain_denied("grant it by: peal monitor postgres install --monitor ROLE");
  auto there = connection.ask("select to_regclass('peal.meta') is not null");
  if (!there) return there.error();
  if (!there->is_true(0, 0)) {
    return fail(ErrorCode::config_invalid,
                "there is no outbox in the database; make it by: peal monitor postgres install");
  }
  auto version = connection.ask("select version from peal.meta");
  if (!version) return version.error();
  if (version->rows() != 1 || version->number(0, 0) != kOutboxVersion) {
    return fail(ErrorCode::config_invalid,
                "the outbox is of version " + version->text(0, 0) + ", not " +
                    std::to_string(kOutboxVersion) +
                    "; peal monitor postgres install renews an older one");
  }
  if (auto good = check_tables(connection, tables); !good) return good;
  const auto captured = captured_tables(connection);
  if (!captured) return captured.error();
  for (const auto& [table, columns] : tables) {
    if (std::ranges::find(*captured, table) == captured->end()) {
      return fail(ErrorCode::config_invalid,
                  "nothing watches the table " + table +
                      " yet; do: peal monitor postgres install --table " + table);
    }
  }
  return {};
}

Result<OutboxClaim> Outbox::claim(std::optional<std::uint64_t> met) {
  auto answer =
      connection_.ask("select * from peal.claim($1)", {met ? Cell(std::to_string(*met)) : Cell()});
  if (!answer) return answer.error();
  return OutboxClaim{"postgres-outbox:" + answer->text(0, 0), answer->number(0, 1)};
}

Result<OutboxBatch> Outbox::take(std::optional<std::uint64_t> done,
                                 const std::map<std::string, std::string>& refused,
                                 std::size_t changes_max, std::size_t bytes_max) {
  std::string reasons = "{";
  for (const auto& [id, reason] : refused) {
    append_json_text(reasons += reasons.size() > 1 ? "," : "", id);
    append_json_text(reasons += ':', reason);
  }
  auto answer = connection_.ask("select * from peal.take($1, $2, $3, $4)",
                                {done ? Cell(std::to_string(*done)) : Cell(), reasons + '}',
                                 std::to_string(changes_max), std::to_string(bytes_max)});
  if (!answer) return answer.error();
  OutboxBatch batch;
  for (std::size_t i = 0; i < answer->rows(); ++i) {
    batch.fresh = answer->is_true(i, 1);
    auto row = row_of(*answer, i, 2);
    row.number = answer->number(i, 0);
    batch.rows.push_back(std::move(row));
  }
  return batch;
}

Result<bool> Outbox::ask_to_be_woken() {
  auto answer = connection_.ask("select pg_try_advisory_lock(7305509, 2)");
  if (!answer) return answer.error();
  return answer->is_true(0, 0);
}

Result<bool> Outbox::others_have_ended() {
  auto answer =
      connection_.ask("select pg_try_advisory_lock(7305509, 1) and pg_advisory_unlock(7305509, 1)");
  if (!answer) return answer.error();
  return answer->is_true(0, 0);
}

Result<void> Outbox::stay_awake() {
  auto answer = connection_.ask("select pg_advisory_unlock(7305509, 2)");
  return answer ? Result<void>() : Result<void>(answer.error());
}

Result<OutboxBatch> Outbox::peek(std::size_t changes_max) {
  auto answer = connection_.ask("select * from peal.peek($1)", {Cell(std::to_string(changes_max))});
  if (!answer) return answer.error();
  OutboxBatch batch;
  for (std::size_t i = 0; i < answer->rows(); ++i) {
    auto row = row_of(*answer, i, 0);
    batch.rows.push_back(std::move(row));
  }
  return batch;
}

/// Columns from `first` on: id, at_ms, channel, key, deletion, payload, schema_name, table_name,
/// op, old_row, new_row.
OutboxRow Outbox::row_of(const Answer& answer, std::size_t row, int first) {
  OutboxRow made;
  made.id = answer.text(row, first);
  if (const Cell channel = answer.at(row, first + 2)) {
    made.channel = *channel;
    made.key = answer.text(row, first + 3);
    made.deletion = answer.is_true(row, first + 4);
    made.payload = answer.text(row, first + 5);
    return made;
  }
  Change& change = made.change.emplace();
  change.time_ms = static_cast<std::int64_t>(answer.number(row, first + 1));
  change.schema = answer.text(row, first + 6);
  change.table = answer.text(row, first + 7);
  change.what = what_of(answer.text(row, first + 8));
  for (const auto& [to, column] :
       {std::pair{&change.old_row, first + 9}, std::pair{&change.new_row, first + 10}}) {
    const Cell json = answer.at(row, column);
    if (!json) continue;
    auto parsed = Row::parse(*json, reader_);
    if (parsed) {
      *to = std::move(*parsed);
    } else {
      made.unreadable = parsed.error().message;
    }
  }
  return made;
}

Result<OutboxLag> Outbox::lag(std::size_t most) {
  auto answer = connection_.ask("select * from peal.lag($1)", {Cell(std::to_string(most))});
  if (!answer) return answer.error();
  return OutboxLag{answer->number(0, 0), answer->number(0, 1), answer->number(0, 2),
                   answer->number(0, 3)};
}

}  // namespace peal::monitor
