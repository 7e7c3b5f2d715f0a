"""peal-monitor-postgres over logical replication: a table's state and then its changes, each once, in commit order."""

import json
import threading

import pytest

from lib.client import request
from lib.monitor import Monitor, keeping_broker, log_of, messages_of
from lib.monitor_job import hard_work
from lib.postgres_server import PostgresServer
from lib.processes import until

LOGICAL = 'postgres.mode = "logical"\n'
RULES = LOGICAL + """
[[rules]]
table = "orders"
channel = "table:orders"
key = "{id}"
[[rules]]
table = "orders"
channel = "open"
key = "{id}"
filter = "status = 'open'"
payload = '{"event":"{event}","id":{id}}'
"""
TABLES = """
create type mood as enum ('calm', 'wild');
create domain amount as numeric check (value >= 0);
create table orders (id int primary key, status text, total amount, note text, tags text[], raw bytea, x float8,
  at timestamptz, day date, flag boolean, data jsonb, plain json, state mood, grid int[], big bigint, u uuid,
  span interval, address inet);
"""


@pytest.fixture
def postgres(cluster):
    with PostgresServer(cluster.folder, {"wal_level": "logical", "max_wal_senders": "8"}) as server:
        server.ask(TABLES)
        yield server


def caught_up(postgres, channel, broker):
    """Everything committed so far was published: a change of the test's own came after it."""
    mark = postgres.ask("insert into orders (id) values ((select coalesce(max(id), 0) + 1000 from orders)) returning id")
    until(lambda: any(p.get("key") == mark for p in log_of(broker, channel)), "all of it was published")
    return int(mark)


def state_of(broker, channel):
    state = {}
    for publication in log_of(broker, channel):
        if "key" in publication:
            state[publication["key"]] = None if publication.get("delete") else publication["message"]
    return {int(key): message for key, message in state.items() if message is not None}


def test_a_table_as_it_is_then_as_it_changes(cluster, postgres):
    postgres.ask("alter table orders replica identity full")
    postgres.ask("insert into orders (id, status) select i, case when i % 2 = 0 then 'open' else 'shut' end "
                 "from generate_series(1, 2500) i")
    broker = keeping_broker(cluster)
    monitor = Monitor(cluster, "monitor-1", postgres.dsn, broker, RULES).start()
    until(monitor.active, "it is active")
    postgres.ask("""
      update orders set status = 'open' where id = 1;
      update orders set status = 'shut' where id = 2;
      delete from orders where id = 4;
      update orders set id = 9000 where id = 6;
      begin; update orders set status = 'never'; rollback;
    """)
    mark = caught_up(postgres, "table:orders", broker)
    rows = {row["id"]: row for row in postgres.rows("select * from orders")}
    state = state_of(broker, "table:orders")
    assert {key: message["new"] for key, message in state.items()} == rows
    assert set(state_of(broker, "open")) == {key for key, row in rows.items() if row["status"] == "open"}
    assert [m["event"] for m in messages_of(broker, "open")[:2]] == ["snapshot", "snapshot"]
    assert [m["event"] for m in messages_of(broker, "open")[-5:]] == ["enter", "leave", "delete", "leave", "enter"]
    # A client gets the same over HTTP, as a consistent state with its position.
    rules = '[[channels]]\npattern = "*"\nsubscribe = "anyone"\nrecoverable = true\n'
    gateway = cluster.gateway(flags=["--bus-driver", "zmq", "--bus-connect", broker.ready["listen"]], config=rules)
    assert request(gateway, "GET", "/channels/table:orders?state")[0] == 200
    postgres.ask(f"truncate orders; insert into orders (id) values ({mark + 1})")
    until(lambda: list(state_of(broker, "table:orders")) == [mark + 1], "the emptied table")


def test_one_request_follows_a_table_and_a_view_of_it_by_a_cursor(cluster, postgres):
    """Long-polls of /stream, to one gateway and then another: each says what changed where, and misses and repeats nothing."""
    postgres.ask("alter table orders replica identity full; insert into orders (id, status) values (1, 'open')")
    broker = keeping_broker(cluster)
    Monitor(cluster, "monitor-1", postgres.dsn, broker, RULES).start()
    until(lambda: state_of(broker, "table:orders") and state_of(broker, "open"), "the snapshot")
    rules = '[[channels]]\npattern = "*"\nsubscribe = "anyone"\nrecoverable = true\n'
    gateways = [cluster.gateway(f"gateway-{n}", flags=["--bus-driver", "zmq", "--bus-connect", broker.ready["listen"]],
                                config=rules) for n in (1, 2)]
    channels = [{"channel": "table:orders"}, {"channel": "open"}]

    def poll(gateway, cursor=None):
        body = {"channels": channels} | ({"cursor": cursor} if cursor else {})
        status, _, text = request(gateway, "POST", "/stream?wait=30", json.dumps(body))
        assert status == 200, text
        return json.loads(text)

    cursor = poll(gateways[0])["cursor"]
    # Nobody asks meanwhile: what happens now is not heard by anybody.
    postgres.ask("update orders set status = 'shut' where id = 1; insert into orders (id, status) values (2, 'shut'); "
                 "begin; delete from orders; rollback; update orders set status = 'open' where id = 2")
    heard = []
    while len(heard) < 5:
        answer = poll(gateways[len(heard) % 2], cursor)
        cursor = answer["cursor"]
        heard += [(e["channel"], e["message"]["event"], e["key"]) for e in answer["events"] if e["event"] == "message"]
    assert sorted(heard) == [("open", "enter", "2"), ("open", "leave", "1"), ("table:orders", "insert", "2"),
                             ("table:orders", "update", "1"), ("table:orders", "update", "2")]


