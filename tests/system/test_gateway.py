"""One gateway, its own core inside: what goes in by any door is heard at every other."""

import json
import re
import signal
import socket
import ssl
import subprocess
import sys

import pytest
import zmq
from websockets.exceptions import ConnectionClosed, InvalidStatus

from lib.client import Control, Session, request
from lib.processes import PATIENCE_S, ROOT, until


@pytest.mark.sanitized
def test_what_is_published_by_any_door_is_heard_by_every_session(cluster):
    gateway = cluster.gateway(flags=["--shards", "2"])
    listeners = [Session(gateway) for _ in range(6)]  # spread over both shards
    for listener in listeners:
        assert listener.call("subscribe", channel="room") == {"channel": "room"}
    with Session(gateway) as bystander, Control(gateway) as control:
        bystander.call("subscribe", channel="other")
        assert bystander.call("publish", channel="room", message={"by": "websocket"}) == {}
        assert request(gateway, "POST", "/channels/room", '{"by": "http"}')[0] == 200
        status, _, body = request(gateway, "POST", "/command", json.dumps(
            {"action": "publish", "payload": {"channels": ["room", "nobody"], "message": {"by": "command"}}}))
        assert (status, json.loads(body)) == (200, {"result": [{}, {}]})
        assert control.call("publish", channel="room", message={"by": "control"}) == {}
        push = control.context.socket(zmq.PUSH)
        push.connect(gateway.ready["ingest"])
        push.send_multipart([b"room", b'{"by": "ingest"}'])
        for listener in listeners:
            heard = [listener.event() for _ in range(5)]
            assert [e["event"] for e in heard] == ["message"] * 5
            assert {e["message"]["by"] for e in heard} == {"websocket", "http", "command", "control", "ingest"}
            assert [e["message"]["by"] for e in heard][:2] == ["websocket", "http"]
        assert bystander.call("ping") == {} and bystander.events == []
    # Encoded once per publication and protocol on each shard that has listeners, not once per listener.
    assert gateway.metric("peal_encodes_total") <= 5 * 2
    assert gateway.metric("peal_deliveries_total") == 5 * 6
    for listener in listeners:
        listener.close()
    until(lambda: gateway.metric("peal_sessions") == 0, "no session is left")
    until(lambda: gateway.metric("peal_subscriptions") == 0, "no subscription is left")


def test_the_lines_of_pyzmq_that_the_protocol_page_has_publish_a_message(cluster):
    gateway = cluster.gateway()
    with Session(gateway) as session:
        session.call("subscribe", channel="room")
        page = (ROOT / "docs/protocol.md").read_text()
        lines = re.search(r"```python\n(import zmq\n.*?)```", page, re.DOTALL)[1]
        assert lines.count("ipc:///run/peal/gateway-1.ingest") == lines.count('room:1') == 1
        lines = lines.replace("ipc:///run/peal/gateway-1.ingest", gateway.ready["ingest"]).replace("room:1", "room")
        for _ in range(10):
            subprocess.run([sys.executable, "-c", lines], check=True, timeout=PATIENCE_S)
            assert session.event()["message"] == "Hello"


def test_the_bytes_of_a_message_arrive_as_they_were_sent(cluster):
    gateway = cluster.gateway()
    odd = ['9223372036854775808', '1e400', '{"a":1,"a":2}', '{ "a" :\t[ 1 ,\n 2 ] }', '"\\u00fc\\/"', '-0.0']
    with Session(gateway) as session:
        session.call("subscribe", channel="raw")
        for text in odd:
            session.socket.send('{"id":77,"action":"publish","payload":{"channel":"raw","message": ' + text + ' }}')
            push = next(m for m in (session.socket.recv(), session.socket.recv()) if '"event"' in m)
            assert push == '{"event":"message","channel":"raw","message":' + text + "}"
            assert request(gateway, "POST", "/channels/raw", text)[0] == 200
            assert session.socket.recv() == push


