"""Several brokers share the channels: one is killed, stopped, cut off, restarted, and comes back; lists that differ."""

import signal
import time

import pytest

from kit import network
from kit.load import CHANNELS, CLIENTS, EACH, FULL, Topology, outage
from kit.redis import Single
from lib.processes import slow_factor, until

MEMORY, DISK = Topology("memory", brokers=3), Topology("disk", brokers=3)
REDIS = Topology("redis", brokers=2, redis=Single)
STOPPED = 60 if FULL else 6
CUT = 30 if FULL else 6
DOWN = 30 if FULL else 3
SLOW = slow_factor()


def all_serve(run, deadline=30):
    """Every gateway is linked with every broker, and each of them serves."""
    for gateway in run.gateways:
        until(lambda: gateway.metric("peal_bus_brokers_linked") == len(run.brokers), "linked with all", deadline, 0.05)
    for broker in run.brokers:
        until(lambda: broker.get("/readyz")[0] == 200, f"{broker.name} serves", deadline, 0.05)


def started(load, *what):
    """The load, when all brokers serve and it flows."""
    run = load(*what)
    all_serve(run)
    run.flows()
    return run


def nothing_lost(outcome, bars):
    bars.exactly("lost, doubled, reordered, silently behind", outcome.verdict["faults"], 0)
    bars.exactly("clients that lost their connection", outcome.clients["cuts"], 0)


@pytest.mark.parametrize("topology", [MEMORY], ids=str)
def test_one_of_three_brokers_is_killed_and_comes_back(load, bars, topology):
    run = started(load, topology)
    run.brokers[0].kill()
    bars.at_most("every channel served again", run.served(), 5 * SLOW, " s")
    bars.exactly("gateways that are not ready", run.ready_for(1), 0)
    run.flows()
    run.restart_broker(0)
    all_serve(run)
    bars.at_most("every channel served again after its return", run.served(), 5 * SLOW, " s")
    run.flows()
    outcome = run.end()
    nothing_lost(outcome, bars)
    bars.exactly("resets of the most told subscriber", outcome.verdict["told_max"], 2)
    bars.at_most("share of subscribers that were told", outcome.verdict["told"] / 2 / (CLIENTS * EACH), 0.6)


@pytest.mark.parametrize("topology", [REDIS], ids=str)
def test_another_broker_over_redis_serves_when_one_is_killed_or_stopped(load, bars, topology):
    run = started(load, topology)
    run.brokers[0].kill()
    bars.at_most("every channel served after a kill", run.served(), 5 * SLOW, " s")
    run.flows()
    run.restart_broker(0)
    all_serve(run)
    run.flows()
    run.brokers[1].signal(signal.SIGSTOP)
    stopped = time.monotonic_ns()
    bars.at_most("every channel served after a stop", run.served(), 10 * SLOW, " s")
    until(lambda: time.monotonic_ns() - stopped > STOPPED * 1e9, "it was stopped for long enough", STOPPED + 10)
    run.brokers[1].signal(signal.SIGCONT)
    all_serve(run)
    run.flows()
    outcome = run.end()
    nothing_lost(outcome, bars)
    bars.exactly("subscribers that were reset", outcome.verdict["told"], 0)
    bars.exactly("epochs that ended", outcome.verdict["epochs"] - CHANNELS, 0)


@pytest.mark.full
@pytest.mark.parametrize("topology", [MEMORY], ids=str)
def test_one_of_three_brokers_is_stopped_and_goes_on(load, bars, topology):
    run = started(load, topology)
    run.brokers[1].signal(signal.SIGSTOP)
    stopped = time.monotonic_ns()
    bars.at_most("every channel served again", run.served(), 10 * SLOW, " s")
    until(lambda: time.monotonic_ns() - stopped > STOPPED * 1e9, "it was stopped for long enough", STOPPED + 10)
    run.brokers[1].signal(signal.SIGCONT)
    all_serve(run)
    bars.at_most("every channel served again after its return", run.served(), 5 * SLOW, " s")
    run.flows()
    outcome = run.end()
    nothing_lost(outcome, bars)
    bars.exactly("resets of the most told subscriber", outcome.verdict["told_max"], 2)


@pytest.mark.parametrize("topology", [DISK], ids=str)
def test_the_owner_of_logs_on_disk_is_waited_for(load, bars, topology):
    run = started(load, topology)
    run.brokers[2].kill()
    bars.exactly("gateways that are not ready", run.ready_for(DOWN), 0)
    run.flows(0.5)  # of the other brokers' channels
    run.restart_broker(2)
    all_serve(run)
    bars.at_most("every channel served again", run.served(), 5 * SLOW, " s")
    run.flows()
    outcome = run.end()
    nothing_lost(outcome, bars)
    bars.exactly("subscribers that were reset", outcome.verdict["told"], 0)
    bars.exactly("epochs that ended", outcome.verdict["epochs"] - CHANNELS, 0)
    bars.at_least("refused as temporary", outcome.codes.get("broker_unavailable", 0), 1)


@pytest.mark.parametrize("topology", [MEMORY, DISK] if FULL else [MEMORY], ids=str)
def test_a_gateway_is_cut_off_from_one_broker_only(load, bars, topology):
    """The others see that broker, so nobody takes its place: its channels wait, and nothing is reset."""
    run = started(load, topology, network.best)
    run.network.cut("gateway-2", "broker-1")
    run.network.cut("broker-1", "gateway-2")
    gateway = run.gateways[1]
    until(lambda: gateway.metric("peal_bus_brokers_linked") == 2, "noticed", 6 * SLOW, 0.05)
    bars.exactly("gateways that are not ready", run.ready_for(CUT), 0)
    run.network.heal()
    all_serve(run)
    bars.at_most("every channel served again", run.served(), 10 * SLOW, " s")
    run.flows()
    outcome = run.end(told=False)
    nothing_lost(outcome, bars)
    bars.exactly("subscribers that were reset", outcome.verdict["told"], 0)


