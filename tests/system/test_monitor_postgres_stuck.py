"""peal-monitor-postgres while nothing can be published: what waits is measured and told all the same, in each mode, also when
the database's connection is lost meanwhile; and the monitor's memory stays as it is."""

import time

import pytest

from lib.monitor import Monitor, install, keeping_broker, log_of, messages_of
from lib.postgres_server import PostgresServer
from lib.processes import until

RULE = '[[rules]]\ntable = "notes"\nchannel = "notes"\nkey = "{id}"\n'
LISTEN = ('postgres.mode = "notify"\n[[listen]]\nname = "news"\nchannel = "news"\n'
          '[[listen]]\nname = "long"\nchannel = "long"\nfetch = "select to_jsonb(length($1))"\n')
CHANGES = {
    "outbox": (100_000, "insert into notes select i, 'x' from generate_series(1, 100000) i"),
    "logical": (300_000, "insert into notes select i, 'x' from generate_series(1, 300000) i"),
    "notify": (30_000, "select pg_notify('long', i || repeat('x', 5000)) from generate_series(1, 30000) i"),
}
both = pytest.mark.parametrize("mode", ["outbox", "logical"])


@pytest.fixture
def postgres(cluster):
    with PostgresServer(cluster.folder, {"wal_level": "logical"}) as server:
        server.ask("create table notes (id int primary key, note text)")
        yield server


def watching(cluster, postgres, broker, mode, flags=None):
    if mode == "outbox":
        install(postgres.dsn, "--table", "notes")
    config = LISTEN if mode == "notify" else f'postgres.mode = "{mode}"\n{RULE}'
    monitor = Monitor(cluster, "monitor-1", postgres.dsn, broker, config, flags).start()
    until(monitor.active, "it is active")
    if mode == "logical":
        until(lambda: "the snapshot is published" in monitor.log(), "the snapshot")
    return monitor


def fill(postgres, first, last):
    postgres.ask(f"insert into notes select i, repeat('x', 1000) from generate_series({first}, {last}) i")


@both
def test_what_waits_is_measured_though_the_database_was_away_too(cluster, postgres, mode):
    broker = keeping_broker(cluster)
    listen = broker.ready["listen"]
    monitor = watching(cluster, postgres, broker, mode, ["--postgres-waiting-warn", "10000"])
    broker.kill()
    fill(postgres, 1, 1)
    until(lambda: monitor.metric("peal_monitor_changes_total") == 1, "it has taken what it can't publish")
    postgres.crash()
    until(lambda: monitor.metric("peal_monitor_connected") == 0, "it is said that the database is away")
    postgres.start()
    fill(postgres, 2, 15_000)
    until(lambda: monitor.metric("peal_monitor_lag_bytes") > 10_000_000, "what waits is measured")
    assert monitor.metric("peal_monitor_lag_changes") >= 1 and monitor.metric("peal_monitor_lag_seconds") > 0
    assert monitor.metric("peal_monitor_connected") == 1
    if mode == "outbox":
        until(lambda: "many changes wait" in monitor.log(), "and said")
    broker = keeping_broker(cluster, listen)
    until(lambda: len({p["key"] for p in log_of(broker, "notes") if "key" in p}) == 15_000, "all of it rings")


def test_kept_wal_is_told_though_the_slot_is_not_read_any_more(cluster, postgres):
    postgres.ask("alter system set max_slot_wal_keep_size = '64MB'; select pg_reload_conf()")
    broker = keeping_broker(cluster)
    monitor = watching(cluster, postgres, broker, "logical")
    broker.kill()
    fill(postgres, 1, 1)
    until(lambda: monitor.metric("peal_monitor_changes_total") == 1, "it has taken what it can't publish")
    postgres.ask("select pg_terminate_backend(pid) from pg_stat_replication")
    for number in range(3):
        postgres.ask(f"insert into notes values (10 + {number}, 'x'); select pg_switch_wal()")
    until(lambda: "max_slot_wal_keep_size is near" in monitor.log(), "it is said")
    assert monitor.metric("peal_monitor_wal_left_bytes") < 32 * 1024 * 1024
    assert postgres.ask("select wal_status from pg_replication_slots") != "lost"


