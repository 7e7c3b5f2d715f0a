"""peal-monitor-redis takes elements from lists: each rings once, in order, and none is lost when a process is killed."""

import threading

import pytest

from lib.monitor import RedisMonitor, keeping_broker, messages_of
from lib.monitor_job import differs
from lib.monitor_redis_job import kill_in_turn
from lib.processes import until
from lib.redis_server import KEEPS_ALL, RedisCluster, RedisServer

LISTS = """
[[lists]]
list = "jobs"
channel = "jobs"
[[lists]]
list = "{odd}:orders"
channel = "user:{payload.user}"
key = "{payload.id}"
payload = '{"id": {payload.id}, "text": {payload.text}}'
take = "right"
"""
TAKEN, REJECTED = (f"peal:{{odd}}:monitor:{{odd}}:orders:{what}" for what in ("taken", "rejected"))


@pytest.fixture
def redis(cluster):
    with RedisServer(cluster.folder, KEEPS_ALL) as server:
        yield server


def holds(broker, channel, messages):
    until(lambda: messages_of(broker, channel) == messages, f"{channel} holds {messages}")


def lengths(redis, *keys):
    return [int(redis.ask("LLEN", key)) for key in keys]


def test_elements_ring_in_order_and_are_gone(cluster, redis):
    broker = keeping_broker(cluster)
    redis.ask("RPUSH", "jobs", "0", '{"a": 1}', "plain {payload}")
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, LISTS).start()
    holds(broker, "jobs", [0, {"a": 1}, "plain {payload}"])
    for number in range(1, 20):
        redis.ask("RPUSH", "jobs", str(number))
    holds(broker, "jobs", [0, {"a": 1}, "plain {payload}", *range(1, 20)])
    redis.ask("LPUSH", "{odd}:orders", '{"id": 1, "user": "ann", "text": "one"}', '{"id": 2, "user": "ann", "text": "two"}')
    holds(broker, "user:ann", [{"id": 1, "text": "one"}, {"id": 2, "text": "two"}])
    until(lambda: lengths(redis, "jobs", "peal:{jobs}:monitor:jobs:taken", "{odd}:orders", TAKEN) == [0, 0, 0, 0],
          "what was acknowledged is removed")
    assert monitor.stop() == 0


def test_what_cannot_be_published_is_kept(cluster, redis):
    broker = keeping_broker(cluster)
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, LISTS).start()
    bad = ["no JSON", '{"id": 1}', '{"id": 2, "user": "a\\nb"}', '{"id": 3, "user": "ann", "text": "' + "x" * 600_000 + '"}']
    good = [f'{{"id": {number}, "user": "ann", "text": "{number}"}}' for number in (10, 11)]
    pushes = "".join(f"LPUSH {{odd}}:orders '{one}'\n" for one in [bad[0], good[0], *bad[1:], good[1]])
    redis.feed("MULTI\n" + pushes + "EXEC\n")
    holds(broker, "user:ann", [{"id": 10, "text": "10"}, {"id": 11, "text": "11"}])
    until(lambda: lengths(redis, "{odd}:orders", TAKEN, REJECTED) == [0, 0, 4], "they are kept")
    assert [len(one) for one in redis.ask("LRANGE", REJECTED, "0", "-1").splitlines()] == [len(one) for one in bad]
    assert monitor.metric("peal_monitor_unmapped_total") == 3 and monitor.metric("peal_monitor_rejected_total") == 1
    assert "can't be published and is kept" in monitor.log() and "message_bytes_max" in monitor.log()


def test_a_standby_takes_over_what_was_taken(cluster, redis):
    broker = keeping_broker(cluster)
    listen = broker.ready["listen"]
    one, two = (RedisMonitor(cluster, f"monitor-{n}", redis, broker, LISTS).start() for n in (1, 2))
    until(lambda: one.active() or two.active(), "one is active")
    active, standby = (one, two) if one.active() else (two, one)
    redis.ask("RPUSH", "jobs", "1")
    holds(broker, "jobs", [1])
    broker.kill()
    redis.ask("RPUSH", "jobs", "2", "3")
    until(lambda: lengths(redis, "peal:{jobs}:monitor:jobs:taken") != [0], "it has taken some")
    active.kill()
    broker = keeping_broker(cluster, listen)
    until(standby.active, "the standby takes over once the lease is over")
    redis.ask("RPUSH", "jobs", "4")
    holds(broker, "jobs", [1, 2, 3, 4])
    standby.stop()
    redis.ask("RPUSH", "jobs", "5")
    active.start()
    holds(broker, "jobs", [1, 2, 3, 4, 5])


