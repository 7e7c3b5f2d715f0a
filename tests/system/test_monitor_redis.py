"""peal-monitor-redis: what is added to a stream rings once and in order; what was trimmed before it was read is told."""

import threading

import pytest

from lib.monitor import RedisMonitor, keeping_broker, messages_of
from lib.monitor_job import differs
from lib.monitor_redis_job import hard_work, kill_in_turn
from lib.processes import bin_dir, until
from lib.redis_server import KEEPS_ALL, RedisServer

STREAMS = """
[[streams]]
stream = "events"
channel = "events"
from = "start"
[[streams]]
stream = "{odd}:orders"
channel = "user:{user}"
key = "{$id}"
payload = '{"id": "{$id}", "text": {text}}'
reset = "orders"
"""


@pytest.fixture
def redis(cluster):
    with RedisServer(cluster.folder, KEEPS_ALL) as server:
        yield server


def holds(broker, channel, messages):
    until(lambda: messages_of(broker, channel) == messages, f"{channel} holds {messages}")


def reset(stream, reason):
    return {"event": "reset", "stream": stream, "reason": reason}


def test_entries_ring_in_order(cluster, redis):
    broker = keeping_broker(cluster)
    redis.ask("XADD", "events", "*", "n", "0")
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, STREAMS).start()
    until(monitor.active, "it is active")
    for number in range(1, 30):
        redis.ask("XADD", "events", "*", "n", str(number))
    holds(broker, "events", [{"n": str(number)} for number in range(30)])
    identity = redis.ask("XADD", "{odd}:orders", "*", "user", "ann", "text", 'a "quote" {user}')
    holds(broker, "user:ann", [{"id": identity, "text": 'a "quote" {user}'}])
    redis.ask("XADD", "{odd}:orders", "*", "other", "field")
    redis.ask("XADD", "{odd}:orders", "*", "user", "a\nb", "text", "x")
    until(lambda: monitor.metric("peal_monitor_unmapped_total") == 2, "no channel for them")
    assert monitor.stop() == 0


def test_it_goes_on_where_it_was_and_a_standby_takes_over(cluster, redis):
    broker = keeping_broker(cluster)
    one, two = (RedisMonitor(cluster, f"monitor-{n}", redis, broker, STREAMS).start() for n in (1, 2))
    until(lambda: one.active() or two.active(), "one is active")
    active, standby = (one, two) if one.active() else (two, one)
    redis.ask("XADD", "events", "*", "n", "0")
    holds(broker, "events", [{"n": "0"}])
    active.kill()
    redis.ask("XADD", "events", "*", "n", "1")
    until(standby.active, "the standby takes over once the lease is over")
    holds(broker, "events", [{"n": "0"}, {"n": "1"}])
    standby.stop()
    redis.ask("XADD", "events", "*", "n", "2")
    active.start()
    holds(broker, "events", [{"n": str(number)} for number in range(3)])


def test_what_was_trimmed_or_made_anew_is_told(cluster, redis):
    broker = keeping_broker(cluster)
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, STREAMS).start()
    redis.ask("XADD", "events", "5-1", "n", "1")
    holds(broker, "events", [{"n": "1"}])
    monitor.stop()
    for number in range(2, 6):
        redis.ask("XADD", "events", f"5-{number}", "n", str(number))
    redis.ask("XTRIM", "events", "MAXLEN", "1")
    monitor.start()
    trimmed = reset("events", "entries were removed before they were read")
    holds(broker, "events", [{"n": "1"}, trimmed, {"n": "5"}])
    monitor.stop()
    redis.ask("XADD", "events", "6-1", "n", "6")
    redis.ask("XTRIM", "events", "MAXLEN", "0")
    monitor.start()
    holds(broker, "events", [{"n": "1"}, trimmed, {"n": "5"}, trimmed])
    # What was read before it was trimmed is no gap.
    redis.ask("XADD", "events", "7-1", "n", "7")
    holds(broker, "events", [{"n": "1"}, trimmed, {"n": "5"}, trimmed, {"n": "7"}])
    redis.ask("XTRIM", "events", "MAXLEN", "0")
    redis.ask("DEL", "events")
    redis.ask("XADD", "events", "1-1", "n", "anew")
    anew = reset("events", "the stream was made anew")
    until(lambda: messages_of(broker, "events")[-1] == {"n": "anew"}, "the new one is read")
    assert messages_of(broker, "events")[5:] in ([anew, {"n": "anew"}], [anew, anew, {"n": "anew"}])


def test_what_cannot_work_is_said(cluster, redis):
    broker = keeping_broker(cluster)
    for config, says in [("", "no [[streams]]"), ('[[streams]]\nstream = "a"\nchannel = "x:{y}"\n', "reset is missing"),
                         ('[[streams]]\nstream = "a"\nchannel = "a"\nfrom = "old"\n', "neither new nor start")]:
        monitor = RedisMonitor(cluster, "monitor-x", redis, broker, config).launch()
        until(lambda: monitor.popen.poll() is not None, "it gives up")
        assert monitor.popen.returncode != 0 and says in monitor.log()
    redis.ask("SET", "events", "no stream")
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, STREAMS).launch()
    until(lambda: "WRONGTYPE" in monitor.log(), "it is said")
    redis.ask("DEL", "events")
    redis.ask("XADD", "events", "*", "n", "1")
    until(lambda: {"n": "1"} in messages_of(broker, "events"), "and goes on by itself")
    assert monitor.log().count("WRONGTYPE") < 5


class Adder(threading.Thread):
    """Adds numbers to a stream, each once: what failed is asked for before it is said again."""

    def __init__(self, redis, count: int):
        super().__init__()
        self.redis, self.count = redis, count

    def run(self):
        for number in range(1, self.count + 1):
            while self.redis.ask("XADD", "events", f"1-{number}", "n", str(number)) != f"1-{number}":
                # An id that is there is refused; while Redis starts again, everything is.
                if self.redis.ask("XRANGE", "events", f"1-{number}", f"1-{number}").startswith(f"1-{number}"):
                    break


def test_each_entry_once_and_in_order_whatever_is_killed(cluster, redis):
    assert (bin_dir() / "peal-monitor-redis").exists()
    count = 1500
    adder = Adder(redis, count)
    adder.start()
    last = lambda: (redis.ask("XREVRANGE", "events", "+", "-", "COUNT", "1").split() or ["1-0"])[0]
    broker = kill_in_turn(cluster, redis, STREAMS, lambda step: int(
        (last().partition("-")[2] or "0").strip() or 0) >= step * count // 7)
    adder.join()
    until(lambda: messages_of(broker, "events")[-1] == {"n": str(count)}, "all of it rang")
    differs("events", [int(message["n"]) for message in messages_of(broker, "events")], list(range(1, count + 1)))


def test_the_hard_work(cluster, redis):
    """Streams and lists together, eight writers; PEAL_MONITOR_CHANGES and PEAL_MONITOR_KILLS make it longer."""
    hard_work(cluster, redis)
