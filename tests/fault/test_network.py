"""The network between gateways and brokers is cut in every shape, loses, delays, resets."""

import time

import pytest

from kit import network
from kit.cuts import cut_gateways_off
from kit.load import FULL, RATE, Topology, judge_nothing_lost
from kit.redis import Single
from lib.client import Session

MEMORY, DISK, REDIS = Topology("memory"), Topology("disk"), Topology("redis", redis=Single)
CUT = 30 if FULL else 1
BAD = 600 if FULL else 4


@pytest.mark.parametrize("topology, kind", [(MEMORY, network.best), *(
    [(DISK, network.Wires), (REDIS, network.Wires)] if FULL else [])])
def test_gateways_are_cut_off_one_way_the_other_and_both(load, bars, topology, kind):
    run = load(topology, kind, gateways=4)
    run.flows()
    healed = cut_gateways_off(run, bars, "broker-1", CUT)
    run.flows()
    judge_nothing_lost(run.end("--restarted", healed), bars, 10)


def judge_bad_network(run, outcome, bars, ended):
    bars.exactly("links declared dead", ended, 0)
    bars.exactly("lost, doubled, reordered, silently behind", outcome.verdict["faults"], 0)
    bars.exactly("subscribers that were reset", outcome.verdict["told"], 0)
    bars.at_least("of the load carried", outcome.verdict["per_second"] / RATE, 0.9 if FULL else 0.1)


@pytest.mark.parametrize("topology", [DISK], ids=str)
def test_five_percent_are_lost(load, bars, topology):
    run = load(topology, network.best, lanes=4)  # of one source one is under way, and may wait for a retransmission
    run.flows()
    run.network.lose(0.05)
    unready = run.ready_for(BAD)
    ended = run.links_ended()
    bars.at_least("packets that were lost", run.network.lost(), 50)
    outcome = run.end()
    bars.exactly("times that a gateway was not ready", unready, 0)
    judge_bad_network(run, outcome, bars, ended)


@pytest.mark.parametrize("topology", [DISK], ids=str)
def test_everything_takes_200_ms_and_100_more_or_less(load, bars, topology):
    # Of one source one publish is under way at a time, and each takes half a second.
    run = load(topology, network.Wires, lanes=12 if FULL else 4)
    run.network.delay(0.1, 0.3)
    unready = run.ready_for(BAD)
    ended = run.links_ended()
    with Session(run.gateways[0]) as session:
        began = time.monotonic()
        session.call("publish", channel="aside", message=1)
        bars.at_least("that a publish takes", time.monotonic() - began, 0.2, " s")
    run.network.heal()
    outcome = run.end()
    bars.exactly("times that a gateway was not ready", unready, 0)
    judge_bad_network(run, outcome, bars, ended)


@pytest.mark.parametrize("topology", [MEMORY], ids=str)
def test_connections_are_reset_and_dropped_again_and_again(load, bars, topology):
    run = load(topology, network.Wires)
    run.flows()
    for round_ in range(40 if FULL else 6):
        end = run.network.reset if round_ % 2 else run.network.drop
        end(f"gateway-{round_ % 3 + 1}", "broker-1")
        run.flows(0.3)
    run.linked(True)
    run.flows()
    bars.at_least("links that ended", run.links_ended(), 3)
    outcome = run.end()
    bars.exactly("lost, doubled, reordered, silently behind", outcome.verdict["faults"], 0)
    bars.exactly("subscribers that were reset", outcome.verdict["told"], 0)
    bars.exactly("clients that lost their connection", outcome.clients["cuts"], 0)
