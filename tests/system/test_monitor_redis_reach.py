"""peal-monitor-redis over TLS, with ACL users, and with a Redis that refuses: it is said what is missing, and nothing lost."""

import json
import signal
import subprocess

from lib.monitor import RedisMonitor, keeping_broker, messages_of
from lib.processes import until
from lib.ports import free_ports
from lib.redis_server import RedisServer

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
[[keyspace]]
pattern = "user:*"
channel = "users"
"""
# docs/monitors.md says these.
RIGHTS = ["+@connection", "+@scripting", "+@read", "+@write", "+@pubsub", "+time", "+config|get", "+info", "~peal:*", "~events",
          "~jobs", "~user:*", "&peal:*", "&news", "&__keyspace@0__:user:*"]


def all_ring(broker, redis, round_: str):
    """What is done now is told on each channel, as the last thing there."""
    redis.ask("XADD", "events", "*", "n", round_)
    redis.ask("RPUSH", "jobs", round_)
    redis.ask("PUBLISH", "news", round_)
    redis.ask("SET", "user:1", round_)
    for channel, last in [("events", {"n": round_}), ("jobs", int(round_)), ("news", int(round_)),
                          ("users", {"event": "set", "key": "user:1", "type": "string", "value": int(round_)})]:
        until(lambda: messages_of(broker, channel)[-1:] == [last], f"{channel}: {last}")


def listening(broker):
    until(lambda: messages_of(broker, "news") and messages_of(broker, "users"), "it listens")


def test_over_tls(cluster):
    folder = cluster.folder
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=redis", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                    folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)
    port = free_ports(1)[0]
    certificate, key = str(folder / "cert.pem"), str(folder / "key.pem")
    broker = keeping_broker(cluster)
    with RedisServer(folder, ["--tls-port", str(port), "--bind", "127.0.0.1", "--tls-cert-file", certificate,
                              "--tls-key-file", key, "--tls-auth-clients", "no", "--notify-keyspace-events", "KA"],
                     password="secret") as redis:
        flags = ["--redis-addresses", f"127.0.0.1:{port}", "--redis-tls", "--redis-password", "secret"]
        untrusting = RedisMonitor(cluster, "monitor-x", flags, broker, SOURCES).launch()
        until(lambda: "certificate" in untrusting.log(), "an unknown certificate is refused")
        untrusting.kill()
        nobody = RedisMonitor(cluster, "monitor-y", flags[:3] + ["--redis-tls-ca-file", certificate], broker, SOURCES).launch()
        until(lambda: "NOAUTH" in nobody.log() and "redis.password" in nobody.log(), "a missing password is said")
        nobody.kill()
        monitor = RedisMonitor(cluster, "monitor-1", [*flags, "--redis-tls-ca-file", certificate], broker, SOURCES).start()
        listening(broker)
        all_ring(broker, redis, "1")
        assert monitor.stop() == 0


def test_with_rights_as_documented_and_without(cluster):
    broker = keeping_broker(cluster)
    with RedisServer(cluster.folder, ["--notify-keyspace-events", "KA"]) as redis:
        redis.ask("ACL", "SETUSER", "monitor", "on", ">pass", *RIGHTS)
        flags = ["--redis-addresses", f"unix:{redis.socket}", "--redis-user", "monitor", "--redis-password"]
        wrong = RedisMonitor(cluster, "monitor-x", [*flags, "word"], broker, SOURCES).launch()
        until(lambda: "WRONGPASS" in wrong.log() and "redis.password" in wrong.log(), "a wrong password is said")
        wrong.kill()
        monitor = RedisMonitor(cluster, "monitor-1", [*flags, "pass"], broker, SOURCES)
        redis.ask("ACL", "SETUSER", "monitor", "-time")
        monitor.launch()
        until(lambda: "ACL SETUSER monitor +@read +@write +time" in monitor.log(), "a script's commands are named")
        redis.ask("ACL", "SETUSER", "monitor", "+time")
        listening(broker)
        all_ring(broker, redis, "1")
        monitor.stop()
        redis.ask("ACL", "SETUSER", "monitor", "resetkeys", "~peal:*", "~events", "~user:*", "resetchannels", "&peal:*")
        monitor.launch()
        until(lambda: "NOPERM" in monitor.log() and "ACL SETUSER monitor ~KEYS" in monitor.log() and
              "ACL SETUSER monitor &CHANNELS" in monitor.log(), "it says what to grant")
        redis.ask("ACL", "SETUSER", "monitor", *RIGHTS)
        until(monitor.active, "it goes on by itself")
        until(lambda: redis.ask("PUBSUB", "NUMSUB", "news").endswith("1") and redis.ask("PUBSUB", "NUMPAT") == "1" and
              monitor.log().count("active session=") >= 4, "it listens")
        all_ring(broker, redis, "2")


def test_a_replica_and_a_full_server_are_said(cluster):
    broker = keeping_broker(cluster)
    with RedisServer(cluster.folder, ["--notify-keyspace-events", "KA", "--appendonly", "yes"]) as redis:
        redis.ask("REPLICAOF", "127.0.0.1", "1")
        monitor = RedisMonitor(cluster, "monitor-1", redis, broker, SOURCES).launch()
        until(lambda: "it is a replica" in monitor.log(), "it is said")
        redis.ask("REPLICAOF", "NO", "ONE")
        listening(broker)
        all_ring(broker, redis, "1")
        redis.ask("RPUSH", "jobs", *(str(number) for number in range(100, 200)))
        until(lambda: messages_of(broker, "jobs")[-1] == 199, "they ring")
        redis.ask("CONFIG", "SET", "maxmemory", "1mb")
        until(lambda: "OOM" in monitor.log(), "a full server is said")
        redis.ask("CONFIG", "SET", "maxmemory", "0")
        redis.ask("RPUSH", "jobs", "7")
        until(lambda: messages_of(broker, "jobs")[-1] == 7, "and nothing is lost")
        assert messages_of(broker, "jobs") == [1, *range(100, 200), 7]


def test_names_never_become_anything_else(cluster):
    broker = keeping_broker(cluster)
    evil = "x' .. redis.call('FLUSHALL') .. '\\r\\nFLUSHALL\\r\\n{payload}"
    name = json.dumps(evil)
    config = f'[[lists]]\nlist = {name}\nchannel = "list"\n[[listen]]\nname = {name}\nchannel = "said"\n'
    with RedisServer(cluster.folder) as redis:
        redis.ask("SET", "kept", "1")
        RedisMonitor(cluster, "monitor-1", redis, broker, config).start()
        until(lambda: messages_of(broker, "said"), "it listens")
        redis.ask("RPUSH", evil, evil)
        redis.ask("PUBLISH", evil, evil)
        until(lambda: messages_of(broker, "list") == [evil], "as it is")
        until(lambda: messages_of(broker, "said")[1:] == [evil], "as it is")
        assert redis.ask("GET", "kept") == "1"


def test_a_dry_run_shows_and_takes_nothing(cluster):
    with RedisServer(cluster.folder, ["--notify-keyspace-events", "KA"]) as redis:
        monitor = RedisMonitor(cluster, "monitor-1", redis, "tcp://127.0.0.1:1", SOURCES.replace(
            'list = "jobs"', 'list = "jobs"\ntake = "right"').replace('"users"', '"users"\nkey = "{$key}"'), ["--dry-run"])
        redis.ask("XADD", "events", "1-1", "n", "1")
        redis.ask("LPUSH", "jobs", "1", "2")
        redis.ask("LPUSH", "peal:{jobs}:monitor:jobs:taken", "0")
        keys = redis.ask("KEYS", "*")
        shown = subprocess.Popen(monitor.launch_command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            lines = [json.loads(shown.stdout.readline()) for _ in range(4)]
            assert lines == [{"channel": "events", "message": {"n": "1"}}, *({"channel": "jobs", "message": n} for n in range(3))]
            assert "Ctrl-C" in shown.stderr.readline()
            until(lambda: redis.ask("PUBSUB", "NUMSUB", "news").endswith("1") and redis.ask("PUBSUB", "NUMPAT") == "1",
                  "it listens")
            redis.ask("PUBLISH", "news", "x")
            assert json.loads(shown.stdout.readline()) == {"channel": "news", "message": "x"}
            redis.ask("SET", "user:1", "y")
            assert json.loads(shown.stdout.readline()) == {"channel": "users", "key": "user:1", "message": {
                "event": "set", "key": "user:1", "type": "string", "value": "y"}}
            redis.ask("DEL", "user:1")
            assert json.loads(shown.stdout.readline())["delete"]
            shown.send_signal(signal.SIGINT)
            assert shown.wait(60) == 0
        finally:
            shown.kill()
        assert redis.ask("KEYS", "*") == keys and redis.ask("LLEN", "jobs") == "2"
    gone = subprocess.run(monitor.launch_command(), capture_output=True, text=True)
    assert gone.returncode == 1 and "redis.sock" in gone.stderr
