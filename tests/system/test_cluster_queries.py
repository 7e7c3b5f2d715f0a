"""Questions to the whole cluster: sessions are closed and counted wherever they are, and who didn't answer is named."""

import json
import signal
import subprocess
import time

import pytest
from websockets.exceptions import ConnectionClosed

from lib.client import Control, Session
from lib.processes import Gateway, bin_dir, slow_factor, until

DONE, REFUSED, PARTLY = 0, 1, 4


class UserGateway(Gateway):
    """Its connect tokens "user:NAME" make a session NAME's."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.program = "user_gateway"


class Three:
    """Three gateways and a broker, one of them after the other."""

    def __init__(self, cluster):
        self.broker = cluster.broker()
        flags = ["--bus-driver", "zmq", "--bus-connect", self.broker.ready["listen"], "--shards", "2"]
        self.gateways = [cluster._add(UserGateway(f"gateway-{i}", cluster.folder, flags), start=True)
                         for i in (1, 2, 3)]
        self.linked(3)

    @property
    def processes(self):
        return [*self.gateways, self.broker]

    def linked(self, count):
        with Control(self.broker) as control:
            until(lambda: control.call("count")["asked"] == count, f"{count} gateways are known")

    def session(self, gateway, user, *channels):
        session = Session(self.gateways[gateway])
        session.id = session.call("connect", token=f"user:{user}")["session"]
        for channel in channels:
            session.call("subscribe", channel=channel)
        return session


@pytest.fixture
def three(cluster):
    return Three(cluster)


def peal(*words):
    return subprocess.run([bin_dir() / "peal", *words], capture_output=True, text=True, timeout=60 * slow_factor())


def closed(session):
    """The code and reason that a session is closed with; what comes before is passed over."""
    with pytest.raises(ConnectionClosed) as ended:
        while True:
            session.receive()
    return ended.value.rcvd.code, ended.value.rcvd.reason


def test_a_user_is_disconnected_from_all_gateways_by_one_command_anywhere(three):
    for process in three.processes:
        sessions = [three.session(i, "ann", "room") for i in (0, 1, 1, 2)]
        others = [three.session(i, "bob", "room") for i in range(3)]
        ran = peal("disconnect", "--user", "ann", "--within", "20s", "--reason", "go", "--control", process.ready["control"])
        assert (ran.returncode, ran.stdout) == (DONE, "disconnected 4 sessions\n"), ran
        assert ran.stderr == "3 of 3 gateways answered\n"
        assert [closed(session) for session in sessions] == [(3003, "go")] * 4
        for other in others:
            assert other.call("ping") == {}
            other.close()
        ran = peal("disconnect", "--user", "ann", "--within", "20s", "--control", process.ready["control"])
        assert ran.returncode == REFUSED
        assert ran.stderr == "peal: session_not_found: the user has no session at any of 3 gateways\n"


def test_a_session_is_disconnected_wherever_it_is(three):
    sessions = [three.session(i, "ann") for i in range(3)]
    assert len({session.id for session in sessions}) == 3
    for session, asked in zip(sessions, (three.broker, three.gateways[0], three.gateways[1])):
        with Control(asked) as control:
            assert control.call("disconnect", session=session.id, reconnect=False, within_ms=20_000) == {
                "disconnected": 1, "asked": 3, "answered": 3}
        assert closed(session) == (3500, "disconnected by an operator")


def test_here_means_the_gateway_that_is_asked(three):
    sessions = [three.session(i, "ann") for i in range(3)]
    with Control(three.gateways[1]) as control:
        assert control.call("disconnect", user="ann", here=True) == {"disconnected": 1, "asked": 1, "answered": 1}
    assert closed(sessions[1])[0] == 3003
    assert sessions[0].call("ping") == {} and sessions[2].call("ping") == {}
    with Control(three.broker) as control:
        assert control.ask("disconnect", user="ann", here=True)["error"]["code"] == "command_invalid"


def test_counts_are_the_truth_at_every_process(three):
    plan = {0: ["a", "both"], 1: ["both", "room:1", "room:2"], 2: ["both", "room:2"]}
    sessions = [three.session(i, f"user-{n}", *plan[i]) for i in plan for n in range(i + 2)]
    truth = {}
    for i, channels in plan.items():
        for channel in channels:
            truth[channel] = truth.get(channel, 0) + i + 2
    for process in three.processes:
        with Control(process) as control:
            count = control.call("count", channels=["*"], within_ms=20_000)
        assert count["sessions"] == len(sessions) and count["subscriptions"] == sum(truth.values())
        assert count["channels"] == [{"name": name, "subscribers": truth[name]} for name in sorted(truth)]
        assert (count["asked"], count["answered"]) == (3, 3)
    # Page by page, of some, and for people.
    control = ["--within", "20s", "--control", three.gateways[2].ready["control"]]
    lines = [json.loads(line) for line in peal("count", "room:*", "both", "--json", *control).stdout.splitlines()]
    assert lines[:-1] == [{"name": name, "subscribers": truth[name]} for name in ("both", "room:1", "room:2")]
    assert (lines[-1]["channels"], lines[-1]["subscribers"]) == (3, truth["both"] + truth["room:1"] + truth["room:2"])
    with Control(three.broker) as broker:
        names, after = [], ""
        while True:
            page = broker.call("count", channels=["*"], limit=1, within_ms=20_000, **({"after": after} if after else {}))
            names += [channel["name"] for channel in page["channels"]]
            after = page.get("next", "")
            if not after:
                break
        assert names == sorted(truth)
    ran = peal("count", "a", *control)
    assert ran.returncode == DONE and ran.stderr == "3 of 3 gateways answered\n"
    assert ran.stdout.splitlines()[-2:] == [f"{len(sessions)} sessions, {sum(truth.values())} subscriptions",
                                            "1 channels with 2 subscribers"]
    for session in sessions:
        session.close()
    with Control(three.broker) as control:
        until(lambda: control.call("count", within_ms=20_000)["sessions"] == 0, "all have gone")


def test_a_gateway_that_stands_still_is_named_within_the_time(three):
    sessions = [three.session(i, "ann") for i in range(3)]
    stopped = three.gateways[1]
    stopped.signal(signal.SIGSTOP)
    began = time.monotonic()
    ran = peal("disconnect", "--user", "ann", "--within", "500ms", "--control", three.gateways[0].ready["control"])
    assert time.monotonic() - began < 5 * slow_factor()
    assert (ran.returncode, ran.stdout) == (PARTLY, "disconnected 2 sessions\n"), ran
    assert ran.stderr == "peal: 2 of 3 gateways answered: gateway-2 did not within 500 ms\n"
    assert closed(sessions[0])[0] == closed(sessions[2])[0] == 3003
    # Also when its link has been given up: who was there a moment ago may still have sessions.
    with Control(three.broker) as control:
        until(lambda: "gateway-2" not in [link["node"] for link in control.call("links")["links"]], "its link is over")
        count = control.call("count", within_ms=20_000)
        assert (count["sessions"], count["asked"], count["answered"]) == (0, 3, 2)
        assert count["missing"][0]["node"] == "gateway-2"
        assert count["missing"][0]["reason"].startswith("lost its link ")
        stopped.signal(signal.SIGCONT)
        until(lambda: control.call("count", within_ms=20_000)["answered"] == 3, "it answers again")
    ran = peal("disconnect", "--user", "ann", "--within", "20s", "--control", three.broker.ready["control"])
    assert (ran.returncode, ran.stdout, ran.stderr) == (DONE, "disconnected 1 session\n", "3 of 3 gateways answered\n")


def test_without_a_broker_only_the_gateway_itself_can_be_asked(three):
    session = three.session(0, "ann")
    three.broker.kill()
    with Control(three.gateways[0]) as control:
        until(lambda: control.ask("count").get("error", {}).get("code") == "broker_unavailable", "nobody asks the others")
        assert control.call("disconnect", user="ann", here=True)["disconnected"] == 1
    assert closed(session)[0] == 3003