def test_other_types_are_kept_with_their_type(cluster):
    gateway = cluster.gateway()
    with Session(gateway) as session:
        session.call("subscribe", channel="a/ü b")
        path = "/channels/a%2F%C3%BC%20b"
        assert request(gateway, "POST", path, "h\u00fc\n".encode(), Content_Type="text/plain")[0] == 200
        assert session.event() == {"event": "message", "channel": "a/ü b", "type": "text/plain", "text": "hü\n"}
        assert request(gateway, "POST", path, b"\xff\xfe", Content_Type="image/png")[0] == 200
        assert session.event()["base64"] == "//4="
        # curl -d says that anything is a form.
        form = {"Content_Type": "application/x-www-form-urlencoded"}
        assert request(gateway, "POST", path, '{"a":1}', **form)[0] == 200
        assert session.event()["message"] == {"a": 1}
        assert request(gateway, "POST", path, "a=1", **form)[0] == 200
        assert session.event()["text"] == "a=1"


RULES = """
[keys]
app = "s3cret"
[[channels]]
pattern = "news:*"
subscribe = "anyone"
publish = "key:app"
[[channels]]
pattern = "log:*"
subscribe = "anyone"
publish = "anyone"
recoverable = true
"""


def test_rules_and_keys_decide_who_may_do_what(cluster):
    gateway = cluster.gateway(config=RULES)
    with Session(gateway) as session:
        session.call("subscribe", channel="news:1")
        for error in (session.error("publish", channel="news:1", message=1), session.error("subscribe", channel="else")):
            assert error["code"] == "permission_denied" and not error["temporary"]
        assert request(gateway, "POST", "/channels/news:1", "1")[0] == 403
        assert request(gateway, "POST", "/channels/news:1", "1", Authorization="Bearer wrong")[0] == 401
        assert request(gateway, "POST", "/channels/news:1", "1", Authorization="Bearer s3cret")[0] == 200
        assert session.event()["message"] == 1
        # Trusted doors don't ask the rules.
        with Control(gateway) as control:
            assert control.call("publish", channel="news:1", message=2) == {}
        assert session.event()["message"] == 2
    with Session(gateway) as session:
        assert session.error("connect", token="wrong")["code"] == "token_invalid"
    with Session(gateway) as session:
        result = session.call("connect", token="s3cret", client={"name": "test", "version": "1"})
        assert result["gateway"] == "gateway-1" and result["session"] and result["heartbeat_ms"] > 0
        assert result["limits"]["message_bytes_max"] == 512 * 1024
        assert session.call("publish", channel="news:1", message=3) == {}
    with Session(gateway, additional_headers={"Authorization": "Bearer s3cret"}) as session:
        assert session.call("publish", channel="news:1", message=4) == {}
    with pytest.raises(InvalidStatus) as refused:
        Session(gateway, additional_headers={"Authorization": "Bearer wrong"})
    assert refused.value.response.status_code == 401


def test_a_recoverable_channel_gives_positions_and_knows_an_idempotency_key(cluster):
    gateway = cluster.gateway(config=RULES)
    with Session(gateway) as session:
        subscribed = session.call("subscribe", channel="log:1")
        first = session.call("publish", channel="log:1", message="a")
        assert (first["epoch"], first["offset"]) == (subscribed["epoch"], 1)
        assert session.event() == {"event": "message", "channel": "log:1", "offset": 1, "message": "a"}
        key = {"Idempotency_Key": "order-1"}
        status, _, body = request(gateway, "POST", "/channels/log:1", '"b"', **key)
        assert (status, json.loads(body)["offset"]) == (200, 2)
        status, _, body = request(gateway, "POST", "/channels/log:1", '"b"', **key)
        assert (status, json.loads(body)["offset"], json.loads(body)["duplicate"]) == (200, 2, True)
        status, _, body = request(gateway, "POST", "/channels/log:1", '"other"', **key)
        assert (status, json.loads(body)["code"]) == (422, "idempotency_conflict")
        assert session.event()["offset"] == 2
        error = session.error("publish", channel="log:1", message="c",
                              expect={"epoch": first["epoch"], "offset": 1})
        assert (error["code"], error["offset"]) == ("expectation_failed", 2)


