#include "json_text.hpp"
#include "peal/monitor/postgres_outbox.hpp"
#include "verbs.hpp"

namespace peal::cli {
namespace {

/// What the library says: the command line was wrong, the database said no, or is not there.
Failure failure_of(const Error& error) {
  if (error.code == ErrorCode::storage_unavailable) return unreachable(error.message);
  return refused(error);
}

class Monitor final : public Verb {
 public:
  std::string_view name() const override { return "monitor"; }
  std::string_view summary() const override { return "Set up what a monitor needs in a database."; }

  void describe(Arguments& arguments) override {
    arguments.word("SOURCE", source_, "postgres");
    arguments.word("WHAT", what_, "install (again to add or renew), uninstall, or status");
    arguments.option("--dsn", "DSN", install_.dsn,
                     "the database, as libpq takes it (default: PGHOST and the like)");
    arguments.option("--table", "TABLE", install_.tables,
                     "install: announce changes of this table; may be repeated");
    arguments.option("--monitor", "ROLE", install_.monitors,
                     "install: a role that peal-monitor-postgres runs as; may be repeated");
    arguments.option("--publisher", "ROLE", install_.publishers,
                     "install: a role that may call peal.publish; may be repeated");
    arguments.flag("--force", force_, "uninstall: although changes wait there");
    arguments.example("peal monitor postgres install --table orders --publisher app",
                      "changes of orders are announced; app may call peal.publish");
    arguments.example("peal monitor postgres status", "what waits, and for how long");
  }

  Outcome<void> run(Console& console) override {
    if (source_ != "postgres")
      return usage("there is no source '" + source_ + "'; postgres is one");
    if (what_ == "status") return status(console);
    if (what_ != "install" && what_ != "uninstall") {
      return usage("'" + what_ + "' is none of install, uninstall and status");
    }
    const bool install = what_ == "install";
    const auto done = install ? monitor::install_outbox(install_)
                              : monitor::uninstall_outbox(install_.dsn, force_);
    if (!done) return failure_of(done.error());
    if (install) return status(console);
    if (console.json) console.line("{}");
    console.note("removed");
    return {};
  }

 private:
  Outcome<void> status(Console& console) {
    const auto status = monitor::outbox_status(install_.dsn);
    if (!status) return failure_of(status.error());
    std::string tables;
    for (const std::string& table : status->tables)
      tables += (tables.empty() ? "" : ", ") + table;
    if (console.json) {
      console.line(JsonBuilder()
                       .number("version", static_cast<std::uint64_t>(status->version))
                       .text("tables", tables)
                       .number("waiting", status->waiting)
                       .number("bytes", status->bytes)
                       .number("oldest_ms", status->oldest_ms)
                       .number("rejected", status->rejected)
                       .str());
      return {};
    }
    console.line("outbox of version " + std::to_string(status->version) +
                 "; tables: " + (tables.empty() ? "none" : tables));
    console.line("waiting: " + std::to_string(status->waiting) + " changes, " +
                 std::to_string(status->bytes) + " bytes, the oldest for " +
                 std::to_string(status->oldest_ms) +
                 " ms; rejected: " + std::to_string(status->rejected));
    return {};
  }

  std::string source_;
  std::string what_;
  monitor::OutboxInstall install_;
  bool force_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_monitor() {
  return std::make_unique<Monitor>();
}

}  // namespace peal::cli
