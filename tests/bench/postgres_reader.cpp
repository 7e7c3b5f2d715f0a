// The barest readers of what changes in a Postgres, as a floor for peal-monitor-postgres: each
// takes what is there as soon as it is there, and publishes nothing.
//   notify   LISTEN, and what comes
//   outbox   woken by NOTIFY: one statement that deletes a batch and returns it
//   logical  START_REPLICATION with pgoutput, as pg_recvlogical does it; all is confirmed
// usage: bench_postgres_reader MODE DSN NAME COUNT
// NAME is the channel of NOTIFY or the slot (of a publication of the same name). After COUNT
// changes it prints one line each, "id microseconds" since 1970, and ends; "ready" when it began.
#include <libpq-fe.h>
#include <poll.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::system_clock;

struct Seen {
  std::string id;
  std::int64_t micros;
};

std::int64_t now_micros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch())
      .count();
}

class Reader {
 public:
  Reader(const std::string& dsn, std::size_t count, bool replication) : count_(count) {
    const char* keywords[] = {"dbname", "replication", nullptr};
    const char* values[] = {dsn.c_str(), replication ? "database" : "false", nullptr};
    connection_ = PQconnectdbParams(keywords, values, 1);
    if (PQstatus(connection_) != CONNECTION_OK) lost();
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { PQfinish(connection_); }

  void notify(const std::string& name) {
    PQclear(ask("listen " + name));
    ready();
    while (!done()) {
      wait();
      while (PGnotify* said = PQnotifies(connection_)) {
        saw(said->extra);
        PQfreemem(said);
      }
    }
  }

  void outbox() {
    PQclear(ask("listen peal_outbox"));
    PQclear(ask("select pg_advisory_lock(7305509, 2)"));  // as a monitor that wants to be woken
    ready();
    while (!done()) {
      PGresult* const rows = ask(
          "delete from peal.outbox where id in (select id from peal.outbox order by id limit 1000) "
          "returning new_row->>'id', old_row::text, new_row::text");
      const int taken = PQntuples(rows);
      for (int row = 0; row < taken; ++row)
        saw(PQgetvalue(rows, row, 0));
      PQclear(rows);
      if (taken != 0) continue;
      while (!done() && !woken_)
        wait_for_notify();
      woken_ = false;
    }
  }

  void logical(const std::string& slot) {
    PQclear(ask("START_REPLICATION SLOT \"" + slot +
                "\" LOGICAL 0/0 (proto_version '1', publication_names '\"" + slot + "\"')"));
    ready();
    while (!done()) {
      char* bytes = nullptr;
      const int size = PQgetCopyData(connection_, &bytes, 1);
      if (size < 0) lost();
      if (size == 0) {
        confirm();
        wait();
        continue;
      }
      take({bytes, static_cast<std::size_t>(size)});
      PQfreemem(bytes);
    }
    confirm();
  }

  void print() const {
    for (const Seen& each : seen_)
      std::printf("%s %lld\n", each.id.c_str(), static_cast<long long>(each.micros));
  }

 private:
  [[noreturn]] void lost() { throw std::runtime_error(PQerrorMessage(connection_)); }

  static void ready() {
    std::puts("ready");
    std::fflush(stdout);
  }

  PGresult* ask(const std::string& sql) {
    PGresult* const result = PQexec(connection_, sql.c_str());
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_COPY_BOTH)
      lost();
    return result;
  }

  void wait() {
    pollfd one{PQsocket(connection_), POLLIN, 0};
    ::poll(&one, 1, 1000);
    if (PQconsumeInput(connection_) == 0) lost();
  }

  void wait_for_notify() {
    wait();
    while (PGnotify* said = PQnotifies(connection_)) {
      woken_ = true;
      PQfreemem(said);
    }
  }

  static std::uint64_t number(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char c : bytes)
      value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }

  /// 'w' start:8 end:8 time:8 'I' relation:4 'N' columns:2 't' length:4 text — the first is the id.
  void take(std::string_view message) {
    if (message[0] == 'k') {
      heard_ = number(message.substr(1, 8));
      return;
    }
    heard_ = number(message.substr(9, 8));
    const std::string_view change = message.substr(25);
    if (change[0] == 'I') saw(change.substr(13, number(change.substr(9, 4))));
  }

  void confirm() {
    std::string out = "r";
    for (int field = 0; field < 3; ++field) {
      for (int shift = 56; shift >= 0; shift -= 8)
        out += static_cast<char>(heard_ >> shift & 0xff);
    }
    out.append(9, '\0');
    if (PQputCopyData(connection_, out.data(), static_cast<int>(out.size())) != 1) lost();
    PQflush(connection_);
  }

  void saw(std::string_view id) { seen_.push_back({std::string(id), now_micros()}); }
  bool done() const { return seen_.size() >= count_; }

  PGconn* connection_ = nullptr;
  const std::size_t count_;
  std::vector<Seen> seen_;
  std::uint64_t heard_ = 0;
  bool woken_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fputs("usage: bench_postgres_reader notify|outbox|logical DSN NAME COUNT\n", stderr);
    return 2;
  }
  const std::string mode = argv[1];
  try {
    Reader reader(argv[2], std::strtoul(argv[4], nullptr, 10), mode == "logical");
    if (mode == "notify") {
      reader.notify(argv[3]);
    } else if (mode == "outbox") {
      reader.outbox();
    } else {
      reader.logical(argv[3]);
    }
    reader.print();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_postgres_reader: %s\n", error.what());
    return 1;
  }
  return 0;
}
