"""HAProxy and nginx as docs/deploy has them: the very files, with the test's addresses in place of the examples'."""

from __future__ import annotations

import pathlib
import re
import socket
import subprocess

from lib.ports import free_ports
from lib.processes import ROOT, until

FILES = ROOT / "docs" / "deploy"


class Deployed:
    """A proxy that runs one of the files. `gateways`: the (public, internal) ports that stand for its servers, in
    their order; servers beyond these are left out, and there may be more gateways than servers. `patience` replaces
    the 75 s after which it ends what is silent."""

    #: The example's ports of its servers.
    SERVERS = [(8420, 8421), (8430, 8431), (8440, 8441), (8450, 8451)]

    def __init__(self, folder: pathlib.Path, file: str, gateways: list[tuple[int, int]], patience: str = "75s"):
        self.folder = folder / f"proxy-{file}"
        self.folder.mkdir()
        self.port, = free_ports(1)
        text = (FILES / file).read_text()
        text, listening = re.subn(r"127\.0\.0\.1:8(080|443)\b", f"127.0.0.1:{self.port}", text)
        assert listening == 1, f"{file} listens at {listening} addresses"
        text = text.replace("75s", patience)
        last = re.search(r"^ *server .*127\.0\.0\.1:8450\b.*\n", text, re.MULTILINE)
        for number, (public, internal) in reversed(list(enumerate(gateways))[len(self.SERVERS):]):
            line = last.group().replace("8450", str(public)).replace("8451", str(internal)).replace("gateway-4", f"gateway-{number + 1}")
            text = text[:last.end()] + line + text[last.end():]
        for number, (public, internal) in enumerate(self.SERVERS):
            line = re.compile(rf"^ *server .*127\.0\.0\.1:{public}\b.*\n", re.MULTILINE)
            if number >= len(gateways):
                text = line.sub("", text)
                continue
            assert line.search(text), f"{file} has no server at {public}"
            text = text.replace(f"127.0.0.1:{public}", f"127.0.0.1:{gateways[number][0]}")
            text = text.replace(f"port {internal}", f"port {gateways[number][1]}")
        self.config = self.folder / file
        self.config.write_text(self.fitted(text))
        self.log = self.folder / "log"
        with open(self.log, "wb") as log:
            self.popen = subprocess.Popen(self.command(), stdout=log, stderr=log)

    def fitted(self, text: str) -> str:
        return text

    def command(self) -> list[str]:
        raise NotImplementedError

    def __enter__(self):
        def answers() -> bool:
            assert self.popen.poll() is None, self.log.read_text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0
        until(answers, f"{self.config.name} listens")
        return self

    def __exit__(self, *_) -> None:
        self.popen.terminate()
        self.popen.wait()

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port


class HaproxyFile(Deployed):
    def command(self) -> list[str]:
        return ["haproxy", "-db", "-f", str(self.config)]


class NginxFile(Deployed):
    def fitted(self, text: str) -> str:
        """It may write only into the test's folder."""
        folders = "".join(f"  {kind}_temp_path {self.folder}/{kind};\n"
                          for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return text.replace("http {\n", "http {\n" + folders, 1)

    def command(self) -> list[str]:
        return ["nginx", "-p", str(self.folder), "-c", str(self.config), "-e", str(self.folder / "error.log"),
                "-g", f"daemon off; master_process off; pid {self.folder}/pid;"]
