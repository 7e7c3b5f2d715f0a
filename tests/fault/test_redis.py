"""What must survive a machine is in Redis: brokers and gateways die, Redis dies, fails over, moves slots, forgets."""

import signal
import time

import pytest

from kit.cuts import cut_gateways_off
from kit.load import CLIENTS, EACH, FULL, Topology, judge_nothing_lost
from kit.redis import Dumped, Sharded, Single, Watched
from lib.processes import slow_factor, until

BROKER, ALONE = Topology("redis", 1, Single), Topology("redis", 0, Single)
STOPPED = 60 if FULL else 6
AWAY = 30 if FULL else 2
CUT = 30 if FULL else 1
SLOW = slow_factor()
ALL = CLIENTS * EACH


def judge_all_told(outcome, bars, silent):
    bars.at_most("silent", outcome.verdict["silence_ms"] / 1000, silent * SLOW, " s")
    bars.exactly("lost, doubled, reordered, silently behind, an old epoch again", outcome.verdict["faults"], 0)
    bars.at_least("resets of the least told subscriber", outcome.verdict["told_min"], 1)
    bars.exactly("clients that lost their connection", outcome.clients["cuts"], 0)


def test_a_broker_over_redis_is_killed(load, bars):
    run = load(BROKER)
    run.flows()
    run.brokers[0].kill()
    back = run.restart_broker(0)
    run.linked(True)
    run.flows(2)
    judge_nothing_lost(run.end("--restarted", back), bars, 5)


@pytest.mark.full
def test_a_broker_over_redis_is_stopped_and_goes_on(load, bars):
    run = load(BROKER)
    run.flows()
    stopped = time.monotonic_ns()
    run.brokers[0].signal(signal.SIGSTOP)
    until(lambda: time.monotonic_ns() - stopped > STOPPED * 1e9, "it was stopped for long enough", STOPPED + 10)
    goes_on = time.monotonic_ns()
    run.brokers[0].signal(signal.SIGCONT)
    run.linked(True)
    run.flows(2)
    judge_nothing_lost(run.end("--restarted", goes_on), bars, 10)


@pytest.mark.full
@pytest.mark.parametrize("topology", [ALONE, BROKER], ids=str)
def test_redis_is_killed_and_started_with_its_file(load, bars, topology):
    run = load(topology)
    run.flows()
    run.redis.server.kill()
    killed = time.monotonic()
    until(lambda: time.monotonic() - killed > AWAY, "it was away for long enough", AWAY + 10)
    back = time.monotonic_ns()
    run.redis.server.start()
    run.served()
    run.flows(2)
    outcome = run.end("--restarted", back, told=True)  # a restarted server may have lost what it had not synced
    bars.at_most("delivering again to the last client", outcome.verdict["back_after_ms"] / 1000, 10 * SLOW, " s")
    bars.exactly("lost, doubled, reordered, silently behind", outcome.verdict["faults"], 0)
    bars.at_most("resets of the most told subscriber", outcome.verdict["told_max"], 1)


def test_gateways_are_cut_off_from_redis_one_way_the_other_and_both(load, bars):
    run = load(ALONE, gateways=4, wired_redis=True)
    run.flows()
    healed = cut_gateways_off(run, bars, "redis", CUT)
    run.flows(2)
    judge_nothing_lost(run.end("--restarted", healed), bars, 10)


@pytest.mark.full
def test_a_broker_is_cut_off_from_redis(load, bars):
    run = load(BROKER, wired_redis=True)
    run.flows()
    run.network.cut("broker-1", "redis")
    run.network.cut("redis", "broker-1")
    broker = run.brokers[0]
    began = time.monotonic()
    until(lambda: broker.get("/readyz")[0] == 503, "the broker is not ready", 20, 0.02)
    bars.at_most("noticed by the broker", time.monotonic() - began, 6 * SLOW, " s")
    until(lambda: time.monotonic() - began > CUT, "it lasted for long enough", CUT + 10)
    run.network.heal()
    healed = time.monotonic_ns()
    until(lambda: broker.get("/readyz")[0] == 200, "the broker is ready again", 20, 0.02)
    run.flows(2)
    judge_nothing_lost(run.end("--restarted", healed), bars, 10)


@pytest.mark.parametrize("brokers", [0, 1] if FULL else [0])
def test_sentinel_fails_over(load, bars, brokers):
    run = load(Topology("redis", brokers, Watched))
    run.flows()
    master = run.redis.master()
    master.kill()
    until(lambda: run.redis.master() is not master, "another master", 40)
    run.served()
    run.flows(2)
    master.start()
    run.flows(2)
    judge_all_told(run.end(told=True), bars, 15)


def test_a_cluster_moves_slots(load, bars):
    run = load(Topology("redis", 0, Sharded))
    run.flows()
    one, other = run.redis.servers[:2]
    slots = run.redis.slots(one)
    assert slots
    for slot in slots[: 50 if FULL else 5]:
        run.redis.move(slot, one, other)
    run.served()
    run.flows(2)
    outcome = run.end(told=True)
    bars.at_most("silent", outcome.verdict["silence_ms"] / 1000, 15 * SLOW, " s")
    bars.exactly("lost, doubled, reordered, silently behind, an old epoch again", outcome.verdict["faults"], 0)
    bars.exactly("clients that lost their connection", outcome.clients["cuts"], 0)


def test_everything_in_redis_is_flushed(load, bars):
    run = load(ALONE)
    run.flows()
    run.redis.server.call("FLUSHALL")
    run.flows(2)
    judge_all_told(run.end(told=True), bars, 10)


def test_redis_starts_from_an_old_dump(load, bars):
    run = load(Topology("redis", 0, Dumped))
    run.flows()
    run.redis.keep()
    run.flows(2)
    run.redis.go_back()
    run.served()
    run.flows(2)
    judge_all_told(run.end(told=True), bars, 15)


@pytest.mark.full
@pytest.mark.parametrize("fault", ["out of memory", "read-only"])
def test_redis_refuses_to_write_for_a_while(load, bars, fault):
    run = load(ALONE)
    run.flows()
    lines = sum(gateway.log().count("\n") for gateway in run.gateways)
    server = run.redis.server
    if fault == "out of memory":
        server.call("CONFIG", "SET", "maxmemory", "1")
    else:
        server.call("REPLICAOF", "127.0.0.1", "1")
    began = time.monotonic()
    until(lambda: time.monotonic() - began > AWAY, "it lasted for long enough", AWAY + 10)
    if fault == "out of memory":
        server.call("CONFIG", "SET", "maxmemory", "0")
    else:
        server.call("REPLICAOF", "NO", "ONE")
    run.flows(2)
    said = sum(gateway.log().count("\n") for gateway in run.gateways) - lines
    outcome = run.end(told=True)
    bars.exactly("lost, doubled, reordered, silently behind", outcome.verdict["faults"], 0)
    bars.at_least("refused as temporary", sum(outcome.codes.values()), 1)
    bars.at_most("lines logged by all gateways", said, 60)
