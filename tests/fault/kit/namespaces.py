"""Network namespaces: every process of a test has an address of its own behind one bridge, and nftables between.

All that is made has one prefix; `close` takes all of it away, also what a run that was killed has left behind
(its process is gone: the prefix holds its number). `allowed` says whether this machine lets us.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess

PREFIX = "pf"


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


@functools.cache
def allowed() -> bool:
    """Whether namespaces, bridges and random drops by nftables can be had here."""
    try:
        with Namespaces() as probe:
            probe.place("a")
            probe.lose(0.05)
        return True
    except (OSError, subprocess.CalledProcessError):
        return False


def _clear(number: int) -> None:
    """What process `number` made; errors do not matter, the rest is tried. Links by name, at once: those of a
    namespace would go some time after it."""
    for link in re.findall(rf"^\d+: ({PREFIX}{number}(?:v\d+)?)[@:]", ip("-o", "link", "show"), re.MULTILINE):
        subprocess.run(["ip", "link", "del", link], capture_output=True)
    for line in ip("netns", "list").splitlines():
        if re.match(rf"{PREFIX}{number}-", line):
            subprocess.run(["ip", "netns", "del", line.split()[0]], capture_output=True)


class Namespaces:
    """`place(name)` makes a namespace and gives its address; processes there start behind `prefix(name)`."""

    def __init__(self):
        if os.geteuid() != 0:
            raise PermissionError("only root makes network namespaces")
        for left in set(re.findall(rf"^{PREFIX}(\d+)-", ip("netns", "list"), re.MULTILINE)):
            if not os.path.exists(f"/proc/{left}"):
                _clear(int(left))
        self.number = os.getpid()
        self.bridge = f"{PREFIX}{self.number}"
        self.addresses: dict[str, str] = {}
        _clear(self.number)
        try:
            self.net = self._free_net()
            ip("link", "add", self.bridge, "type", "bridge")
            ip("addr", "add", f"{self.net}.1/24", "dev", self.bridge)
            ip("link", "set", self.bridge, "up")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Namespaces":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _free_net(self) -> str:
        routes = ip("route", "show", "table", "all")
        nets = (f"10.{213 + n // 256}.{n % 256}" for n in range(4096))
        return next(net for net in nets if f"{net}." not in routes)

    def _name(self, place: str) -> str:
        return f"{self.bridge}-{place}"

    def place(self, name: str) -> str:
        space, index = self._name(name), len(self.addresses) + 2
        near, address = f"{self.bridge}v{index}", f"{self.net}.{index}"
        self.addresses[name] = address
        ip("netns", "add", space)
        ip("link", "add", near, "type", "veth", "peer", "name", "net0", "netns", space)
        ip("link", "set", near, "master", self.bridge, "up")
        ip("-n", space, "addr", "add", f"{address}/24", "dev", "net0")
        ip("-n", space, "link", "set", "net0", "up")
        ip("-n", space, "link", "set", "lo", "up")
        self._nft(name, "add table inet fault\nadd chain inet fault in { type filter hook input priority 0; }")
        return address

    def prefix(self, name: str) -> list[str]:
        return ["ip", "netns", "exec", self._name(name)]

    def _nft(self, name: str, commands: str) -> str:
        return subprocess.run(["ip", "netns", "exec", self._name(name), "nft", "-f", "-"], check=True,
                              input=commands + "\n", capture_output=True, text=True).stdout

    def cut(self, frm: str, to: str) -> None:
        """Nothing from one arrives at the other any more; the way back is as it was."""
        self._nft(to, f"add rule inet fault in ip saddr {self.addresses[frm]} drop")

    def lose(self, share: float) -> None:
        """Everybody loses so much of what comes in, whoever sends it."""
        for name in self.addresses:
            self._nft(name, f"add rule inet fault in numgen random mod 1000 < {round(share * 1000)} counter drop")

    def lost(self) -> int:
        """Packets that `lose` has dropped since the last `heal`."""
        return sum(int(count) for name in self.addresses
                   for count in re.findall(r"counter packets (\d+)", self._nft(name, "list chain inet fault in")))

    def heal(self) -> None:
        for name in self.addresses:
            self._nft(name, "flush chain inet fault in")

    def close(self) -> None:
        _clear(self.number)