def test_pages_elsewhere_are_refused_and_the_log_says_how_to_allow_them(cluster):
    gateway = cluster.gateway(flags=["--allowed-origins", "https://app.example", "--shards", "1"])
    for origin in ("http://evil.example", "null"):
        with pytest.raises(InvalidStatus) as refused:
            Session(gateway, origin=origin)
        assert refused.value.response.status_code == 403
        status, headers, body = request(gateway, "POST", "/channels/a", "1", Origin=origin)
        assert (status, json.loads(body)["code"]) == (403, "origin_refused")
        assert "access-control-allow-origin" not in headers
    assert 'allowed_origins = [\\"http://evil.example\\"]' in gateway.log() or \
        'allowed_origins = ["http://evil.example"]' in gateway.log()
    assert gateway.log().count("origin refused") == 2, "each origin is told once"
    Session(gateway, origin="https://app.example").close()
    Session(gateway, origin=gateway.url).close()
    status, headers, _ = request(gateway, "OPTIONS", "/channels/a", Origin="https://app.example",
                                 Access_Control_Request_Method="POST")
    assert status == 204 and headers["access-control-allow-origin"] == "https://app.example"
    status, headers, _ = request(gateway, "POST", "/command", '{"action":"ping"}', Origin="https://app.example")
    assert status == 200 and headers["access-control-allow-origin"] == "https://app.example"
    status, _, body = request(gateway, "POST", "/channels/a", "1", Host="evil.example")
    assert (status, json.loads(body)["code"]) == (421, "host_refused")
    assert gateway.metric("peal_http_errors_total", code="origin_refused") == 4


def test_pages_are_served_with_their_headers(cluster):
    web = cluster.folder / "web"
    web.mkdir()
    (web / "index.html").write_text("<p>hello")
    (web / "client.js").write_text("export {}")
    (web / "client.js.gz").write_bytes(b"zipped")
    (cluster.folder / "outside").write_text("secret")
    gateway = cluster.gateway(flags=["--web-root", str(web)])
    status, headers, body = request(gateway, "GET", "/")
    assert (status, body) == (200, b"<p>hello")
    assert headers["content-type"] == "text/html; charset=utf-8" and "default-src 'self'" in headers["content-security-policy"]
    status, again, body = request(gateway, "GET", "/", If_None_Match=headers["etag"])
    assert (status, body) == (304, b"")
    status, headers, body = request(gateway, "HEAD", "/")
    assert (status, body, headers["content-length"]) == (200, b"", "8")
    status, headers, body = request(gateway, "GET", "/client.js", Accept_Encoding="gzip")
    assert (body, headers["content-encoding"], headers["access-control-allow-origin"]) == (b"zipped", "gzip", "*")
    for path in ("/../outside", "/%2e%2e/outside", "/..%2foutside", "/nowhere", "/web/"):
        assert request(gateway, "GET", path)[0] == 404, path
    status, headers, _ = request(gateway, "POST", "/", "x")
    assert (status, headers["allow"]) == (405, "GET, HEAD")
    status, headers, _ = request(gateway, "PATCH", "/channels/a")
    assert status == 405 and {"GET", "HEAD", "POST", "PUT", "DELETE"} <= set(headers["allow"].split(", "))
    assert request(gateway, "GET", "/ws")[0] == 426