ODD = r"""
insert into orders values (1, 'a"b\c', 12.50, E'l1\nl2', array['x', null, 'y,z', '', 'q"'], '\xdeadbeef', 'NaN',
  '2026-02-03 04:05:06.789+02', '2026-02-03', true, '{"b": [1, null]}', '{"b":  1}', 'wild', '{{1,2},{3,4}}',
  9007199254740993, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '1 day 02:03', '10.0.0.1/8');
insert into orders (id, total, x, at, tags) values (2, 'NaN', '-Infinity', 'infinity', '{}');
insert into orders (id, x, big, total) values (3, 1e300, -1, 123456789012345678901234567890.12);
"""


def test_odd_values_are_the_json_that_postgres_makes_of_them(cluster, postgres):
    broker = keeping_broker(cluster)
    Monitor(cluster, "monitor-1", postgres.dsn, broker, RULES).start()
    until(lambda: messages_of(broker, "table:orders"), "the snapshot")
    postgres.ask(ODD)
    caught_up(postgres, "table:orders", broker)
    made = postgres.ask("set timezone = 'UTC'; select row_to_json(o) from orders o where id <= 3 order by id").splitlines()

    streamed = [p["message"]["new"] for p in log_of(broker, "table:orders") if p["message"]["event"] == "insert"][:3]
    assert streamed == [json.loads(line) for line in made]


def test_what_is_unknown_of_a_row_is_said(cluster, postgres):
    """With the default replica identity an update tells neither the old row nor long values that it left alone."""
    long = "x" * 100_000
    postgres.ask(f"alter table orders alter note set storage external; "
                 f"insert into orders (id, status, note) values (1, 'open', '{long}')")
    broker = keeping_broker(cluster)
    monitor = Monitor(cluster, "monitor-1", postgres.dsn, broker, RULES).start()
    until(monitor.active, "it is active")
    assert 'REPLICA IDENTITY FULL' in monitor.log()
    postgres.ask("update orders set status = 'shut' where id = 1")
    caught_up(postgres, "table:orders", broker)
    update = next(m for m in messages_of(broker, "table:orders") if m["event"] == "update")
    assert update["unchanged"] == ["note"] and "note" not in update["new"] and "old" not in update
    assert "REPLICA IDENTITY" in update["old_missing"]
    assert [m["event"] for m in messages_of(broker, "open")][-1] == "leave", "rather once too often than never"
    postgres.ask("alter table orders replica identity full; update orders set status = 'open' where id = 1")
    caught_up(postgres, "table:orders", broker)
    update = [m for m in messages_of(broker, "table:orders") if m["event"] == "update"][-1]
    assert update["new"]["note"] == long and update["old"]["status"] == "shut"
    postgres.ask("insert into orders (id, note) values (2, repeat('y', 2000000))")
    caught_up(postgres, "table:orders", broker)
    assert {"event": "insert", "schema": "public", "table": "orders", "key": "2", "too_large": True} in \
        messages_of(broker, "table:orders")


def test_a_table_that_is_altered_renamed_or_dropped(cluster, postgres):
    broker = keeping_broker(cluster)
    monitor = Monitor(cluster, "monitor-1", postgres.dsn, broker, RULES).start()
    until(lambda: messages_of(broker, "table:orders"), "the snapshot")
    postgres.ask("alter table orders add column extra int default 5; insert into orders (id) values (1);"
                 "alter table orders drop column note; insert into orders (id) values (2)")
    caught_up(postgres, "table:orders", broker)
    one, two = [m["new"] for m in messages_of(broker, "table:orders") if m["event"] == "insert"][:2]
    assert one["extra"] == 5 and "note" in one and "note" not in two
    postgres.ask("alter table orders rename to archive; insert into archive (id) values (3)")
    until(lambda: "another name now" in monitor.log(), "it is told")
    postgres.ask("drop table archive")
    until(lambda: monitor.get("/healthz")[0] == 200, "it goes on")


