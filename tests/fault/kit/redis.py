"""Redis for fault tests: one server, a master with two replicas and three Sentinels, or a Cluster of three. Each
server has a port and a folder of its own. `flags` are what Peal is told of it; `close` ends what `start` started."""

from __future__ import annotations

import itertools
import os
import pathlib
import signal
import socket
import subprocess

from lib.processes import until

NAME = "peal"  # of the master, at the Sentinels


def free_ports(count: int) -> list[int]:
    """Below the ports that connections come from; a Cluster's node also takes the one 10,000 above its own."""
    found = []
    for port in itertools.count(7200 + os.getpid() % 5000):
        try:
            for each in (port, port + 10_000):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", each))
        except OSError:
            continue
        found.append(port)
        if len(found) == count:
            return found


KEEPS_ALL = ('save ""', "appendonly yes", "appendfsync always")
DUMPS = ('save ""', "appendonly no")  # only when it is told to


class Server:
    """A redis-server (or, with `sentinel`, a Sentinel) as a process of the test's own."""

    def __init__(self, folder: pathlib.Path, port: int, *lines: str, keeps: tuple[str, ...] = KEEPS_ALL,
                 sentinel: bool = False):
        self.folder, self.port, self.sentinel = folder / f"redis-{port}", port, sentinel
        self.folder.mkdir(parents=True)
        self.config = self.folder / "redis.conf"
        shared = [f"port {port}", "bind 127.0.0.1", f"dir {self.folder}", "logfile redis.log", "protected-mode no"]
        self.config.write_text("\n".join([*shared, *(() if sentinel else keeps), *lines, ""]))
        self.popen: subprocess.Popen | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> "Server":
        self.popen = subprocess.Popen(["redis-server", str(self.config), *(["--sentinel"] if self.sentinel else [])],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._answers, f"Redis on {self.port} answers", 20)
        return self

    def _answers(self) -> bool:
        assert self.popen.poll() is None, (self.folder / "redis.log").read_text()[-2000:]
        try:
            return self.call("PING") == "PONG"
        except (OSError, RuntimeError):  # it may still be reading its file
            return False

    def call(self, *words: str):
        """One command; an error raises."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as link, link.makefile("rwb") as file:
            file.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word)
                                                          for word in (str(one).encode() for one in words)))
            file.flush()
            return self._reply(file)

    def _reply(self, file):
        line = file.readline()
        if not line:
            raise ConnectionResetError("no reply")
        kind, rest = chr(line[0]), line[1:-2].decode()
        if kind == "-":
            raise RuntimeError(rest)
        if kind == "$":
            return None if rest == "-1" else file.read(int(rest) + 2)[:-2].decode(errors="replace")
        if kind == "*":
            return [self._reply(file) for _ in range(int(rest))]
        return int(rest) if kind == ":" else rest

    def info(self, section: str, name: str) -> str:
        rows = dict(line.split(":", 1) for line in self.call("INFO", section).splitlines() if ":" in line)
        return rows.get(name, "")

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def close(self) -> None:
        if self.popen and self.popen.poll() is None:
            self.popen.send_signal(signal.SIGCONT)
            self.kill()


class Single:
    """One server, that keeps in its append-only file all that it acknowledged."""

    keeps = KEEPS_ALL

    def __init__(self, folder: pathlib.Path):
        self.server = Server(folder, free_ports(1)[0], keeps=self.keeps)
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
        self.servers = [Server(folder, ports[0])]
        self.servers += [Server(folder, port, f"replicaof 127.0.0.1 {ports[0]}") for port in ports[1:3]]
        lines = [f"sentinel monitor {NAME} 127.0.0.1 {ports[0]} 2",
                 f"sentinel down-after-milliseconds {NAME} {self.down_after * 1000}",
                 f"sentinel failover-timeout {NAME} 10000"]
        self.sentinels = [Server(folder, port, *lines, sentinel=True) for port in ports[3:]]
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

    def _knows_all(self, sentinel: Server) -> bool:
        row = sentinel.call("SENTINEL", "MASTER", NAME)
        row = dict(zip(row[::2], row[1::2]))
        return row["num-slaves"] == "2" and row["num-other-sentinels"] == "2" and row["flags"] == "master"

    def master(self) -> Server:
        port = int(self.sentinels[0].call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)[1])
        return next(server for server in self.servers if server.port == port)

    def close(self) -> None:
        for one in [*self.sentinels, *self.servers]:
            one.close()


class Sharded:
    """A Cluster of three masters without replicas."""

    def __init__(self, folder: pathlib.Path):
        self.servers = [Server(folder, port, "cluster-enabled yes", "cluster-node-timeout 2000")
                        for port in free_ports(3)]
        self.flags = ["--redis-mode", "cluster"]
        for one in self.servers:
            self.flags += ["--redis-addresses", one.address]

    def start(self) -> None:
        for one in self.servers:
            one.start()
        subprocess.run(["redis-cli", "--cluster", "create", *(one.address for one in self.servers), "--cluster-yes"],
                       check=True, capture_output=True, timeout=60)
        until(lambda: all("cluster_state:ok" in one.call("CLUSTER", "INFO") for one in self.servers), "it is whole", 30)

    def slots(self, server: Server) -> list[int]:
        """Those with keys."""
        return sorted({server.call("CLUSTER", "KEYSLOT", key) for key in server.call("KEYS", "*")})

    def move(self, slot: int, frm: Server, to: Server) -> None:
        """As `redis-cli --cluster reshard` does it, one slot."""
        to.call("CLUSTER", "SETSLOT", slot, "IMPORTING", frm.call("CLUSTER", "MYID"))
        frm.call("CLUSTER", "SETSLOT", slot, "MIGRATING", to.call("CLUSTER", "MYID"))
        while keys := frm.call("CLUSTER", "GETKEYSINSLOT", slot, 100):
            frm.call("MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "KEYS", *keys)
        for one in (to, frm, *self.servers):
            one.call("CLUSTER", "SETSLOT", slot, "NODE", to.call("CLUSTER", "MYID"))

    def close(self) -> None:
        for one in self.servers:
            one.close()
