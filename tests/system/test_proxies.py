"""Behind HAProxy and nginx, with the files of docs/deploy: whose client it is, and that gateways come and go.

The proxies are real ones. Their clients are WebSockets, server-sent events and long-polls, 100 of each, that follow
recoverable channels; a gateway is drained, one is added and filled, one is killed, and nothing is missed.
"""

import collections
import http.client
import json
import signal
import socket
import ssl
import subprocess
import time

import pytest

from lib.client import Control, Session
from lib.deployed import HaproxyFile, NginxFile
from lib.ports import free_ports
from lib.processes import PATIENCE_S, bin_dir, until
from lib.sse import EventStream
from lib.swarm import Job

CLIENTS, CHANNELS, EACH, PUBLICATIONS = 300, 50, 3, 20_000
SHARE = 15  # percent of its sessions that a gateway may close a second
RULES = """
[[channels]]
pattern = "job:*"
subscribe = "anyone"
publish = "anyone"
recoverable = true
history_length_max = 100000
history_bytes_max = 268435456
history_age_max = "1h"
"""
PROXIES = {"haproxy": (HaproxyFile, "haproxy.cfg"), "nginx": (NginxFile, "nginx.conf")}


def address_of(gateway) -> str:
    """Where the only session of a gateway says that its client is."""
    with Control(gateway) as control:
        sessions = control.call("sessions")["sessions"]
    assert len(sessions) == 1, sessions
    return sessions[0]["address"]


def ignored(gateway, reason: str) -> float:
    return gateway.metric("peal_forwarded_ignored_total", reason=reason)


def at(port: int) -> dict:
    return {"url": f"ws://127.0.0.1:{port}/ws"}


def local_port(session) -> int:
    return session.socket.socket.getsockname()[1]


@pytest.mark.parametrize("kind", PROXIES)
def test_a_trusted_proxy_is_believed_and_what_its_client_wrote_is_not(cluster, tmp_path, kind):
    gateway = cluster.gateway(flags=["--trusted-proxies", "127.0.0.0/8"])
    proxy, file = PROXIES[kind]
    ports = (gateway.address[1], int(gateway.internal.rpartition(":")[2]))
    with proxy(tmp_path, file, [ports]) as front:
        def served() -> bool:
            client = http.client.HTTPConnection(*front.address, timeout=PATIENCE_S)
            client.request("GET", "/client.js")
            return client.getresponse().status in (200, 404)
        until(served, "the proxy has found the gateway")
        spoofed = {"X-Forwarded-For": "203.0.113.5", "Forwarded": "for=203.0.113.6"}
        with Session(gateway, **at(front.port), additional_headers=spoofed):
            # The proxy itself is on 127.0.0.1 too, so its clients are trusted in turn, and may say for whom they ask.
            assert address_of(gateway) == "203.0.113.5"
            assert ignored(gateway, "other_header") == 1
    strict = cluster.gateway("gateway-2", flags=["--trusted-proxies", "127.0.0.9"])
    with Session(strict, additional_headers={"X-Forwarded-For": "203.0.113.5"}) as session:
        assert address_of(strict) == f"127.0.0.1:{local_port(session)}"
        assert ignored(strict, "untrusted") == 1


