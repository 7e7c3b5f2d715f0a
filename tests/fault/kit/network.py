"""Between the processes of a test: namespaces with nftables, or loopback with wires of ours in between. Both can cut
one way or both, lose, and heal; only wires delay and reset."""

from __future__ import annotations

import socket

from kit import namespaces
from kit.proxy import BACK, THERE, Proxy, Wire


def host_and_port(endpoint: str) -> tuple[str, int]:
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    return host, int(port)


class Spaces:
    """Each place is a network namespace; what connects, connects directly."""

    kind = "namespaces"

    def __init__(self):
        self.spaces = namespaces.Namespaces()

    def listen(self, place: str) -> str:
        """Where a broker is to listen there; after `options`."""
        return f"tcp://{self.spaces.addresses[place]}:8422"

    def options(self, place: str) -> dict:
        """How a process is to be started there."""
        return {"host": self.spaces.place(place), "prefix": self.spaces.prefix(place)}

    def way(self, frm: str, to: str, endpoint: str) -> str:
        return endpoint

    def cut(self, frm: str, to: str) -> None:
        self.spaces.cut(frm, to)

    def lose(self, share: float) -> None:
        self.spaces.lose(share)

    def lost(self) -> int:
        return self.spaces.lost()

    def heal(self) -> None:
        self.spaces.heal()

    def close(self) -> None:
        self.spaces.close()


class Wires:
    """Everything is on loopback; who connects from one place to another goes through a wire."""

    kind = "wires"

    def __init__(self):
        self.proxy = Proxy()
        self.wires: dict[tuple[str, str], Wire] = {}

    def listen(self, place: str) -> str:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return f"tcp://127.0.0.1:{probe.getsockname()[1]}"

    def options(self, place: str) -> dict:
        return {}

    def way(self, frm: str, to: str, endpoint: str) -> str:
        if (frm, to) not in self.wires:
            self.wires[frm, to] = self.proxy.wire(host_and_port(endpoint))
        host, port = self.wires[frm, to].address
        return f"tcp://{host}:{port}"

    def cut(self, frm: str, to: str) -> None:
        for (one, other), wire in self.wires.items():
            if (one, other) == (frm, to):
                self.proxy.stall(wire, THERE)
            elif (one, other) == (to, frm):
                self.proxy.stall(wire, BACK)

    def lose(self, share: float) -> None:
        for wire in self.wires.values():
            self.proxy.set(wire, loss=share)

    def lost(self) -> int:
        return sum(wire.lost for wire in self.wires.values())

    def delay(self, least: float, most: float) -> None:
        """One way, so an answer takes twice as long."""
        for wire in self.wires.values():
            self.proxy.set(wire, delay=(least, most))

    def reset(self, frm: str, to: str) -> None:
        self.proxy.drop(self.wires[frm, to], reset=True)

    def drop(self, frm: str, to: str) -> None:
        self.proxy.drop(self.wires[frm, to])

    def heal(self) -> None:
        for wire in self.wires.values():
            self.proxy.heal(wire)

    def close(self) -> None:
        self.proxy.close()


def best() -> Spaces | Wires:
    """Namespaces where rights and the kernel allow, else wires."""
    return Spaces() if namespaces.allowed() else Wires()
