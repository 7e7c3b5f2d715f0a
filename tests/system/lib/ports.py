"""Ports for what is started without telling its own."""

import itertools
import os
import socket

# Below those that connections come from, so that they are free a moment later too. No port is given twice.
_ports = itertools.cycle(range(12_000, 22_000))
for _ in range(os.getpid() * 101 % 10_000):  # elsewhere than other test runs
    next(_ports)


def free_ports(count: int) -> list[int]:
    """With the one 10,000 above each, which a node of a Redis Cluster takes, too."""
    found: list[int] = []
    while len(found) < count:
        port = next(_ports)
        try:
            for each in (port, port + 10_000):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", each))
        except OSError:
            continue
        found.append(port)
    return found
