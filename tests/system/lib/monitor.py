"""Monitors for tests, and what the broker's logs have in the end."""

from __future__ import annotations

import json
import pathlib
import subprocess

from lib.processes import Process, bin_dir

# Everything is kept, also over a broker's restart.
KEEPS_ALL = """
[store]
driver = "disk"
[[channels]]
pattern = "passing:*"
[[channels]]
pattern = "*"
recoverable = true
history_length_max = 1000000
history_bytes_max = 1000000000
history_age_max = "0s"
"""


class Monitor(Process):
    def __init__(self, cluster, name: str, dsn: str, broker, config: str = "", flags: list[str] | None = None):
        folder = cluster.folder
        path = folder / f"{name}.toml"
        path.write_text(config)
        listen = broker if isinstance(broker, str) else broker.ready["listen"]
        super().__init__("peal-monitor-postgres", name, folder, [
            "--config", str(path), "--postgres-dsn", dsn, "--bus-connect", listen, "--internal-listen", "127.0.0.1:0",
            "--control", f"ipc://{folder}/{name}.control", "--ingest", "off", *(flags or [])])
        cluster.processes.append(self)

    def launch_command(self) -> list[str]:
        return [str(bin_dir() / self.program), "--name", self.name, *self.flags]

    def active(self) -> bool:
        """Whether it is the one that takes changes; also of one that is just starting."""
        if not self.alive or not self.ready_path.exists():
            return False
        self.ready = json.loads(self.ready_path.read_text())
        return self.metric("peal_monitor_active") == 1


class RedisMonitor(Process):
    """`redis` is a server of the test's own, or the flags by which it is reached."""

    def __init__(self, cluster, name: str, redis, broker, config: str, flags: list[str] | None = None):
        folder = cluster.folder
        path = folder / f"{name}.toml"
        path.write_text(config)
        reached = redis if isinstance(redis, list) else ["--redis-addresses", f"unix:{redis.socket}"]
        listen = broker if isinstance(broker, str) else broker.ready["listen"]
        super().__init__("peal-monitor-redis", name, folder, [
            "--config", str(path), *reached, "--bus-connect", listen, "--internal-listen", "127.0.0.1:0",
            "--control", f"ipc://{folder}/{name}.control", "--ingest", "off", *(flags or [])])
        cluster.processes.append(self)

    launch_command = Monitor.launch_command
    active = Monitor.active


def peal(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run([str(bin_dir() / "peal"), *words], capture_output=True, text=True)


def install(dsn: str, *words: str) -> None:
    done = peal("monitor", "postgres", "install", "--dsn", dsn, *words)
    assert done.returncode == 0, done.stderr


def keeping_broker(cluster, listen: str | None = None):
    """A broker whose logs survive it; again with the same `listen` after its end."""
    config = cluster.folder / "broker.toml"
    config.write_text(KEEPS_ALL)
    return cluster.broker("broker-1", listen=listen, flags=[
        "--config", str(config), "--store-path", str(cluster.folder / "store")])


def log_of(broker, channel: str) -> list[dict]:
    """All publications of a channel, as `peal dump` writes them."""
    done = peal("history", channel, "--control", broker.ready["control"], "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def messages_of(broker, channel: str) -> list:
    return [publication.get("message") for publication in log_of(broker, channel)]
