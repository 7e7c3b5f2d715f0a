"""peal-monitor-postgres with NOTIFY: what it says rings in order, and a gap is told."""

import pytest

from lib.monitor import Monitor, keeping_broker, messages_of
from lib.postgres_server import PostgresServer
from lib.processes import until

LISTENS = """
postgres.mode = "notify"
[[listen]]
name = "news"
channel = "news"
[[listen]]
name = "Odd \\"Name"
channel = "user:{payload.user.id}"
reset = "users"
payload = '{"text": {payload.text}}'
[[listen]]
name = "changed"
channel = "changes"
fetch = "select to_jsonb(t) from things t where id = $1::int"
"""
RESET = {"event": "reset", "listen": "news"}


@pytest.fixture
def postgres(cluster):
    with PostgresServer(cluster.folder) as server:
        server.ask("create table things (id int primary key, name text); insert into things values (1, 'one')")
        yield server


def holds(broker, channel, *messages):
    until(lambda: messages_of(broker, channel) == list(messages), f"{channel} holds {messages}")


def test_what_is_notified_rings_in_order(cluster, postgres):
    broker = keeping_broker(cluster)
    monitor = Monitor(cluster, "monitor-1", postgres.dsn, broker, LISTENS).start()
    holds(broker, "news", RESET)
    postgres.ask("do $$ begin for i in 1..500 loop perform pg_notify('news', i::text); end loop; end $$")
    postgres.ask("notify news, 'no JSON \"at\" all'; notify other, '1'; begin; notify news, 'never'; rollback;")
    holds(broker, "news", RESET, *range(1, 501), 'no JSON "at" all')
    postgres.ask("""notify "Odd ""Name", '{"user": {"id": "ann"}, "text": "hello"}'""")
    holds(broker, "user:ann", {"text": "hello"})
    # Nothing that was said is ever SQL, and what can't be asked for is told.
    postgres.ask("notify changed, '1'; notify changed, '1; drop table things'; notify changed, '7'")
    holds(broker, "changes", {"event": "reset", "listen": "changed"}, {"id": 1, "name": "one"}, None, None)
    assert "can't be fetched" in monitor.log() and postgres.ask("select count(*) from things") == "1"
    postgres.ask("""notify "Odd ""Name", '{"user": {"id": null}}'""")
    until(lambda: monitor.metric("peal_monitor_unmapped_total") == 1, "no channel for it")


def test_a_gap_is_told(cluster, postgres):
    broker = keeping_broker(cluster)
    one, two = (Monitor(cluster, f"monitor-{n}", postgres.dsn, broker, LISTENS).start() for n in (1, 2))
    active, standby = (one, two) if one.active() else (two, one)
    postgres.ask("notify news, '1'")
    holds(broker, "news", RESET, 1)
    active.kill()
    until(standby.active, "the standby takes over")
    holds(broker, "news", RESET, 1, RESET)
    postgres.ask("notify news, '2'")
    holds(broker, "news", RESET, 1, RESET, 2)
    postgres.crash()
    postgres.start()
    holds(broker, "news", RESET, 1, RESET, 2, RESET)
    holds(broker, "users", *[{"event": "reset", "listen": 'Odd "Name'}] * 3)
    postgres.ask("notify news, '3'")
    holds(broker, "news", RESET, 1, RESET, 2, RESET, 3)


def test_while_the_broker_is_away_nothing_is_lost(cluster, postgres):
    broker = keeping_broker(cluster)
    monitor = Monitor(cluster, "monitor-1", postgres.dsn, broker, LISTENS).start()
    holds(broker, "news", RESET)
    listen = broker.ready["listen"]
    broker.kill()
    until(lambda: monitor.get("/readyz")[0] == 503, "it is not ready")
    for number in range(20):
        postgres.ask(f"notify news, '{number}'")
    broker = keeping_broker(cluster, listen)
    holds(broker, "news", RESET, *range(20))


def test_what_cannot_work_is_said_at_start(cluster, postgres):
    broker = cluster.broker()

    def ends(config):
        monitor = Monitor(cluster, "monitor-x", postgres.dsn, broker, 'postgres.mode = "notify"\n' + config).launch()
        until(lambda: monitor.popen.poll() is not None, "it gives up")
        assert monitor.popen.returncode != 0
        return monitor.log()

    assert "needs a [[listen]]" in ends("")
    assert "reset is missing" in ends('[[listen]]\nname = "a"\nchannel = "x:{payload}"\n')
    assert "no_such" in ends('[[listen]]\nname = "a"\nchannel = "a"\nfetch = "select no_such from things"\n')
