"""What is odd, large or binary in Redis, and what others do to it while it is read: a clear word or a correct message."""

import random
import signal

import pytest

from lib.monitor import RedisMonitor, keeping_broker, messages_of
from lib.processes import until
from lib.redis_server import KEEPS_ALL, RedisCluster, RedisServer

STREAM = '[[streams]]\nstream = "events"\nchannel = "events"\nfrom = "start"\n'
LIST = '[[lists]]\nlist = "jobs"\nchannel = "jobs"\n'
LISTEN = '[[listen]]\nname = "news"\nchannel = "news"\n'
KEYSPACE = '[[keyspace]]\npattern = "user:*"\nchannel = "users"\nkey = "{$key}"\n'
MISSED = {"event": "reset", "stream": "events", "reason": "entries were removed before they were read"}
ANEW = {"event": "reset", "stream": "events", "reason": "the stream was made anew"}


@pytest.fixture
def redis(cluster):
    with RedisServer(cluster.folder, [*KEEPS_ALL, "--notify-keyspace-events", "KA"]) as server:
        yield server


def holds(broker, channel, messages):
    until(lambda: messages_of(broker, channel) == messages, f"{channel} holds {messages}")


def last_is(broker, channel, message):
    until(lambda: messages_of(broker, channel)[-1:] == [message], f"{message} rings on {channel}")


def add(redis, *numbers):
    for number in numbers:
        redis.ask("XADD", "events", f"5-{number}", "n", str(number))


def of(*numbers):
    return [{"n": str(number)} for number in numbers]


def test_entries_that_are_too_large_are_told(cluster, redis):
    broker = keeping_broker(cluster)
    add(redis, 1)
    # Each fits into an answer of Redis, together they don't.
    redis.ask("EVAL", "for i = 2, 9 do redis.call('XADD', 'events', '5-' .. i, 'n', string.rep('x', 10000000)) end", "0")
    redis.ask("EVAL", "redis.call('XADD', 'events', '5-10', 'n', string.rep('x', 70000000))", "0")
    add(redis, 11)
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, STREAM).start()
    last_is(broker, "events", {"n": "11"})
    large = [{"stream": "events", "id": f"5-{number}", "too_large": True} for number in range(2, 10)]
    told = {"event": "reset", "stream": "events", "reason": "5-10 is larger than a quarter of redis.reply_bytes_max"}
    assert messages_of(broker, "events") == [{"n": "1"}, *large, told, {"n": "11"}]
    assert monitor.metric("peal_monitor_rejected_total") == 9


def test_elements_that_are_too_large_are_kept(cluster, redis):
    broker = keeping_broker(cluster)
    redis.ask("RPUSH", "jobs", "1")
    redis.ask("EVAL", "for i = 1, 5 do redis.call('RPUSH', 'jobs', string.rep('x', i * 10000000)) end", "0")
    redis.ask("RPUSH", "jobs", "2")
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, LIST).start()
    holds(broker, "jobs", [1, 2])
    sizes = "local sizes = {} for i = 0, 4 do sizes[i + 1] = #redis.call('LINDEX', KEYS[1], i) end return sizes"
    until(lambda: redis.ask("EVAL", sizes, "1", "peal:{jobs}:monitor:jobs:rejected").split() ==
          [str(number * 10_000_000) for number in range(1, 6)], "they are kept, in order")
    assert "redis.reply_bytes_max" in monitor.log() and "limits.message_bytes_max" in monitor.log()


