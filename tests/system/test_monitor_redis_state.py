"""What the monitor keeps in Redis may be lost, too, by an eviction or FLUSHALL: then nothing is lost in silence."""

import pytest

from lib.monitor import RedisMonitor, keeping_broker, messages_of
from lib.ports import free_ports
from lib.processes import until
from lib.redis_server import KEEPS_ALL, RedisCluster, RedisServer

NEW = '[[streams]]\nstream = "events"\nchannel = "events"\n'
START = NEW + 'from = "start"\n'
LIST = '[[lists]]\nlist = "jobs"\nchannel = "jobs"\n'
TAKEN = "peal:{jobs}:monitor:jobs:taken"
BEGAN = {"event": "reset", "stream": "events", "reason": "reading began"}
ANEW = {"event": "reset", "stream": "events", "reason": "the stream was made anew"}


@pytest.fixture
def redis(cluster):
    with RedisServer(cluster.folder, KEEPS_ALL) as server:
        yield server


def holds(broker, channel, messages):
    until(lambda: messages_of(broker, channel) == messages, f"{channel} holds {messages}")


def add(redis, *numbers, major="*"):
    for number in numbers:
        redis.ask("XADD", "events", "*" if major == "*" else f"{major}-{number}", "n", str(number))


def of(*numbers):
    return [{"n": str(number)} for number in numbers]


def lose_state(redis):
    lost = redis.ask("EVAL", "local keys = redis.call('KEYS', 'peal:*') return redis.call('DEL', unpack(keys))", "0")
    assert lost == "1"


def test_a_stream_goes_on_where_the_process_was(cluster, redis):
    broker = keeping_broker(cluster)
    listen = broker.ready["listen"]
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, NEW, ["--monitor-batch-entries-max", "1"]).start()
    until(monitor.active, "it is active")
    add(redis, 0)
    holds(broker, "events", of(0))
    broker.kill()
    add(redis, *range(1, 6))
    lose_state(redis)
    broker = keeping_broker(cluster, listen)
    holds(broker, "events", of(*range(6)))
    assert "how far it was read is gone from Redis" in monitor.log()
    redis.ask("FLUSHALL")
    add(redis, *range(6, 8), major=1)
    until(lambda: messages_of(broker, "events")[-2:] == of(6, 7), "it reads on")
    assert messages_of(broker, "events")[6] == ANEW


def test_a_stream_that_begins_anew_without_knowing_says_so(cluster, redis):
    broker = keeping_broker(cluster)
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, NEW).start()
    until(monitor.active, "it is active")
    add(redis, 101, 102, major=5)
    holds(broker, "events", of(101, 102))
    monitor.stop()
    add(redis, 103, major=5)
    lose_state(redis)
    monitor.start()
    holds(broker, "events", [*of(101, 102), BEGAN])
    add(redis, 104, major=5)
    holds(broker, "events", [*of(101, 102), BEGAN, *of(104)])
    monitor.stop()
    redis.ask("FLUSHALL")
    add(redis, 1, major=1)
    monitor.start()
    holds(broker, "events", [*of(101, 102), BEGAN, *of(104), BEGAN])
    add(redis, 2, major=1)
    holds(broker, "events", [*of(101, 102), BEGAN, *of(104), BEGAN, *of(2)])


def test_a_stream_that_is_read_from_its_start_is_read_again(cluster, redis):
    broker = keeping_broker(cluster)
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, START).start()
    add(redis, 101, 102, major=5)
    holds(broker, "events", of(101, 102))
    monitor.stop()
    redis.ask("FLUSHALL")
    add(redis, 1, 2, major=1)
    monitor.start()
    holds(broker, "events", of(101, 102, 1, 2))


def test_a_redis_that_went_back_gives_its_entries_once(cluster):
    broker = keeping_broker(cluster)
    with RedisServer(cluster.folder, ["--appendonly", "no"]) as redis:
        monitor = RedisMonitor(cluster, "monitor-1", redis, broker, START).start()
        add(redis, 1, major=5)
        holds(broker, "events", of(1))
        until(lambda: redis.ask("HGET", "peal:{events}:monitor:events:read", "cursor") == "5-1", "it is kept")
        redis.ask("SAVE")
        add(redis, 2, 3, major=5)
        holds(broker, "events", of(1, 2, 3))
        redis.kill()
        redis.start()
        add(redis, 2, 3, major=5)  # whoever had no answer adds it again
        add(redis, 4, major=5)
        holds(broker, "events", of(1, 2, 3, 4))
        until(lambda: monitor.metric("peal_monitor_duplicates_total") == 2, "what came again is known")


def test_elements_that_were_taken_and_vanish_are_said(cluster, redis):
    broker = keeping_broker(cluster)
    listen = broker.ready["listen"]
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, LIST).start()
    redis.ask("RPUSH", "jobs", "1")
    holds(broker, "jobs", [1])
    assert "gone from Redis" not in monitor.log()
    broker.kill()
    redis.ask("RPUSH", "jobs", "2", "3")
    until(lambda: redis.ask("LLEN", TAKEN) == "1" and monitor.metric("peal_monitor_changes_total") == 2, "one is taken")
    monitor.kill()
    redis.ask("DEL", TAKEN)
    broker = keeping_broker(cluster, listen)
    monitor.start()
    until(lambda: "elements that were taken are gone from Redis" in monitor.log(), "it is said")
    redis.ask("RPUSH", "jobs", "4")
    holds(broker, "jobs", [1, 3, 4])
    lose_state(redis)
    until(lambda: "how far it was taken is gone from Redis" in monitor.log(), "it is said")
    redis.ask("RPUSH", "jobs", "5")
    until(lambda: messages_of(broker, "jobs")[-1] == 5, "it goes on")


def test_a_failover_in_a_cluster_that_loses_entries(cluster):
    """How far a stream was read is lost with the entries, since it is in their slot: nothing is taken for made anew."""
    broker = keeping_broker(cluster)
    with RedisCluster(cluster.folder) as nodes:
        monitor = RedisMonitor(cluster, "monitor-1", nodes.flags[2:], broker, START).start()
        until(monitor.active, "it is active")
        home = next(server for server in nodes.servers if "MOVED" not in server.ask("TYPE", "events"))
        add(home, 1, major=5)
        holds(broker, "events", of(1))
        with RedisServer(cluster.folder, ["--cluster-enabled", "yes"], port=free_ports(1)[0]) as replica:
            replica.ask("CLUSTER", "MEET", *home.address.split(":"))
            name = home.ask("CLUSTER", "MYID")
            until(lambda: replica.ask("CLUSTER", "REPLICATE", name) == "OK", "it knows its master")
            until(lambda: replica.ask("INFO", "replication").count("master_link_status:up"), "it has a copy")
            until(lambda: home.ask("WAIT", "1", "1000") == "1", "of all")
            replica.ask("CONFIG", "SET", "masteruser", "nobody", "masterauth", "wrong")
            replica.ask("CLIENT", "KILL", "TYPE", "master")
            until(lambda: "master_link_status:down" in replica.ask("INFO", "replication"), "it hears nothing more")
            add(home, 2, 3, major=5)
            holds(broker, "events", of(1, 2, 3))
            began = monitor.log().count("[stream events] active")
            home.kill()
            replica.ask("CLUSTER", "FAILOVER", "TAKEOVER")
            until(lambda: "role:master" in replica.ask("INFO", "replication"), "it takes over")
            assert replica.ask("XLEN", "events") == "1"
            until(lambda: monitor.log().count("[stream events] active") > began, "it reads there")
            add(replica, 2, 3, 4, major=5)
            holds(broker, "events", of(1, 2, 3, 4))
