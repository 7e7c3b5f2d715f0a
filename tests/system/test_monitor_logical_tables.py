"""peal-monitor-postgres over logical replication, and tables that are partitioned, made anew, without a key, or odd inside."""

import pytest

from lib.monitor import Monitor, keeping_broker, log_of, messages_of
from lib.postgres_server import PostgresServer
from lib.processes import until

LOGICAL = 'postgres.mode = "logical"\n'


@pytest.fixture
def postgres(cluster):
    with PostgresServer(cluster.folder, {"wal_level": "logical"}) as server:
        yield server


def rule(table, more=""):
    return LOGICAL + f'[[rules]]\ntable = "{table}"\nchannel = "{table}"\nkey = "{{id}}"\n{more}'


def watching(cluster, postgres, broker, config):
    monitor = Monitor(cluster, "monitor-1", postgres.dsn, broker, config).start()
    until(lambda: "the snapshot is published" in monitor.log(), "the snapshot")
    return monitor


def has(broker, channel, key):
    return any(p.get("key") == key for p in log_of(broker, channel))


def test_a_table_without_a_key_is_refused_before_its_updates_are(cluster, postgres):
    """Published without a replica identity, Postgres would refuse the application's updates and deletes."""
    broker = keeping_broker(cluster)
    postgres.ask("create table plain (id int); create table parted (id int, part int) partition by list (part); "
                 "create table part_1 partition of parted for values in (1)")
    for table, wanting in (("plain", "plain"), ("parted", "part_1")):
        monitor = Monitor(cluster, "monitor-x", postgres.dsn, broker, rule(table)).launch()
        until(lambda: monitor.popen.poll() is not None, "it gives up")
        assert f'ALTER TABLE "public"."{wanting}" REPLICA IDENTITY FULL' in monitor.log().replace('\\"', '"')
        postgres.ask(f"insert into {table} values (1); update {table} set id = 2" if table == "plain" else
                     f"insert into {table} values (1, 1); update {table} set id = 2")
    postgres.ask("alter table plain replica identity full")
    watching(cluster, postgres, broker, rule("plain"))
    postgres.ask("update plain set id = 3")
    until(lambda: has(broker, "plain", "3"), "it rings")


def test_a_table_that_is_made_anew_is_read_anew(cluster, postgres):
    """Its publication has the table that was dropped, not the one that has its name."""
    broker = keeping_broker(cluster)
    postgres.ask("create table notes (id int primary key); create table other (id int primary key); insert into notes values (1)")
    monitor = watching(cluster, postgres, broker, rule("notes") + '[[rules]]\ntable = "other"\nchannel = "other"\nkey = "{id}"\n')
    postgres.ask("drop table notes")
    until(lambda: "not there any more" in monitor.log(), "it is said")
    postgres.ask("insert into other values (1)")
    until(lambda: has(broker, "other", "1"), "the other one rings on")
    postgres.ask("create table notes (id int primary key, more text); insert into notes values (2, 'new')")
    until(lambda: has(broker, "notes", "2"), "what it has")
    postgres.ask("insert into notes values (3, 'newer')")
    until(lambda: has(broker, "notes", "3"), "and what comes")
    assert not has(broker, "notes", "1"), "the channel has begun anew"
    assert "was made anew" in monitor.log()


def test_parts_of_a_table_ring_as_the_table(cluster, postgres):
    """Also by a publication that somebody made, and the same over a restart."""
    broker = keeping_broker(cluster)
    postgres.ask("create table parted (id int, part int, primary key (id, part)) partition by list (part); "
                 "create table part_1 partition of parted for values in (1); "
                 "create table part_2 partition of parted for values in (2); "
                 "create publication peal for table parted; insert into parted values (1, 1)")
    monitor = watching(cluster, postgres, broker, rule("parted"))
    postgres.ask("insert into parted values (2, 2); update parted set part = 2 where id = 1")
    until(lambda: has(broker, "parted", "2"), "it rings")
    monitor.stop()
    monitor.start()
    postgres.ask("insert into parted values (3, 1)")
    until(lambda: has(broker, "parted", "3"), "it goes on")
    state = {p["key"]: p["message"]["new"]["part"] for p in log_of(broker, "parted") if "new" in p["message"]}
    assert state == {"1": 2, "2": 2, "3": 1}
    assert monitor.log().count("the snapshot is published") == 1
    postgres.ask("truncate parted; insert into parted values (4, 2)")
    until(lambda: [p["message"]["event"] for p in log_of(broker, "parted")] == ["truncate", "insert"], "it is emptied")


def test_generated_columns_are_never_told(cluster, postgres):
    broker = keeping_broker(cluster)
    postgres.ask("create table sums (id int primary key, a int, b int generated always as (a * 2) stored); "
                 "insert into sums values (1, 1)")
    monitor = Monitor(cluster, "monitor-x", postgres.dsn, broker, rule("sums", 'filter = "b > 1"\n')).launch()
    until(lambda: monitor.popen.poll() is not None, "it gives up")
    assert "the column b of the table public.sums is generated" in monitor.log()
    watching(cluster, postgres, broker, rule("sums"))
    postgres.ask("insert into sums values (2, 2)")
    until(lambda: has(broker, "sums", "2"), "it rings")
    assert [m["new"] for m in messages_of(broker, "sums") if "new" in m] == [{"id": 1, "a": 1}, {"id": 2, "a": 2}]


def test_what_is_too_deep_is_text_and_holds_nothing_up(cluster, postgres):
    broker = keeping_broker(cluster)
    deep = "(repeat('[', 3000) || repeat(']', 3000))"
    postgres.ask(f"create table notes (id int primary key, data jsonb, plain json); insert into notes values (1, {deep}::jsonb)")
    watching(cluster, postgres, broker, rule("notes"))
    postgres.ask(fr"""insert into notes values (2, {deep}::jsonb); insert into notes (id, plain) values (3, '"a\u0000b"')""")
    until(lambda: has(broker, "notes", "3"), "what comes behind rings")
    two, three = [m["new"] for m in messages_of(broker, "notes") if m["event"] == "insert"]
    assert two["data"] == "[" * 3000 + "]" * 3000 and three["plain"] == "a\0b"
