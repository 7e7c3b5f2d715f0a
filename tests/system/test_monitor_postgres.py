"""peal-monitor-postgres with a real Postgres: what commits rings, each change once, whatever happens meanwhile."""

import json
import random
import subprocess
import time

import pytest

from lib.client import Control, Session
from lib.monitor import Monitor, install, keeping_broker, log_of, messages_of, peal
from lib.monitor_job import hard_work
from lib.postgres_server import PostgresServer
from lib.processes import until

TABLES = """
create table orders (id int primary key, status text, total numeric, note text, tags text[], raw bytea, x float8);
"""
RULES = """
[[rules]]
table = "orders"
channel = "order:{new.id}"
[[rules]]
table = "orders"
channel = "open"
key = "{id}"
filter = "status = 'open'"
payload = '{"event":"{event}","id":{id},"total":{total}}'
"""


@pytest.fixture
def postgres(cluster):
    with PostgresServer(cluster.folder) as server:
        yield server


@pytest.fixture
def orders(postgres):
    postgres.ask(TABLES)
    install(postgres.dsn, "--table", "orders")
    return postgres


def wait_for_empty(postgres):
    until(lambda: postgres.ask("select count(*) from peal.outbox") == "0", "the outbox is empty")


def test_from_a_commit_to_a_session(cluster, orders):
    broker = cluster.broker()
    Monitor(cluster, "monitor-1", orders.dsn, broker, RULES).start()
    gateway = cluster.gateway(flags=["--bus-driver", "zmq", "--bus-connect", broker.ready["listen"]])
    with Session(gateway) as session:
        session.call("subscribe", channel="order:7")
        session.call("subscribe", channel="news")
        orders.ask("insert into orders (id, status, total) values (7, 'open', 12.50)")
        event = session.event()
        assert event["message"]["event"] == "insert" and event["message"]["new"]["total"] == 12.50
        orders.ask("select peal.publish('news', '{\"from\": \"sql\"}')")
        assert session.event()["message"] == {"from": "sql"}
        rolled_back = "begin; update orders set total = 1; select peal.publish('news', '2'); rollback;"
        orders.ask(rolled_back + "update orders set total = 3; select peal.publish('news', '4');")
        heard = [session.event()["message"], session.event()["message"]]
        # However many listen, the database has one connection to serve.
        assert orders.ask("select count(*) from pg_stat_activity where application_name = 'monitor-1'") == "1"
        assert 4 in heard and [m for m in heard if m != 4][0]["new"]["total"] == 3


def test_a_filtered_view_is_keyed_state(cluster, orders):
    broker = keeping_broker(cluster)
    Monitor(cluster, "monitor-1", orders.dsn, broker, RULES).start()
    orders.ask("""
      insert into orders (id, status, total) values (1, 'open', 1), (2, 'shut', 2), (3, 'open', 3);
      update orders set status = 'open' where id = 2;
      update orders set total = 10 where id = 1;
      update orders set status = 'shut' where id = 3;
      delete from orders where id = 1;
    """)
    wait_for_empty(orders)
    log = log_of(broker, "open")
    events = [(p["message"]["event"], p["key"], p.get("delete", False)) for p in log]
    assert events == [("insert", "1", False), ("insert", "3", False), ("enter", "2", False), ("update", "1", False),
                      ("leave", "3", True), ("delete", "1", True)]
    state = {}
    for publication in log:
        state[publication["key"]] = publication
    assert [key for key, last in state.items() if not last.get("delete")] == ["2"]
    orders.ask("truncate orders")
    wait_for_empty(orders)
    assert [m["event"] for m in messages_of(broker, "open")] == ["truncate"], "its channel has begun anew"


