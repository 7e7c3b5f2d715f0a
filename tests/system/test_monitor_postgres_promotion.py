"""peal-monitor-postgres when a replica of the database is promoted: another timeline, which may have lost what rang already."""

import pytest

from lib.monitor import Monitor, install, keeping_broker, log_of
from lib.postgres_server import PostgresServer
from lib.processes import until

RULE = '[[rules]]\ntable = "notes"\nchannel = "notes"\nkey = "{id}"\n'


class Replica(PostgresServer):
    """Follows another server, by streaming, until it is promoted."""

    def __init__(self, of: PostgresServer):
        folder = of.folder.parent / "replica"
        folder.mkdir()
        super().__init__(folder, of.options | {"unix_socket_directories": str(folder / "postgres")})
        self.of = of

    def __enter__(self):
        self._run("pg_basebackup", "-D", str(self.data), "-R", "-X", "stream", "-c", "fast", "-d", self.of.dsn)
        return self.start()

    def promote(self):
        self.ask("select pg_promote()")


@pytest.mark.parametrize("mode", ["outbox", "logical"])
def test_a_promoted_replica_goes_on_and_repeats_no_numbers(cluster, mode):
    broker = keeping_broker(cluster)
    with PostgresServer(cluster.folder, {"wal_level": "logical"}) as first:
        first.ask("create table notes (id int primary key, note text); alter table notes replica identity full")
        if mode == "outbox":
            install(first.dsn, "--table", "notes")
        with Replica(first) as second:
            # Whoever writes is there: libpq finds it among both.
            dsn = f"host={first.folder},{second.folder} user=postgres dbname=postgres target_session_attrs=read-write"
            monitor = Monitor(cluster, "monitor-1", dsn, broker, f'postgres.mode = "{mode}"\n{RULE}').start()
            until(monitor.active, "it is active")
            first.ask("insert into notes values (1, 'kept')")
            until(lambda: any(p.get("key") == "1" for p in log_of(broker, "notes")), "it rings")
            until(lambda: second.psql("select 1 from notes where id = 1").stdout.strip() == "1", "the replica has it")
            second.stop()
            first.ask("insert into notes values (2, 'lost')")
            until(lambda: any(p.get("key") == "2" for p in log_of(broker, "notes")), "it rings, and is lost")
            first.crash()
            second.start()
            second.promote()
            until(lambda: second.psql("insert into notes values (2, 'again'), (3, 'new')").returncode == 0, "it is promoted")
            until(lambda: any(p.get("key") == "3" for p in log_of(broker, "notes")), "it rings")
            state = {p["key"]: p["message"]["new"]["note"] for p in log_of(broker, "notes") if "key" in p}
            assert state == {"1": "kept", "2": "again", "3": "new"}