def test_bytes_of_any_kind_ring(cluster, redis):
    broker = keeping_broker(cluster)
    RedisMonitor(cluster, "monitor-1", redis, broker, STREAM + LIST + LISTEN + KEYSPACE).start()
    until(lambda: messages_of(broker, "news") and messages_of(broker, "users"), "it listens")
    redis.feed('XADD events 5-1 "" ""\nXADD events 5-2 a 1 a 2\nXADD events 5-3 "\\xff\\x00k" "v\\x00\\xfe"\n'
               'RPUSH jobs "\\xff\\x00" ""\nPUBLISH news "\\xff\\x00"\nSET "user:\\xff\\x00" "\\xfe\\x00"\n'
               'XADD events 5-4 last 1\nRPUSH jobs last\nPUBLISH news last\nSET user:last last\n')
    holds(broker, "events", [{"": ""}, {"a": "2"}, {"\ufffd\0k": "v\0\ufffd"}, {"last": "1"}])
    holds(broker, "jobs", ["\ufffd\0", "", "last"])
    last_is(broker, "news", "last")
    assert messages_of(broker, "news")[1:] == ["\ufffd\0", "last"]
    last_is(broker, "users", {"event": "set", "key": "user:last", "type": "string", "value": "last"})


def test_what_is_said_and_too_large_is_told_as_a_gap(cluster, redis):
    broker = keeping_broker(cluster)
    RedisMonitor(cluster, "monitor-1", redis, broker, LISTEN).start()
    until(lambda: messages_of(broker, "news"), "it listens")
    redis.ask("EVAL", "redis.call('PUBLISH', 'news', string.rep('x', 10000000))", "0")
    redis.ask("PUBLISH", "news", "1")
    until(lambda: 1 in messages_of(broker, "news"), "it goes on")
    until(lambda: [m["reason"] for m in messages_of(broker, "news")[1:] if m != 1] == ["what was said could not be published"],
          "the gap is told")


def test_a_stream_that_others_change_while_it_is_read(cluster, redis):
    broker = keeping_broker(cluster)
    listen = broker.ready["listen"]
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, STREAM, ["--monitor-batch-entries-max", "1"]).start()
    add(redis, 1)
    holds(broker, "events", of(1))
    broker.kill()
    add(redis, *range(2, 10))
    redis.ask("XDEL", "events", "5-5")
    broker = keeping_broker(cluster, listen)
    holds(broker, "events", [*of(1, 2, 3, 4, 6, 7, 8, 9), MISSED])
    redis.ask("XSETID", "events", "7-0")
    redis.ask("XADD", "events", "8-1", "n", "10")
    last_is(broker, "events", {"n": "10"})
    redis.ask("RENAME", "events", "other")
    last_is(broker, "events", ANEW)
    redis.ask("SET", "events", "no stream")
    until(lambda: "WRONGTYPE" in monitor.log(), "it is said")
    redis.ask("DEL", "events")
    redis.ask("XADD", "events", "5-1", "n", "11")
    last_is(broker, "events", {"n": "11"})
    assert set(map(str, messages_of(broker, "events")[10:-1])) == {str(ANEW)}


def test_a_stream_that_is_trimmed_faster_than_it_is_read(cluster, redis):
    broker = keeping_broker(cluster)
    listen = broker.ready["listen"]
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, STREAM, ["--monitor-batch-entries-max", "1"]).start()
    add(redis, 1)
    holds(broker, "events", of(1))
    broker.kill()
    add(redis, *range(2, 10))
    until(lambda: monitor.metric("peal_monitor_changes_total") == 2, "one more is read")
    redis.ask("XTRIM", "events", "MAXLEN", "3")
    add(redis, 10)
    until(lambda: monitor.metric("peal_monitor_lag_changes") == 9, "it is looked at")
    broker = keeping_broker(cluster, listen)
    holds(broker, "events", [*of(1, 2), MISSED, *of(7, 8, 9, 10)])


def test_whoever_stood_still_doubles_nothing(cluster, redis):
    broker = keeping_broker(cluster)
    monitors = [RedisMonitor(cluster, f"monitor-{n}", redis, broker, STREAM + LIST, ["--monitor-batch-entries-max", "5"]).start()
                for n in (1, 2)]
    count = 0

    def more():
        nonlocal count
        redis.feed("".join(f"XADD events 5-{n} n {n}\nRPUSH jobs {n}\n" for n in range(count + 1, count + 201)))
        count += 200

    more()
    for _ in range(3):
        until(lambda: any(m.alive and m.active() for m in monitors), "one is active")
        active = next(m for m in monitors if m.active())
        active.popen.send_signal(signal.SIGSTOP)
        more()
        other = monitors[1 - monitors.index(active)]
        until(lambda: other.metric("peal_monitor_active") == 1, "the other one takes over")
        last_is(broker, "events", {"n": str(count)})
        more()
        active.popen.send_signal(signal.SIGCONT)
        more()
        last_is(broker, "events", {"n": str(count)})
        last_is(broker, "jobs", count)
    holds(broker, "events", of(*range(1, count + 1)))
    holds(broker, "jobs", list(range(1, count + 1)))


