"""What docs/monitors.md says of Redis, followed: all of its configurations in one file, and each of its lines rings."""

import json
import subprocess

from lib.monitor import RedisMonitor, keeping_broker, messages_of
from lib.processes import bin_dir, until
from lib.redis_server import RedisServer
from test_monitors_page import blocks, section

SECTIONS = ["Redis streams", "Redis lists", "Redis pub/sub", "Redis keyspace notifications"]


def test_each_configuration_of_redis_is_one(tmp_path):
    for title in SECTIONS:
        for config in blocks(section(title))[1]:
            (tmp_path / "redis.toml").write_text(config)
            done = subprocess.run([bin_dir() / "peal-monitor-redis", "--config", tmp_path / "redis.toml", "--check-config"],
                                  capture_output=True, text=True)
            assert done.returncode == 0, done.stderr


def test_all_of_redis_rings_as_the_page_says(cluster):
    broker = keeping_broker(cluster)
    config = "\n".join(config for title in SECTIONS for config in blocks(section(title))[1])
    with RedisServer(cluster.folder) as redis:
        assert "CONFIG SET notify-keyspace-events KA" in section("Redis keyspace notifications")
        redis.ask("CONFIG", "SET", "notify-keyspace-events", "KA")
        monitor = RedisMonitor(cluster, "monitor-1", redis, broker, config).start()
        until(lambda: monitor.log().count(" active ") >= 5, "each of its sources is read")
        until(lambda: messages_of(broker, "news") and messages_of(broker, "users"), "it listens")
        redis.ask("XADD", "events", "*", "n", "1")
        identity = redis.ask("XADD", "orders", "*", "user", "ann", "order", "7", "text", "hi")
        job = {"id": 1, "user": "bob"}
        redis.ask("RPUSH", "jobs", json.dumps(job))
        redis.ask("PUBLISH", "news", '{"text": "hi"}')
        redis.ask("PUBLISH", "room.7", '{"id": 7, "text": "hi"}')
        redis.ask("HSET", "user:1", "name", "ann")
        for channel, message in [
                ("events", {"n": "1"}), ("user:ann", {"id": identity, "text": "hi"}), ("user:bob", job),
                ("news", {"text": "hi"}), ("room:7", {"in": "room.7", "text": "hi"}),
                ("users", {"event": "hset", "key": "user:1", "type": "hash", "value": {"name": "ann"}})]:
            until(lambda: messages_of(broker, channel)[-1:] == [message], f"{channel}: {message}")
