"""peal-broker as a process: its config, its control socket, noise on its bus, and its end while gateways live."""

import json
import random
import signal
import subprocess
import time

import zmq

from lib.client import Control, Session, request
from lib.processes import PATIENCE_S, bin_dir, until


def run_broker(*flags: str) -> subprocess.CompletedProcess:
    """A broker that is expected to end by itself."""
    return subprocess.run([str(bin_dir() / "peal-broker"), *flags], capture_output=True, text=True, timeout=PATIENCE_S)


def zmq_flags(broker) -> list[str]:
    return ["--bus-driver", "zmq", "--bus-connect", broker.ready["listen"]]


def dealer(context: zmq.Context, endpoint: str) -> zmq.Socket:
    peer = context.socket(zmq.DEALER)
    peer.setsockopt(zmq.LINGER, 0)
    peer.setsockopt(zmq.RCVTIMEO, int(1000 * PATIENCE_S))
    peer.connect(endpoint)
    return peer


def test_its_config_is_checked_before_it_runs(tmp_path):
    assert run_broker("--check-config").returncode == 0
    outside = run_broker("--check-config", "--bus-listen", "tcp://0.0.0.0:8422")
    assert outside.returncode != 0 and "bus.listen" in outside.stderr and "insecure" in outside.stderr
    assert run_broker("--check-config", "--bus-listen", "tcp://0.0.0.0:8422", "--insecure").returncode == 0
    path = tmp_path / "broker.toml"
    path.write_text('bus.clutser = "blue"\n')
    typo = run_broker("--check-config", "--config", str(path))
    assert typo.returncode != 0 and "bus.cluster" in typo.stderr and "1" in typo.stderr
    path.write_text('[[channels]]\npattern = "log:*"\nrecoverable = true\n')
    assert run_broker("--check-config", "--config", str(path)).returncode == 0


def test_a_port_in_use_is_said_with_its_name(cluster):
    broker = cluster.broker()
    second = cluster.broker("broker-2", start=False, listen=broker.ready["listen"]).launch()
    until(lambda: second.popen.poll() is not None, "the second broker gives up")
    assert second.popen.returncode != 0
    assert broker.ready["listen"] in second.log() and "in use" in second.log()


def test_control_lists_channels_and_links_page_by_page(cluster):
    broker = cluster.broker()
    gateway = cluster.gateway(flags=[*zmq_flags(broker), "--shards", "1"])
    names = [f"room:{number:02}" for number in range(25)]
    with Session(gateway) as session, Control.of(broker.ready["control"]) as control:
        for name in [*names, "other"]:
            session.call("subscribe", channel=name)
        links = control.call("links")["links"]
        assert [link["node"] for link in links] == ["gateway-1"] and links[0]["version"] == 4
        listed, after = [], ""
        while True:
            page = control.call("channels", prefix="room:", limit=10, after=after)
            listed += [channel["name"] for channel in page["channels"]]
            assert len(page["channels"]) <= 10
            if "next" not in page:
                break
            after = page["next"]
        assert listed == names
        assert control.call("channels", limit=1)["channels"][0] == {"name": "other", "subscribers": 1}
        session.call("unsubscribe", channel="other")
        until(lambda: control.call("channels", limit=1)["channels"][0]["name"] != "other", "interest ends")
    with Control.of(broker.ready["control"]) as control:
        until(lambda: control.call("channels")["channels"] == [], "the last interest ends with the session")


def test_control_and_ingest_publish_to_every_gateway(cluster):
    broker = cluster.broker()
    gateways = [cluster.gateway(f"gateway-{n}", flags=zmq_flags(broker)) for n in (1, 2)]
    sessions = [Session(gateway) for gateway in gateways]
    for session in sessions:
        session.call("subscribe", channel="room")
    with Control.of(broker.ready["control"]) as control:
        assert control.call("publish", channel="room", message={"n": 1}) == {}
        assert control.ask("publish", channel="\u0001", message=1)["error"]["code"] == "channel_name_invalid"
        assert control.ask("publish", channel="room")["error"]["code"] == "command_invalid"
        many = control.call("publish", channels=["room", "room", "nobody"], message=[2])
        assert many == [{}, {}, {}]
    context = zmq.Context()
    ingest = context.socket(zmq.PUSH)
    ingest.connect(broker.ready["ingest"])
    ingest.send_multipart([b"room", b"{\"n\":tru}"])
    ingest.send_multipart([b"room", b"{\"n\": 3}"])
    for session in sessions:
        assert [session.event()["message"] for _ in range(4)] == [{"n": 1}, [2], [2], {"n": 3}]
        session.close()
    context.destroy(linger=0)


