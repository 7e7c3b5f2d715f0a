"""What peal-monitor-postgres makes of what is odd, large, altered, held by others or has gone back: a clear error or a
correct change, and what comes after it rings."""

import json
import shutil
import subprocess

import pytest

from lib.monitor import KEEPS_ALL, Monitor, install, keeping_broker, log_of, messages_of
from lib.postgres_server import PROGRAMS, PostgresServer
from lib.processes import until

BIG = 32 * 1024 * 1024
RULE = '[[rules]]\ntable = "notes"\nchannel = "notes"\nkey = "{id}"\n'
both = pytest.mark.parametrize("mode", ["outbox", "logical"])


@pytest.fixture
def postgres(cluster):
    with PostgresServer(cluster.folder, {"wal_level": "logical"}) as server:
        server.ask("create table notes (id int primary key, note text, kind text); "
                   "alter table notes replica identity full")
        yield server


def watching(cluster, postgres, broker, mode, rules=RULE, flags=None, dsn=None):
    """An active monitor of the table, in this mode; of logical replication after its snapshot."""
    if mode == "outbox":
        install(postgres.dsn, "--table", "notes")
    monitor = Monitor(cluster, "monitor-1", dsn or postgres.dsn, broker, f'postgres.mode = "{mode}"\n{rules}', flags)
    monitor.start()
    until(monitor.active, "it is active")
    if mode == "logical":
        until(lambda: "the snapshot is published" in monitor.log(), "the snapshot")
    return monitor


def last_is(broker, channel, key, **expected):
    def found():
        of_key = [p for p in log_of(broker, channel) if p.get("key") == key]
        last = (of_key[-1]["message"] if of_key else {}) or {}
        return all((last.get("new") or {}).get(name) == value for name, value in expected.items()) and of_key[-1:]
    return until(found, f"{channel} has {expected} as {key}")[0]


@both
def test_ten_megabytes_ring_where_the_limit_lets_them(cluster, postgres, mode):
    config = cluster.folder / "broker.toml"
    config.write_text(KEEPS_ALL)
    limit = ["--limits-message-bytes-max", str(BIG)]
    broker = cluster.broker("broker-1", flags=["--config", str(config), "--store-path", str(cluster.folder / "store"), *limit])
    watching(cluster, postgres, broker, mode, flags=limit)
    postgres.ask("insert into notes values (1, repeat('long ', 2000000), 'a'), (2, 'after', 'a')")
    last_is(broker, "notes", "2", note="after")
    assert [len(m["new"]["note"]) for m in messages_of(broker, "notes") if m.get("new")] == [10_000_000, 5]


@both
def test_what_is_too_large_is_told_without_its_rows(cluster, postgres, mode):
    broker = keeping_broker(cluster)
    if mode == "logical":  # one that is there before
        postgres.ask("insert into notes values (7, repeat('long ', 2000000), 'a')")
    monitor = watching(cluster, postgres, broker, mode)
    postgres.ask("insert into notes values (1, repeat('long ', 2000000), 'a'), (2, 'after', 'a')")
    postgres.ask("update notes set note = 'short' where id = 1; delete from notes where id = 1")
    until(lambda: any(p.get("key") == "1" and p.get("delete") for p in log_of(broker, "notes")), "all of it rings")
    assert last_is(broker, "notes", "2", note="after")
    of_one = [m for m in (p["message"] for p in log_of(broker, "notes") if p.get("key") == "1")]
    large = {"schema": "public", "table": "notes", "key": "1", "too_large": True}
    # The update has both rows in it, and so has the old one.
    assert of_one[:2] == [{"event": "insert", **large}, {"event": "update", **large}]
    assert of_one[2]["event"] == "delete" and of_one[2]["old"]["note"] == "short"
    if mode == "outbox":
        assert postgres.ask("select count(*) from peal.rejected where reason like 'message_too_large%'") == "2"
        assert monitor.metric("peal_monitor_rejected_total") == 2
    else:
        assert {**large, "event": "snapshot", "key": "7"} in messages_of(broker, "notes")
        assert monitor.metric("peal_monitor_rejected_total") == 3
        assert "larger than limits.message_bytes_max" in monitor.log()