def test_operators_list_and_close_sessions_page_by_page(cluster):
    gateway = cluster.gateway(flags=["--shards", "2"])
    sessions = [Session(gateway) for _ in range(7)]
    ids = [s.call("connect")["session"] for s in sessions]
    for i, session in enumerate(sessions):
        session.call("subscribe", channel="all")
        session.call("subscribe", channel=f"own:{i}")
    with Control(gateway) as control:
        listed, after, pages = [], "", 0
        while True:
            page = control.call("sessions", limit=3, **({"after": after} if after else {}))
            assert len(page["sessions"]) <= 3
            listed += page["sessions"]
            pages += 1
            after = page.get("next", "")
            if not after:
                break
        assert sorted(s["session"] for s in listed) == sorted(ids) and pages >= 3
        assert all(s["channels"] == 2 and s["protocol"] == "peal.json.v1" for s in listed)

        names, after = [], ""
        while True:
            page = control.call("channels", limit=2, prefix="own:", **({"after": after} if after else {}))
            names += [c["name"] for c in page["channels"]]
            after = page.get("next", "")
            if not after:
                break
        assert names == [f"own:{i}" for i in range(7)]
        assert control.call("channels", limit=1)["channels"] == [{"name": "all", "subscribers": 7}]

        assert control.call("disconnect", session=ids[0]) == {"disconnected": 1, "asked": 1, "answered": 1}
        with pytest.raises(ConnectionClosed) as closed:
            sessions[0].receive()
        assert closed.value.rcvd.code == 3003
        assert control.call("disconnect", session=ids[1], reconnect=False)["disconnected"] == 1
        with pytest.raises(ConnectionClosed) as closed:
            sessions[1].receive()
        assert closed.value.rcvd.code == 3500
        for payload, code in (({"session": "nobody"}, "session_not_found"), ({}, "command_invalid"),
                              ({"session": 5}, "command_invalid"), ({"user": "ann"}, "session_not_found")):
            assert control.ask("disconnect", **payload)["error"]["code"] == code
        assert control.ask("sessions", limit="x")["error"]["code"] == "command_invalid"
        assert control.ask("dance")["error"]["code"] == "action_unknown"
        assert control.ask("publish", channel="", message=1)["error"]["code"] == "channel_name_invalid"
        stats = control.call("stats")
        assert stats["node"] == "gateway-1" and stats["metrics"]["peal_bus_shared"] == 0
        assert control.call("log-level", level="debug") == {"level": "debug"}
    for session in sessions[2:]:
        session.close()


def test_a_drain_closes_every_session_in_peace(cluster):
    gateway = cluster.gateway(flags=["--drain-time", "2s"])
    sessions = [Session(gateway) for _ in range(20)]
    assert gateway.get("/healthz") == (200, "ok\n") and gateway.get("/readyz")[0] == 200
    with Control(gateway) as control:
        assert control.call("drain") == {}
    delays = []
    for session in sessions:
        with pytest.raises(ConnectionClosed) as closed:
            session.receive()
        assert closed.value.rcvd.code == 1012
        delays.append(int(re.fullmatch("the gateway is stopping; retry_after_ms=([0-9]+)", closed.value.rcvd.reason).group(1)))
    assert max(delays) < 1000 and max(delays) - min(delays) > 500 and len(set(delays)) == 20, delays
    assert gateway.popen.wait(PATIENCE_S) == 0


def test_a_balancer_gets_a_moment_before_new_clients_are_refused(cluster):
    gateway = cluster.gateway(flags=["--drain-time", "40s"])
    gateway.signal(signal.SIGTERM)
    until(lambda: gateway.get("/readyz")[0] == 503, "readiness goes off")
    # Four seconds from the signal on; nobody can have closed this yet.
    with Session(gateway) as session:
        assert session.call("ping") == {}
    until(lambda: refused(gateway), "then nobody new is taken")
    assert gateway.popen.wait(PATIENCE_S) == 0  # it has no session left


def refused(gateway) -> bool:
    try:
        return request(gateway, "POST", "/command", '{"action":"ping"}')[0] == 503
    except OSError:
        return True


def test_a_signal_after_a_drain_by_the_control_socket_does_not_hurry(cluster):
    """As in a pod, whose preStop drains before SIGTERM comes."""
    gateway = cluster.gateway(flags=["--drain-time", "3s"])
    with Session(gateway), Control(gateway) as control:
        control.call("drain")
        until(lambda: gateway.get("/readyz")[1] == "draining\n", "it drains")
        gateway.signal(signal.SIGTERM)
        assert gateway.popen.wait(PATIENCE_S) == 0
    assert "hurrying" not in gateway.log()


def test_a_signal_drains_too_and_a_second_one_hurries(cluster):
    gateway = cluster.gateway(flags=["--drain-time", "60s"])
    sessions = [Session(gateway) for _ in range(3)]
    gateway.signal(signal.SIGTERM)
    until(lambda: "draining" in gateway.log(), "it says so")
    status, text = gateway.get("/readyz")
    assert status == 503 and "draining" in text
    gateway.signal(signal.SIGTERM)
    assert gateway.popen.wait(PATIENCE_S) in (0, 1)
    for session in sessions:
        session.close()