@pytest.mark.parametrize("how", ["dropped by somebody", "lost to max_slot_wal_keep_size"])
def test_a_lost_slot_begins_anew(cluster, postgres, how):
    broker = keeping_broker(cluster)
    monitor = Monitor(cluster, "monitor-1", postgres.dsn, broker, RULES).start()
    postgres.ask("insert into orders (id) values (1)")
    caught_up(postgres, "table:orders", broker)
    assert any(m["event"] == "insert" for m in messages_of(broker, "table:orders"))
    monitor.stop()
    slot = postgres.ask("select slot_name from pg_replication_slots")
    postgres.ask("insert into orders (id) values (2)")
    if how.startswith("dropped"):
        postgres.ask(f"select pg_drop_replication_slot('{slot}')")
    else:
        postgres.ask("alter system set max_slot_wal_keep_size = '16MB'; select pg_reload_conf()")
        for number in range(6):
            postgres.ask(f"insert into orders (id) values ({100 + number}); select pg_switch_wal()")
        postgres.ask("checkpoint")
        assert postgres.ask("select wal_status from pg_replication_slots") == "lost"
    monitor.start()
    mark = caught_up(postgres, "table:orders", broker)
    assert messages_of(broker, "table:orders")[0]["event"] == "snapshot", "what was before has gone with its epoch"
    assert {1, 2, mark} <= set(state_of(broker, "table:orders"))
    assert slot not in postgres.ask("select slot_name from pg_replication_slots")


@pytest.mark.parametrize("what", ["the monitor", "the database"])
def test_a_snapshot_that_was_cut_begins_anew_without_gap_or_overlap(cluster, postgres, what):
    postgres.ask("alter table orders replica identity full; "
                 "insert into orders (id, big) select i, 0 from generate_series(1, 20000) i")
    broker = keeping_broker(cluster)
    monitor = Monitor(cluster, "monitor-1", postgres.dsn, broker, RULES).start()
    writer = Writer(postgres)
    writer.start()
    until(lambda: monitor.metric("peal_monitor_changes_total") > 1000, "it is in the middle")
    if what == "the monitor":
        monitor.kill()
    else:
        postgres.crash()
        postgres.start()
    assert postgres.ask("select count(*) from pg_replication_slots where not temporary") == "0"
    if what == "the monitor":
        monitor.launch()
    until(lambda: postgres.ask("select count(*) from pg_replication_slots where not temporary") == "1", "it is done")
    writer.stop()
    caught_up(postgres, "table:orders", broker)
    rows = {row["id"]: row["big"] for row in postgres.rows("select id, big from orders")}
    assert {key: message["new"]["big"] for key, message in state_of(broker, "table:orders").items()} == rows
    counts = {}
    for publication in log_of(broker, "table:orders"):
        message = publication["message"]
        if message["event"] in ("snapshot", "update") and "new" in message:
            key, big = message["new"]["id"], message["new"]["big"]
            assert counts.get(key, big - 1) == big - 1, "no change is missing and none comes twice"
            counts[key] = big


class Writer(threading.Thread):
    """Counts rows up, until it is stopped."""

    def __init__(self, postgres):
        super().__init__()
        self.postgres, self.going = postgres, True

    def run(self):
        while self.going:
            self.postgres.psql("update orders set big = big + 1 where id % 97 = (random() * 96)::int")

    def stop(self):
        self.going = False
        self.join()


def test_what_cannot_work_is_said_at_start(cluster, postgres):
    broker = cluster.broker()

    def ends(config, dsn=postgres.dsn):
        monitor = Monitor(cluster, "monitor-x", dsn, broker, config).launch()
        until(lambda: monitor.popen.poll() is not None, "it gives up")
        assert monitor.popen.returncode != 0
        return monitor.log()

    postgres.ask("create role app login; create role copier login replication; grant create on database postgres to copier")
    assert "ALTER ROLE" in ends(RULES, postgres.dsn_of("app"))
    assert "CREATE PUBLICATION" in ends(RULES, postgres.dsn_of("copier"))
    assert "did you mean public.orders" in ends(LOGICAL + '[[rules]]\ntable = "order"\nchannel = "a"\n')
    assert "needs [[rules]]" in ends(LOGICAL)
    postgres.stop()
    postgres.options["wal_level"] = "replica"
    postgres.start()
    assert "wal_level = logical" in ends(RULES)


def test_wal_that_nobody_reads_is_watched(cluster, postgres):
    postgres.ask("alter system set max_slot_wal_keep_size = '64MB'; select pg_reload_conf()")
    broker = keeping_broker(cluster)
    monitor = Monitor(cluster, "monitor-1", postgres.dsn, broker, RULES).start()
    until(lambda: monitor.metric("peal_monitor_wal_left_bytes") > 0, "what is left is known")
    # While nothing changes the slot moves on all the same, so that idle tables keep no WAL.
    postgres.ask("create table other as select i, repeat('x', 1000) from generate_series(1, 20000) i; checkpoint")
    until(lambda: monitor.metric("peal_monitor_lag_bytes") < 1_000_000, "what concerns nobody is let go")


def test_every_committed_change_once_and_in_order(cluster, postgres):
    """The job, as for the outbox: see lib/monitor_job.py for its long form."""
    hard_work(cluster, postgres, LOGICAL)