def test_a_redis_that_went_back_loses_nothing_new(cluster):
    """What it gives out after it has lost its last changes is new, although its numbers were used."""
    broker = keeping_broker(cluster)
    with RedisServer(cluster.folder, ["--appendonly", "no"]) as redis:
        monitor = RedisMonitor(cluster, "monitor-1", redis, broker, LISTS).start()
        redis.ask("RPUSH", "jobs", "1")
        holds(broker, "jobs", [1])
        redis.ask("SAVE")
        redis.ask("RPUSH", "jobs", "2", "3")
        holds(broker, "jobs", [1, 2, 3])
        redis.kill()
        redis.start()
        redis.ask("RPUSH", "jobs", "4", "5")
        holds(broker, "jobs", [1, 2, 3, 4, 5])
        redis.ask("FLUSHALL")
        redis.ask("RPUSH", "jobs", "6")
        holds(broker, "jobs", [1, 2, 3, 4, 5, 6])
        assert monitor.metric("peal_monitor_duplicates_total") == 0


def test_what_cannot_work_is_said(cluster, redis):
    broker = keeping_broker(cluster)
    for config, says in [('[[lists]]\nlist = "a"\nchannel = "a"\ntake = "top"\n', "neither left nor right"),
                         ('[[lists]]\nlist = "a"\n', "channel is missing"),
                         ('[[lists]]\nlist = "a"\nchannel = "a"\n' * 2, "is there twice")]:
        monitor = RedisMonitor(cluster, "monitor-x", redis, broker, config).launch()
        until(lambda: monitor.popen.poll() is not None, "it gives up")
        assert monitor.popen.returncode != 0 and says in monitor.log()
    flags = ["--redis-mode", "cluster", "--redis-addresses", "127.0.0.1:1"]
    untagged = RedisMonitor(cluster, "monitor-y", flags, broker, '[[lists]]\nlist = "a}b"\nchannel = "a"\n').launch()
    until(lambda: untagged.popen.poll() is not None, "it gives up")
    assert "must have a {tag}" in untagged.log()
    redis.ask("SET", "jobs", "no list")
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, LISTS).launch()
    until(lambda: "WRONGTYPE" in monitor.log(), "it is said")
    redis.ask("DEL", "jobs")
    redis.ask("RPUSH", "jobs", "1")
    holds(broker, "jobs", [1])
    # In the middle, too: nothing is half done.
    redis.ask("DEL", "jobs")
    redis.ask("SET", "jobs", "no list")
    until(lambda: monitor.log().count("WRONGTYPE") > 1, "it is said again")
    redis.ask("DEL", "jobs")
    redis.ask("RPUSH", "jobs", "2", "3")
    redis.ask("RENAME", "jobs", "jobs")
    holds(broker, "jobs", [1, 2, 3])


def test_in_a_cluster(cluster):
    broker = keeping_broker(cluster)
    with RedisCluster(cluster.folder) as nodes:
        monitor = RedisMonitor(cluster, "monitor-1", nodes.flags[2:], broker, LISTS).start()
        for server, key, element in [(server, key, element) for server in nodes.servers for key, element in
                                     [("jobs", "1"), ("{odd}:orders", '{"id": 1, "user": "ann", "text": "x"}')]]:
            server.ask("LPUSH", key, element)  # two of three say where it belongs
        holds(broker, "jobs", [1])
        holds(broker, "user:ann", [{"id": 1, "text": "x"}])
        assert monitor.stop() == 0


class Pusher(threading.Thread):
    """Pushes numbers in order, each once: what got no answer is looked for before it is pushed again."""

    def __init__(self, redis, count: int):
        super().__init__()
        self.redis, self.count = redis, count

    def run(self):
        for number in range(1, self.count + 1):
            while self.redis.ask("EVAL", "if redis.call('GET', 'said') == ARGV[1] then return 'OK' end "
                                 "redis.call('RPUSH', 'jobs', ARGV[1]) return redis.call('SET', 'said', ARGV[1])",
                                 "2", "jobs", "said", str(number)) != "OK":
                pass


def test_each_element_once_and_in_order_whatever_is_killed(cluster, redis):
    count = 1500
    pusher = Pusher(redis, count)
    pusher.start()
    broker = kill_in_turn(cluster, redis, LISTS, lambda step: int(
        redis.ask("GET", "said") or "0" if redis.ask("PING") == "PONG" else "0") >= step * count // 7)
    pusher.join()
    until(lambda: messages_of(broker, "jobs")[-1] == count, "all of it rang")
    differs("jobs", messages_of(broker, "jobs"), list(range(1, count + 1)))
    until(lambda: lengths(redis, "jobs", "peal:{jobs}:monitor:jobs:taken") == [0, 0], "nothing is left")
