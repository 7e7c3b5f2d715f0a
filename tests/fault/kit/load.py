"""The one load of all fault tests: gateways, brokers, clients that follow logs, and publishers that repeat under a
sequence until they are acknowledged. `end` brings it to its end and to the checker.

In full it is 3 gateways, 300 clients and 2,000 messages a second; else the same with less.
"""

from __future__ import annotations

import dataclasses
import os
import re
import time

from kit.network import Spaces, Wires
from lib.processes import ROOT, Broker, Cluster, Gateway, slow_factor, until
from lib.swarm import Job

FULL = os.environ.get("PEAL_FAULT_FULL") == "1"
CHANNELS, EACH, GATEWAYS = 50, 2, 3
CLIENTS, RATE = (300, 2000) if FULL else (90, 500)
LOG = """
[[channels]]
pattern = "job:*"
recoverable = true
history_length_max = 100000
history_bytes_max = 268435456
history_age_max = "1h"
"""
RULES = LOG + 'subscribe = "anyone"\npublish = "anyone"\n[[channels]]\npattern = "aside"\npublish = "anyone"\n'


@dataclasses.dataclass(frozen=True)
class Topology:
    """What the gateways are connected by."""

    store: str  # of the brokers
    brokers: int = 1

    @property
    def durable(self) -> bool:
        return self.store != "memory"

    def __str__(self) -> str:
        return self.store if self.brokers == 1 else f"{self.store}-{self.brokers}"


@dataclasses.dataclass
class Outcome:
    """What publishers, clients and checker say in the end."""

    publishers: list[dict]
    clients: dict
    verdict: dict

    @property
    def codes(self) -> dict[str, int]:
        codes: dict[str, int] = {}
        for one in self.publishers:
            for code, count in one["codes"].items():
                codes[code] = codes.get(code, 0) + count
        return codes


def temporary_codes() -> set[str]:
    """The error codes that the reference calls temporary."""
    rows = re.findall(r"^\| `(\w+)` \| yes \|", (ROOT / "docs/reference/codes.md").read_text(), re.MULTILINE)
    return {*rows, "link_lost"}


