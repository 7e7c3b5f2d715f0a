"""peal-monitor-redis where Sentinels watch: after a failover it reads on at the new master, and a gap is told."""

from kit.redis import Watched
from lib.monitor import RedisMonitor, keeping_broker, messages_of
from lib.processes import until

SOURCES = """
[[streams]]
stream = "events"
channel = "events"
from = "start"
[[lists]]
list = "jobs"
channel = "jobs"
[[listen]]
name = "news"
channel = "news"
"""


def test_a_monitor_follows_a_failover(cluster):
    broker = keeping_broker(cluster)
    watched = Watched(cluster.folder)
    try:
        watched.start()
        monitor = RedisMonitor(cluster, "monitor-1", watched.flags, broker, SOURCES).start()
        until(lambda: messages_of(broker, "news"), "it listens")
        first = watched.master()
        for number in range(5):
            first.call("XADD", "events", "*", "n", number)
            first.call("RPUSH", "jobs", number)
        until(lambda: messages_of(broker, "jobs") == list(range(5)) and len(messages_of(broker, "events")) == 5, "all ring")
        assert first.call("WAIT", 2, 10_000) == "2"
        first.kill()
        until(lambda: watched.master() is not first, "another one is master", 60)
        second = watched.master()
        until(lambda: second.info("replication", "role") == "master", "it knows", 60)
        until(lambda: len(messages_of(broker, "news")) > 1, "the gap is told", 60)
        for number in range(5, 10):
            second.call("XADD", "events", "*", "n", number)
            second.call("RPUSH", "jobs", number)
        second.call("PUBLISH", "news", '"on"')
        until(lambda: messages_of(broker, "jobs") == list(range(10)), "the list goes on", 60)
        until(lambda: messages_of(broker, "events") == [{"n": str(number)} for number in range(10)], "the stream too", 60)
        until(lambda: messages_of(broker, "news")[-1] == "on", "and what is said", 60)
        assert monitor.stop() == 0
    finally:
        watched.close()