def test_connections_and_rights_that_are_taken_away(cluster, redis):
    broker = keeping_broker(cluster)
    redis.ask("ACL", "SETUSER", "monitor", "on", ">pass", "+@all", "~*", "&*")
    flags = ["--redis-addresses", f"unix:{redis.socket}", "--redis-user", "monitor", "--redis-password", "pass"]
    monitor = RedisMonitor(cluster, "monitor-1", flags, broker, STREAM + LIST).start()
    until(monitor.active, "it is active")
    for round_ in range(1, 4):
        redis.ask("CLIENT", "KILL", "USER", "monitor")
        redis.ask("SCRIPT", "FLUSH")
        add(redis, round_)
        redis.ask("RPUSH", "jobs", str(round_))
        last_is(broker, "events", {"n": str(round_)})
        last_is(broker, "jobs", round_)
    redis.ask("ACL", "SETUSER", "monitor", "-@all")
    until(lambda: "ACL SETUSER monitor +" in monitor.log(), "it says what to grant")
    add(redis, 4)
    redis.ask("RPUSH", "jobs", "4")
    redis.ask("ACL", "SETUSER", "monitor", "off", "+@all")
    redis.ask("ACL", "SETUSER", "monitor", "on")
    holds(broker, "events", of(1, 2, 3, 4))
    holds(broker, "jobs", [1, 2, 3, 4])


def test_a_huge_list_in_both_ways(cluster, redis):
    broker = keeping_broker(cluster)
    redis.ask("EVAL", "for i = 1, 100000 do redis.call('RPUSH', 'jobs', i) redis.call('LPUSH', 'back', i) end", "0")
    both = LIST + '[[lists]]\nlist = "back"\nchannel = "back"\ntake = "right"\n'
    RedisMonitor(cluster, "monitor-1", redis, broker, both).start()
    last_is(broker, "jobs", 100_000)
    last_is(broker, "back", 100_000)
    assert messages_of(broker, "jobs") == messages_of(broker, "back") == list(range(1, 100_001))


def test_a_slot_that_moves_takes_its_sources_along(cluster):
    broker = keeping_broker(cluster)
    with RedisCluster(cluster.folder) as nodes:
        monitor = RedisMonitor(cluster, "monitor-1", nodes.flags[2:], broker, STREAM + LIST).start()
        until(monitor.active, "it is active")

        def everywhere(*command):
            return [server.ask(*command) for server in nodes.servers]  # two of three say where it belongs

        everywhere("XADD", "events", "5-1", "n", "1")
        everywhere("RPUSH", "jobs", "1")
        holds(broker, "events", of(1))
        holds(broker, "jobs", [1])
        for key in ("events", "jobs"):
            slot = nodes.servers[0].ask("CLUSTER", "KEYSLOT", key)
            source = next(s for s in nodes.servers if "MOVED" not in s.ask("TYPE", key))
            target = next(s for s in nodes.servers if s is not source)
            names = {server: server.ask("CLUSTER", "MYID") for server in nodes.servers}
            target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", names[source])
            source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", names[target])
            host, _, port = target.address.rpartition(":")
            keys = source.ask("CLUSTER", "GETKEYSINSLOT", slot, "100").split()
            source.ask("MIGRATE", host, port, "", "0", "5000", "KEYS", *keys)
            for server in (target, source, *nodes.servers):
                server.ask("CLUSTER", "SETSLOT", slot, "NODE", names[target])
        everywhere("XADD", "events", "5-2", "n", "2")
        everywhere("RPUSH", "jobs", "2")
        holds(broker, "events", of(1, 2))
        holds(broker, "jobs", [1, 2])


