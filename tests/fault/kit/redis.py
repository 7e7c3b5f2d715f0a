"""Redis for fault tests: one server, a master with two replicas and three Sentinels, or a Cluster of three. `flags`
are what Peal is told of it; `close` ends what `start` started."""

from __future__ import annotations

import os
import pathlib

from lib.ports import free_ports
from lib.processes import until
from lib.redis_server import KEEPS_ALL, RedisCluster, RedisServer

NAME = "peal"  # of the master, at the Sentinels
DUMPS = ["--appendonly", "no"]  # only when it is told to


class Sentinel(RedisServer):
    """It keeps what it knows in its configuration."""

    def __init__(self, folder: pathlib.Path, port: int, lines: list[str]):
        super().__init__(folder, port=port)
        self.config = self.folder / "sentinel.conf"
        shared = [f"port {port}", f"unixsocket {self.socket}", "bind 127.0.0.1", f"dir {self.folder}",
                  "protected-mode no"]
        self.config.write_text("\n".join([*shared, *lines, ""]))

    @property
    def words(self) -> list[str]:
        return [str(self.config), "--sentinel"]


class Single:
    """One server, that keeps in its append-only file all that it acknowledged."""

    keeps = KEEPS_ALL

    def __init__(self, folder: pathlib.Path):
        self.server = RedisServer(folder, self.keeps, port=free_ports(1)[0])
        self.flags = ["--redis-addresses", self.server.address]

    def start(self) -> None:
        self.server.start()

    def close(self) -> None:
        self.server.close()


class Dumped(Single):
    """One server that has only the dump that `keep` makes; `go_back` starts it from that."""

    keeps = DUMPS

    def keep(self) -> None:
        self.server.call("SAVE")

    def go_back(self) -> None:
        self.server.kill()
        self.server.start()


class Watched:
    """A master and two replicas, watched by three Sentinels that wait five seconds (less, when time is short)."""

    down_after = 5 if os.environ.get("PEAL_FAULT_FULL") == "1" else 2

    def __init__(self, folder: pathlib.Path):
        ports = free_ports(6)
        self.servers = [RedisServer(folder, KEEPS_ALL, port=ports[0])]
        self.servers += [RedisServer(folder, [*KEEPS_ALL, "--replicaof", "127.0.0.1", str(ports[0])], port=port)
                         for port in ports[1:3]]
        lines = [f"sentinel monitor {NAME} 127.0.0.1 {ports[0]} 2",
                 f"sentinel down-after-milliseconds {NAME} {self.down_after * 1000}",
                 f"sentinel failover-timeout {NAME} 10000"]
        self.sentinels = [Sentinel(folder, port, lines) for port in ports[3:]]
        self.flags = ["--redis-mode", "sentinel", "--redis-master-name", NAME]
        for one in self.sentinels:
            self.flags += ["--redis-addresses", one.address]

    def start(self) -> None:
        for one in self.servers:
            one.start()
        until(lambda: self.servers[0].info("replication", "connected_slaves") == "2", "both replicas follow", 20)
        for one in self.sentinels:
            one.start()
        until(lambda: all(self._knows_all(one) for one in self.sentinels), "the Sentinels know one another", 30)

    def _knows_all(self, sentinel: Sentinel) -> bool:
        row = sentinel.call("SENTINEL", "MASTER", NAME).splitlines()
        row = dict(zip(row[::2], row[1::2]))
        return row["num-slaves"] == "2" and row["num-other-sentinels"] == "2" and row["flags"] == "master"

    def master(self) -> RedisServer:
        port = int(self.sentinels[0].call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME).split()[1])
        return next(server for server in self.servers if server.port == port)

    def close(self) -> None:
        for one in [*self.sentinels, *self.servers]:
            one.close()


class Sharded(RedisCluster):
    """A Cluster of three masters without replicas."""

    def __init__(self, folder: pathlib.Path):
        super().__init__(folder, [*KEEPS_ALL, "--cluster-node-timeout", "2000"])

    @property
    def flags(self) -> list[str]:
        return self.addresses

    def slots(self, server: RedisServer) -> list[int]:
        """Those with keys."""
        return sorted({int(server.call("CLUSTER", "KEYSLOT", key)) for key in server.call("KEYS", "*").splitlines()})

    def move(self, slot: int, frm: RedisServer, to: RedisServer) -> None:
        """As `redis-cli --cluster reshard` does it, one slot."""
        to.call("CLUSTER", "SETSLOT", slot, "IMPORTING", frm.call("CLUSTER", "MYID"))
        frm.call("CLUSTER", "SETSLOT", slot, "MIGRATING", to.call("CLUSTER", "MYID"))
        while keys := frm.call("CLUSTER", "GETKEYSINSLOT", slot, 100).splitlines():
            frm.call("MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "KEYS", *keys)
        for one in (to, frm, *self.servers):
            one.call("CLUSTER", "SETSLOT", slot, "NODE", to.call("CLUSTER", "MYID"))
