"""A redis-server of a test's own, on a unix socket in the test's folder."""

from __future__ import annotations

import pathlib
import subprocess

from lib.processes import until

# Acknowledged means that it is in the file.
KEEPS_ALL = ["--appendonly", "yes", "--appendfsync", "always"]


class RedisServer:
    def __init__(self, folder: pathlib.Path, options: list[str] | None = None):
        self.folder = folder / "redis"
        self.folder.mkdir()
        self.socket = self.folder / "redis.sock"
        self.options = options or []
        self.popen: subprocess.Popen | None = None

    def __enter__(self) -> "RedisServer":
        return self.start()

    def __exit__(self, *_) -> None:
        self.kill()

    def start(self) -> "RedisServer":
        with open(self.folder / "log", "ab") as log:
            self.popen = subprocess.Popen(
                ["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder),
                 "--save", "", *self.options], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(lambda: self.ask("PING") == "PONG", "redis-server answers")
        return self

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def ask(self, *args: str) -> str:
        asked = subprocess.run(["redis-cli", "-s", str(self.socket), *args], capture_output=True, text=True)
        return asked.stdout.strip()

    @property
    def flags(self) -> list[str]:
        """Of a gateway that is to meet others here."""
        return ["--bus-driver", "redis", "--redis-addresses", f"unix:{self.socket}"]
