"""Clients for tests: a session that speaks peal.json.v1, raw WebSocket frames, HTTP, and the ZeroMQ sockets."""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import os
import socket
import struct

import zmq
from websockets.sync.client import connect

from lib.processes import PATIENCE_S, slow_factor


class Session:
    """A WebSocket session: `call` for commands, `event` for what is pushed."""

    def __init__(self, gateway, **options):
        options.setdefault("subprotocols", ["peal.json.v1"])
        self.context = connect(options.pop("url", gateway.ws_url), proxy=None, **options)
        self.socket = self.context.__enter__()
        self.ids = itertools.count(1)
        self.events: list[dict] = []
        self.replies: dict[int, dict] = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        self.context.__exit__(None, None, None)

    def send(self, action: str, **payload) -> int:
        number = next(self.ids)
        self.socket.send(json.dumps({"id": number, "action": action, "payload": payload}))
        return number

    def receive(self, seconds: float = PATIENCE_S) -> dict:
        return json.loads(self.socket.recv(timeout=seconds * slow_factor()))

    def reply(self, number: int, seconds: float = PATIENCE_S) -> dict:
        """The reply with this id; events and other replies that come before it are kept."""
        while number not in self.replies:
            message = self.receive(seconds)
            if "id" in message:
                self.replies[message["id"]] = message
            else:
                self.events.append(message)
        return self.replies.pop(number)

    def call(self, action: str, **payload) -> dict:
        """The result of a command; an error fails."""
        reply = self.reply(self.send(action, **payload))
        assert "result" in reply, reply
        return reply["result"]

    def error(self, action: str, **payload) -> dict:
        """The error of a command; a result fails."""
        reply = self.reply(self.send(action, **payload))
        assert "error" in reply, reply
        return reply["error"]

    def event(self, seconds: float = PATIENCE_S) -> dict:
        """The next event that has not been seen."""
        return self.events.pop(0) if self.events else self.receive(seconds)


class RawSocket:
    """A WebSocket connection whose frames are built by hand, right or wrong."""

    def __init__(self, gateway, shake_hands: bool = True, receive_buffer: int | None = None):
        self.socket = socket.socket()
        if receive_buffer:  # before the handshake, which tells the other side of it
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(gateway.address)
        self.buffer = b""
        if shake_hands:
            key = base64.b64encode(os.urandom(16)).decode()
            host = f"{gateway.address[0]}:{gateway.address[1]}"
            self.send(f"GET /ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                      f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
            assert self.header().startswith("HTTP/1.1 101 "), self.buffer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Sends what the other side still takes; that it has hung up is found when reading."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def frame(self, payload: bytes, first: int = 0x81, masked: bool = True, declared: int | None = None) -> None:
        self.send(frame(payload, first, masked, declared))

    def text(self, message) -> None:
        self.frame((message if isinstance(message, str) else json.dumps(message)).encode())

    def header(self) -> str:
        """The next HTTP header."""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        return head.decode()

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        self.buffer += data

    def _take(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self._more()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def read(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload. EOFError when the connection has ended."""
        first, second = self._take(2)
        size = second & 127
        if size == 126:
            size = struct.unpack("!H", self._take(2))[0]
        elif size == 127:
            size = struct.unpack("!Q", self._take(8))[0]
        return first & 15, self._take(size)

    def message(self) -> dict:
        """The next text message; pings are passed over."""
        while True:
            opcode, payload = self.read()
            if opcode == 1:
                return json.loads(payload)
            assert opcode == 9, (opcode, payload)

    def close_code(self) -> tuple[int, str]:
        """The code and reason of the Close frame that comes; what comes before it is passed over."""
        while True:
            opcode, payload = self.read()
            if opcode == 8:
                return struct.unpack("!H", payload[:2])[0], payload[2:].decode()

    def ended(self) -> bool:
        """Waits for the end of the connection."""
        try:
            while True:
                self._more()
        except (EOFError, ConnectionResetError):
            return True


def frame(payload: bytes, first: int = 0x81, masked: bool = True, declared: int | None = None) -> bytes:
    size = len(payload) if declared is None else declared
    bit = 0x80 if masked else 0
    if size < 126:
        head = struct.pack("!BB", first, bit | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(b ^ mask[i & 3] for i, b in enumerate(payload))


def request(gateway, method: str, path: str, body: bytes | str | None = None, tls=None,
            **headers) -> tuple[int, dict, bytes]:
    """One HTTP request to the public listener: status, headers in lower case, body. `_` in a header's name is `-`."""
    kind = http.client.HTTPSConnection if tls else http.client.HTTPConnection
    options = {"context": tls} if tls else {}
    client = kind(*gateway.address, timeout=PATIENCE_S, **options)
    try:
        client.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = client.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        client.close()


class Control:
    """The control socket of a process."""

    def __init__(self, process):
        self._connect(process.ready["control"])

    @classmethod
    def of(cls, endpoint: str) -> "Control":
        """Of a process that isn't ready, by its endpoint."""
        control = cls.__new__(cls)
        control._connect(endpoint)
        return control

    def _connect(self, endpoint: str) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.REQ)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(endpoint)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.destroy(linger=0)

    def ask(self, action: str, **payload) -> dict:
        """The whole reply: {"result": …} or {"error": …}."""
        self.socket.send_json({"action": action, "payload": payload})
        assert self.socket.poll(1000 * PATIENCE_S), "the control socket does not answer"
        return self.socket.recv_json()

    def call(self, action: str, **payload) -> dict:
        reply = self.ask(action, **payload)
        assert "result" in reply, reply
        return reply["result"]
