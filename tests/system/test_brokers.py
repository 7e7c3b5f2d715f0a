"""Brokers of one list that is wrong: who is meant, who is told, and who goes on. What they survive is in tests/fault."""

from lib.client import Session
from lib.processes import until

SETTLE = ["--limits-broker-settle", "500ms"]
RULES = '[[channels]]\npattern = "*"\nsubscribe = "anyone"\npublish = "anyone"\n'


def members_of(broker):
    return [word for flag, word in zip(broker.flags, broker.flags[1:]) for word in (flag, word) if flag == "--bus-members"]


def complaints(process):
    return sum(" warning " in line for line in process.log().splitlines())


def test_a_broker_is_ready_when_it_serves_and_not_before(cluster):
    brokers, _ = cluster.brokers(["a", "b"], flags=SETTLE)
    for broker in brokers:
        log = broker.log()
        assert log.index("serving, as one broker of several") < log.index(" info    ready "), log


def test_a_second_broker_of_the_same_name_serves_nothing_and_harms_nobody(cluster):
    (a, b), bus = cluster.brokers(["a", "b"], flags=SETTLE)
    gateway = cluster.gateway(flags=bus, config=RULES)
    double = cluster.broker("double", start=False, flags=[*members_of(a), *SETTLE, "--name", "a"]).launch()
    for who in (double, b):
        until(lambda: "two brokers are named a" in who.log(), f"{who.name} says it")
    until(lambda: double.log().count("two brokers are named a") >= 2, "it has tried and said so again")
    assert not double.ready_path.exists() and double.popen.poll() is None
    for broker in (a, b):
        assert broker.get("/readyz")[0] == 200
    with Session(gateway) as session:
        for channel in "cdefgh":  # some of each broker
            session.call("subscribe", channel=channel)
            session.call("publish", channel=channel, message=1)
            assert session.event()["channel"] == channel
    assert complaints(b) <= 6, b.log()


def test_a_broker_that_is_not_the_one_in_the_list_is_named_by_both(cluster):
    (a, b), _ = cluster.brokers(["a", "b"], flags=SETTLE)
    places = {broker.name: broker.ready["listen"] for broker in (a, b)}
    swapped = [word for name, other in ("ab", "ba") for word in ("--bus-connect", f"{name}={places[other]}")]
    gateway = cluster.gateway(start=False, flags=["--bus-driver", "zmq", *swapped], config=RULES).launch()
    for who in (gateway, a):
        until(lambda: "a is not the broker b, which gateway-1 was told to find there" in who.log(), f"{who.name} says it")
    until(lambda: gateway.log().count("is not the broker") >= 4, "it tries again")
    assert gateway.popen.poll() is None and not gateway.ready_path.exists()
    assert a.get("/readyz")[0] == b.get("/readyz")[0] == 200
    assert max(complaints(a), complaints(b), complaints(gateway)) <= 10, gateway.log()