@both
def test_a_null_key_rings_nowhere_and_is_counted(cluster, postgres, mode):
    broker = keeping_broker(cluster)
    rules = '[[rules]]\ntable = "notes"\nchannel = "kinds"\nkey = "{kind}"\npayload = "{id}"\n'
    monitor = watching(cluster, postgres, broker, mode, rules)
    postgres.ask("insert into notes values (1, 'a', null); update notes set kind = 'odd' where id = 1; "
                 "update notes set kind = null where id = 1; insert into notes values (2, 'b', 'even')")
    until(lambda: any(p.get("key") == "even" for p in log_of(broker, "kinds")), "all of it rings")
    heard = [(p["key"], p.get("delete", False)) for p in log_of(broker, "kinds") if "key" in p]
    assert heard == [("odd", False), ("odd", True), ("even", False)]
    assert monitor.metric("peal_monitor_unmapped_total") >= 2 and "NULL" in monitor.log()


def test_an_outbox_goes_with_a_table_that_is_altered_renamed_or_dropped(cluster, postgres):
    broker = keeping_broker(cluster)
    monitor = watching(cluster, postgres, broker, "outbox")
    postgres.ask("alter table notes add column extra int default 5; insert into notes (id) values (1);"
                 "alter table notes drop column note; insert into notes (id) values (2)")
    last_is(broker, "notes", "2", extra=5)
    one, two = messages_of(broker, "notes")
    assert one["new"]["extra"] == 5 and "note" in one["new"] and "note" not in two["new"]
    # Its triggers go with it under its old name, until they are installed for the new one.
    postgres.ask("alter table notes rename to archive; insert into archive (id) values (3)")
    last_is(broker, "notes", "3", id=3)
    postgres.ask("drop table archive; create table notes (id int primary key); insert into notes values (9)")
    install(postgres.dsn, "--table", "notes")
    postgres.ask("insert into notes values (4)")
    last_is(broker, "notes", "4", id=4)
    assert monitor.alive and not any(p.get("key") == "9" for p in log_of(broker, "notes"))


@both
def test_names_are_never_sql(cluster, postgres, mode):
    broker = keeping_broker(cluster)
    postgres.ask('create table "we""ird\'; drop table notes; --" ("b\'; --" text, id int primary key)')
    if mode == "outbox":
        install(postgres.dsn, "--table", "we\"ird'; drop table notes; --")
    rules = """[[rules]]\ntable = '''we"ird'; drop table notes; --'''\nchannel = '''odd:{new."b'; --"}'''\n"""
    watching(cluster, postgres, broker, mode, rules)
    postgres.ask("""insert into "we""ird'; drop table notes; --" values ('{id}''); drop table notes; --', 1)""")
    until(lambda: messages_of(broker, "odd:{id}'); drop table notes; --"), "it rings")
    assert postgres.ask("select count(*) from notes") == "0"


def test_a_slot_in_use_by_another_is_said_and_waited_for(cluster, postgres):
    broker = keeping_broker(cluster)
    monitor = watching(cluster, postgres, broker, "logical")
    monitor.stop()
    slot = postgres.ask("select slot_name from pg_replication_slots")
    other = subprocess.Popen([PROGRAMS[-1] / "pg_recvlogical", "-d", postgres.dsn, "-S", slot, "--start", "-f", "/dev/null",
                              "-o", "proto_version=1", "-o", "publication_names=peal"])
    try:
        until(lambda: postgres.ask("select active from pg_replication_slots") == "t", "another has it")
        began = len(monitor.log())
        monitor.launch()
        tried = postgres.folder.parent / "postgres.log"
        until(lambda: tried.read_text().count("ERROR:  replication slot") >= 5, "it tries again and again")
        log = monitor.log()[began:]
        assert "is active for PID" in log and "[logical] active" not in log and monitor.alive
        assert log.count("no session with the database") == 1, "it is not said each time"
    finally:
        other.kill()
        other.wait()
    postgres.ask("insert into notes values (1, 'mine', 'a')")
    last_is(broker, "notes", "1", note="mine")