@pytest.mark.parametrize("topology", [MEMORY, DISK, REDIS] if FULL else [MEMORY], ids=str)
def test_a_broker_and_a_gateway_are_cut_off_from_the_rest(load, bars, topology):
    """With logs in memory both sides serve; when they see each other again one epoch is left, and all are told. What
    is in Redis both sides still share."""
    run = started(load, topology, network.Wires if topology.redis else network.best)
    apart = ["broker-1", "gateway-1"]
    for one in apart:
        for other in run.places:
            if other not in apart:
                run.network.cut(one, other)
                run.network.cut(other, one)
    others = topology.brokers - 1
    until(lambda: run.gateways[1].metric("peal_bus_brokers_linked") == others, "noticed", 6 * SLOW, 0.05)
    until(lambda: run.gateways[0].metric("peal_bus_brokers_linked") == 1, "noticed", 6 * SLOW, 0.05)
    if topology.store != "disk":
        bars.at_most("every channel served on both sides", run.served(), 6 * SLOW, " s")
    run.flows(CUT / 6)
    run.network.heal()
    all_serve(run)
    bars.at_most("every channel served again", run.served(), 10 * SLOW, " s")
    run.flows()
    outcome = run.end()
    nothing_lost(outcome, bars)
    if topology.durable:
        bars.exactly("subscribers that were reset", outcome.verdict["told"], 0)
    else:  # by the takeover, by the return, and by each of the others for what it has done meanwhile
        bars.at_most("resets of the most told subscriber", outcome.verdict["told_max"], 1 + len(run.brokers))


@pytest.mark.full
@pytest.mark.parametrize("topology", [MEMORY], ids=str)
def test_brokers_do_not_see_each_other_and_gateways_see_all(load, bars, topology):
    run = started(load, topology, network.best)
    run.network.cut("broker-1", "broker-2")
    run.network.cut("broker-2", "broker-1")
    bars.exactly("gateways that are not ready", run.ready_for(CUT), 0)
    run.flows()
    run.network.heal()
    all_serve(run)
    run.flows()
    outcome = run.end(told=False)
    nothing_lost(outcome, bars)
    bars.exactly("subscribers that were reset", outcome.verdict["told"], 0)


@pytest.mark.full
@pytest.mark.parametrize("topology", [MEMORY, DISK], ids=str)
def test_all_three_brokers_are_down(load, bars, topology):
    run = started(load, topology)
    for broker in run.brokers:
        broker.kill()
    killed = time.monotonic_ns()
    bars.at_most("readiness off", run.linked(False), 6 * SLOW, " s")
    until(lambda: time.monotonic_ns() - killed > DOWN * 1e9, "they were down for long enough", DOWN + 10)
    restarted = min(run.launch_broker(index) for index in range(3))
    for broker in run.brokers:
        broker.wait_ready()
    all_serve(run)
    run.linked(True)
    run.flows()
    outcome = run.end(*outage(killed, restarted, 8))
    nothing_lost(outcome, bars)
    bars.exactly("false acknowledgements", outcome.verdict["false_results"], 0)
    bars.at_least("refused as temporary", outcome.codes.get("broker_unavailable", 0), 1)
    if topology.durable:
        bars.exactly("subscribers that were reset", outcome.verdict["told"], 0)


@pytest.mark.full
@pytest.mark.parametrize("topology", [MEMORY, DISK], ids=str)
def test_every_broker_is_restarted_in_turn(load, bars, topology):
    run = started(load, topology)
    for index in range(3):
        assert run.brokers[index].stop() == 0
        run.restart_broker(index)
        all_serve(run)
        run.flows(0.5)
    outcome = run.end()
    nothing_lost(outcome, bars)
    if topology.durable:
        bars.exactly("subscribers that were reset", outcome.verdict["told"], 0)
    else:
        bars.at_most("resets of the most told subscriber", outcome.verdict["told_max"], 6)


@pytest.mark.parametrize("topology", [MEMORY], ids=str)
def test_lists_that_differ_are_told_to_both_and_nothing_is_served_by_them(load, bars, topology):
    """A broker comes back with another list: those that it knows serve nothing until that has been mended."""
    run = started(load, topology)
    assert run.brokers[2].stop() == 0
    members = [flag for name, endpoint in run.endpoints.items() for flag in ("--bus-members", f"{name}={endpoint}")]
    run.start_wrong_broker(2, [*members, "--bus-members", "broker-9=tcp://127.0.0.1:9"])
    for broker in run.brokers[:2]:
        until(lambda: broker.get("/readyz")[0] == 503 and "broker-9" in broker.get("/readyz")[1],
              f"{broker.name} serves nothing and says why", 30 * SLOW, 0.05)
    until(lambda: "broker-9" in run.brokers[2].log(), "the third says why, too", 30 * SLOW, 0.05)
    bars.at_most("readiness of gateways off", run.linked(False), 6 * SLOW, " s")
    lines = [process.log().count("\n") for process in [*run.brokers, *run.gateways]]
    time.sleep(CUT)  # as long as it lasts; logs must not grow meanwhile
    grown = max(process.log().count("\n") - before
                for process, before in zip([*run.brokers, *run.gateways], lines))
    bars.at_most("lines that a process logs meanwhile", grown, 12 + CUT)
    run.brokers[2].kill()
    run.restart_broker(2)
    all_serve(run)
    run.linked(True)
    run.flows()
    outcome = run.end()
    nothing_lost(outcome, bars)
