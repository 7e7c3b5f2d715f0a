"""The chart's monitors outside Kubernetes: with their probes, a database in the pods' network, and the broker's pod."""

import json

import pytest

from fresh_root import run
from lib.monitor import install
from lib.postgres_server import PostgresServer
from lib.processes import bin_dir, until
from lib.redis_server import KEEPS_ALL, RedisServer


class Postgres:
    """Rows of a table ring."""
    kind, channel = "postgres", "news:orders"

    def __init__(self, deployed):
        self.server = PostgresServer(deployed.folder, {"listen_addresses": "127.0.0.1"}, deployed.network.prefix)

    def prepare(self) -> None:
        self.server.ask("create table orders (id int primary key)")
        install(self.server.dsn, "--table", "orders")

    def write(self, number: int) -> None:
        self.server.ask(f"insert into orders values ({number})")

    @staticmethod
    def number_in(message) -> int:
        return message["new"]["id"]


class Redis:
    """Entries of a stream ring."""
    kind, channel = "redis", "news:events"

    def __init__(self, deployed):
        self.server = RedisServer(deployed.folder, KEEPS_ALL, deployed.secrets["redis"]["PEAL_REDIS_PASSWORD"],
                                  deployed.network.prefix, port=6379)

    def prepare(self) -> None:
        pass

    def write(self, number: int) -> None:
        assert "-" in self.server.ask("XADD", "events", "*", "n", str(number))

    @staticmethod
    def number_in(message) -> int:
        return int(message["n"])


def numbers_in(broker, source) -> list[int]:
    """What the channel's log has; by the broker's control socket, in its volume."""
    said = run(bin_dir() / "peal", "history", source.channel, "--json", "--control", f"ipc://{broker.volume('run')}/broker.control")
    return [source.number_in(json.loads(line)["message"]) for line in said.stdout.splitlines()]


@pytest.mark.parametrize("make", [Postgres, Redis], ids=lambda make: make.kind)
def test_a_monitor_starts_rings_goes_on_and_ends_in_peace(deployed, make):
    source = make(deployed)
    broker = deployed.broker()
    with source.server:
        source.prepare()
        source.write(1)
        monitor = deployed.pod("Deployment", f"peal-monitor-{source.kind}", f"peal-monitor-{source.kind}-x1").start()
        monitor.wait_ready()
        source.write(2)
        until(lambda: numbers_in(broker, source) == [1, 2], "the broker has both")

        source.server.kill() if make is Redis else source.server.stop()
        until(lambda: not monitor.probe("readinessProbe"), "without its database it isn't ready")
        assert monitor.probe("livenessProbe")
        source.server.start()
        until(lambda: monitor.probe("readinessProbe"), "and with it it is again")
        source.write(3)
        until(lambda: numbers_in(broker, source) == [1, 2, 3], "it goes on where it stood")
        assert monitor.end() == 0, monitor.log()
    assert "hurrying" not in monitor.log() and "gave up" not in monitor.log()
