"""Three gateways and a broker: every client of every gateway hears; clients stay while the broker is away."""

import json
import signal
import time

from lib.client import Control, RawSocket, Session, request
from lib.processes import PATIENCE_S, Broker, slow_factor, until


def zmq_flags(broker) -> list[str]:
    return ["--bus-driver", "zmq", "--bus-connect", broker.ready["listen"]]


def test_every_client_of_every_gateway_hears_in_order(cluster):
    broker = cluster.broker()
    gateways = [cluster.gateway(f"gateway-{i}", flags=zmq_flags(broker)) for i in range(3)]
    sessions = [Session(gateway) for gateway in gateways for _ in range(3)]
    for session in sessions:
        session.call("subscribe", channel="room")
    with Session(gateways[2]) as other:
        other.call("subscribe", channel="elsewhere")
        for number in range(200):
            assert sessions[0].call("publish", channel="room", message=number) == {}
        for session in sessions:
            assert [session.event()["message"] for _ in range(200)] == list(range(200))
        assert other.call("ping") == {} and other.events == []
    assert gateways[0].metric("peal_bus_shared") == 1
    for session in sessions:
        session.close()


def test_clients_stay_while_the_broker_is_away(cluster):
    broker = cluster.broker()
    endpoint = broker.ready["listen"]
    gateway = cluster.gateway(flags=zmq_flags(broker))
    with Session(gateway) as session:
        session.call("subscribe", channel="room")
        assert gateway.get("/readyz")[0] == 200
        broker.kill()
        killed = time.monotonic()

        def refused():
            status, _, body = request(gateway, "POST", "/channels/room", "0")
            return status in (503, 504) and json.loads(body)
        problem = until(refused, "publishes are refused")
        # One second is the promise. A busy machine takes longer; but not the four of a broker that is merely silent.
        assert time.monotonic() - killed < 3.5 * slow_factor()
        assert problem["temporary"], problem
        until(lambda: request(gateway, "POST", "/channels/room", "0")[0] == 503, "publishes are refused for certain")
        error = session.error("publish", channel="room", message=0)
        assert (error["code"], error["temporary"]) == ("broker_unavailable", True)
        until(lambda: gateway.get("/readyz")[0] == 503, "readiness goes off")
        assert gateway.get("/healthz")[0] == 200
        # A new subscription can't be promised anything now; the old one stays.
        assert session.error("subscribe", channel="new")["temporary"]

        cluster._add(Broker("broker-2", cluster.folder, listen=endpoint), start=True)
        until(lambda: gateway.get("/readyz")[0] == 200, "readiness is back")
        assert session.call("publish", channel="room", message="back") == {}
        while (event := session.event())["message"] != "back":
            assert event["message"] == 0


def test_a_gateway_without_a_broker_is_alive_but_not_ready(cluster):
    gateway = cluster.gateway(start=False, flags=["--bus-driver", "zmq", "--bus-connect", "tcp://127.0.0.1:1",
                                                  "--internal-listen", "127.0.0.1:0"]).launch()
    until(lambda: "not ready" in gateway.log(), "it says why it is not ready")
    assert not gateway.ready_path.exists()
    with Control.of(f"ipc://{cluster.folder}/gateway-1.control") as control:
        assert control.call("stats")["metrics"]["peal_bus_linked"] == 0
        assert control.ask("publish", channel="a", message=1)["error"]["code"] == "broker_unavailable"


def test_stopping_with_publishes_on_their_way_is_clean(cluster):
    broker = cluster.broker()
    gateway = cluster.gateway(flags=zmq_flags(broker))
    broker.signal(signal.SIGSTOP)
    peers = [RawSocket(gateway, shake_hands=False) for _ in range(5)]
    for peer in peers:
        peer.send(b"POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n1")
    with RawSocket(gateway) as session, Control(gateway) as control:
        session.text({"id": 1, "action": "publish", "payload": {"channel": "a", "message": 1}})
        session.text({"id": 2, "action": "subscribe", "payload": {"channel": "a"}})
        control.socket.send_json({"action": "publish", "payload": {"channel": "a", "message": 1}})
        until(lambda: gateway.metric("peal_http_face_requests_total", face="channels") == 5, "they are taken")
        until(lambda: gateway.metric("peal_commands_total", action="publish") == 1, "so is the session's")
        gateway.signal(signal.SIGTERM)
        gateway.signal(signal.SIGTERM)
        assert gateway.popen.wait(PATIENCE_S) in (0, 1)
    for peer in peers:
        peer.socket.close()
