"""What the Redis monitor must stand: many writers, while everything around it is killed, and nothing lost, doubled or
reordered. PEAL_MONITOR_CHANGES=100000 PEAL_MONITOR_KILLS=10 is the long form, as for Postgres; by default a short one.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time

from lib.monitor import RedisMonitor, keeping_broker, messages_of
from lib.monitor_job import differs, kill_active
from lib.processes import until

WRITERS = 8
KEYS = 40
SOURCES = """
[[streams]]
stream = "{job}:changes"
channel = "stream:{key}"
payload = "{value}"
reset = "resets"
from = "start"
[[lists]]
list = "{job}:changes:list"
channel = "list:{payload.key}"
payload = "{payload.value}"
"""
# ARGV the writer, its step, keys. Whoever asks twice has asked once. A key's value counts its changes, so the truth is
# 1, 2, 3, … in the order of the changes.
WRITE = """
if tonumber(redis.call('HGET', '{job}:steps', ARGV[1]) or 0) >= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', '{job}:steps', ARGV[1], ARGV[2])
for i = 3, #ARGV do
  local value = redis.call('HINCRBY', '{job}:values', ARGV[i], 1)
  redis.call('XADD', '{job}:changes', '*', 'key', ARGV[i], 'value', value)
  redis.call('RPUSH', '{job}:changes:list', '{"key":' .. ARGV[i] .. ',"value":' .. value .. '}')
end
return 1
"""


class Link:
    """One connection; an answer that doesn't come, or an error, raises."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rwb")

    def call(self, *words):
        encoded = [str(word).encode() for word in words]
        self.file.write(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in encoded))
        self.file.flush()
        line = self.file.readline()
        if not line.startswith(b":"):
            raise ConnectionError(line.decode())
        return int(line[1:])


class Writer(threading.Thread):
    """Makes `changes`, some at a time; what got no answer is asked again."""

    def __init__(self, redis, number: int, changes: int):
        super().__init__()
        self.redis, self.number, self.changes = redis, number, changes
        self.random = random.Random(number)

        self.link: Link | None = None

    def run(self):
        step = 0
        while self.changes > 0:
            keys = [self.random.randrange(KEYS) for _ in range(min(self.changes, self.random.randint(1, 9)))]
            self.changes -= len(keys)
            step += 1
            until(lambda: self._made(step, keys), "Redis answers", step=0.02)

    def _made(self, step: int, keys: list[int]) -> bool:
        try:
            self.link = self.link or Link(self.redis.socket)
            self.link.call("EVAL", WRITE, 0, self.number, step, *keys)
        except OSError:  # it is starting
            self.link = None
        return self.link is not None


def kill_in_turn(cluster, redis, config: str, goes_on) -> object:
    """Two monitors; one of them, Redis or the broker is killed in turn, each when `goes_on(n)` says so; the last broker."""
    broker = keeping_broker(cluster)
    listen = broker.ready["listen"]
    monitors = [RedisMonitor(cluster, f"monitor-{n}", redis, broker, config, ["--monitor-batch-entries-max", "20"]).start()
                for n in (1, 2)]
    for step, event in enumerate(["monitor", "redis", "monitor", "broker", "monitor"], 1):
        until(lambda: goes_on(step), "it goes on")
        if event == "redis":
            redis.kill()
            redis.start()
        elif event == "broker":
            broker.kill()
            broker = keeping_broker(cluster, listen)
        else:
            kill_active(monitors)
    return broker


def values(redis) -> dict[int, int]:
    """Of each key how often it was changed; nothing while Redis is away."""
    words = redis.ask("HGETALL", "{job}:values").split()
    return {int(key): int(value) for key, value in zip(words[::2], words[1::2])} if len(words) % 2 == 0 else {}


def hard_work(cluster, redis) -> None:
    changes = int(os.environ.get("PEAL_MONITOR_CHANGES", "6000"))
    kills = int(os.environ.get("PEAL_MONITOR_KILLS", "3"))
    broker = keeping_broker(cluster)
    listen = broker.ready["listen"]
    monitors = [RedisMonitor(cluster, f"monitor-{n}", redis, broker, SOURCES, ["--monitor-batch-entries-max", "100"]).start()
                for n in (1, 2)]
    began = time.monotonic()
    writers = [Writer(redis, number, changes // WRITERS) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    events = ["monitor"] * kills + ["redis", "redis", "broker"]
    random.Random(1).shuffle(events)
    for done, event in enumerate(events, 1):
        # The next blow falls in the middle of the work of the writers, or of those who read what they have written.
        share = done * changes // (len(events) + 1)
        until(lambda: rang(monitors) and (sum(values(redis).values()) >= share), "work goes on", 300)
        if event == "monitor":
            kill_active(monitors)
        elif event == "redis":
            redis.kill()
            redis.start()
        else:
            broker.kill()
            broker = keeping_broker(cluster, listen)
    for writer in writers:
        writer.join()
    truth = values(redis)
    assert sum(truth.values()) == changes // WRITERS * WRITERS
    until(lambda: all(messages_of(broker, f"{kind}:{key}")[-1:] == [value if kind == "list" else str(value)]
                      for key, value in truth.items() for kind in ("stream", "list")), "all of it rang", 300, step=0.5)
    for key, value in truth.items():
        differs(f"stream:{key}", [int(one) for one in messages_of(broker, f"stream:{key}")], list(range(1, value + 1)))
        differs(f"list:{key}", messages_of(broker, f"list:{key}"), list(range(1, value + 1)))
    assert messages_of(broker, "resets") == []
    left = ["{job}:changes:list", "peal:{job}:monitor:{job}:changes:list:taken"]
    until(lambda: [redis.ask("LLEN", key) for key in left] == ["0", "0"], "nothing is left")
    print(f"{sum(truth.values())} changes in the stream and as many in the list, {kills} kills of a monitor, "
          f"2 of Redis, 1 of the broker, {time.monotonic() - began:.0f} s")


def rang(monitors) -> bool:
    """Whether one reads again: it has published since it began."""
    return any(m.active() and m.metric("peal_monitor_publications_total") > 0 for m in monitors)