def test_odd_values_arrive_as_they_are(cluster, orders):
    broker = keeping_broker(cluster)
    monitor = Monitor(cluster, "monitor-1", orders.dsn, broker, RULES).start()
    orders.ask(r"""
      insert into orders values (1, null, 'NaN', E'a"b\\c\n{id}', array['x', null, 'y,z'], '\xdeadbeef', 'Infinity');
      insert into orders (id, total) values (2, 9007199254740993.000000001);
      insert into orders (id, note) values (3, repeat('long ', 2000000));
      insert into orders (id, note) values (4, 'after');
    """)
    wait_for_empty(orders)
    new = messages_of(broker, "order:1")[0]["new"]
    assert new == {"id": 1, "status": None, "total": "NaN", "note": 'a"b\\c\n{id}', "tags": ["x", None, "y,z"],
                   "raw": "\\xdeadbeef", "x": "Infinity"}
    raw = peal("history", "order:2", "--control", broker.ready["control"], "--json").stdout
    assert "9007199254740993.000000001" in raw
    assert messages_of(broker, "order:4")[0]["new"]["note"] == "after"
    # Ten megabytes are more than a message may have: told and kept, and nothing waits for it.
    assert "message_too_large" in orders.ask("select reason from peal.rejected")
    assert monitor.metric("peal_monitor_rejected_total") == 1
    assert len(orders.ask("select change->'new_row'->>'note' from peal.rejected")) == 10_000_000 - 1


def test_names_never_become_anything_else(cluster, orders):
    broker = keeping_broker(cluster)
    rules = '[[rules]]\ntable = "orders"\nchannel = "by:{note}"\n'
    monitor = Monitor(cluster, "monitor-1", orders.dsn, broker, rules).start()
    evil = "x'; drop table orders; --"
    orders.ask(f"""
      insert into orders (id, note) values (1, $t${evil}$t$), (2, null), (3, E'a\\nb'), (4, ''), (5, '{{id}}');
      insert into orders (id, note) values (6, repeat('ü', 127));
    """)
    refused = orders.psql("select peal.publish(E'a\\u0001', '1')")
    assert refused.returncode != 0 and "control characters" in refused.stderr
    assert orders.psql("select peal.publish(null, '1')").returncode != 0
    assert orders.psql("select peal.publish('a', null)").returncode != 0
    wait_for_empty(orders)
    assert len(messages_of(broker, f"by:{evil}")) == 1
    assert len(messages_of(broker, "by:{id}")) == 1
    assert monitor.metric("peal_monitor_unmapped_total") == 4  # NULL, a control character, nothing, too long
    assert "has no channel" in monitor.log()
    assert orders.ask("select count(*) from orders") == "6"


def test_what_cannot_work_is_said_at_start(cluster, orders):
    broker = cluster.broker()

    def ends(rules, dsn=orders.dsn):
        monitor = Monitor(cluster, f"monitor-{random.random()}", dsn, broker, rules).launch()
        until(lambda: monitor.popen.poll() is not None, "it gives up")
        assert monitor.popen.returncode in (1, 2)
        return monitor.log()

    assert "did you mean public.orders" in ends('[[rules]]\ntable = "ordes"\nchannel = "a"\n')
    assert "did you mean status" in ends('[[rules]]\ntable = "orders"\nchannel = "a"\nfilter = "statsu = 1"\n')
    orders.ask("create table other (id int); create role app login; create role ringer login;")
    assert "install --table public.other" in ends('[[rules]]\ntable = "other"\nchannel = "a"\n')
    assert "--monitor ROLE" in ends(RULES, orders.dsn_of("app"))
    assert "filter" in ends('[[rules]]\ntable = "orders"\nchannel = "a"\nfilter = "id ="\n')
    missing = peal("monitor", "postgres", "install", "--dsn", orders.dsn, "--table", "ordrs")
    assert missing.returncode == 1 and "did you mean public.orders" in missing.stderr
    # With the grants that it names both roles may do their part, and no more.
    assert orders.psql("select peal.publish('a', '1')", "app").returncode != 0
    install(orders.dsn, "--monitor", "app", "--publisher", "ringer")
    monitor = Monitor(cluster, "monitor-1", orders.dsn_of("app"), broker, RULES).start()
    orders.ask("select peal.publish('a', '1')", "ringer")
    wait_for_empty(orders)
    assert monitor.metric("peal_monitor_publications_total") == 1
    assert orders.psql("select * from peal.outbox", "app").returncode != 0


