"""The file face at size, and as seed 3's own client uses it: gateway and broker as processes."""

import hashlib
import http.client
import json
import random
import socket
import threading

import pytest

from lib.processes import PATIENCE_S, slow_factor

FILE_RULE = """
[[channels]]
pattern = "file:*"
file = true
history_length_max = 1000000
history_bytes_max = 268435456
"""
ANYONE = 'subscribe = "anyone"\npublish = "anyone"\n'
MB = 1024 * 1024


@pytest.fixture
def pair(cluster):
    """A broker and a gateway of it, both with the file rule."""
    config = cluster.folder / "broker.toml"
    config.write_text(FILE_RULE)
    broker = cluster.broker(flags=["--config", str(config)])
    gateway = cluster.gateway(config=FILE_RULE + ANYONE,
                              flags=["--bus-driver", "zmq", "--bus-connect", broker.ready["listen"]])
    return broker, gateway


class Http:
    """Requests on one kept connection."""

    def __init__(self, gateway):
        self.connection = http.client.HTTPConnection(*gateway.address, timeout=PATIENCE_S)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str):
        self.connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        response = self.connection.getresponse()
        return response.status, response.headers, response.read()


def append(client: Http, path: str, at: int, body: bytes, **headers: str):
    return client.ask("PUT", path, body, Content_Range=f"bytes {at}-{at + len(body) - 1}/*", **headers)


def read_slowly(gateway, path: str, stop_at: int, stopped: threading.Barrier, digests: list) -> None:
    """Reads the beginning, waits until all readers have, then reads the rest."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        sock.settimeout(PATIENCE_S)
        sock.connect(gateway.address)
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(4096)
        _, _, body = head.partition(b"\r\n\r\n")
        digest, size = hashlib.sha256(body), len(body)
        waited = False
        buffer = bytearray(256 * 1024)
        while count := sock.recv_into(buffer):
            digest.update(memoryview(buffer)[:count])
            size += count
            if not waited and size >= stop_at:
                waited = True
                stopped.wait(PATIENCE_S)  # all have begun
                stopped.wait(PATIENCE_S)  # and were looked at
        digests.append((size, digest.hexdigest()))


def test_ten_readers_of_100_mb_cost_a_page_each(pair):
    broker, gateway = pair
    client = Http(gateway)
    piece = random.Random(4).randbytes(500_000)
    size = 0
    status, headers, _ = client.ask("PUT", "/files/file:big", piece)
    assert status == 201
    wanted = hashlib.sha256(piece)
    for number in range(1, 210):
        size += len(piece)
        body = number.to_bytes(4, "big") + piece[4:]
        status, headers, text = append(client, "/files/file:big", size, body)
        assert status == 204, text
        wanted.update(body)
    wanted.update(headers["ETag"][1:9].encode())
    size += len(piece) + 8

    def memory():
        return gateway.rss(), broker.rss()

    client.ask("GET", "/files/file:big")  # whatever is allocated once is allocated now
    before = memory()
    barrier, digests = threading.Barrier(11), []
    readers = [threading.Thread(target=read_slowly, args=(gateway, "/files/file:big", MB, barrier, digests))
               for _ in range(10)]
    for reader in readers:
        reader.start()
    barrier.wait(PATIENCE_S)
    during = memory()
    barrier.wait(PATIENCE_S)
    for reader in readers:
        reader.join()
    after = memory()
    growth = [now - then for now, then in zip(during, before)]
    kept = [now - then for now, then in zip(after, before)]
    print(f"10 readers of {size / MB:.0f} MB, in KiB: gateway +{growth[0] // 1024}, broker +{growth[1] // 1024}; "
          f"allocators keep {kept[0] // 1024} and {kept[1] // 1024}")
    assert digests == [(size, wanted.hexdigest())] * 10
    if slow_factor() == 1.0:  # a sanitizer keeps what was freed
        assert max(growth) <= 10 * 256 * 1024
        assert max(kept) <= 20 * 256 * 1024


class SeedClient:
    """The append-only log's own client: a collection of JSON objects, each behind six hex digits of length; the last
    eight bytes of the file name the collection. It appends only when it is up to date."""

    def __init__(self, gateway, path: str):
        self.http, self.path = Http(gateway), path
        self.collection, self.tag, self.position, self.objects = None, None, 0, []

    def poll(self) -> None:
        headers = {"Range": f"bytes={self.position}-"}
        if self.tag:
            headers["If_None_Match"] = self.tag
        status, answer, body = self.http.ask("GET", self.path, **headers)
        if status == 304:
            return
        assert status == 206, (status, body)
        if self.collection not in (None, body[-8:]):
            self.collection, self.tag, self.position, self.objects = None, None, 0, []  # begin anew
            return self.poll()
        self.collection, self.tag = body[-8:], answer["ETag"]
        frames = body[:-8]
        self.position += len(frames)
        while frames:
            length = int(frames[:6], 16)
            self.objects.append(json.loads(frames[6:6 + length]))
            frames = frames[6 + length:]

    def push(self, value) -> None:
        text = json.dumps(value).encode()
        while True:
            self.poll()
            body = b"%06x" % len(text) + text + self.collection
            status, _, answer = append(self.http, self.path, self.position, body, If_Match=self.tag)
            if status == 204:
                return
            assert status == 412, (status, answer)


def test_the_append_only_logs_own_client_reads_and_appends(pair, cluster):
    """Two of them, at two gateways of one broker."""
    broker, gateway = pair
    other = cluster.gateway("gateway-2", config=FILE_RULE + ANYONE,
                            flags=["--bus-driver", "zmq", "--bus-connect", broker.ready["listen"]])
    assert Http(gateway).ask("PUT", "/files/file:seed", b"", If_None_Match="*")[0] == 201
    clients = [SeedClient(at, "/files/file:seed") for at in (gateway, other)]
    threads = [threading.Thread(target=lambda c=client, n=name: [c.push({"from": n, "n": i}) for i in range(100)])
               for name, client in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        client.poll()
    assert clients[0].objects == clients[1].objects, "one order for both"
    for name in range(2):
        assert [o["n"] for o in clients[0].objects if o["from"] == name] == list(range(100)), "none lost"


def test_text_beyond_ascii_comes_back_as_it_was(pair):
    _, gateway = pair
    Http(gateway).ask("PUT", "/files/file:text", b"", If_None_Match="*")
    writer, reader = SeedClient(gateway, "/files/file:text"), SeedClient(gateway, "/files/file:text")
    texts = ["häß ☃", "\U0001f514", "\ud83d", "\x00\x1f"]
    for text in texts:
        writer.push(text)
    reader.poll()
    assert reader.objects == texts


def test_clients_notice_that_a_file_was_replaced(pair):
    _, gateway = pair
    http = Http(gateway)
    http.ask("PUT", "/files/file:swap", b"", If_None_Match="*")
    client = SeedClient(gateway, "/files/file:swap")
    client.push("old")
    client.poll()
    frame = b'000005"new"'
    assert http.ask("PUT", "/files/file:swap", frame, If_Match="*")[0] == 204
    client.poll()
    assert client.objects == ["new"]
    client.push("more")
    client.poll()
    assert client.objects == ["new", "more"]
