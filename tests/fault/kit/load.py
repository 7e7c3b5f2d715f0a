"""The one load of all fault tests: gateways, brokers, clients that follow logs, and publishers that repeat under a
sequence until they are acknowledged. `end` brings it to its end and to the checker.

In full it is 3 gateways, 300 clients and 2,000 messages a second; else the same with less.
"""

from __future__ import annotations

import dataclasses
import os
import re
import time
import urllib.error
import urllib.request

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
    brokers: int = 1  # none: the gateways meet in Redis
    redis: type | None = None  # of kit.redis

    @property
    def durable(self) -> bool:
        return self.store != "memory"

    def __str__(self) -> str:
        kind = f"-{self.redis.__name__.lower()}" if self.redis else ""
        return f"{self.store}{kind}" + (f"-{self.brokers}" if self.brokers != 1 else "")


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
                 gateway_flags: list[str] | None = None, broker_flags: list[str] | None = None,
                 wired_redis: bool = False):
        self.cluster, self.job, self.topology, self.network = cluster, job, topology, network
        self.rate, self.lanes = rate, lanes
        self.broker_flags, self.gateway_flags = broker_flags or [], gateway_flags or []
        self.redis = topology.redis(cluster.folder) if topology.redis else None
        self.wired_redis = wired_redis  # the one server is a place, too
        self.config = cluster.folder / "broker.toml"
        self.names = [f"gateway-{n + 1}" for n in range(gateways)]
        self.options: dict[str, dict] = {}  # by place: how processes are started there
        self.endpoints: dict[str, str] = {}  # of brokers
        self.brokers: list[Broker] = []
        self.gateways: list[Gateway] = []

    def start(self) -> "Load":
        if self.redis:
            self.redis.start()
        self.config.write_text(LOG)
        names = [f"broker-{n + 1}" for n in range(self.topology.brokers)]
        self.options = {name: self.network.options(name) for name in [*names, *self.names]}
        self.endpoints = {name: self.network.listen(name) for name in names}
        self.brokers = [self._broker(name) for name in names]
        for broker in self.brokers:
            broker.wait_ready()
        self.gateways = [self._gateway(name) for name in self.names]
        self.clients = self.job.wanderers([gateway.ws_url for gateway in self.gateways], ["websocket", "sse"],
                                          clients=CLIENTS, channels=CHANNELS, per_client=EACH, stay="0", away="200ms")
        controls = [gateway.ready["control"] for gateway in self.gateways]
        self.publishers = [self.job.repeater(controls[n:] + controls[:n], channels=CHANNELS, rate=self.rate / 2,
                                             lanes=self.lanes) for n in range(2)]
        return self

    def close(self) -> None:
        """After the processes have ended."""
        if self.redis:
            self.redis.close()
        self.network.close()

    def _broker(self, name: str, members: list[str] | None = None) -> Broker:
        """At its place; without waiting, since brokers that belong together wait for one another."""
        flags = ["--config", str(self.config), "--store-driver", self.topology.store, "--store-path",
                 str(self.cluster.folder / f"store of {name}"), "--limits-disk-free-min", "1MiB", "--insecure",
                 *self._redis_flags(name), *self.broker_flags, *(members or self._brokers(name, "--bus-members"))]
        return self.cluster.broker(name, flags=flags, listen=self.endpoints[name], start=False,
                                   **self.options[name]).launch()

    def _redis_flags(self, place: str) -> list[str]:
        if not self.wired_redis:
            return self.redis.flags if self.redis else []
        way = self.network.way(place, "redis", f"tcp://{self.redis.server.address}")
        return ["--redis-addresses", way.removeprefix("tcp://")]

    def _brokers(self, place: str, flag: str) -> list[str]:
        """The brokers as a process there is told of them. A single one has no name, and needs not know itself."""
        alone = len(self.endpoints) == 1
        if alone and place in self.endpoints:
            return []
        flags = []
        for name, endpoint in self.endpoints.items():
            way = endpoint if name == place else self.network.way(place, name, endpoint)
            flags += [flag, way if alone else f"{name}={way}"]
        return flags

    def _gateway(self, name: str, listen: str | None = None) -> Gateway:
        flags = ["--shards", "1", "--insecure", *self.gateway_flags]
        if self.endpoints:
            flags += ["--bus-driver", "zmq", *self._brokers(name, "--bus-connect")]
        else:
            flags += ["--bus-driver", "redis", *self._redis_flags(name)]
        return self.cluster.gateway(name, flags=flags, config=RULES, listen=listen, **self.options[name])

    def restart_gateway(self, index: int) -> None:
        """Lets a gateway drain and end, and starts it again, at its place."""
        before = self.gateways[index]
        assert before.stop() == 0
        self.gateways[index] = self._gateway(before.name, before.ready["listen"])

    def start_wrong_broker(self, index: int, members: list[str]) -> None:
        """Starts an ended broker again, with another list of members; it is not waited for."""
        self.brokers[index] = self._broker(self.brokers[index].name, members)

    def launch_broker(self, index: int) -> int:
        """Starts an ended broker again, at its place, and doesn't wait for it; when that began."""
        began = time.monotonic_ns()
        self.brokers[index] = self._broker(self.brokers[index].name)
        return began

    def restart_broker(self, index: int = 0) -> int:
        """The same, and waits until it is ready."""
        began = self.launch_broker(index)
        self.brokers[index].wait_ready()
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

    @property
    def places(self) -> list[str]:
        return [process.name for process in [*self.gateways, *self.brokers]]

    def links_ended(self) -> float:
        return (sum(gateway.metric("peal_bus_links_lost_total") for gateway in self.gateways)
                + sum(broker.metric("peal_broker_links_ended_total") for broker in self.brokers if broker.alive))

    def served(self, deadline: float = 30) -> float:
        """Waits until every gateway can read every channel; how long that took."""
        began = time.monotonic()
        for gateway in self.gateways:
            for number in range(CHANNELS):
                until(lambda: self._reads(gateway, number), f"{gateway.name} reads channel {number}", deadline, 0.05)
        return time.monotonic() - began

    def _reads(self, gateway: Gateway, number: int) -> bool:
        address = f"{gateway.url}/channels/job:{number}?since=start&limit=1"
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return answer.status == 200
        except urllib.error.HTTPError as error:
            assert error.code in (503, 504), error.read()
            return False

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

    def end(self, *flags, told: bool | None = None) -> Outcome:
        """Whether anybody may have been told that the past is gone: by default where the store is memory."""
        told = [publisher.end(60) for publisher in self.publishers]
        heard = self.clients.end(60)
        verdict = self.job.judge(*flags)
        print("publishers:", told, "\nclients:", heard, "\nverdict:", verdict)
        for counts in told:
            assert counts["strays"] == counts["unfinished"] == 0 < counts["acknowledged"], counts
        assert verdict["faults"] == 0 and verdict["due"] == verdict["deliveries"] > 0, verdict
        outcome = Outcome(told, heard, verdict)
        assert set(outcome.codes) <= temporary_codes(), outcome.codes
        if not (not self.topology.durable if told is None else told):
            assert verdict["unheard"] == verdict["told"] == 0, verdict
            assert verdict["epochs"] == CHANNELS, verdict
        return outcome


def outage(killed: int, restarted: int, back: float) -> list:
    """What the checker is to know of it: from when to when no broker lived (ns), and the seconds that are the bar."""
    return ["--killed", killed, "--restarted", restarted, "--back-within", f"{int(back * 1000 * slow_factor())}ms"]


def judge_nothing_lost(outcome, bars, back: float) -> None:
    """What was in the log is there: nobody was told otherwise, and all have it within `back` seconds."""
    bars.at_most("delivering again to the last client", outcome.verdict["back_after_ms"] / 1000, back * slow_factor(), " s")
    bars.exactly("lost, doubled, reordered, silently behind", outcome.verdict["faults"], 0)
    bars.exactly("epochs that ended", outcome.verdict["epochs"] - CHANNELS, 0)
    bars.exactly("subscribers that were reset", outcome.verdict["told"], 0)
    bars.exactly("clients that lost their connection", outcome.clients["cuts"], 0)