def with_standby(cluster, postgres, broker):
    """A monitor that is ready, and takes over when the first one is killed."""
    one = watching(cluster, postgres, broker, "logical")
    two = Monitor(cluster, "monitor-2", postgres.dsn, broker, f'postgres.mode = "logical"\n{RULE}').start()
    until(lambda: "standing by" in two.log(), "the other stands by")
    return one, two


def test_wal_that_a_snapshot_keeps_is_measured_while_nobody_takes_it(cluster, postgres):
    broker = keeping_broker(cluster)
    listen = broker.ready["listen"]
    one, two = with_standby(cluster, postgres, broker)
    broker.kill()
    fill(postgres, 1, 20_000)
    postgres.ask("alter publication peal drop table notes")  # so that the other one begins anew
    one.kill()
    until(two.active, "it takes over")
    fill(postgres, 20_001, 40_000)
    until(lambda: two.metric("peal_monitor_lag_bytes") > 10_000_000, "what waits is measured")
    assert postgres.ask("select count(*) from pg_replication_slots where temporary") == "1", "of the snapshot"
    broker = keeping_broker(cluster, listen)
    until(lambda: len({p["key"] for p in log_of(broker, "notes") if "key" in p}) == 40_000, "all of it rings")


def test_the_age_of_what_waits_is_since_its_commit(cluster, postgres):
    """Also where it waited for the monitor, not in it."""
    broker = keeping_broker(cluster)
    one, two = with_standby(cluster, postgres, broker)
    broker.kill()
    fill(postgres, 1, 1)
    committed = time.monotonic()
    until(lambda: one.metric("peal_monitor_lag_seconds") > 3, "it waits")
    one.kill()
    until(two.active, "it takes over")
    waited = time.monotonic() - committed
    assert until(lambda: two.metric("peal_monitor_lag_seconds"), "it is measured") >= waited


def test_the_queue_of_notify_is_told_before_it_is_full(cluster, postgres):
    broker = keeping_broker(cluster)
    listen = broker.ready["listen"]
    monitor = watching(cluster, postgres, broker, "notify", ["--postgres-queue-warn-percent", "0"])
    until(lambda: len(messages_of(broker, "news")) == 1, "it listens")
    assert monitor.metric("peal_monitor_queue_used_ratio") == 0
    broker.kill()
    until(lambda: monitor.metric("peal_monitor_linked") == 0, "the broker is away")
    postgres.ask("notify news, '0'")
    until(lambda: monitor.metric("peal_monitor_changes_total") == 1, "it has taken what it can't publish")
    postgres.ask("select pg_notify('news', i || repeat('x', 7000)) from generate_series(1, 5000) i")
    until(lambda: monitor.metric("peal_monitor_queue_used_ratio") > 0, "what waits is measured")
    until(lambda: "NOTIFY will fail when its queue is full" in monitor.log(), "and said")
    assert monitor.metric("peal_monitor_lag_seconds") > 0 and monitor.metric("peal_monitor_lag_changes") == 1
    broker = keeping_broker(cluster, listen)
    until(lambda: len(messages_of(broker, "news")) == 5002, "all of it rings")
    until(lambda: monitor.metric("peal_monitor_queue_used_ratio") == 0, "nothing waits")


@pytest.mark.parametrize("mode", ["outbox", "logical", "notify"])
def test_memory_is_bounded_while_nobody_takes_anything(cluster, postgres, mode):
    """A transaction that fits into the database, not into the monitor."""
    broker = keeping_broker(cluster)
    listen = broker.ready["listen"]
    monitor = watching(cluster, postgres, broker, mode)
    broker.kill()
    until(lambda: monitor.metric("peal_monitor_linked") == 0, "the broker is away")
    before = peak(monitor)
    count, sql = CHANGES[mode]
    postgres.ask(sql)
    until(lambda: monitor.metric("peal_monitor_changes_total") > 0, "it has taken what it can")
    until(lambda: monitor.metric("peal_monitor_lag_changes") > 0, "what waits is measured")
    broker = keeping_broker(cluster, listen)
    until(lambda: monitor.metric("peal_monitor_publications_total") >= count, "all of it rings")
    assert len(log_of(broker, "long" if mode == "notify" else "notes")) >= count
    assert peak(monitor) - before < 64 * 1024, "KiB"


def peak(monitor) -> int:
    """The most memory that it has had, in KiB."""
    with open(f"/proc/{monitor.popen.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
