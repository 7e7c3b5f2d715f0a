"""A reader of server-sent events over a plain socket: as a browser reads them, and as a proxy passes them on."""

from __future__ import annotations

import json
import socket

from lib.processes import PATIENCE_S


class EventStream:
    """One response. `next()` is the next event's JSON object, or None when the response has ended."""

    def __init__(self, address: tuple[str, int], target: str = "/stream", body: dict | None = None,
                 headers: dict[str, str] | None = None, host: str = "localhost", receive_buffer: int = 0):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(address)
        text = "" if body is None else json.dumps(body)
        fields = {"Host": host, "Accept": "text/event-stream", **(headers or {})}
        if body is not None:
            fields |= {"Content-Type": "application/json", "Content-Length": str(len(text.encode()))}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.socket.sendall(f"{'GET' if body is None else 'POST'} {target} HTTP/1.1\r\n{head}\r\n{text}".encode())
        self.raw, self.text, self.ended, self.comments = b"", b"", False, 0
        while b"\r\n\r\n" not in self.raw and not self.ended:
            self._more()
        head, _, self.raw = self.raw.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split(" ")[1]) if head else 0
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        self.chunked = self.headers.get("transfer-encoding") == "chunked"  # a proxy's doing
        self.last_id = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        self.socket.close()

    def _more(self) -> None:
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self.ended = not data
        self.raw += data

    def _unwrap(self) -> None:
        """Moves what has come from `raw` to `text`."""
        while self.raw and not self.chunked or b"\r\n" in self.raw:
            if not self.chunked:
                self.text, self.raw = self.text + self.raw, b""
                return
            size, _, rest = self.raw.partition(b"\r\n")
            length = int(size, 16)
            if length == 0:
                self.ended, self.raw = True, b""
            if length == 0 or len(rest) < length + 2:
                return
            self.text, self.raw = self.text + rest[:length], rest[length + 2:]

    def next(self) -> dict | None:
        while True:
            self._unwrap()
            block, end, rest = self.text.partition(b"\n\n")
            if not end:
                if self.ended:
                    return None
                self._more()
                continue
            self.text = rest
            fields: dict[str, list[str]] = {}
            for line in block.decode().split("\n"):
                name, _, value = line.partition(":")
                fields.setdefault(name, []).append(value.removeprefix(" "))
            self.comments += len(fields.get("", [])) if block else 0
            if "id" in fields:
                self.last_id = fields["id"][-1]
            if "data" in fields:
                return json.loads("\n".join(fields["data"]))

    def expect(self, count: int) -> list[dict]:
        events = [self.next() for _ in range(count)]
        assert None not in events, events
        return events