class Load:
    def __init__(self, cluster: Cluster, job: Job, topology: Topology, network: Spaces | Wires,
                 gateways: int = GATEWAYS, rate: int = RATE, lanes: int = 1,
                 gateway_flags: list[str] | None = None, broker_flags: list[str] | None = None):
        self.cluster, self.job, self.topology, self.network = cluster, job, topology, network
        self.rate = rate
        self.broker_flags = broker_flags or []
        self.config = cluster.folder / "broker.toml"
        self.config.write_text(LOG)
        self.brokers = [self._broker(n + 1, network.options(f"broker-{n + 1}")) for n in range(topology.brokers)]
        self.endpoints = [broker.ready["listen"] for broker in self.brokers]
        self.gateway_flags = gateway_flags or []
        self.gateways = [self._gateway(n + 1, network.options(f"gateway-{n + 1}")) for n in range(gateways)]
        self.clients = job.wanderers([gateway.ws_url for gateway in self.gateways], ["websocket", "sse"],
                                     clients=CLIENTS, channels=CHANNELS, per_client=EACH, stay="0",
                                     away="200ms")
        controls = [gateway.ready["control"] for gateway in self.gateways]
        self.publishers = [job.repeater(controls[n:] + controls[:n], channels=CHANNELS, rate=rate / 2, lanes=lanes)
                           for n in range(2)]

    def _broker(self, number: int, options: dict, listen: str | None = None) -> Broker:
        name = f"broker-{number}"
        flags = ["--config", str(self.config), "--store-driver", self.topology.store, "--store-path",
                 str(self.cluster.folder / f"store-{number}"), "--limits-disk-free-min", "1MiB", "--insecure",
                 *self.broker_flags]
        broker = self.cluster.broker(name, flags=flags, listen=listen, start=False, **options)
        broker.options = options
        return broker.start()

    def _gateway(self, number: int, options: dict, listen: str | None = None) -> Gateway:
        name = f"gateway-{number}"
        flags = ["--bus-driver", "zmq", "--shards", "1", "--insecure", *self.gateway_flags]
        for broker in self.brokers:
            flags += ["--bus-connect", self.network.way(name, broker.name, broker.ready["listen"])]
        gateway = self.cluster.gateway(name, flags=flags, config=RULES, listen=listen, start=False, **options)
        gateway.options = options
        return gateway.start()

    def restart_gateway(self, index: int) -> None:
        """Lets a gateway drain and end, and starts it again, at its place."""
        before = self.gateways[index]
        assert before.stop() == 0
        self.gateways[index] = self._gateway(index + 1, before.options, before.ready["listen"])

    def restart_broker(self, index: int = 0) -> int:
        """Starts an ended broker again, at its place; when that began."""
        began = time.monotonic_ns()
        broker = self.brokers[index]
        self.brokers[index] = self._broker(index + 1, broker.options, self.endpoints[index])
        return began

    def flows(self, seconds: float = 1.0, deadline: float = 30) -> None:
        """Waits until so many seconds' worth of deliveries have been made."""
        before, worth = self.delivered(), self.rate * seconds * CLIENTS * EACH / CHANNELS
        until(lambda: self.delivered() >= before + worth, f"{worth} messages flow", deadline, 0.1)

    def delivered(self) -> float:
        return sum(gateway.metric("peal_deliveries_total") for gateway in self.gateways if gateway.alive)

    def linked(self, value: bool, gateways: list[Gateway] | None = None, deadline: float = 20) -> float:
        """Waits until these gateways (all) are ready, or are not; how long that took."""
        began = time.monotonic()
        for gateway in gateways or self.gateways:
            until(lambda: (gateway.get("/readyz")[0] == 200) == value,
                  f"{gateway.name} is {'' if value else 'not '}ready", deadline, 0.02)
        return time.monotonic() - began

    def ready_for(self, seconds: float, gateways: list[Gateway] | None = None) -> int:
        """Looks on; how often one of them was not ready."""
        end, misses = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            misses += sum(gateway.get("/readyz")[0] != 200 for gateway in gateways or self.gateways)
            time.sleep(0.1)
        return misses

    def latencies(self, windows: list[tuple[int, int]]) -> list[float]:
        """Milliseconds from when a message was meant to be sent to a client's hearing it: the p99 of each window."""
        heard: list[list[int]] = [[] for _ in windows]
        for sent, time_ns in self.job.hearings():
            for times, (begin, end) in zip(heard, windows):
                if begin <= sent < end:
                    times.append(time_ns - sent)
        return [sorted(times)[len(times) * 99 // 100] / 1e6 for times in heard]

    def end(self, *flags) -> Outcome:
        told = [publisher.end(60) for publisher in self.publishers]
        heard = self.clients.end(60)
        verdict = self.job.judge(*flags)
        print("publishers:", told, "\nclients:", heard, "\nverdict:", verdict)
        for counts in told:
            assert counts["strays"] == counts["unfinished"] == 0 < counts["acknowledged"], counts
        assert verdict["faults"] == 0 and verdict["due"] == verdict["deliveries"] > 0, verdict
        outcome = Outcome(told, heard, verdict)
        assert set(outcome.codes) <= temporary_codes(), outcome.codes
        if self.topology.durable:
            assert verdict["unheard"] == verdict["told"] == 0, verdict
            assert verdict["epochs"] == CHANNELS, verdict
        return outcome


def outage(killed: int, restarted: int, back: float) -> list:
    """What the checker is to know of it: from when to when no broker lived (ns), and the seconds that are the bar."""
    return ["--killed", killed, "--restarted", restarted, "--back-within", f"{int(back * 1000 * slow_factor())}ms"]
