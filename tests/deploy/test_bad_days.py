"""What goes wrong on machines: a clock that is an hour off, two brokers by one name. Running sessions are unharmed."""

import pathlib
import re

import pytest

from lib.client import Session
from lib.ports import free_ports
from lib.processes import Broker, until

LOG = '[[channels]]\npattern = "*"\nrecoverable = true\npresence = "anyone"\nhistory_age_max = "10m"\n'
RULES = LOG + 'subscribe = "anyone"\npublish = "anyone"\n'
HOUR_S = 3600


def clock(offset: str) -> list[str]:
    """What starts a process whose machine's clock is set wrongly; intervals are measured rightly all the same."""
    library, = pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    return ["env", f"LD_PRELOAD={library}", f"FAKETIME={offset}", "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1"]


def hour_of(process) -> int:
    """By the process's own clock, the last that it said."""
    return int(re.findall(r"T(\d\d):\d\d:\d\d", process.log())[-1])


def why_not(process) -> str:
    """What /readyz says; nothing while the process isn't there yet, or is ready."""
    try:
        status, text = process.get("/readyz")
    except OSError:
        return ""
    return text if status == 503 else ""


def taken(session, message):
    """Where it was placed; none while there is no broker for it."""
    reply = session.reply(session.send("publish", channel="a", message=message))
    if "error" in reply:
        assert reply["error"]["code"] == "broker_unavailable", reply
    return reply.get("result")


def messages(session, count: int) -> list:
    """The messages of the next `count` events, presence apart."""
    heard = []
    while len(heard) < count:
        event = session.event()
        if event["event"] == "message":
            heard.append(event["message"])
    return heard


def reset_of(session) -> dict:
    while (event := session.event())["event"] != "reset":
        assert event["event"] != "message", event
    return event


@pytest.mark.parametrize("offset", ["+1h", "-1h"])
def test_a_gateway_whose_clock_is_an_hour_off_serves_as_the_others(cluster, offset):
    config = cluster.folder / "broker.toml"
    config.write_text(LOG)
    broker = cluster.broker(flags=["--config", str(config)])
    flags = ["--bus-driver", "zmq", "--bus-connect", broker.ready["listen"]]
    right = cluster.gateway("right", config=RULES, flags=flags)
    wrong = cluster.gateway("wrong", config=RULES, flags=flags, prefix=clock(offset))
    assert hour_of(wrong) != hour_of(right)
    with Session(right) as one, Session(wrong) as two:
        for each in (one, two):
            each.call("subscribe", channel="a", presence=True)
        sent = [one.call("publish", channel="a", message=1), two.call("publish", channel="a", message=2)]
        assert [each["offset"] for each in sent] == [1, 2] and sent[0]["epoch"] == sent[1]["epoch"]
        assert messages(one, 2) == messages(two, 2) == [1, 2]
        for each in (one, two):
            until(lambda: each.call("presence", channel="a")["count"] == 2, "both are there")
        # Nothing is too old, and a position of either is good at the other.
        for gateway in (right, wrong):
            with Session(gateway) as late:
                back = late.call("subscribe", channel="a", since={"epoch": sent[0]["epoch"], "offset": 1})
                assert back["recovered"] is True and [each["message"] for each in back["publications"]] == [2]
    assert right.metric("peal_bus_linked") == wrong.metric("peal_bus_linked") == 1
    assert right.metric("peal_closes_total") == wrong.metric("peal_closes_total") == 0


@pytest.mark.parametrize("store", ["memory", "disk"])
def test_a_broker_that_comes_back_with_its_clock_an_hour_off_either_way(cluster, store):
    """In memory each start is a new epoch, of which everybody is told once, also when the clock has gone back; on disk nothing ends."""
    config = cluster.folder / "broker.toml"
    config.write_text(LOG)
    port, = free_ports(1)
    flags = ["--config", str(config), "--store-driver", store, *(["--store-path", str(cluster.folder / "logs")] if store == "disk" else [])]
    broker = cluster.broker(listen=f"tcp://127.0.0.1:{port}", flags=flags)
    gateway = cluster.gateway(config=RULES, flags=["--bus-driver", "zmq", "--bus-connect", broker.ready["listen"]])
    epochs = []
    with Session(gateway) as session:
        epochs.append(session.call("subscribe", channel="a")["epoch"])
        for turn, offset in enumerate(["+0h", "+1h", "+0h", "-1h", "+0h"]):
            if turn > 0:
                broker.kill()
                until(lambda: gateway.metric("peal_bus_linked") == 0, "the gateway has noticed")
                broker.prefix = clock(offset)
                broker.start()
                until(lambda: gateway.metric("peal_bus_linked") == 1, "it is linked again")
                if store == "memory":
                    epochs.append(reset_of(session)["epoch"])
            placed = until(lambda: taken(session, turn), "its shard is linked too")
            assert placed["epoch"] == epochs[-1]
            assert messages(session, 1) == [turn]
        if store == "disk":
            # By the clock some of them are an hour old or from the future: ages are not read off it.
            back = session.call("history", channel="a")
            assert [each["message"] for each in back["publications"]] == [0, 1, 2, 3, 4]
    assert len(set(epochs)) == (5 if store == "memory" else 1)
    assert gateway.metric("peal_closes_total") == 0


def test_a_second_broker_of_one_name_is_not_ready_and_the_first_serves_on(cluster):
    *ports, internal = free_ports(4)
    a, b, other = (f"tcp://127.0.0.1:{port}" for port in ports)
    config = cluster.folder / "broker.toml"
    config.write_text(LOG)
    members = ["--config", str(config), "--bus-members", f"a={a}", "--bus-members", f"b={b}", "--limits-broker-settle", "500ms"]
    brokers = [cluster.broker(name, start=False, listen=listen, flags=members).launch() for name, listen in (("a", a), ("b", b))]
    for broker in brokers:
        broker.wait_ready()
    gateway = cluster.gateway(config=RULES, flags=["--bus-driver", "zmq", "--bus-connect", f"a={a}", "--bus-connect", f"b={b}"])
    folder = cluster.folder / "another-machine"
    folder.mkdir()
    with Session(gateway) as session:
        channels = [f"room:{number}" for number in range(8)]  # of both brokers
        for channel in channels:
            session.call("subscribe", channel=channel)
        second = Broker("a", folder, listen=other, flags=[*members, "--internal-listen", f"127.0.0.1:{internal}"])
        cluster.processes.append(second.launch())
        second.ready = {"internal": f"127.0.0.1:{internal}"}  # it never is
        until(lambda: why_not(second) == "two brokers are named a\n", "it says why it serves nobody")
        until(lambda: "two brokers are named a" in brokers[1].log(), "so does who it came to")
        for broker in brokers:
            assert broker.get("/readyz")[0] == 200
        for channel in channels:
            assert session.call("publish", channel=channel, message=channel)["offset"] == 1
        assert sorted(messages(session, len(channels))) == channels
    assert gateway.metric("peal_closes_total") == 0
