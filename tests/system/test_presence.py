"""Who is there, over two gateways and a broker: sessions come and go, a gateway is killed, the broker is killed."""

import json
import time

import pytest

from lib.client import Control, Session, request
from lib.processes import until

LEASE_S = 1.5

CONFIG = f"""
[limits]
presence_lease = "{int(LEASE_S * 1000)}ms"
"""
BROKER = CONFIG + """
[[channels]]
pattern = "room:*"
presence = "anyone"
occupancy = true
"""
GATEWAY = CONFIG + """
[keys]
backend = "secret"
[[channels]]
pattern = "room:*"
subscribe = "anyone"
publish = "anyone"
presence = "anyone"
[[channels]]
pattern = "peal:occupancy"
subscribe = "key:backend"
"""


class Cluster:
    def __init__(self, cluster):
        self.cluster = cluster
        config = cluster.folder / "broker.toml"
        config.write_text(BROKER)
        self.flags = ["--config", str(config)]
        self.broker = cluster.broker(flags=self.flags)
        self.endpoint = self.broker.ready["listen"]
        self.gateways = [self.gateway("gateway-1"), self.gateway("gateway-2")]
        self.settle()

    def gateway(self, name):
        return self.cluster.gateway(name, config=GATEWAY,
                                    flags=["--bus-driver", "zmq", "--bus-connect", self.endpoint])

    def settle(self):
        """Until the broker tells joins: one lease after its start."""
        until(lambda: self.broker.metric("peal_core_occupancy_events_total") > 0, "the broker's quiet time is over")

    def members(self, channel, gateway=0):
        status, _, body = request(self.gateways[gateway], "POST", "/command",
                                  json.dumps({"action": "presence", "payload": {"channel": channel}}))
        assert status == 200, body
        return json.loads(body)["result"]


@pytest.fixture
def two(cluster):
    return Cluster(cluster)


def enter(gateway, channel, **payload):
    """A session in the channel's presence, and the set that it was told."""
    session = Session(gateway)
    assert session.call("subscribe", channel=channel, presence=True, **payload)["channel"] == channel
    told = session.event()
    assert told["event"] == "presence" and told["channel"] == channel, told
    return session, told


def test_sessions_of_two_gateways_see_each_other_come_and_go(two):
    ann, told = enter(two.gateways[0], "room:1", data={"name": "Ann"})
    assert (told["count"], told["users"], told["members"][0]["data"]) == (1, 1, {"name": "Ann"})
    bob, told = enter(two.gateways[1], "room:1")
    assert told["count"] == 2
    joined = ann.event()
    assert joined["event"] == "join"
    assert joined["member"]["session"] in [member["session"] for member in told["members"]]
    assert two.members("room:1", 1)["count"] == 2
    assert two.broker.metric("peal_core_presence_members") == 2
    with Control(two.broker) as control:
        assert control.call("presence", channel="room:1", limit=0) == {"members": [], "count": 2, "users": 2}
    bob.close()
    left = ann.event()
    assert (left["event"], left["member"]["session"]) == ("leave", joined["member"]["session"])
    assert two.members("room:1")["members"] == [
        {"session": ann.call("presence", channel="room:1")["members"][0]["session"], "data": {"name": "Ann"}}]
    ann.call("unsubscribe", channel="room:1")
    assert two.members("room:1") == {"members": [], "count": 0, "users": 0}
    ann.close()


def test_a_killed_gateways_sessions_leave_with_their_lease(two):
    ann, _ = enter(two.gateways[0], "room:2")
    others = [enter(two.gateways[1], "room:2")[0] for _ in range(3)]
    sessions = {ann.event()["member"]["session"] for _ in others}
    killed = time.monotonic()
    two.gateways[1].kill()
    left = {ann.event()["member"]["session"] for _ in others}
    assert time.monotonic() - killed > LEASE_S * 0.9, "not before the lease is over"
    assert left == sessions
    assert two.members("room:2")["count"] == 1
    ann.close()


def test_another_broker_tells_nothing_when_nothing_has_changed(two):
    ann, _ = enter(two.gateways[0], "room:3")
    bob, _ = enter(two.gateways[1], "room:3")
    carl, _ = enter(two.gateways[1], "room:3")
    assert [ann.event()["event"] for _ in range(2)] == ["join", "join"]
    assert bob.event()["event"] == "join"
    two.broker.kill()
    for gateway in two.gateways:
        until(lambda g=gateway: g.get("/readyz")[0] == 503, f"{gateway.name} has lost its broker")
    carl.close()
    two.broker = two.cluster.broker("broker-2", flags=two.flags, listen=two.endpoint)
    for gateway in two.gateways:
        until(lambda g=gateway: g.get("/readyz")[0] == 200, f"{gateway.name} is linked again")
    two.settle()
    # Who vanished meanwhile is missing in the set that both are told, once; nobody joins or leaves.
    for session in (ann, bob):
        told = session.event()
        assert (told["event"], told["count"], told["users"]) == ("presence", 2, 2), told
    ann.call("publish", channel="room:3", message="so far")
    for session in (ann, bob):
        assert session.event()["message"] == "so far"
    dora, told = enter(two.gateways[0], "room:3")
    assert told["count"] == 3
    for session in (ann, bob, dora):
        session.close()


def test_backends_hear_which_channels_are_occupied(two):
    backend = Session(two.gateways[0])
    backend.call("connect", token="secret")
    backend.call("subscribe", channel="peal:occupancy")
    with Session(two.gateways[0]) as other:
        assert other.error("subscribe", channel="peal:occupancy")["code"] == "permission_denied"
    one, other = Session(two.gateways[0]), Session(two.gateways[1])
    one.call("subscribe", channel="room:4")
    assert backend.event()["message"] == {"event": "occupied", "channel": "room:4"}
    other.call("subscribe", channel="room:4")
    one.close()
    two.gateways[1].kill()
    assert backend.event()["message"] == {"event": "vacated", "channel": "room:4"}
    backend.close()
