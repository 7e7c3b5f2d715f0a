"""Nothing missed: clients that leave at random and come back anywhere with their positions hear every publication once.

A broker and three gateways, 500 clients that follow three of 50 recoverable channels each, cut their connection
every few seconds and come back a moment later to another gateway over WebSocket, server-sent events or long-poll,
while 200,000 numbered publications are made. Judged by the checker from what each client wrote down.
"""

import pytest

from lib.processes import slow_factor
from lib.swarm import Job

CHANNELS, CLIENTS, EACH = 50, 500, 3
TRANSPORTS = ["websocket", "sse", "poll", "eventsource"]
LOG = """
[[channels]]
pattern = "job:*"
recoverable = true
history_length_max = 100000
history_bytes_max = 268435456
history_age_max = "1h"
"""
RULES = LOG + """subscribe = "anyone"
publish = "anyone"
"""


@pytest.fixture
def job(tmp_path):
    run = Job(tmp_path)
    yield run
    run.close()


def start_cluster(cluster, gateways=3, log=LOG):
    config = cluster.folder / "broker.toml"
    config.write_text(log)
    broker = cluster.broker(flags=["--config", str(config)])
    flags = ["--bus-driver", "zmq", "--bus-connect", broker.ready["listen"], "--shards", "1"]
    return [cluster.gateway(f"gateway-{n + 1}", flags=flags, config=RULES) for n in range(gateways)]


def run(job, gateways, count, transports=TRANSPORTS, rate=2500, **options):
    """Two producers, each at its own gateway, while the clients come and go."""
    wanderers = job.wanderers([gateway.ws_url for gateway in gateways], transports,
                              **{"clients": CLIENTS, "channels": CHANNELS, "per_client": EACH, **options})
    producers = [job.producer(way, target, count=count // 2, channels=CHANNELS, window=16, rate=rate)
                 for way, target in [("websocket", gateways[0].ws_url), ("control", gateways[-1].ready["control"])]]
    told = [producer.end(300) for producer in producers]
    heard = wanderers.end(120)
    print("producers:", told, "\nclients:", heard)
    assert all(counts["ok"] == count // 2 for counts in told), told
    return heard


@pytest.mark.sanitized
def test_clients_that_come_back_anywhere_over_any_transport_miss_nothing(cluster, job):
    count = int(200_000 / slow_factor()) // 100 * 100
    heard = run(job, start_cluster(cluster), count, returns=2 * CLIENTS)
    verdict = job.judge()
    print("verdict:", verdict)
    assert verdict["faults"] == 0 and verdict["told"] == heard["told"] == 0
    assert verdict["ok"] == verdict["publishes"] == count
    # Every client that was there from the start is due all of its channels.
    assert verdict["deliveries"] == verdict["due"] >= CLIENTS * EACH * count // CHANNELS * 99 // 100
    assert heard["returns"] >= 2 * CLIENTS and heard["recovered"] >= CLIENTS / slow_factor()
    assert all(heard["came_over"][name] >= 100 for name in TRANSPORTS), heard


def test_one_gateway_with_the_embedded_core_does_the_same(cluster, job):
    gateway = cluster.gateway(flags=["--shards", "2"], config=RULES)
    run(job, [gateway], 10_000, clients=200, stay="500ms", away="100ms")
    verdict = job.judge()
    assert verdict["faults"] == verdict["told"] == 0 and verdict["ok"] == 10_000


def test_who_was_away_for_longer_than_the_log_reaches_is_told_and_misses_nothing_else(cluster, job):
    little = LOG.replace("history_length_max = 100000", "history_length_max = 15")
    gateways = start_cluster(cluster, gateways=2, log=little)
    heard = run(job, gateways, 20_000, clients=100, stay="400ms", away="150ms", rate=2000)
    verdict = job.judge()
    assert verdict["faults"] == 0 and verdict["ok"] == 20_000
    assert verdict["told"] == heard["told"] > 50 and heard["recovered"] > 50, heard


def test_the_judge_finds_it_when_clients_forget_deliveries(cluster, job):
    gateway = cluster.gateway(flags=["--shards", "1"], config=RULES)
    run(job, [gateway], 2_000, clients=50, drop_one_in=1000)
    with pytest.raises(AssertionError, match="skipped"):
        job.judge()
