"""A redis-server of a test's own, on a unix socket in the test's folder."""

from __future__ import annotations

import itertools
import os
import pathlib
import socket
import subprocess

from lib.processes import until

# Acknowledged means that it is in the file.
KEEPS_ALL = ["--appendonly", "yes", "--appendfsync", "always"]


class RedisServer:
    def __init__(self, folder: pathlib.Path, options: list[str] | None = None, password: str = "",
                 prefix: list[str] | None = None):
        self.folder = folder / "redis"
        self.folder.mkdir()
        self.socket = self.folder / "redis.sock"
        self.options = options or []
        self.password = password
        self.prefix = prefix or []
        self.popen: subprocess.Popen | None = None

    def __enter__(self) -> "RedisServer":
        return self.start()

    def __exit__(self, *_) -> None:
        self.kill()

    def start(self) -> "RedisServer":
        with open(self.folder / "log", "ab") as log:
            self.popen = subprocess.Popen(
                [*self.prefix, "redis-server", "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder),
                 "--save", "", *self.options, *(["--requirepass", self.password] if self.password else [])], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(lambda: self.ask("PING") == "PONG", "redis-server answers")
        return self

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def ask(self, *args: str) -> str:
        password = {"REDISCLI_AUTH": self.password} if self.password else {}
        asked = subprocess.run(["redis-cli", "-s", str(self.socket), *args], capture_output=True, text=True,
                               env={**os.environ, **password})
        return asked.stdout.strip()

    def feed(self, commands: str) -> None:
        """Several commands, as redis-cli reads them, over one connection."""
        subprocess.run(["redis-cli", "-s", str(self.socket)], input=commands, text=True, check=True, capture_output=True)

    @property
    def store_flags(self) -> list[str]:
        """Of a broker that has its logs here."""
        return ["--store-driver", "redis", "--redis-addresses", f"unix:{self.socket}"]

    @property
    def flags(self) -> list[str]:
        """Of a gateway that is to meet others here."""
        return ["--bus-driver", "redis", "--redis-addresses", f"unix:{self.socket}"]


def cluster_ports(count: int) -> list[int]:
    """Below the ports that connections come from; a Cluster's node also takes the one 10,000 above its own."""
    found: list[int] = []
    for port in itertools.count(13_000 + os.getpid() % 5000):
        try:
            for each in (port, port + 10_000):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", each))
        except OSError:
            continue
        found.append(port)
        if len(found) == count:
            return found


class RedisCluster:
    """Three masters without replicas."""

    def __init__(self, folder: pathlib.Path):
        self.servers = []
        for port in cluster_ports(3):
            own = folder / f"node-{port}"
            own.mkdir()
            server = RedisServer(own, ["--bind", "127.0.0.1", "--cluster-enabled", "yes", "--port", str(port)])
            server.address = f"127.0.0.1:{port}"
            self.servers.append(server)

    def __enter__(self) -> "RedisCluster":
        for server in self.servers:
            server.start()
        subprocess.run(["redis-cli", "--cluster", "create", *(server.address for server in self.servers),
                        "--cluster-yes"], check=True, capture_output=True, timeout=60)
        until(lambda: all("cluster_state:ok" in server.ask("CLUSTER", "INFO") for server in self.servers), "it is whole")
        return self

    def __exit__(self, *_) -> None:
        for server in self.servers:
            server.kill()

    @property
    def flags(self) -> list[str]:
        addresses = [word for server in self.servers for word in ("--redis-addresses", server.address)]
        return ["--bus-driver", "redis", "--redis-mode", "cluster", *addresses]
