"""What waits in Redis is measured and said long before it is lost, also while the broker takes nothing."""

import json

import pytest

from lib.monitor import RedisMonitor, keeping_broker, messages_of, peal
from lib.processes import until
from lib.redis_server import KEEPS_ALL, RedisServer

SOURCES = """
[[streams]]
stream = "events"
channel = "events"
[[lists]]
list = "jobs"
channel = "jobs"
"""
LAG, BYTES, LEFT = "peal_monitor_lag_changes", "peal_monitor_lag_bytes", "peal_monitor_stream_left_entries"


@pytest.fixture
def redis(cluster):
    with RedisServer(cluster.folder, KEEPS_ALL) as server:
        yield server


def add(redis, first, count):
    redis.feed("".join(f"XADD events MAXLEN = 100 * n {number}\n" for number in range(first, first + count)))


def rings(broker, number):
    until(lambda: messages_of(broker, "events")[-1:] == [{"n": str(number)}], f"{number} rings")


def test_what_waits_is_measured_while_the_broker_is_away(cluster, redis):
    broker = keeping_broker(cluster)
    listen = broker.ready["listen"]
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, SOURCES, [
        "--monitor-batch-entries-max", "10", "--monitor-waiting-warn", "60"]).start()
    until(monitor.active, "it is active")
    add(redis, 0, 90)
    rings(broker, 89)
    assert LEFT not in monitor.metrics() and "wait" not in monitor.log()
    broker.kill()
    add(redis, 90, 30)
    until(lambda: monitor.metric(LAG) == 30, "what is added meanwhile is measured")
    redis.ask("RPUSH", "jobs", *map(str, range(20)))
    until(lambda: monitor.metric(LAG) == 50, "in the list, too")
    add(redis, 120, 10)
    until(lambda: monitor.metrics().get(LEFT) == 60, "it is seen to be trimmed: 100 less 40")
    assert "will be trimmed" not in monitor.log() and "much waits" not in monitor.log()
    add(redis, 130, 30)
    until(lambda: "will be trimmed before they are read" in monitor.log(), "it is said while it can still be helped")
    assert "entries=70 entries_left=30" in monitor.log()
    assert monitor.log().count("much waits in Redis") == 1
    assert monitor.metric("peal_monitor_lag_seconds") > 5
    assert 70 * 3 < monitor.metric(BYTES) < 70 * 1000
    broker = keeping_broker(cluster, listen)
    rings(broker, 159)
    assert messages_of(broker, "events") == [{"n": str(number)} for number in range(160)]
    until(lambda: monitor.metric(LAG) == 0 and monitor.metric(LEFT) == 100, "nothing waits any more")
    assert monitor.metric("peal_monitor_lag_seconds") == 0 and monitor.metric(BYTES) == 0


def test_a_standby_has_no_lag(cluster, redis):
    broker = keeping_broker(cluster)
    stream = SOURCES.partition("[[lists]]")[0]
    one = RedisMonitor(cluster, "monitor-1", redis, broker, stream).start()
    until(one.active, "it is active")
    listen = broker.ready["listen"]
    broker.kill()
    add(redis, 0, 10)
    until(lambda: one.metric(LAG) == 10, "it waits")
    two = RedisMonitor(cluster, "monitor-2", redis, listen, stream).launch()
    until(lambda: "[stream events] active" in two.log(), "the other one takes over, since the lease is over")
    broker = keeping_broker(cluster, listen)
    rings(broker, 9)
    until(lambda: two.active() and two.metric(LAG) == 0, "it reads on")
    assert messages_of(broker, "events") == [{"n": str(number)} for number in range(10)]
    until(lambda: not one.active() and one.metric(LAG) == 0, "the first one stands by, and has nothing")


def test_one_reads_and_the_other_stands_by(cluster, redis):
    broker = keeping_broker(cluster)
    for source in SOURCES.replace("[[lists]]", "|[[lists]]").split("|"):
        one, two = (RedisMonitor(cluster, f"{len(source)}-{n}", redis, broker, source).start() for n in (1, 2))
        until(lambda: one.active() or two.active(), "one is active")
        active, standby = (one, two) if one.active() else (two, one)
        add(redis, 0, 30)
        redis.ask("RPUSH", "jobs", *map(str, range(30)))
        until(lambda: active.metric("peal_monitor_publications_total") >= 30, "it rings")
        assert standby.metric("peal_monitor_changes_total") == 0 and not standby.active()
        stats = json.loads(peal("stats", "--json", "--control", standby.ready["control"]).stdout)
        assert (stats["state"], stats["ready"]) == ("standby", True)
        assert active.stop() == 0
        until(standby.active, "it takes over at once, not when the lease is over", 5)


def test_it_takes_no_more_than_it_can_publish(cluster, redis):
    """60 MB wait, and the broker is away: its memory stays bounded, and then all of it rings."""
    broker = keeping_broker(cluster)
    listen = broker.ready["listen"]
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, SOURCES).start()
    until(monitor.active, "it is active")
    before = monitor.metric("process_resident_memory_bytes")
    broker.kill()
    count = 15_000
    redis.ask("EVAL", "local text = string.rep('x', 2000) for i = 1, ARGV[1] do redis.call('XADD', 'events', '*', 'n', i, 't', text) "
              "redis.call('RPUSH', 'jobs', text) end", "0", str(count))
    until(lambda: monitor.metric(LAG) == 2 * count, "all of it waits")
    assert monitor.metric(BYTES) > 2 * count * 2000
    assert monitor.metric("process_resident_memory_bytes") - before < 15_000_000
    broker = keeping_broker(cluster, listen)
    until(lambda: monitor.metric("peal_monitor_publications_total") == 2 * count, "all of it rings")
    assert monitor.metric("process_resident_memory_bytes") - before < 50_000_000
    until(lambda: monitor.metric(LAG) == 0 and monitor.metric(BYTES) == 0, "nothing waits")
    assert monitor.metric("peal_monitor_duplicates_total") == 0


def test_it_says_how_it_is_on_its_control_socket(cluster, redis):
    broker = keeping_broker(cluster)
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, SOURCES).start()
    until(monitor.active, "it is active")
    stats = peal("stats", "--json", "--control", monitor.ready["control"])
    assert stats.returncode == 0, stats.stderr
    stats = json.loads(stats.stdout)
    assert (stats["kind"], stats["source"], stats["state"], stats["ready"]) == ("monitor", "redis", "active", True)


def test_a_redis_that_is_nearly_full_is_said(cluster, redis):
    broker = keeping_broker(cluster)
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, SOURCES).start()
    until(monitor.active, "it is active")
    broker.kill()
    redis.ask("RPUSH", "jobs", "1")
    until(lambda: monitor.metric(LAG) == 1, "it waits")
    used = int(dict(line.split(":", 1) for line in redis.ask("INFO", "memory").splitlines() if ":" in line)["used_memory"])
    redis.ask("CONFIG", "SET", "maxmemory", str(used * 10 // 9))
    until(lambda: "nearly full" in monitor.log(), "it is said")
    assert "soon it refuses to write" in monitor.log() and "policy=noeviction" in monitor.log()
    assert "may evict" not in monitor.log()
    redis.ask("CONFIG", "SET", "maxmemory", str(used * 10), "maxmemory-policy", "allkeys-lru")
    until(lambda: "may evict what was not read yet" in monitor.log(), "that is said while there is room, too")