def make_certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
                   check=True, capture_output=True, timeout=PATIENCE_S)
    return ["--tls-certificate", str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem")]


def test_the_public_listener_speaks_tls(cluster):
    flags = make_certificate(cluster.folder)
    gateway = cluster.gateway(flags=flags)
    context = ssl.create_default_context(cafile=cluster.folder / "cert.pem")
    url = gateway.ws_url.replace("ws:", "wss:")
    with Session(gateway, url=url, ssl=context) as session:
        session.call("subscribe", channel="room")
        big = "x" * 200_000
        assert request(gateway, "POST", "/channels/room", json.dumps(big), tls=context)[0] == 200
        assert session.event()["message"] == big
    # Plain HTTP to a TLS port ends; others are unharmed.
    with socket.create_connection(gateway.address, timeout=PATIENCE_S) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        try:
            answer = plain.recv(100)
        except ConnectionResetError:
            answer = b""
        assert b"HTTP" not in answer
    until(lambda: gateway.metric("peal_tls_handshakes_failed_total") == 1, "the failed handshake is counted")
    with Session(gateway, url=url, ssl=context) as session:
        assert session.call("ping") == {}


START_ERRORS = [
    (["--tls-certificate", "/nowhere/cert.pem", "--tls-key", "/nowhere/key.pem"], "/nowhere/cert.pem"),
    (["--tls-certificate", "/nowhere/cert.pem"], "tls.key"),
    (["--web-root", "/nowhere"], "web_root"),
    (["--listen", "nonsense"], "listen"),
    (["--listen", "203.0.113.7:8420"], "203.0.113.7:8420"),
    (["--allowed-origins", "*"], "allowed_origins"),
    (["--bus-driver", "carrier-pigeon"], "carrier-pigeon"),
    (["--lisen", "127.0.0.1:0"], "--listen"),
    (["--limits-subscriptions-max", "-1"], "subscriptions"),
    (["--control", "tcp://0.0.0.0:0"], "curve"),
]


@pytest.mark.parametrize("flags,says", START_ERRORS, ids=[" ".join(flags) for flags, _ in START_ERRORS])
def test_what_keeps_it_from_starting_is_said(cluster, flags, says):
    gateway = cluster.gateway(start=False, flags=flags).launch()
    assert gateway.popen.wait(PATIENCE_S) not in (0, -signal.SIGABRT, -signal.SIGSEGV)
    assert says.lower() in gateway.log().lower(), gateway.log()


def test_a_port_in_use_is_refused_by_name(cluster):
    first = cluster.gateway()
    second = cluster.gateway("gateway-2", start=False, flags=["--listen", first.ready["listen"]]).launch()
    assert second.popen.wait(PATIENCE_S) not in (0, -signal.SIGABRT, -signal.SIGSEGV)
    assert first.ready["listen"] in second.log()
    with Session(first) as session:
        assert session.call("ping") == {}


def test_config_files_are_checked_with_line_and_nearest_name(cluster):
    wrong = cluster.gateway(start=False, config="[[channels]]\npattern = \"a\"\nsubscribe = \"anyone\"\npubish = \"anyone\"\n").launch()
    assert wrong.popen.wait(PATIENCE_S) != 0
    assert "publish" in wrong.log() and "4" in wrong.log(), wrong.log()
    unknown_key = cluster.gateway("gateway-2", start=False, flags=["--check-config"],
                                  config='[[channels]]\npattern = "a"\nsubscribe = "key:nope"\n').launch()
    assert unknown_key.popen.wait(PATIENCE_S) != 0
    assert "nope" in unknown_key.log(), unknown_key.log()
    for number, flags in enumerate([["--web-root", "/nowhere"], ["--tls-certificate", "/nowhere", "--tls-key", "/nowhere"]]):
        files = cluster.gateway(f"files-{number}", start=False, flags=["--check-config", *flags]).launch()
        assert files.popen.wait(PATIENCE_S) == 2 or files.popen.returncode == 1
        assert "/nowhere" in files.log(), files.log()
    shown = cluster.gateway("gateway-3", start=False, flags=["--print-config"], config=RULES).launch()
    assert shown.popen.wait(PATIENCE_S) == 0
    assert "s3cret" not in shown.log() and "news:*" in shown.log(), shown.log()
