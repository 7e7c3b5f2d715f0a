"""Redis servers of a test's own: on a unix socket in the test's folder, or on a port."""

from __future__ import annotations

import os
import pathlib
import subprocess

from lib.ports import free_ports
from lib.processes import until

# Acknowledged means that it is in the file.
KEEPS_ALL = ["--appendonly", "yes", "--appendfsync", "always"]


class RedisServer:
    """With a `port` in a folder, and with an `address`, that name it. `options` are redis-server's."""

    def __init__(self, folder: pathlib.Path, options: list[str] | None = None, password: str = "",
                 prefix: list[str] | None = None, port: int = 0):
        self.folder = folder / (f"redis-{port}" if port else "redis")
        self.folder.mkdir()
        self.port = port
        self.socket = self.folder / "redis.sock"
        self.address = f"127.0.0.1:{port}" if port else f"unix:{self.socket}"
        self.options = [*(["--bind", "127.0.0.1", "--protected-mode", "no"] if port else []), *(options or [])]
        self.password = password
        self.prefix = prefix or []
        self.popen: subprocess.Popen | None = None

    def __enter__(self) -> "RedisServer":
        return self.start()

    def __exit__(self, *_) -> None:
        self.close()

    @property
    def words(self) -> list[str]:
        """Of redis-server."""
        return ["--port", str(self.port), "--unixsocket", str(self.socket), "--dir", str(self.folder), "--save", "",
                *self.options, *(["--requirepass", self.password] if self.password else [])]

    def start(self) -> "RedisServer":
        with open(self.folder / "log", "ab") as log:
            self.popen = subprocess.Popen([*self.prefix, "redis-server", *self.words], stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log)
        until(self._answers, f"redis-server at {self.address} answers")
        return self

    def _answers(self) -> bool:
        assert self.popen.poll() is None, (self.folder / "log").read_text()[-2000:]
        return self.ask("PING") == "PONG"  # it may still be reading its file

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def close(self) -> None:
        if self.popen and self.popen.poll() is None:
            self.kill()

    def _cli(self, *words: str, **options) -> subprocess.CompletedProcess:
        password = {"REDISCLI_AUTH": self.password} if self.password else {}
        return subprocess.run(["redis-cli", "-s", str(self.socket), *words], capture_output=True, text=True,
                              env={**os.environ, **password}, **options)

    def ask(self, *words: str) -> str:
        """What redis-cli prints, be it an error."""
        return self._cli(*words).stdout.strip()

    def call(self, *words: object) -> str:
        """Likewise; an error raises."""
        return self._cli("-e", *map(str, words), check=True).stdout.strip()

    def info(self, section: str, name: str) -> str:
        rows = dict(line.split(":", 1) for line in self.call("INFO", section).splitlines() if ":" in line)
        return rows.get(name, "")

    def feed(self, commands: str) -> None:
        """Several commands, as redis-cli reads them, over one connection."""
        self._cli(input=commands, check=True)

    @property
    def store_flags(self) -> list[str]:
        """Of a broker that has its logs here."""
        return ["--store-driver", "redis", "--redis-addresses", self.address]

    @property
    def flags(self) -> list[str]:
        """Of a gateway that is to meet others here."""
        return ["--bus-driver", "redis", "--redis-addresses", self.address]


class RedisCluster:
    """Three masters without replicas."""

    def __init__(self, folder: pathlib.Path, options: list[str] | None = None):
        self.servers = [RedisServer(folder, ["--cluster-enabled", "yes", *(options or [])], port=port)
                        for port in free_ports(3)]
        self.addresses = ["--redis-mode", "cluster",
                          *(word for server in self.servers for word in ("--redis-addresses", server.address))]

    def __enter__(self) -> "RedisCluster":
        return self.start()

    def __exit__(self, *_) -> None:
        self.close()

    def start(self) -> "RedisCluster":
        for server in self.servers:
            server.start()
        subprocess.run(["redis-cli", "--cluster", "create", *(server.address for server in self.servers),
                        "--cluster-yes"], check=True, capture_output=True, timeout=60)
        until(lambda: all("cluster_state:ok" in server.ask("CLUSTER", "INFO") for server in self.servers), "it is whole")
        return self

    def close(self) -> None:
        for server in self.servers:
            server.close()

    @property
    def flags(self) -> list[str]:
        return ["--bus-driver", "redis", *self.addresses]