def test_a_master_that_is_gone_stops_only_its_own_slots(cluster):
    broker = keeping_broker(cluster)
    with RedisCluster(cluster.folder) as nodes:
        for server in nodes.servers:
            server.ask("CONFIG", "SET", "cluster-require-full-coverage", "no")
        monitor = RedisMonitor(cluster, "monitor-1", nodes.flags[2:], broker, STREAM).start()
        until(monitor.active, "it is active")
        home = next(server for server in nodes.servers if "MOVED" not in server.ask("TYPE", "events"))
        add(home, 1)
        holds(broker, "events", of(1))
        next(server for server in nodes.servers if server is not home).kill()
        until(lambda: "cluster_slots_fail:0" not in home.ask("CLUSTER", "INFO"), "it is missed")
        home.ask("DEL", "peal:{events}:monitor:events:read")  # so that the lease is asked for
        until(lambda: "is gone from Redis" in monitor.log(), "the lease is asked for")
        add(home, 2)
        holds(broker, "events", of(1, 2))
        until(lambda: monitor.get("/readyz")[0] == 200, "it is ready")


def test_keys_that_are_flushed_are_told_as_a_gap(cluster, redis):
    """Redis says nothing of them, but what the monitor keeps there is flushed with them."""
    broker = keeping_broker(cluster)
    RedisMonitor(cluster, "monitor-1", redis, broker, KEYSPACE).start()
    until(lambda: messages_of(broker, "users"), "it listens")
    redis.ask("SET", "user:1", "a")
    last_is(broker, "users", {"event": "set", "key": "user:1", "type": "string", "value": "a"})
    redis.ask("FLUSHALL")
    last_is(broker, "users", {"event": "reset", "keyspace": "user:*", "reason": "listening began"})
    redis.ask("SET", "user:1", "b")
    last_is(broker, "users", {"event": "set", "key": "user:1", "type": "string", "value": "b"})


def test_a_redis_that_is_loading_is_waited_for(cluster, redis):
    broker = keeping_broker(cluster)
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, STREAM + LIST + LISTEN).start()
    add(redis, 1)
    redis.ask("RPUSH", "jobs", "1")
    holds(broker, "events", of(1))
    holds(broker, "jobs", [1])
    redis.ask("EVAL", "for i = 1, 200 do redis.call('SET', 'filler:' .. i, string.rep('x', 20000)) end", "0")
    add(redis, 2)
    redis.ask("RPUSH", "jobs", "2")
    until(lambda: redis.ask("BGREWRITEAOF") and "aof_rewrite_in_progress:0" in redis.ask("INFO", "persistence"), "it is written")
    redis.kill()
    redis.options += ["--key-load-delay", "10000", "--loading-process-events-interval-bytes", "1024"]
    redis.start()
    assert "it is loading its data" in monitor.log()
    add(redis, 3)
    redis.ask("RPUSH", "jobs", "3")
    holds(broker, "events", of(1, 2, 3))
    holds(broker, "jobs", [1, 2, 3])


def test_what_the_monitor_keeps_there_may_be_tampered_with(cluster, redis):
    broker = keeping_broker(cluster)
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, STREAM + LIST).start()
    add(redis, 1)
    redis.ask("RPUSH", "jobs", "1")
    holds(broker, "events", of(1))
    holds(broker, "jobs", [1])
    for number, key in enumerate(["{events}:monitor:events:read", "{jobs}:monitor:jobs", "{jobs}:monitor:jobs:taken"], 2):
        said = monitor.log().count("WRONGTYPE")
        redis.feed(f"MULTI\nDEL peal:{key}\nSET peal:{key} x\nEXEC\n")
        until(lambda: monitor.log().count("WRONGTYPE") > said, f"{key} is said")
        redis.ask("DEL", f"peal:{key}")
        add(redis, number)
        redis.ask("RPUSH", "jobs", str(number))
        last_is(broker, "events", {"n": str(number)})
        last_is(broker, "jobs", number)