def test_noise_on_the_bus_socket_harms_nobody_and_keeps_nothing(cluster):
    broker = cluster.broker()
    gateway = cluster.gateway(flags=zmq_flags(broker))
    with Session(gateway) as session:
        session.call("subscribe", channel="room")
        context = zmq.Context()
        peer = dealer(context, broker.ready["listen"])
        # A batch without Hello, and what isn't even a frame, are answered; the rest is only survived.
        peer.send_multipart([b"", b""])
        assert b"hello_required" in peer.recv_multipart()[0]
        peer.send_multipart([b"\xff\xff", b""])
        assert b"command_invalid" in peer.recv_multipart()[0]
        peer.send_multipart([b"one", b"two", b"three", b"four"])
        assert b"command_invalid" in peer.recv_multipart()[0]
        noise = random.Random(7)
        before = broker.rss()
        for _ in range(300):
            frames = [noise.randbytes(noise.choice([0, 1, 10, 1000, 100_000])) for _ in range(noise.randint(1, 5))]
            peer.send_multipart(frames)
        huge = dealer(context, broker.ready["listen"])
        huge.send_multipart([b"x", b"x" * 2_000_000])  # above what a frame may have: that connection is closed
        until(lambda: broker.metric("peal_broker_garbage_total") > 200, "the noise has arrived")
        assert broker.metric("peal_broker_links") == 1
        assert broker.rss() - before < 40 * 1024 * 1024
        assert session.call("publish", channel="room", message="still here") == {}
        assert session.event()["message"] == "still here"
        context.destroy(linger=0)


def test_a_frozen_broker_is_noticed_within_four_seconds_and_heals(cluster):
    broker = cluster.broker()
    gateways = [cluster.gateway(f"gateway-{n}", flags=zmq_flags(broker)) for n in (1, 2)]
    sessions = [Session(gateway) for gateway in gateways]
    for session in sessions:
        session.call("subscribe", channel="room")
    broker.signal(signal.SIGSTOP)
    frozen = time.monotonic()
    for gateway in gateways:
        until(lambda: gateway.get("/readyz")[0] == 503, "the silence is noticed")
    noticed = time.monotonic() - frozen
    assert 2.0 < noticed < 15.0, noticed  # four are the promise, the rest is for a busy machine
    status, _, body = request(gateways[0], "POST", "/channels/room", "1")
    assert status == 503 and json.loads(body)["code"] == "broker_unavailable"
    broker.signal(signal.SIGCONT)
    for gateway in gateways:
        until(lambda: gateway.get("/readyz")[0] == 200, "the link is back")
    assert "itself stood still" in broker.log()
    # Ready says the process; each shard hears of it in its own next turn. What is refused till then reaches nobody.
    publish = lambda: sessions[0].reply(sessions[0].send("publish", channel="room", message="back"))
    until(lambda: publish().get("result") == {}, "publishes are taken again")
    for session in sessions:
        assert session.event()["message"] == "back"
        session.close()


def test_no_outcome_is_ok_while_no_broker_lives(cluster):
    broker = cluster.broker()
    gateway = cluster.gateway(flags=zmq_flags(broker))
    with Session(gateway) as session:
        assert session.call("publish", channel="room", message=0) == {}
        broker.kill()
        numbers = [session.send("publish", channel="room", message=n) for n in range(10)]
        for number in numbers:
            error = session.reply(number)["error"]
            assert error["code"] in ("broker_unavailable", "publish_outcome_unknown") and error["temporary"]


def test_drain_tells_the_gateways_and_ends_with_0(cluster):
    broker = cluster.broker()
    gateway = cluster.gateway(flags=zmq_flags(broker))
    with Control.of(broker.ready["control"]) as control:
        assert control.call("drain") == {}
    until(lambda: broker.popen.poll() is not None, "the broker ends")
    assert broker.popen.returncode == 0, broker.log()
    until(lambda: "draining" in gateway.log(), "the gateway knows why")
    until(lambda: gateway.get("/readyz")[0] == 503, "the gateway is not ready")
