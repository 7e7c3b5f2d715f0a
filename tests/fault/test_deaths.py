"""Brokers and gateways are killed, stopped and restarted under load."""

import signal
import time

import pytest

from kit.load import CHANNELS, CLIENTS, EACH, FULL, GATEWAYS, Topology, outage
from lib.processes import slow_factor, until

MEMORY, DISK = Topology("memory"), Topology("disk")
BOTH_IN_FULL = [MEMORY, DISK] if FULL else [DISK]
STOPPED = 60 if FULL else 6
DOWN = 30 if FULL else 3
SLOW = slow_factor()


def judge_broker_outage(topology, outcome, bars, within):
    bars.at_most("delivering again to the last client", outcome.verdict["back_after_ms"] / 1000, within * SLOW, " s")
    bars.exactly("false acknowledgements", outcome.verdict["false_results"], 0)
    bars.exactly("clients that lost their connection", outcome.clients["cuts"], 0)
    bars.exactly("lost, doubled, reordered, silently behind", outcome.verdict["faults"], 0)
    if topology.durable:
        bars.exactly("epochs that ended", outcome.verdict["epochs"] - CHANNELS, 0)
    else:
        bars.exactly("resets of the least told subscriber", outcome.verdict["told_min"], 1)
        bars.exactly("resets of the most told subscriber", outcome.verdict["told_max"], 1)


@pytest.mark.parametrize("topology", [MEMORY, DISK] if FULL else [MEMORY], ids=str)
def test_a_broker_is_killed(load, bars, topology):
    run = load(topology)
    run.flows()
    run.brokers[0].kill()
    killed = time.monotonic_ns()
    run.linked(False)
    restarted = run.restart_broker()
    run.linked(True)
    run.flows()
    judge_broker_outage(topology, run.end(*outage(killed, restarted, 5)), bars, 5)


@pytest.mark.parametrize("topology", BOTH_IN_FULL, ids=str)
def test_a_broker_is_stopped_and_goes_on(load, bars, topology):
    """What it was sent before it stopped it may carry out when it goes on; nobody takes that for the present."""
    run = load(topology)
    run.flows()
    run.brokers[0].signal(signal.SIGSTOP)
    stopped = time.monotonic_ns()
    bars.at_most("noticed by every gateway", run.linked(False), 6 * SLOW, " s")
    until(lambda: time.monotonic_ns() - stopped > STOPPED * 1e9, "it was stopped for long enough", STOPPED + 10)
    goes_on = time.monotonic_ns()
    run.brokers[0].signal(signal.SIGCONT)
    run.linked(True)
    run.flows()
    outcome = run.end(*outage(stopped, goes_on, 10))
    bars.at_most("delivering again to the last client", outcome.verdict["back_after_ms"] / 1000, 10 * SLOW, " s")
    bars.exactly("false acknowledgements", outcome.verdict["false_results"], 0)
    # One broker that has lost nothing: neither its logs nor its clients' places end.
    bars.exactly("subscribers that were reset", outcome.verdict["told"], 0)
    bars.exactly("epochs that ended", outcome.verdict["epochs"] - CHANNELS, 0)
    bars.exactly("clients that lost their connection", outcome.clients["cuts"], 0)


@pytest.mark.parametrize("topology", [DISK], ids=str)
def test_a_gateway_is_killed(load, bars, topology):
    run = load(topology)
    run.flows()
    run.gateways[1].kill()
    run.flows(2)
    outcome = run.end()
    heard = outcome.clients
    bars.at_least("clients that it took along", heard["cuts"], CLIENTS / GATEWAYS / 2)
    bars.exactly("of them elsewhere in the end", heard["back"], heard["cuts"])
    bars.at_most("elsewhere, p99", heard["back_p99_ms"] / 1000, 10 * SLOW, " s")
    bars.at_least("of them recovered", heard["back_recovered"] / heard["back"], 0.999)
    bars.exactly("neither recovered nor told", heard["back"] - heard["back_recovered"] - heard["back_told"], 0)


@pytest.mark.parametrize("topology", [DISK], ids=str)
def test_all_brokers_are_down(load, bars, topology):
    run = load(topology)
    run.flows()
    for broker in run.brokers:
        broker.kill()
    killed = time.monotonic_ns()
    bars.at_most("readiness off", run.linked(False), 6 * SLOW, " s")
    until(lambda: time.monotonic_ns() - killed > DOWN * 1e9, "they were down for long enough", DOWN + 10)
    assert all(gateway.get("/healthz")[0] == 200 for gateway in run.gateways)
    restarted = min(run.restart_broker(index) for index in range(len(run.brokers)))
    run.linked(True)
    run.flows()
    outcome = run.end(*outage(killed, restarted, 5))
    bars.at_least("refused as temporary", outcome.codes.get("broker_unavailable", 0), 1)
    judge_broker_outage(topology, outcome, bars, 5)


@pytest.mark.parametrize("topology", BOTH_IN_FULL, ids=str)
def test_every_process_is_restarted_in_turn(load, bars, topology):
    drain = 3 if FULL else 2
    run = load(topology, gateway_flags=["--drain-time", f"{drain}s"])
    run.flows()
    for index in range(GATEWAYS):
        run.restart_gateway(index)
        run.flows(0.5)
    for index in range(len(run.brokers)):
        assert run.brokers[index].stop() == 0
        run.restart_broker(index)
        run.linked(True)
        run.flows(0.5)
    outcome = run.end()
    heard, verdict = outcome.clients, outcome.verdict
    bars.at_least("clients that had to reconnect", heard["cuts"], CLIENTS)
    bars.exactly("of them back", heard["back"], heard["cuts"])
    # A gateway sends its clients away over nearly all of the drain time; a wave would be all of its third at once.
    bars.at_most("sent away within 200 ms, of one gateway's clients",
                 heard["cuts_at_once"] / (heard["cuts"] / GATEWAYS), 0.5)
    bars.exactly("lost, doubled, reordered, silently behind", verdict["faults"], 0)
    told = 0 if topology.durable else CLIENTS * EACH * len(run.brokers)
    bars.exactly("resets, of all subscribers", verdict["told"], told)
