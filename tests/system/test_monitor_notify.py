"""peal-monitor-postgres with NOTIFY: what it says rings in order, and a gap is told."""

import threading

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


def test_gaps_are_only_where_they_are_told(cluster, postgres):
    """Four writers count up, while the monitor that listens, Postgres and the broker are killed."""
    broker = keeping_broker(cluster)
    listen = broker.ready["listen"]
    monitors = [Monitor(cluster, f"monitor-{n}", postgres.dsn, broker, LISTENS).start() for n in (1, 2)]
    holds(broker, "news", RESET)
    writers = [Writer(postgres, name) for name in "abcd"]
    for writer in writers:
        writer.start()

    def heard():
        return messages_of(broker, "news")

    def goes_on(what):
        """Every writer is heard again, behind all that there was."""
        had = len(heard())
        until(lambda: {m[0] for m in heard()[had:] if m != RESET} == set("abcd"), what)

    goes_on("all are heard")
    for _ in range(3):
        active = until(lambda: [m for m in monitors if m.active()], "one listens")[0]
        active.kill()
        active.launch()
        goes_on("the other one listens")
    postgres.crash()
    postgres.start()
    goes_on("it listens again")
    broker.kill()
    broker = keeping_broker(cluster, listen)
    goes_on("the broker is back")
    for writer in writers:
        writer.going = False
        writer.join()
    until(lambda: {f"{w.name}{w.count - 1}" for w in writers} <= {m for m in heard() if m != RESET}, "the last ones")
    last, resets = {}, 0
    for message in heard():
        if message == RESET:
            resets, last = resets + 1, {}
        else:
            name, number = message[0], int(message[1:])
            assert number == last.get(name, number - 1) + 1, f"{message} after {last}: a gap, or twice, that was not told"
            last[name] = number
    assert resets >= 5, "the start, three monitors, Postgres"


class Writer(threading.Thread):
    """Says its name and a number, one after the other; what was not committed is said again under the same one."""

    def __init__(self, postgres, name):
        super().__init__()
        self.postgres, self.name, self.count, self.going = postgres, name, 0, True

    def run(self):
        while self.going:
            if self.postgres.psql(f"notify news, '{self.name}{self.count}'").returncode == 0:
                self.count += 1


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
    assert "queue_warn_percent: 0 to 100" in ends('postgres.queue_warn_percent = 101\n[[listen]]\nname = "a"\nchannel = "a"\n')
    assert "reset is missing" in ends('[[listen]]\nname = "a"\nchannel = "x:{payload}"\n')
    assert "no_such" in ends('[[listen]]\nname = "a"\nchannel = "a"\nfetch = "select no_such from things"\n')