def test_install_is_repeatable_and_removable(cluster, orders):
    install(orders.dsn, "--table", "orders")
    orders.ask("create table other (id int); insert into orders (id) values (1)")
    install(orders.dsn, "--table", "public.other")
    status = json.loads(peal("monitor", "postgres", "status", "--dsn", orders.dsn, "--json").stdout)
    assert status["tables"] == "public.orders, public.other" and status["waiting"] == 1
    # As an older Peal left it.
    orders.ask('update peal.meta set version = 2; alter trigger "!peal_capture" on orders rename to peal_capture; '
               "alter table peal.outbox alter old_row type jsonb, alter new_row type jsonb; "
               "alter table peal.rejected alter change type jsonb")
    old = Monitor(cluster, "monitor-1", orders.dsn, "tcp://127.0.0.1:1", RULES).launch()
    until(lambda: old.popen.poll() is not None, "it gives up")
    assert "renews an older one" in old.log()
    install(orders.dsn)
    status = json.loads(peal("monitor", "postgres", "status", "--dsn", orders.dsn, "--json").stdout)
    assert status["version"] == 3 and status["waiting"] == 1
    assert status["tables"] == "public.orders, public.other"
    assert orders.ask("select pg_typeof(new_row), new_row->>'id' from peal.outbox") == "json|1"
    refused = peal("monitor", "postgres", "uninstall", "--dsn", orders.dsn)
    assert refused.returncode == 1 and "1 changes wait" in refused.stderr
    assert peal("monitor", "postgres", "uninstall", "--dsn", orders.dsn, "--force").returncode == 0
    assert peal("monitor", "postgres", "status", "--dsn", orders.dsn).returncode == 1
    orders.ask("insert into orders (id) values (2)")
    assert orders.ask("select count(*) from pg_trigger where tgname like '%peal%'") == "0"
    nobody = peal("monitor", "postgres", "status", "--dsn", f"host={cluster.folder}/nowhere")
    assert nobody.returncode == 3


def test_a_dry_run_shows_and_takes_nothing(cluster, orders):
    orders.ask("insert into orders (id, status, total) values (1, 'open', 5); select peal.publish('news', '1')")
    monitor = Monitor(cluster, "monitor-1", orders.dsn, "tcp://127.0.0.1:1", RULES)
    shown = subprocess.run([*monitor.launch_command(), "--dry-run"], capture_output=True, text=True)
    lines = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [line["channel"] for line in lines] == ["order:1", "open", "news"]
    assert lines[1] == {"channel": "open", "key": "1", "message": {"event": "insert", "id": 1, "total": 5}}
    assert orders.ask("select count(*) from peal.outbox") == "2"


def test_a_long_transaction_holds_nobody_up_and_breaks_no_order(cluster, orders):
    """Three transactions, of which the one that began first writes a row last: ids are not commit order."""
    broker = keeping_broker(cluster)
    Monitor(cluster, "monitor-1", orders.dsn, broker, '[[rules]]\ntable = "orders"\nchannel = "all"\n').start()
    orders.ask("insert into orders (id, total) values (1, 0)")
    with Psql(orders) as first, Psql(orders) as between:
        first.say("begin; select peal.publish('mine', '1');")    # has the lowest transaction id
        between.say("begin; select peal.publish('other', '1');")  # and stays open to the end
        orders.ask("update orders set total = 1")                 # the highest, commits first
        first.say("update orders set total = 2; commit;")
        until(lambda: len(messages_of(broker, "all")) == 3, "what is committed rings")
        assert [m["new"]["total"] for m in messages_of(broker, "all")] == [0, 1, 2]
        assert messages_of(broker, "mine") == [1]
        between.say("rollback;")
    assert "not_found" in peal("history", "other", "--control", broker.ready["control"]).stderr or \
        log_of(broker, "other") == []


