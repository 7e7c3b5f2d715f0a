"""peal-monitor-redis listens: what PUBLISH says rings in order, what happens to keys with what they hold; gaps are told."""

import signal

import pytest

from lib.monitor import RedisMonitor, keeping_broker, log_of, messages_of
from lib.processes import until
from lib.redis_server import RedisCluster, RedisServer

LISTEN = """
[[listen]]
name = "news"
channel = "news"
[[listen]]
pattern = "room.*"
channel = "room:{payload.id}"
payload = '{"in": {$channel}, "text": {payload.text}}'
reset = "rooms"
"""
KEYSPACE = """
[[keyspace]]
pattern = "user:*"
channel = "users"
key = "{$key}"
[[keyspace]]
pattern = "cart:*"
events = ["hset", "del", "expired"]
channel = "cart:{value.owner}"
payload = '{"event": {$event}, "total": {value.total}}'
reset = "carts"
"""
BEGAN = "listening began"


@pytest.fixture
def redis(cluster):
    with RedisServer(cluster.folder, ["--notify-keyspace-events", "KA"]) as server:
        yield server


def holds(broker, channel, messages):
    until(lambda: messages_of(broker, channel) == messages, f"{channel} holds {messages}")


def reset(what, name, reason=BEGAN):
    return {"event": "reset", what: name, "reason": reason}


def test_what_is_said_rings_in_order(cluster, redis):
    broker = keeping_broker(cluster)
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, LISTEN).start()
    holds(broker, "news", [reset("listen", "news")])
    holds(broker, "rooms", [reset("listen", "room.*")])
    said = ["plain {payload}", '{"a": 1}', "[]", "", "7"]
    for one in said:
        redis.ask("PUBLISH", "news", one)
    redis.feed("".join(f"PUBLISH news {number}\n" for number in range(500)))
    holds(broker, "news", [reset("listen", "news"), said[0], {"a": 1}, [], "", 7, *range(500)])
    redis.ask("PUBLISH", "room.7", '{"id": "x", "text": "hi"}')
    redis.ask("PUBLISH", "room.7", "no JSON")
    redis.ask("PUBLISH", "room.8", '{"id": "x\\n"}')
    redis.ask("PUBLISH", "room.9", '{"id": "x", "text": "{payload}"}')
    holds(broker, "room:x", [{"in": "room.7", "text": "hi"}, {"in": "room.9", "text": "{payload}"}])
    assert monitor.metric("peal_monitor_unmapped_total") == 2 and "rings nowhere" in monitor.log()
    assert monitor.stop() == 0


def test_a_gap_is_told_after_a_lost_connection_and_by_a_standby(cluster, redis):
    broker = keeping_broker(cluster)
    one, two = (RedisMonitor(cluster, f"monitor-{n}", redis, broker, LISTEN).start() for n in (1, 2))
    until(lambda: one.active() or two.active(), "one is active")
    began = reset("listen", "news")
    redis.ask("PUBLISH", "news", "1")
    holds(broker, "news", [began, 1])
    redis.kill()
    redis.start()
    until(lambda: len(messages_of(broker, "news")) > 2, "the gap is told")
    redis.ask("PUBLISH", "news", "2")
    until(lambda: messages_of(broker, "news")[-1] == 2, "then all rings again")
    told = messages_of(broker, "news")
    assert told[:2] == [began, 1] and set(map(str, told[2:-1])) == {str(began)}
    # A Redis that keeps nothing has forgotten who it was.
    active, standby = (one, two) if one.active() else (two, one)
    active.kill()
    redis.ask("PUBLISH", "news", "missed")
    until(standby.active, "the standby takes over")
    until(lambda: messages_of(broker, "news")[-1] == began, "and tells the gap")
    redis.ask("PUBLISH", "news", "3")
    until(lambda: messages_of(broker, "news")[-2:] == [began, 3], "once")
    assert "missed" not in messages_of(broker, "news")


def test_who_stood_still_says_nothing_late(cluster, redis):
    """Whoever took over has begun a later session: what the other one still has is too late, and not taken."""
    broker = keeping_broker(cluster)
    one, two = (RedisMonitor(cluster, f"monitor-{n}", redis, broker, LISTEN).start() for n in (1, 2))
    until(lambda: one.active() or two.active(), "one is active")
    active, standby = (one, two) if one.active() else (two, one)
    active.popen.send_signal(signal.SIGSTOP)
    try:
        redis.ask("PUBLISH", "news", '"late"')
        until(standby.active, "the other one takes over")
        until(lambda: messages_of(broker, "news") == [reset("listen", "news")] * 2, "and tells the gap")
        redis.ask("PUBLISH", "news", "1")
        until(lambda: messages_of(broker, "news")[-1] == 1, "and goes on")
    finally:
        active.popen.send_signal(signal.SIGCONT)
    until(lambda: not active.active(), "the first one sees that it is not active any more")
    redis.ask("PUBLISH", "news", "2")
    holds(broker, "news", [reset("listen", "news")] * 2 + [1, 2])


