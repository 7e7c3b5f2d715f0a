"""The table of bad input: what is sent, which error or close answers it, which metric moves. Each row runs against a
real gateway (or broker) with a witness session, which must hear nothing of it and be served as before, while
the process's memory stays bounded. Run it against the asan build too: PEAL_BIN=build/asan/bin.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import resource
import socket
import struct
import subprocess
import typing

import pytest
import zmq

from lib.client import Control, RawSocket, Session, frame, request
from lib.processes import PATIENCE_S, slow_factor, until

MIB = 1 << 20
# A sanitizer keeps what is freed for a while, so memory may grow more under it.
GROWTH_MAX = (64 if slow_factor() == 1 else 600) * MIB


@dataclasses.dataclass
class Row:
    name: str
    attack: typing.Callable
    metric: tuple[str, dict] | None = None
    flags: list[str] = dataclasses.field(default_factory=list)


ROWS: list[Row] = []


def row(name: str, metric: str | None = None, flags: list[str] | None = None, **labels):
    """Adds the decorated attack(gateway) to the table; it asserts what the attacker is told."""
    def add(attack):
        ROWS.append(Row(name, attack, (metric, labels) if metric else None, flags or []))
        return attack
    return add


# --- commands that are none: an error, and the connection lives -------------------------------------------

INVALID_JSON = {
    "a word that is none": '{"a":tru}',
    "a missing element": "[1,,2]",
    "an escape that is none": r'"\q"',
    "a lone surrogate": r'"\ud800"',
    "a low surrogate alone": r'"a\udc00"',
    "depth 1,025": "[" * 1025 + "]" * 1025,
    "a leading zero": "01",
    "a raw control byte": '"a\nb"',
    "a comma at the end": '{"a":1,}',
}
VALID_JSON = ["9223372036854775808", "1e400", '{"a":1,"a":2}', ' [ 1 ,\t2 ] ', "[" * 1024 + "]" * 1024]


def command_row(name: str, text: str | bytes, code: str, with_id: bool = True):
    @row(name, "peal_errors_total", code=code)
    def attack(gateway):
        with RawSocket(gateway) as peer:
            peer.frame(text.encode() if isinstance(text, str) else text)
            answer = peer.message()
            error = answer.get("error", answer)
            assert error["code"] == code and error["message"], answer
            assert answer.get("id") == (1 if with_id else None), answer
            assert with_id or answer["event"] == "error"
            peer.text({"id": 2, "action": "ping"})
            assert peer.message() == {"id": 2, "result": {}}, "the connection lives"


def publish_text(message: str, channel: str = '"bad"') -> str:
    return '{"id":1,"action":"publish","payload":{"channel":' + channel + ',"message":' + message + "}}"


for what, text in INVALID_JSON.items():
    command_row(f"WebSocket: a message with {what}", publish_text(text), "message_invalid")
command_row("WebSocket: no JSON at all", "hello", "command_invalid", with_id=False)
command_row("WebSocket: half a command", '{"id":1,"action":', "command_invalid")
command_row("WebSocket: a list", "[1]", "command_invalid", with_id=False)
command_row("WebSocket: an id that is none", '{"id":-1,"action":"ping"}', "command_invalid", with_id=False)
command_row("WebSocket: an unknown action", '{"id":1,"action":"dance"}', "action_unknown")
command_row("WebSocket: a channel of a wrong type", '{"id":1,"action":"subscribe","payload":{"channel":7}}', "command_invalid")
command_row("WebSocket: a payload of a wrong type", '{"id":1,"action":"subscribe","payload":7}', "command_invalid")
command_row("WebSocket: a channel with a control byte", publish_text("1", r'"a\u0001b"'), "channel_name_invalid")
command_row("WebSocket: a channel of 256 bytes", publish_text("1", '"' + "c" * 256 + '"'), "channel_name_invalid")
command_row("WebSocket: an empty channel", publish_text("1", '""'), "channel_name_invalid")
command_row("WebSocket: a message above its limit", publish_text('"' + "x" * (512 * 1024) + '"'), "message_too_large")
command_row("WebSocket: 101 channels", '{"id":1,"action":"publish","payload":{"message":1,"channels":[' +
            ",".join(f'"c{i}"' for i in range(101)) + "]}}", "channels_per_publish_max")


# --- broken frames: a close ------------------------------------------------------------------------------

def close_row(name: str, data: bytes, code: int, says: str, metric_code: str):
    @row(name, "peal_closes_total", code=metric_code)
    def attack(gateway):
        with RawSocket(gateway) as peer:
            peer.send(data)
            got, reason = peer.close_code()
            assert (got, says in reason) == (code, True), (got, reason)
            assert peer.ended()


def command_of(size: int) -> bytes:
    head = b'{"id":1,"action":"publish","payload":{"channel":"bad","message":"'
    return head + b"x" * (size - len(head) - 3) + b'"}}'


close_row("a command of 1 MiB and a byte", frame(command_of(MIB + 1)), 1009, "limits.command_bytes_max", "too_big")
close_row("an oversized declared length", frame(b"", declared=1 << 62), 1009, "limits.command_bytes_max", "too_big")
close_row("text that is not UTF-8", frame(b"\xff\xfe"), 1007, "UTF-8", "invalid_payload")
close_row("UTF-8 broken over fragments", frame(b"\xe2\x82", 0x01) + frame(b"x", 0x80), 1007, "UTF-8", "invalid_payload")
close_row("an unmasked frame", frame(b"{}", masked=False), 1002, "not masked", "protocol_error")
close_row("reserved bits", frame(b"{}", 0xC1), 1002, "reserved", "protocol_error")
close_row("an unknown opcode", frame(b"{}", 0x83), 1002, "opcode", "protocol_error")
close_row("a fragmented ping", frame(b"{}", 0x09), 1002, "fragmented", "protocol_error")
close_row("a ping of 126 bytes", frame(b"p" * 126, 0x89), 1002, "125", "protocol_error")
close_row("a continuation of nothing", frame(b"{}", 0x80), 1002, "continuation", "protocol_error")
close_row("a flood of fragments", frame(b"", 0x01) + frame(b"", 0x00) * 2000, 1009, "limits.fragments_max", "too_big")
close_row("fragments above the limit together", frame(b"x" * 600_000, 0x01) + frame(b"x" * 600_000, 0x80), 1009,
          "limits.command_bytes_max", "too_big")
close_row("a close code that is none", frame(struct.pack("!H", 1005), 0x88), 1002, "close code", "protocol_error")
close_row("10,000 pings", frame(b"p", 0x89) * 10_000, 3002, "limits.control_frames_per_second_max", "flooding")


@row("10,000 subscriptions", "peal_errors_total", code="subscriptions_max")
def subscribe_without_end(gateway):
    with Session(gateway) as peer:
        done = refused = 0
        for base in range(0, 10_000, 500):
            numbers = [peer.send("subscribe", channel=f"many:{i}") for i in range(base, base + 500)]
            for number in numbers:
                reply = peer.reply(number)
                if "result" in reply:
                    done += 1
                else:
                    assert reply["error"]["code"] == "subscriptions_max"
                    assert "limits.subscriptions_max" in reply["error"]["message"]
                    refused += 1
        assert (done, refused) == (1000, 9000)


@row("more commands a second than allowed", "peal_errors_total", ["--limits-commands-per-second-max", "50"],
     code="publish_rate_max")
def too_many_commands(gateway):
    with Session(gateway) as peer:
        replies = [peer.reply(number) for number in [peer.send("publish", channel="rate", message=1) for _ in range(300)]]
        errors = [reply["error"] for reply in replies if "error" in reply]
        assert errors and all(e["code"] == "publish_rate_max" and e["temporary"] for e in errors)


@row("a peer that sends and never reads", "peal_slow_consumers_total", ["--limits-queue-bytes-max", "256KiB"])
def never_reads(gateway):
    with RawSocket(gateway) as peer, Session(gateway) as publisher:
        peer.text({"id": 1, "action": "subscribe", "payload": {"channel": "firehose"}})
        assert peer.message()["id"] == 1
        message = "x" * 50_000
        for _ in range(400):
            publisher.call("publish", channel="firehose", message=message)
        assert peer.close_code()[0] == 3000
        assert peer.ended()


# --- time: peers that are slow, or gone -------------------------------------------------------------------

@row("a handshake that dribbles", "peal_errors_total", ["--limits-header-timeout", "400ms"], code="request_timeout")
def slow_loris(gateway):
    peers = [RawSocket(gateway, shake_hands=False) for _ in range(50)]
    for peer in peers:
        peer.send(b"GET /ws HTTP/1.1\r\nHost: loc")
    silent = [RawSocket(gateway, shake_hands=False) for _ in range(50)]
    for peer in peers:
        head = peer.header()
        assert head.startswith("HTTP/1.1 408 ") and peer.ended()
    for peer in silent:
        assert peer.ended()


@row("a body that never comes", "peal_errors_total", ["--limits-body-timeout", "400ms"], code="request_timeout")
def slow_body(gateway):
    with RawSocket(gateway, shake_hands=False) as peer:
        peer.send(b"POST /channels/bad HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n12")
        assert peer.header().startswith("HTTP/1.1 408 ") and peer.ended()


@row("a half-open peer", "peal_closes_total", ["--limits-ping-interval", "600ms", "--limits-pong-timeout", "300ms"],
     code="heartbeat_timeout")
def half_open(gateway):
    with RawSocket(gateway) as peer:
        assert peer.read()[0] == 9, "it is asked"
        assert peer.close_code()[0] == 3001
        assert peer.ended()


# --- HTTP ------------------------------------------------------------------------------------------------

def http_row(name: str, data: bytes, status: int, code: str, says: str = "", metric: str = "peal_errors_total"):
    @row(f"HTTP: {name}", metric, code=code)
    def attack(gateway):
        with RawSocket(gateway, shake_hands=False) as peer:
            peer.send(data)
            head = peer.header()
            assert head.startswith(f"HTTP/1.1 {status} "), head
            size = int(next(line for line in head.split("\r\n") if line.lower().startswith("content-length")).split(":")[1])
            problem = json.loads(peer._take(size))
            assert problem["code"] == code and says in problem["detail"], problem
            assert "application/problem+json" in head


def post(path: str, body: bytes, kind: str = "application/json", more: str = "") -> bytes:
    return (f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n{more}"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


FACES = "peal_http_errors_total"
http_row("no HTTP at all", b"\x16\x03\x01\x02\x00garbage\r\n\r\n", 400, "request_invalid")
http_row("a header above its limit", b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431, "header_too_large",
         "limits.header_bytes_max")
http_row("a body that announces too much", b"POST /command HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1099511627776\r\n\r\n",
         413, "body_too_large", "limits.command_bytes_max")
http_row("a length that is none", b"POST /command HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n", 400, "request_invalid")
http_row("a length and chunks", b"POST /command HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
         400, "request_invalid")
http_row("a broken chunk", b"POST /command HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nxxxxx", 400,
         "request_invalid")
http_row("a broken escape in the path", b"GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "request_invalid")
http_row("no Host", b"POST /command HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 421, "host_refused", metric=FACES)
http_row("a path that is nothing", b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "not_found", metric=FACES)
http_row("a method that is none there", b"PATCH /command HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "method_not_allowed", "POST", FACES)
http_row("an upgrade of another version", b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
         b"Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 426, "upgrade_required", "13", FACES)
http_row("a channel with a control byte", post("/channels/a%01b", b"1"), 400, "channel_name_invalid", metric=FACES)
http_row("a channel of 256 bytes", post("/channels/" + "c" * 256, b"1"), 400, "channel_name_invalid", metric=FACES)
http_row("a message above its limit", post("/channels/bad", b'"' + b"x" * (512 * 1024) + b'"'), 413, "message_too_large",
         "limits.message_bytes_max", FACES)
http_row("no command", post("/command", b"[]"), 400, "command_invalid", metric=FACES)
for what, text in INVALID_JSON.items():
    http_row(f"a message with {what}", post("/channels/bad", text.encode()), 400, "message_invalid", metric=FACES)
    http_row(f"a command with {what}", post("/command", publish_text(text).encode()), 400, "message_invalid", metric=FACES)


@row("HTTP: a thousand requests in one piece", "peal_http_requests_total")
def pipelined(gateway):
    with Session(gateway) as listener, RawSocket(gateway, shake_hands=False) as peer:
        listener.call("subscribe", channel="pipe")
        peer.send(b"".join(post("/channels/pipe", str(i).encode()) for i in range(1000)))
        for _ in range(1000):
            assert peer.header().startswith("HTTP/1.1 200 ")
            assert peer._take(2) == b"{}"
        assert [listener.event()["message"] for _ in range(1000)] == list(range(1000))


@row("garbage right behind the upgrade", "peal_closes_total", code="protocol_error")
def garbage_behind_upgrade(gateway):
    with RawSocket(gateway, shake_hands=False) as peer:
        peer.send(b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                  b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + b"\xff" * 5000)
        assert peer.header().startswith("HTTP/1.1 101 ")
        assert peer.close_code()[0] == 1002 and peer.ended()


@row("random bytes from a hundred peers")
def random_bytes(gateway):
    source = random.Random(5)
    for i in range(100):
        with RawSocket(gateway, shake_hands=i % 2 == 0) as peer:
            peer.send(source.randbytes(source.randrange(1, 3000)))
            if i % 3 == 0:
                peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST


# --- ZeroMQ sockets --------------------------------------------------------------------------------------

def dealer(endpoint: str, kind=zmq.DEALER):
    context = zmq.Context()
    peer = context.socket(kind)
    peer.setsockopt(zmq.LINGER, 2000)
    peer.connect(endpoint)
    return context, peer


@row("control: what is no command", "peal_control_errors_total")
def control_garbage(gateway):
    context, peer = dealer(gateway.ready["control"])
    try:
        expected = 0
        for parts in ([b"hello"], [b"{"], [b"[]"], [b"\xff\xfe"], [b"", b"{}"], [b""], [b"a", b"b", b"c"],
                      [b'{"action":5}'], [b'{"action":"dance"}'], [b'{"action":"publish","payload":7}'],
                      [b'{"action":"publish","payload":{"channel":"bad"}}']):
            peer.send_multipart(parts)
            expected += 1
        for what, text in INVALID_JSON.items():
            peer.send(b'{"action":"publish","payload":{"channel":"bad","message":' + text.encode() + b"}}")
            expected += 1
        for _ in range(expected):
            assert peer.poll(1000 * PATIENCE_S), "every one is answered"
            answer = json.loads(peer.recv_multipart()[-1])
            assert answer["error"]["code"] in ("command_invalid", "action_unknown", "message_invalid"), answer
    finally:
        context.destroy(linger=0)


@row("control: a command that is too large")
def control_too_large(gateway):
    context, peer = dealer(gateway.ready["control"])
    try:
        peer.send(b'{"action":"ping","payload":{"x":"' + b"x" * (64 * MIB) + b'"}}')
    finally:
        context.destroy(linger=500)
    with Control(gateway) as control:
        assert control.call("ping") == {}


@row("ingest: what is no publication", "peal_ingest_refused_total")
def ingest_garbage(gateway):
    context, peer = dealer(gateway.ready["ingest"], zmq.PUSH)
    try:
        bad = [[b"bad"], [b"bad", b"1", b"2", b"3"], [b"bad", b"{"], [b"b\x01d", b"1"], [b"", b"1"], [b"c" * 256, b"1"],
               [b"\xff", b"1"], [b"bad", b'"' + b"x" * (512 * 1024) + b'"'], [b"bad", b""], [b"bad", b"\xff"]]
        bad += [[b"bad", text.encode()] for text in INVALID_JSON.values()]
        for parts in bad:
            peer.send_multipart(parts)
        until(lambda: gateway.metric("peal_ingest_refused_total") == len(bad), "every one is counted")
    finally:
        context.destroy(linger=0)


@row("ZeroMQ: bytes that are no ZMTP")
def no_zmtp(gateway):
    for endpoint in (gateway.ready["control"], gateway.ready["ingest"]):
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 10_000, b"\x00"):
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(endpoint.removeprefix("ipc://"))
                try:
                    peer.sendall(data)
                except BrokenPipeError:
                    pass
    with Control(gateway) as control:
        assert control.call("ping") == {}


# --- no descriptors left ---------------------------------------------------------------------------------

@row("no file descriptors left", "peal_accepts_refused_total")
def no_descriptors(gateway):
    soft, hard = resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE)
    used = len(os.listdir(f"/proc/{gateway.pid}/fd"))
    resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (used + 10, hard))
    peers = []
    try:
        for _ in range(40):
            peers.append(RawSocket(gateway, shake_hands=False))
        # Those that could not be kept are told by a close, not left hanging.
        until(lambda: sum(not alive(peer) for peer in peers) >= 20, "the rest is closed")
    finally:
        for peer in peers:
            peer.socket.close()
        resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (soft, hard))
    until(lambda: request(gateway, "POST", "/channels/again", "1")[0] == 200, "it accepts again")


def alive(peer: RawSocket) -> bool:
    peer.socket.setblocking(False)
    try:
        return peer.socket.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False


@pytest.mark.parametrize("case", ROWS, ids=[case.name for case in ROWS])
def test_bad_input(cluster, case: Row):
    gateway = cluster.gateway(flags=[*case.flags, "--shards", "1"])
    with Session(gateway) as witness:
        for channel in ("witness", "bad", "b", "again"):
            witness.call("subscribe", channel=channel)
        # The first use of everything costs memory that is not the attack's.
        request(gateway, "POST", "/channels/warm", "1")
        before = gateway.rss()
        moved = gateway.metric(case.metric[0], **case.metric[1]) if case.metric else 0

        case.attack(gateway)

        if case.metric:
            name, labels = case.metric
            until(lambda: gateway.metric(name, **labels) > moved, f"{name} {labels} moves")
        assert gateway.rss() - before < GROWTH_MAX
        witness.socket.ping().wait(PATIENCE_S)
        assert witness.call("publish", channel="witness", message="still here") == {}
        events = [witness.event()]
        while events[-1]["channel"] != "witness":
            events.append(witness.event())
        assert events[-1]["message"] == "still here"
        assert [e for e in events[:-1] if e["channel"] != "again"] == [], "bad input reaches nobody"
    assert gateway.popen.poll() is None, "the process lives"


def test_odd_but_valid_json_arrives_byte_for_byte(cluster):
    gateway = cluster.gateway()
    with Session(gateway) as session, Control(gateway) as control:
        session.call("subscribe", channel="odd")
        context, push = dealer(gateway.ready["ingest"], zmq.PUSH)
        for text in VALID_JSON:
            wanted = '{"event":"message","channel":"odd","message":' + text.strip() + "}"
            session.socket.send('{"id":99,"action":"publish","payload":{"channel":"odd","message":' + text + "}}")
            assert wanted in (session.socket.recv(), session.socket.recv())
            control.socket.send_string('{"action":"publish","payload":{"channel":"odd","message":' + text + "}}")
            assert control.socket.recv_json() == {"result": {}}
            assert session.socket.recv() == wanted
            # A whole body or frame is the message, white space and all.
            whole = wanted[:wanted.index('"message":') + 0]
            assert request(gateway, "POST", "/channels/odd", text)[0] == 200
            assert session.socket.recv() == '{"event":"message","channel":"odd","message":' + text + "}"
            push.send_multipart([b"odd", text.encode()])
            assert session.socket.recv() == '{"event":"message","channel":"odd","message":' + text + "}"
        context.destroy(linger=0)


def test_garbage_on_the_bus_leaves_the_broker_and_its_gateways_alone(cluster):
    broker = cluster.broker()
    gateway = cluster.gateway(flags=["--bus-driver", "zmq", "--bus-connect", broker.ready["listen"]])
    source = random.Random(11)
    with Session(gateway) as witness:
        witness.call("subscribe", channel="witness")
        context, peer = dealer(broker.ready["listen"])
        for _ in range(300):
            peer.send_multipart([source.randbytes(source.randrange(0, 200)) for _ in range(source.randrange(1, 4))])
        until(lambda: broker.metric("peal_broker_garbage_total") + broker.metric("peal_broker_strangers_total") > 0,
              "garbage is counted")
        host, _, port = broker.ready["listen"].removeprefix("tcp://").rpartition(":")
        for data in (b"GET / HTTP/1.1\r\n\r\n", source.randbytes(50_000)):
            with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as raw:
                try:
                    raw.sendall(data)
                except (BrokenPipeError, ConnectionResetError):
                    pass
        assert witness.call("publish", channel="witness", message=1) == {}
        assert witness.event()["message"] == 1
        context.destroy(linger=0)
    assert broker.popen.poll() is None and broker.rss() < 512 * MIB


def test_a_wrong_curve_key_is_refused_counted_and_logged(cluster):
    server_public, server_secret = zmq.curve_keypair()
    good_public, good_secret = zmq.curve_keypair()
    wrong_public, wrong_secret = zmq.curve_keypair()
    config = (f'[curve]\nsecret_key = "{server_secret.decode()}"\nallowed_keys = ["{good_public.decode()}"]\n'
              '[[channels]]\npattern = "*"\nsubscribe = "anyone"\npublish = "anyone"\n')
    gateway = cluster.gateway(config=config, flags=["--control", "tcp://127.0.0.1:0", "--ingest", "off"])

    def ask(public, secret, milliseconds):
        context = zmq.Context()
        peer = context.socket(zmq.DEALER)
        peer.curve_publickey, peer.curve_secretkey, peer.curve_serverkey = public, secret, server_public
        peer.connect(gateway.ready["control"])
        peer.send(b'{"action":"ping"}')
        try:
            return json.loads(peer.recv()) if peer.poll(milliseconds * slow_factor()) else None
        finally:
            context.destroy(linger=0)

    assert ask(good_public, good_secret, 10_000) == {"result": {}}
    assert ask(wrong_public, wrong_secret, 500) is None
    until(lambda: gateway.metric("peal_curve_refused_total") >= 1, "the refusal is counted")
    assert "curve" in gateway.log().lower()
    assert ask(good_public, good_secret, 10_000) == {"result": {}}
