"""Gateways that meet in Redis, without a broker: they hear each other, and outlive what Redis goes through."""

import json
import time

import pytest
from lib.client import Control, Session, request
from lib.processes import until
from lib.redis_server import KEEPS_ALL, RedisCluster, RedisServer

RULES = """
[[channels]]
pattern = "log:*"
subscribe = "anyone"
publish = "anyone"
recoverable = true
[[channels]]
pattern = "room:*"
subscribe = "anyone"
presence = "anyone"
[[channels]]
pattern = "*"
subscribe = "anyone"
publish = "anyone"
"""


def gateways(cluster, redis):
    made = [cluster.gateway(f"gateway-{i}", flags=redis.flags, config=RULES, start=False) for i in range(2)]
    for gateway in made:
        gateway.start()
    return made


def insist(session, channel, number):
    """A producer with a sequence: it says the same again until it was taken."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        reply = session.reply(session.send("publish", channel=channel, message=number, source="producer",
                                           sequence=f"1-{number}"), seconds=30)
        if "result" in reply:
            return reply["result"]
        assert reply["error"]["temporary"], reply
    raise AssertionError("never taken")


def test_gateways_hear_each_other_in_redis(cluster):
    with RedisServer(cluster.folder) as redis:
        one, two = gateways(cluster, redis)
        with Session(one) as here, Session(two) as there:
            for session in (here, there):
                session.call("subscribe", channel="log:a")
                session.call("subscribe", channel="passing")
            for number in range(50):
                insist(here if number % 2 else there, "log:a", number)
                here.call("publish", channel="passing", message=number)
            for session in (here, there):
                heard = [session.event() for _ in range(100)]
                logged = [event for event in heard if event["channel"] == "log:a"]
                assert [event["message"] for event in logged] == list(range(50))
                assert [event["offset"] for event in logged] == list(range(1, 51))
                assert [event["message"] for event in heard if event["channel"] == "passing"] == list(range(50))
        assert one.metric("peal_bus_shared") == 1
        with Control.of(one.ready["control"]) as control:
            assert "note" not in control.call("stats"), "others do hear it"
        assert "do not hear" not in one.log()
        assert " error " not in one.log(), "nothing went wrong"
        # What one gateway's clients wrote, the other one has.
        status, _, body = request(two, "GET", "/channels/log:a?since=start")
        assert status == 200 and len(json.loads(body)["publications"]) == 50


def test_a_redis_that_keeps_all_is_killed_and_nothing_is_lost_or_doubled(cluster):
    with RedisServer(cluster.folder, KEEPS_ALL) as redis:
        one, two = gateways(cluster, redis)
        with Session(one) as producer, Session(two) as reader:
            began = reader.call("subscribe", channel="log:a")
            for number in range(60):
                if number % 25 == 20:
                    redis.kill()
                    until(lambda: two.get("/readyz")[0] == 503, "readiness goes off")
                    assert reader.call("ping") == {}, "clients stay"
                    redis.start()
                insist(producer, "log:a", number)
            assert [reader.event(30)["message"] for _ in range(60)] == list(range(60))
            assert reader.events == []
            until(lambda: two.get("/readyz")[0] == 200, "readiness is back")
            with Session(two) as late:
                joined = late.call("subscribe", channel="log:a", since={"epoch": began["epoch"], "offset": 10})
                assert joined["recovered"] and joined["epoch"] == began["epoch"]
                caught_up = joined["publications"]
                while len(caught_up) < 50:
                    caught_up.append(late.event())
                assert [publication["message"] for publication in caught_up] == list(range(10, 60))


def test_everybody_is_told_of_a_flushall(cluster):
    with RedisServer(cluster.folder) as redis:
        one, two = gateways(cluster, redis)
        with Session(one) as here, Session(two) as there:
            epoch = here.call("subscribe", channel="log:a")["epoch"]
            there.call("subscribe", channel="log:a")
            insist(here, "log:a", 1)
            assert redis.ask("FLUSHALL") == "OK"
            insist(here, "log:a", 2)
            for session in (here, there):
                assert session.event()["message"] == 1
                reset = session.event()
                assert reset["event"] == "reset" and reset["epoch"] != epoch
                assert session.event()["message"] == 2
            with Session(two) as late:
                joined = late.call("subscribe", channel="log:a", since={"epoch": epoch, "offset": 1})
                assert joined["recovered"] is False


def enter(session, channel, **payload):
    session.call("subscribe", channel=channel, presence=True, **payload)
    told = session.event()
    assert told["event"] == "presence", told
    return told


def there(session, channel):
    return session.call("presence", channel=channel)["count"]


def asked(gateway):
    with Control.of(gateway.ready["control"]) as control:
        return control.call("count", within_ms=2000)


@pytest.mark.parametrize("kind", [RedisServer, RedisCluster])
def test_gateways_that_meet_in_redis_know_who_is_there_and_ask_each_other(cluster, kind):
    with kind(cluster.folder) as redis:
        one, two = gateways(cluster, redis)
        until(lambda: asked(one)["asked"] == 2, "both are known")
        with Session(one) as here, Session(one) as other, Session(two) as there_:
            mine = other.call("connect")["session"]
            enter(here, "room:1")
            assert enter(there_, "room:1")["count"] == 2
            assert here.event()["event"] == "join"
            enter(other, "room:1")
            assert there(here, "room:1") == there(there_, "room:1") == 3
            found = asked(two)
            assert (found["asked"], found["answered"], found["sessions"]) == (2, 2, 3), found
            # Wherever it is, by whichever gateway.
            with Control.of(two.ready["control"]) as control:
                gone = control.call("disconnect", session=mine)
                assert gone["disconnected"] == 1 and gone["answered"] == 2, gone
            until(lambda: there(there_, "room:1") == 2, "it has left")
            one.kill()
            until(lambda: there(there_, "room:1") == 1, "who was killed leaves with its lease", 60)
            found = asked(two)
            assert (found["asked"], found["answered"]) == (2, 1), found
            assert found["missing"][0]["node"] == "gateway-0"


def test_who_is_there_outlives_a_broker_when_brokers_meet_in_redis(cluster):
    """By ZeroMQ to two brokers: whichever of them serves a channel, its members are in Redis."""
    config = cluster.folder / "brokers.toml"
    config.write_text('[[channels]]\npattern = "room:*"\npresence = "anyone"\n')
    with RedisServer(cluster.folder) as redis:
        brokers, bus = cluster.brokers(["a", "b"], flags=[*redis.store_flags, "--config", str(config)])
        one, two = [cluster.gateway(f"gateway-{n}", flags=bus, config=RULES) for n in range(2)]
        until(lambda: asked(one)["asked"] == asked(two)["asked"] == 2, "both are known")
        rooms = [f"room:{n}" for n in range(8)]  # some of each broker
        with Session(one) as here, Session(two) as there_:
            theirs = there_.call("connect")["session"]
            for room in rooms:
                enter(here, room)
                assert enter(there_, room)["count"] == 2
                assert here.event()["event"] == "join"
            assert asked(two)["sessions"] == 2
            brokers[0].kill()
            for room in rooms:
                until(lambda: there(here, room) == there(there_, room) == 2, "as before")
            with Session(two) as third:
                for room in rooms:
                    assert enter(third, room)["count"] == 3
                    assert [here.event()["event"], there_.event()["event"]] == ["join", "join"]
            assert sorted(here.event()["event"] for _ in rooms) == ["leave"] * len(rooms)
            found = asked(one)
            assert (found["asked"], found["answered"], found["sessions"]) == (2, 2, 2), found
            with Control.of(one.ready["control"]) as control:
                assert control.call("disconnect", session=theirs)["disconnected"] == 1
            for room in rooms:
                until(lambda: there(here, room) == 1, "it has left")


def test_a_flushall_doesnt_lose_who_is_there(cluster):
    with RedisServer(cluster.folder) as redis:
        one, two = gateways(cluster, redis)
        with Session(one) as here, Session(two) as there_:
            enter(here, "room:1")
            enter(there_, "room:1")
            assert redis.ask("FLUSHALL") == "OK"
            assert there(here, "room:1") == 0
            until(lambda: there(here, "room:1") == 2, "the next beat says it again", 60)
            assert here.event()["event"] == "join"
            here.call("ping")
            assert there(there_, "room:1") == 2


def test_a_gateway_without_its_redis_is_alive_but_not_ready(cluster):
    redis = RedisServer(cluster.folder)
    gateway = cluster.gateway(start=False, flags=redis.flags, config=RULES).launch()
    until(lambda: "not ready" in gateway.log(), "it says why it is not ready")
    with redis:
        gateway.wait_ready()
        with Session(gateway) as session:
            assert session.call("subscribe", channel="log:a")["offset"] == 0