def test_what_is_more_than_it_may_hold_is_told_as_a_gap(cluster, redis):
    broker = keeping_broker(cluster)
    listen = broker.ready["listen"]
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, LISTEN, ["--monitor-held-bytes-max", "5000"]).start()
    holds(broker, "news", [reset("listen", "news")])
    broker.kill()
    redis.feed("".join(f"PUBLISH news {number:03}x\n" for number in range(999)))
    until(lambda: "more is said than is taken" in monitor.log(), "it is too much")
    until(lambda: 0 < monitor.metric("peal_monitor_lag_changes") < 1000 < monitor.metric("peal_monitor_lag_bytes") < 6000,
          "what is held is seen")
    broker = keeping_broker(cluster, listen)
    gap = reset("listen", "news", "more was said than could be held")
    until(lambda: messages_of(broker, "news")[-1] == gap, "the gap is told")
    redis.ask("PUBLISH", "news", "1")
    until(lambda: messages_of(broker, "news")[-1] == 1, "then all rings again")
    told = messages_of(broker, "news")
    held = told[1:-2]
    assert held == [f"{number:03}x" for number in range(len(held))] and 0 < len(held) < 999 and told.count(gap) == 1


def test_keys_that_are_more_than_it_may_hold_are_told_as_a_gap(cluster, redis):
    broker = keeping_broker(cluster)
    listen = broker.ready["listen"]
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, KEYSPACE, ["--monitor-held-bytes-max", "20000"]).start()
    holds(broker, "users", [reset("keyspace", "user:*")])
    broker.kill()
    redis.feed("".join(f"SET user:{number} {number}\n" for number in range(999)))
    until(lambda: "more is said than is taken" in monitor.log(), "it is too much")
    until(lambda: 0 < monitor.metric("peal_monitor_lag_changes") < 1000 < monitor.metric("peal_monitor_lag_bytes") < 21_000,
          "what is held is seen")
    broker = keeping_broker(cluster, listen)
    gap = reset("keyspace", "user:*", "more was said than could be held")
    until(lambda: gap in messages_of(broker, "users"), "the gap is told")
    redis.ask("SET", "user:last", "x")
    until(lambda: messages_of(broker, "users")[-1].get("key") == "user:last", "then all rings again")
    told = messages_of(broker, "users")
    held = [one["key"] for one in told[1:told.index(gap)]]
    assert held == [f"user:{number}" for number in range(len(held))] and 0 < len(held) < 999 and told.count(gap) == 1


def test_large_values_are_not_fetched_and_a_database_is_chosen(cluster, redis):
    broker = keeping_broker(cluster)
    flags = ["--monitor-value-elements-max", "3", "--redis-database", "3"]
    RedisMonitor(cluster, "monitor-1", redis, broker, KEYSPACE + LISTEN, flags).start()
    holds(broker, "users", [reset("keyspace", "user:*")])
    redis.ask("SET", "user:1", "of another database")
    for members in ("abc", "d"):
        redis.ask("-n", "3", "SADD", "user:s", *members)
    event = {"event": "sadd", "key": "user:s", "type": "set"}
    holds(broker, "users", [reset("keyspace", "user:*"), {**event, "value": ["a", "b", "c"]}, event])