def test_it_ends_in_time_while_the_broker_is_away(cluster, redis):
    broker = keeping_broker(cluster)
    listen = broker.ready["listen"]
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, STREAM + LIST + LISTEN).start()
    until(monitor.active, "it is active")
    broker.kill()
    add(redis, 1, 2)
    redis.ask("RPUSH", "jobs", "1", "2")
    until(lambda: monitor.metric("peal_monitor_changes_total") >= 2, "something is under way")
    assert monitor.stop() == 0
    broker = keeping_broker(cluster, listen)
    monitor.start()
    holds(broker, "events", of(1, 2))
    holds(broker, "jobs", [1, 2])


def test_a_redis_that_hangs_loses_and_doubles_nothing(cluster, redis):
    broker = keeping_broker(cluster)
    flags = ["--redis-command-timeout", "1s"]
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, STREAM + LIST, flags).start()
    until(monitor.active, "it is active")
    for round_ in range(1, 4):
        add(redis, 2 * round_)
        redis.ask("RPUSH", "jobs", str(2 * round_))
        redis.popen.send_signal(signal.SIGSTOP)
        try:
            until(lambda: monitor.get("/readyz")[0] != 200, "it is said that Redis doesn't answer")
        finally:
            redis.popen.send_signal(signal.SIGCONT)
        add(redis, 2 * round_ + 1)
        redis.ask("RPUSH", "jobs", str(2 * round_ + 1))
        last_is(broker, "events", {"n": str(2 * round_ + 1)})
        last_is(broker, "jobs", 2 * round_ + 1)
    holds(broker, "events", of(*range(2, 8)))
    holds(broker, "jobs", list(range(2, 8)))


def test_what_is_missing_is_told_and_the_rest_rings_once(cluster, redis):
    """Random trims and deletions, while the monitor and the broker are killed."""
    chance = random.Random(2)
    broker = keeping_broker(cluster)
    listen = broker.ready["listen"]
    monitor = RedisMonitor(cluster, "monitor-1", redis, broker, STREAM, ["--monitor-batch-entries-max", "7"]).start()
    count = 0
    for _ in range(25):
        more = chance.randint(1, 30)
        adds = "".join(f"XADD events 5-{n} n {n}\n" for n in range(count + 1, count + more + 1))
        count += more
        what = chance.choice(["trim", "delete", "delete", "monitor", "broker", "wait", "wait"])
        if what == "trim":
            adds += f"XTRIM events MAXLEN {chance.randint(0, 40)}\n"
        elif what == "delete":
            adds += "XDEL events " + " ".join(f"5-{chance.randint(max(1, count - 40), count)}" for _ in range(5)) + "\n"
        redis.feed(f"MULTI\n{adds}EXEC\n")
        if what == "monitor":
            monitor.kill()
            monitor.launch()
        elif what == "broker":
            broker.kill()
            broker = keeping_broker(cluster, listen)
        elif what == "wait":
            last = redis.ask("XREVRANGE", "events", "+", "-", "COUNT", "1").split()
            until(lambda: not last or {"n": last[-1]} in messages_of(broker, "events"), "it goes on")
    left = redis.ask("XRANGE", "events", "-", "+").split()[2::3]
    until(lambda: redis.ask("HGET", "peal:{events}:monitor:events:read", "ordinal") == str(count), "all is read or missed")
    told = messages_of(broker, "events")
    rang = [int(one["n"]) for one in told if "n" in one]
    assert rang == sorted(set(rang)) and set(map(int, left)) <= set(rang)
    missing = sorted(set(range(1, count + 1)) - set(rang))
    resets = [at for at, one in enumerate(told) if one == MISSED]
    assert len(resets) + len(rang) == len(told)
    for number in missing:
        before = max((at for at, one in enumerate(told) if int(one.get("n", count)) < number), default=-1)
        assert resets and resets[-1] > before, f"{number} is missing, and nothing told after it"
    assert missing or not resets
    print(f"{len(rang)} of {count} rang, {len(resets)} resets")