def test_rights_that_are_missing_are_named(cluster, postgres):
    broker = keeping_broker(cluster)
    postgres.ask("create role copier login replication; create publication peal for table notes "
                 "with (publish_via_partition_root = true)")
    monitor = Monitor(cluster, "monitor-x", postgres.dsn_of("copier"), broker, 'postgres.mode = "logical"\n' + RULE)
    # The publication is there, and nothing is to be altered; what the table has may not be read.
    monitor.launch()
    until(lambda: monitor.popen.poll() is not None, "it gives up")
    grants = 'GRANT USAGE ON SCHEMA "public" TO "copier"; GRANT SELECT ON "public"."notes" TO "copier"'
    assert grants in monitor.log().replace('\\"', '"')
    postgres.ask(grants)
    monitor.start()
    postgres.ask("insert into notes values (1, 'granted', 'a')")
    last_is(broker, "notes", "1", note="granted")
    listens = ('postgres.mode = "notify"\n[[listen]]\nname = "news"\nchannel = "news"\n'
               'fetch = "select to_jsonb(k) from secrets k where id = $1::int"\n')
    postgres.ask("create table secrets (id int); insert into secrets values (1); create role reader login")
    monitor = Monitor(cluster, "monitor-y", postgres.dsn_of("reader"), broker, listens).start()
    until(monitor.active, "it is active")
    postgres.ask("notify news, '1'")
    until(lambda: "GRANT it what the query reads" in monitor.log(), "it is said")
    postgres.ask("grant select on secrets to reader; notify news, '1'")
    until(lambda: messages_of(broker, "news")[1:] == [None, {"id": 1}], "then it is fetched")


@both
def test_a_database_put_back_from_a_copy_is_noticed(cluster, postgres, mode):
    """A copy of the files, as of a backup without a new timeline: its positions are behind those that were published."""
    broker = keeping_broker(cluster)
    monitor = watching(cluster, postgres, broker, mode)
    postgres.ask("insert into notes values (1, 'kept', 'a')")
    last_is(broker, "notes", "1", note="kept")
    monitor.stop()
    postgres.stop()
    subprocess.run(["cp", "-a", postgres.data, postgres.folder / "copy"], check=True)
    postgres.start()
    monitor.start()
    for number in range(2, 60):
        postgres.ask(f"insert into notes values ({number}, 'lost', 'a')")
    last_is(broker, "notes", "59", note="lost")
    monitor.stop()
    postgres.stop()
    shutil.rmtree(postgres.data)
    (postgres.folder / "copy").rename(postgres.data)
    postgres.start()
    monitor.start()
    postgres.ask("insert into notes values (2, 'again', 'a')")
    last_is(broker, "notes", "2", note="again")
    assert "gone back" in monitor.log() and monitor.metric("peal_monitor_renumbered_total") == 1
    postgres.ask("insert into notes values (3, 'and on', 'a')")
    last_is(broker, "notes", "3", note="and on")
    if mode == "logical":  # the state is the table's again, told by a new epoch
        state = {p["key"]: p["message"]["new"]["note"] for p in log_of(broker, "notes") if "key" in p}
        assert state == {"1": "kept", "2": "again", "3": "and on"}


def test_kept_wal_near_its_limit_is_told_before_it_breaks(cluster, postgres):
    postgres.ask("alter system set max_slot_wal_keep_size = '64MB'; select pg_reload_conf()")
    broker = keeping_broker(cluster)
    monitor = watching(cluster, postgres, broker, "logical")
    left = until(lambda: monitor.metric("peal_monitor_wal_left_bytes"), "what is left is known")
    broker.kill()  # nothing can be confirmed any more
    postgres.ask("insert into notes values (1, 'waits', 'a')")
    for number in range(3):
        postgres.ask(f"insert into notes select {number} * 1000 + i, repeat('x', 200), 'a' from generate_series(2, 9) i; "
                     "select pg_switch_wal()")
    until(lambda: "max_slot_wal_keep_size is near" in monitor.log(), "it is said")
    assert monitor.metric("peal_monitor_wal_left_bytes") < 32 * 1024 * 1024 < left
    assert postgres.ask("select wal_status from pg_replication_slots") != "lost"


def test_an_empty_table_is_a_state_too(cluster, postgres):
    broker = keeping_broker(cluster)
    watching(cluster, postgres, broker, "logical")
    assert [json.dumps(m["event"]) for m in messages_of(broker, "notes")] == ['"snapshot"']
    postgres.ask("insert into notes values (1, 'first', 'a')")
    last_is(broker, "notes", "1", note="first")
