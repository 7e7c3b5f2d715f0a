"""An HAProxy of the test's own on a free port, in front of gateways."""

from __future__ import annotations

import pathlib
import socket
import subprocess

from lib.processes import until

CONFIG = """
defaults
  mode http
  timeout connect 5s
  timeout client 3s
  timeout server 3s
  timeout tunnel 1h
frontend public
  bind 127.0.0.1:{port}
  default_backend gateways
backend gateways
  balance roundrobin
{servers}
"""


class Haproxy:
    """Ends connections that are silent for 3 s; spreads requests over the gateways in turn."""

    def __init__(self, folder: pathlib.Path, gateways: list):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        servers = "\n".join(f"  server g{i} {g.ready['listen']}" for i, g in enumerate(gateways))
        path = folder / "haproxy.cfg"
        path.write_text(CONFIG.format(port=self.port, servers=servers))
        self.popen = subprocess.Popen(["haproxy", "-db", "-q", "-f", str(path)])

    def __enter__(self) -> "Haproxy":
        def answers() -> bool:
            assert self.popen.poll() is None, "haproxy ended"
            with socket.socket() as probe:
                return probe.connect_ex(self.address) == 0
        until(answers, "haproxy listens")
        return self

    def __exit__(self, *_) -> None:
        self.popen.terminate()
        self.popen.wait()

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port