def test_keys_ring_with_what_they_hold(cluster, redis):
    broker = keeping_broker(cluster)
    RedisMonitor(cluster, "monitor-1", redis, broker, KEYSPACE).start()
    holds(broker, "users", [reset("keyspace", "user:*")])
    seen = 1

    def told(*command):
        nonlocal seen
        redis.ask(*command)
        seen += 1
        until(lambda: len(log_of(broker, "users")) == seen, f"{command} is told")
        last = log_of(broker, "users")[-1]
        assert last["key"] == command[1] and last["message"]["key"] == command[1]
        assert bool(last.get("delete")) == ("type" not in last["message"])
        return {name: value for name, value in last["message"].items() if name != "key"}

    assert told("SET", "user:1", "ann") == {"event": "set", "type": "string", "value": "ann"}
    assert told("APPEND", "user:1", ' {"x"}') == {"event": "append", "type": "string", "value": 'ann {"x"}'}
    assert told("DEL", "user:1") == {"event": "del"}
    assert told("SET", "user:2", '{"a": [1]}')["value"] == {"a": [1]}
    assert told("HSET", "user:h", "name", "ann", "age", "7") == {
        "event": "hset", "type": "hash", "value": {"name": "ann", "age": "7"}}
    assert told("HDEL", "user:h", "age")["value"] == {"name": "ann"}
    assert told("RPUSH", "user:l", "b", "a")["value"] == ["b", "a"]
    assert told("SADD", "user:s", "b", "a")["value"] == ["a", "b"]
    assert told("ZADD", "user:z", "1.5", "b", "inf", "a")["value"] == [["b", 1.5], ["a", "inf"]]
    assert told("XADD", "user:x", "*", "a", "b") == {"event": "xadd", "type": "stream"}
    assert told("SETRANGE", "user:b", "600000", "x") == {"event": "setrange", "type": "string"}
    redis.ask("SET", "other:1", "x")
    redis.ask("RENAME", "user:2", "user:3")
    seen += 2
    until(lambda: len(log_of(broker, "users")) == seen, "both names are told")
    renamed = [(one["key"], one["message"]["event"], bool(one.get("delete"))) for one in log_of(broker, "users")[-2:]]
    assert renamed == [("user:2", "rename_from", True), ("user:3", "rename_to", False)]
    redis.ask("SET", "user:t", "x", "PX", "30")
    until(lambda: log_of(broker, "users")[-1]["message"]["event"] == "expired", "what expires is told as gone")
    assert log_of(broker, "users")[-1]["key"] == "user:t" and log_of(broker, "users")[-1]["delete"]


def test_events_are_chosen_and_templates_filled(cluster, redis):
    broker = keeping_broker(cluster)
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, KEYSPACE).start()
    holds(broker, "carts", [reset("keyspace", "cart:*")])
    redis.ask("HSET", "cart:1", "owner", "ann", "total", "12")
    redis.ask("EXPIRE", "cart:1", "1000")
    redis.ask("HINCRBY", "cart:1", "total", "1")
    redis.ask("HSET", "cart:1", "total", "14")
    holds(broker, "cart:ann", [{"event": "hset", "total": "12"}, {"event": "hset", "total": "14"}])
    redis.ask("DEL", "cart:1")
    until(lambda: monitor.metric("peal_monitor_unmapped_total") == 1, "nobody knows whose it was")


def test_a_server_that_does_not_say_it_is_named(cluster):
    broker = keeping_broker(cluster)
    with RedisServer(cluster.folder) as redis:
        monitor = RedisMonitor(cluster, "monitor-1", redis, broker, KEYSPACE).launch()
        until(lambda: "CONFIG SET notify-keyspace-events KA" in monitor.log(), "it says what to set")
        assert "lacks K" in monitor.log()
        redis.ask("CONFIG", "SET", "notify-keyspace-events", "KA")
        holds(broker, "users", [reset("keyspace", "user:*")])
        redis.ask("CONFIG", "SET", "notify-keyspace-events", "Kg")
        until(lambda: "notify-keyspace-events is \\\"gK\\\"" in monitor.log(), "also when it is taken away")
        redis.ask("CONFIG", "SET", "notify-keyspace-events", "KA")
        redis.ask("SET", "user:1", "lost")
        until(lambda: messages_of(broker, "users") == [reset("keyspace", "user:*")] * 2, "that was a gap")


def test_in_a_cluster_each_master_is_heard(cluster):
    broker = keeping_broker(cluster)
    with RedisCluster(cluster.folder) as nodes:
        for server in nodes.servers[:2]:
            server.ask("CONFIG", "SET", "notify-keyspace-events", "KA")
        monitor = RedisMonitor(cluster, "monitor-1", nodes.flags[2:], broker, LISTEN + KEYSPACE).launch()
        until(lambda: "CONFIG SET notify-keyspace-events KA" in monitor.log(), "one of them doesn't say it")
        nodes.servers[2].ask("CONFIG", "SET", "notify-keyspace-events", "KA")
        until(lambda: sorted(server.ask("PUBSUB", "NUMPAT") for server in nodes.servers) == ["2", "2", "3"], "all are listened to")
        holds(broker, "news", [reset("listen", "news")])
        until(lambda: reset("keyspace", "user:*") in messages_of(broker, "users"), "the session has begun")
        keys = [f"user:{number}" for number in range(30)]
        for server in nodes.servers:
            for key in keys:
                server.ask("SET", key, key)  # two of three say where it belongs
            server.ask("PUBLISH", "news", f'"{server.address}"')
        holds(broker, "news", [reset("listen", "news"), *(server.address for server in nodes.servers)])
        until(lambda: sorted(m["key"] for m in messages_of(broker, "users") if m["event"] == "set") == sorted(keys),
              "each is told once")