def test_who_wrote_without_waking_anybody_is_not_slept_over(cluster, orders):
    """While a monitor is awake or away nobody says NOTIFY; what such a transaction did must not wait for the next one's."""
    broker = keeping_broker(cluster)
    with Psql(orders) as first, Psql(orders) as second:
        for number, writer in enumerate((first, second)):
            writer.say(f"begin; select peal.publish('n', '{number}');")
        Monitor(cluster, "monitor-1", orders.dsn, broker, RULES).start()
        held = "select count(*) from pg_locks where locktype = 'advisory' and classid = 7305509 and objid = 2"
        until(lambda: orders.ask(held) == "1", "it wants to be woken")
        began = time.monotonic()
        for number, writer in enumerate((second, first)):
            writer.say("commit;")
            until(lambda: len(messages_of(broker, "n")) == number + 1, "it is found")
        assert time.monotonic() - began < 10, "not only by the look that comes every ten seconds"
        assert messages_of(broker, "n") == [1, 0]
        for number in range(2, 50):  # asleep and awake in turns
            orders.ask(f"select peal.publish('n', '{number}')")
        until(lambda: messages_of(broker, "n")[2:] == list(range(2, 50)), "all of it rings")


def test_a_standby_takes_over(cluster, orders):
    broker = keeping_broker(cluster)
    one = Monitor(cluster, "monitor-1", orders.dsn, broker, RULES).start()
    until(lambda: one.active(), "the first is active")
    two = Monitor(cluster, "monitor-2", orders.dsn, broker, RULES).start()
    assert not two.active()
    for number in range(3):
        orders.ask(f"select peal.publish('n', '{number}')")
    wait_for_empty(orders)
    one.kill()
    until(lambda: two.active(), "the standby takes over")
    orders.ask("select peal.publish('n', '3')")
    wait_for_empty(orders)
    assert messages_of(broker, "n") == [0, 1, 2, 3]
    with Control(two) as control:
        assert control.call("stats")["state"] == "active"
    assert two.stop() == 0


def test_without_a_broker_the_database_keeps_what_waits(cluster, orders):
    broker = keeping_broker(cluster)
    monitor = Monitor(cluster, "monitor-1", orders.dsn, broker, RULES, ["--postgres-waiting-warn", "100"]).start()
    listen = broker.ready["listen"]
    broker.kill()
    until(lambda: monitor.get("/readyz")[0] == 503, "it is not ready")
    orders.ask("select peal.publish('n', to_jsonb(i)) from generate_series(1, 3000) i")
    until(lambda: monitor.metric("peal_monitor_lag_changes") == 3000, "the lag is seen")
    assert monitor.metric("peal_monitor_lag_seconds") > 0
    until(lambda: "many changes wait" in monitor.log(), "and said")
    broker = keeping_broker(cluster, listen)
    wait_for_empty(orders)
    assert messages_of(broker, "n") == list(range(1, 3001))


def test_a_database_that_went_back_is_noticed(cluster, orders):
    """Numbers that were given out are used again, as after a backup was put in place by hand."""
    broker = keeping_broker(cluster)
    monitor = Monitor(cluster, "monitor-1", orders.dsn, broker, RULES).start()
    for number in range(10):
        orders.ask(f"select peal.publish('n', '{number}')")
    wait_for_empty(orders)
    monitor.stop()
    orders.ask("update peal.meta set next = 1")
    monitor.start()
    orders.ask("select peal.publish('n', '10')")
    wait_for_empty(orders)
    assert messages_of(broker, "n") == list(range(11))
    assert "gone back" in monitor.log() and monitor.metric("peal_monitor_renumbered_total") == 1


class Psql:
    """A psql that stays open: a transaction as long as the test likes."""

    def __init__(self, postgres):
        self.popen = subprocess.Popen(["psql", "-X", "-q", "-A", "-t", "-d", postgres.dsn], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.popen.communicate()

    def say(self, sql: str) -> None:
        """Returns when it was done."""
        self.popen.stdin.write(sql + "\n\\echo done\n")
        self.popen.stdin.flush()
        while self.popen.stdout.readline() != "done\n":
            pass


def test_every_committed_change_once_and_in_order(cluster, postgres):
    """Eight writers, while the monitors, Postgres and the broker are killed: see lib/monitor_job.py for the long form."""
    hard_work(cluster, postgres)