class From:
    """A connection from an address of the loopback network of one's own choice."""

    def __init__(self, gateway, source: str, preface: bytes = b"", headers: str = ""):
        self.socket = socket.create_connection(gateway.address, PATIENCE_S, source_address=(source, 0))
        self.port = self.socket.getsockname()[1]
        key = "dGhlIHNhbXBsZSBub25jZQ=="
        self.socket.sendall(preface + (f"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                       f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{headers}\r\n").encode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def answer(self) -> bytes:
        """What comes first; nothing when it is closed."""
        try:
            return self.socket.recv(65536)
        except ConnectionResetError:
            return b""


@pytest.mark.parametrize("header, lines, client", [
    ("x-forwarded-for", "X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7"),
    ("x-forwarded-for", "X-Forwarded-For: 10.1.1.1, 192.0.2.7, 127.0.0.3\r\n", "192.0.2.7"),
    ("x-forwarded-for", "X-Forwarded-For: 10.1.1.1\r\nX-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7"),
    ("forwarded", 'Forwarded: for=10.1.1.1, for="[2001:db8::7]:99";proto=https\r\n', "[2001:db8::7]:99"),
])
def test_the_last_that_trusted_proxies_say_is_the_client(cluster, header, lines, client):
    gateway = cluster.gateway(flags=["--trusted-proxies", "127.0.0.3", "--proxy-header", header])
    with From(gateway, "127.0.0.3", headers=lines) as proxied:
        assert proxied.answer().startswith(b"HTTP/1.1 101")
        assert address_of(gateway) == client
    until(lambda: gateway.metric("peal_sessions") == 0, "the session is gone")
    with From(gateway, "127.0.0.4", headers=lines) as other:
        assert other.answer().startswith(b"HTTP/1.1 101")
        assert address_of(gateway) == f"127.0.0.4:{other.port}"
    assert ignored(gateway, "untrusted") == 1


FIRST = b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 8420\r\n"
SECOND = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\x7f\x00\x00\x01" + (4711).to_bytes(2, "big") + b"\x20\xe4"


@pytest.mark.parametrize("preface", [FIRST, SECOND])
def test_the_proxy_protocol_is_taken_from_trusted_proxies_only(cluster, preface):
    gateway = cluster.gateway(flags=["--trusted-proxies", "127.0.0.3", "--proxy-header", "proxy-protocol"])
    with From(gateway, "127.0.0.3", preface, "X-Forwarded-For: 203.0.113.5\r\n") as proxied:
        assert proxied.answer().startswith(b"HTTP/1.1 101")
        assert address_of(gateway) == "192.0.2.7:4711"
        assert ignored(gateway, "other_header") == 1
    with From(gateway, "127.0.0.4", preface) as spoofer:
        assert spoofer.answer() == b""
        assert ignored(gateway, "untrusted") == 1
    with From(gateway, "127.0.0.3", b"") as silent:
        assert silent.answer() == b"", "a proxy that has to say it and doesn't"
        assert ignored(gateway, "broken") == 1
    until(lambda: gateway.metric("peal_sessions") == 0, "the session is gone")
    with From(gateway, "127.0.0.4") as direct:
        assert direct.answer().startswith(b"HTTP/1.1 101")
        assert address_of(gateway) == f"127.0.0.4:{direct.port}"


def test_a_preface_that_comes_byte_by_byte_or_never_costs_nothing(cluster):
    gateway = cluster.gateway(flags=["--trusted-proxies", "127.0.0.3", "--proxy-header", "proxy-protocol",
                                     "--limits-handshake-timeout", "2s"])
    with From(gateway, "127.0.0.3", b"PROX") as never, \
            socket.create_connection(gateway.address, PATIENCE_S, source_address=("127.0.0.3", 0)) as slow:
        for byte in SECOND:
            slow.sendall(bytes([byte]))
            time.sleep(0.002)  # so that it really comes in pieces; nothing is waited for
        slow.sendall(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert slow.recv(65536).startswith(b"HTTP/1.1 404")
        assert never.answer() == b"", "what can't be one is closed at once"
    with socket.create_connection(gateway.address, PATIENCE_S, source_address=("127.0.0.3", 0)) as half:
        half.sendall(FIRST[:20])
        before = gateway.metric("process_cpu_seconds_total")
        assert half.recv(1) == b"", "closed by limits.handshake_timeout"
        assert gateway.metric("process_cpu_seconds_total") - before < 0.5, "it turned around and around"


def test_tls_is_passed_through_with_the_proxy_protocol(cluster, tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"], check=True, capture_output=True)
    gateway = cluster.gateway(flags=["--trusted-proxies", "127.0.0.1", "--proxy-header", "proxy-protocol",
                                     "--tls-certificate", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem")])
    trust = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    ports = (gateway.address[1], int(gateway.internal.rpartition(":")[2]))
    with HaproxyFile(tmp_path, "haproxy-passthrough.cfg", [ports]) as front:
        session = until(lambda: attempt(gateway, url=f"wss://127.0.0.1:{front.port}/ws", ssl=trust), "a session through TLS")
        assert address_of(gateway) == f"127.0.0.1:{local_port(session)}"
        session.close()


def attempt(gateway, **options):
    try:
        return Session(gateway, **options)
    except (OSError, EOFError):
        return None


@pytest.mark.parametrize("flags, says", [
    (["--trusted-proxies", "10.0.0.0/33"], 'trusted_proxies: "10.0.0.0/33"'),
    (["--trusted-proxies", "proxy.example"], 'trusted_proxies: "proxy.example"'),
    (["--proxy-header", "x-real-ip"], 'proxy_header: "x-real-ip"'),
    (["--proxy-header", "proxy-protocol"], "needs trusted_proxies"),
    (["--drain-share-max", "101"], "drain_share_max"),
    (["--drain-share-max", "5", "--drain-time", "10s"], "at least 23000ms"),
])
def test_settings_that_cannot_be_are_refused_by_name(flags, says):
    done = subprocess.run([bin_dir() / "peal-gateway", "--check-config", *flags], capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode != 0 and says in done.stderr, done


@pytest.mark.parametrize("told", [True, False], ids=["pinged-below", "pinged-above"])
@pytest.mark.parametrize("kind", PROXIES)
def test_a_proxy_that_cuts_what_is_idle_cuts_nobody_once_pings_are_below_it(cluster, tmp_path, kind, told):
    """As with clouds that cut at 30 s, told by limits.ping_interval = "20s" and limits.wait_max = "20s"; a tenth of it here."""
    gateway = cluster.gateway(config=RULES, flags=["--limits-ping-interval", "1s", "--limits-wait-max", "1s"] if told else [])
    proxy, file = PROXIES[kind]
    with proxy(tmp_path, file, [(gateway.address[1], int(gateway.internal.rpartition(":")[2]))], patience="3s") as front:
        session = until(lambda: attempt(gateway, url=front.ws_url), "a session through the proxy")
        with session, EventStream(front.address, "/stream?channel=job:1") as stream:
            session.call("subscribe", channel="job:1")
            assert stream.next()["event"] == "subscribed"
            began = time.monotonic()
            if not told:
                until(lambda: gateway.metric("peal_sessions") == 0, "both are cut")
                return
            until(lambda: time.monotonic() - began > 10, "three times its patience")
            session.call("publish", channel="job:1", message="still here")
            assert session.event()["message"] == stream.next()["message"] == "still here"
            # Who asks for more than limits.wait_max is answered by then.
            poll, cursor = http.client.HTTPConnection(*front.address, timeout=PATIENCE_S), "-"
            for events in (1, 0):
                poll.request("POST", "/stream?wait=30", json.dumps({"channels": [{"channel": "job:2"}], "cursor": cursor}))
                answer = json.loads(poll.getresponse().read())
                assert len(answer["events"]) == events, "the first tells where the channel stands"
                cursor = answer["cursor"]
            assert gateway.metric("peal_sessions") == 2 and gateway.metric("peal_closes_total") == 0


# ---- the job: drain, add, kill ----

@pytest.fixture
def job(tmp_path):
    run = Job(tmp_path)
    yield run
    run.close()


class Fleet:
    """Gateways at known ports, so that the proxy knows one that isn't there yet."""

    def __init__(self, cluster):
        config = cluster.folder / "broker.toml"
        config.write_text("\n".join(line for line in RULES.splitlines() if "anyone" not in line))
        self.cluster, self.broker = cluster, cluster.broker(flags=["--config", str(config)])
        ports = free_ports(8)
        self.ports = list(zip(ports[::2], ports[1::2]))

    def start(self, number: int):
        public, internal = self.ports[number]
        flags = ["--bus-driver", "zmq", "--bus-connect", self.broker.ready["listen"], "--shards", "1",
                 "--trusted-proxies", "127.0.0.1", "--drain-delay", "3s", "--drain-share-max", str(SHARE),
                 "--rebalance-interval", "500ms", "--drain-time", "8s", "--internal-listen", f"127.0.0.1:{internal}"]
        return self.cluster.gateway(f"gateway-{number + 1}", flags=flags, config=RULES,
                                    listen=f"127.0.0.1:{public}")


def closed_per_second(gateway, ended) -> tuple[float, float]:
    """Its connections at first, and how many sessions it closed within one second at most, until `ended`."""
    connections = gateway.metric("peal_connections")
    seen, most = collections.deque(), 0.0
    while not ended():
        try:
            count = gateway.metric("peal_closes_total", code="restarting")
        except OSError:
            break  # it has ended
        now = time.monotonic()
        seen.append((now, count))
        while now - seen[0][0] > 1.0:
            seen.popleft()
        most = max(most, count - seen[0][1])
    return connections, most


def elsewhere(clients, gateways, sessions: int) -> bool:
    assert clients.popen.poll() is None, clients.says()
    return sum(spread(gateways)) >= sessions * 95 // 100


def balance(gateways) -> bool:
    """Whether none has more above its part than is worth a reconnect."""
    sessions = spread(gateways)
    return min(sessions) > 0 and max(sessions) <= sum(sessions) / len(sessions) * 1.1 + 7


def spread(gateways) -> list[int]:
    return [int(gateway.metric("peal_sessions")) for gateway in gateways]


@pytest.mark.parametrize("kind", PROXIES)
def test_gateways_are_drained_added_and_killed_behind_a_proxy_and_nothing_is_missed(cluster, job, tmp_path, kind):
    fleet = Fleet(cluster)
    one, two, three = (fleet.start(number) for number in range(3))
    proxy, file = PROXIES[kind]
    with proxy(tmp_path, file, fleet.ports) as front:
        until(lambda: attempt(one, **at(front.port)), "the proxy has found a gateway").close()
        clients = job.wanderers([front.ws_url], ["websocket", "sse", "poll"], clients=CLIENTS, channels=CHANNELS,
                                per_client=EACH, mixed=1, stay="0ms", away="100ms")
        publisher = job.repeater([front.ws_url], way="websocket", channels=CHANNELS, rate=1000)
        at_first = spread([one, two, three])

        one.signal(signal.SIGTERM)
        held, most = closed_per_second(one, lambda: not one.alive)
        assert one.popen.wait(PATIENCE_S) == 0
        drained = spread([two, three])

        four = fleet.start(3)
        before = [gateway.metric("peal_closes_total", code="restarting") for gateway in (two, three)]
        until(lambda: balance([two, three, four]), "the others have given away their surplus")
        until(lambda: elsewhere(clients, [two, three, four], sum(at_first)), "who was sent away is back")
        balanced = spread([two, three, four])
        given = [gateway.metric("peal_closes_total", code="restarting") - was for gateway, was in zip((two, three), before)]

        two.kill()
        until(lambda: elsewhere(clients, [three, four], sum(balanced)), "its clients are elsewhere")
        killed = spread([three, four])
        until(lambda: fleet.broker.metric("peal_core_publications_total") >= PUBLICATIONS, "enough was published", 3 * PATIENCE_S)
        published = publisher.end()
        heard = clients.end(120)
    verdict = job.judge()
    print(json.dumps({"proxy": kind, "sessions": at_first, "after the drain": drained, "after scale-out": balanced,
                      "after the kill": killed, "closed within a second": most, "of": held, "given away": given}),
          "\nclients:", heard, "\npublisher:", published, "\nverdict:", verdict)
    assert verdict["faults"] == verdict["told"] == heard["told"] == 0
    assert verdict["publishes"] >= PUBLICATIONS and verdict["deliveries"] == verdict["due"]
    assert heard["cuts"] >= at_first[0] and heard["back_told"] == 0
    assert most <= held * SHARE / 100 * 1.1 + 2, f"{most} of {held} were closed within a second"
    assert max(balanced) <= sum(balanced) / 3 * 1.3 + 10 and min(balanced) >= max(balanced) / 3, balanced
