"""A rolling restart under load, as Kubernetes does it with the chart's own timings, through HAProxy.

For each old gateway a new one is started, and once that is ready the old one is drained, without waiting for its end
(maxSurge 1, maxUnavailable 0); then the broker is restarted with its logs on disk. Nothing is lost, and it is printed
how long clients heard nothing.
"""

import collections
import re
import time

import pytest

from chart import one, values_named
from lib.client import Control, Session
from lib.deployed import HaproxyFile
from lib.ports import free_ports
from lib.processes import PATIENCE_S, until
from lib.swarm import Job

CLIENTS, CHANNELS, RATE = 150, 25, 400
LOG = '[[channels]]\npattern = "job:*"\nrecoverable = true\nhistory_length_max = 100000\nhistory_bytes_max = 268435456\nhistory_age_max = "1h"\n'
RULES = LOG + 'subscribe = "anyone"\npublish = "anyone"\n'


@pytest.fixture
def job(tmp_path):
    run = Job(tmp_path)
    yield run
    run.close()


def timings() -> list[str]:
    """How the chart's gateways drain and spread, as flags."""
    config = one("ConfigMap", "peal-gateway", values_named("minimal"))["data"]["peal.toml"]
    keys = ["drain_delay", "drain_time", "drain_share_max", "rebalance_interval"]
    found = dict(re.findall(r'^(\w+) = "?([^"\n]+)"?$', config, re.MULTILINE))
    return [word for key in keys for word in (f"--{key.replace('_', '-')}", found[key])]


def longest_silences_ms(job) -> list[float]:
    """Of each client: the longest time between two deliveries, sorted."""
    last, longest = {}, collections.defaultdict(float)
    with open(job.folder / "listeners.journal") as lines:
        for words in map(str.split, lines):
            if words[0] == "D":
                client, heard = words[1], int(words[5])
                longest[client] = max(longest[client], (heard - last.get(client, heard)) / 1e6)
                last[client] = heard
    return sorted(longest.values())


def p99(values: list[float]) -> float:
    return values[(len(values) * 99 - 1) // 100]


def test_gateways_and_the_broker_are_restarted_under_load_and_nothing_is_lost(cluster, job, tmp_path):
    ports = free_ports(12)
    ports = list(zip(ports[::2], ports[1::2]))
    config = cluster.folder / "broker.toml"
    config.write_text(LOG)
    broker = cluster.broker(flags=["--config", str(config), "--store-driver", "disk", "--store-path", str(cluster.folder / "logs")])
    broker.flags += ["--bus-listen", broker.ready["listen"]]

    def start(number: int):
        public, internal = ports[number]
        return cluster.gateway(f"gateway-{number + 1}", config=RULES, listen=f"127.0.0.1:{public}", flags=[
            "--bus-driver", "zmq", "--bus-connect", broker.ready["listen"], "--shards", "1", "--trusted-proxies", "127.0.0.1",
            "--internal-listen", f"127.0.0.1:{internal}", *timings()])

    old = [start(number) for number in range(3)]
    with HaproxyFile(tmp_path, "haproxy.cfg", ports) as front:
        def served() -> bool:
            try:
                Session(old[0], url=front.ws_url).close()
            except (OSError, EOFError):
                return False
            return True
        until(served, "the proxy has found a gateway")
        clients = job.wanderers([front.ws_url], ["websocket", "sse", "poll"], clients=CLIENTS, channels=CHANNELS, per_client=2,
                                mixed=1, stay="0ms", away="100ms")
        publisher = job.repeater([front.ws_url], way="websocket", channels=CHANNELS, rate=RATE)
        began = time.monotonic()
        new = []
        for number, gateway in enumerate(old):
            new.append(start(3 + number))
            with Control(gateway) as control:  # preStop, and SIGTERM behind it
                control.call("drain")
            gateway.popen.terminate()
        for gateway in old:
            assert gateway.popen.wait(PATIENCE_S) == 0 and "hurrying" not in gateway.log()
        gateways_took = time.monotonic() - began
        spread = [int(gateway.metric("peal_sessions")) for gateway in new]

        assert broker.stop() == 0
        broker.start()
        until(lambda: all(gateway.metric("peal_bus_linked") == 1 for gateway in new), "the gateways are linked again")
        acknowledged = sum(gateway.metric("peal_deliveries_total") for gateway in new)
        until(lambda: sum(gateway.metric("peal_deliveries_total") for gateway in new) > acknowledged + 1000, "it goes on")
        published = publisher.end()
        heard = clients.end(120)
    for gateway in new:
        gateway.kill()  # how they drain was seen
    verdict = job.judge()
    silences = longest_silences_ms(job)
    print(f"gateways took {gateways_took:.0f} s; sessions of the new ones: {spread}; back after a close: p99 {heard['back_p99_ms']:.0f} ms; "
          f"longest silence of a client: p99 {p99(silences):.0f} ms\nclients: {heard}\npublisher: {published}\nverdict: {verdict}")
    assert verdict["faults"] == verdict["told"] == heard["told"] == 0
    assert verdict["deliveries"] == verdict["due"] and verdict["publishes"] >= 2000
    assert heard["back_told"] == 0 and heard["cuts"] >= CLIENTS // 2
    assert p99(silences) < 10_000
