"""Many subscriptions from one thread: raw WebSocket connections that subscribe and count what they are told."""
import base64
import json
import os
import resource
import selectors
import socket
import struct
import time

REQUEST = ("GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: peal.json.v1\r\n\r\n")
RESULT = b'"result"'


def frame(text: bytes) -> bytes:
    """A client's text frame, masked with zeros."""
    size = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + struct.pack(">H", len(text))
    return b"\x81" + size + b"\0\0\0\0" + text


class Crowd:
    """Connections to gateways in turn, each with the channels that `channels_of(number)` names."""

    def __init__(self, gateways, connections: int, channels_of):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(20_000, most), most))
        self.selector = selectors.DefaultSelector()
        self.sockets, self.due, self.answered = [], {}, 0
        for number in range(connections):
            gateway = gateways[number % len(gateways)]
            link = socket.create_connection(gateway.address)
            link.setblocking(False)
            key = base64.b64encode(os.urandom(16)).decode()
            words = [REQUEST.format(host=gateway.ready["listen"], key=key).encode()]
            for id_, channel in enumerate(channels_of(number), 1):
                words.append(frame(json.dumps({"id": id_, "action": "subscribe", "payload": {"channel": channel}}).encode()))
            self.sockets.append(link)
            self.due[link] = [b"".join(words), b""]
            self.selector.register(link, selectors.EVENT_READ | selectors.EVENT_WRITE)

    def until(self, subscriptions: int, seconds: float) -> None:
        """Until so many have been answered."""
        deadline = time.monotonic() + seconds
        while self.answered < subscriptions:
            assert time.monotonic() < deadline, f"{self.answered} of {subscriptions} are subscribed"
            for ready, events in self.selector.select(1):
                self._turn(ready.fileobj, events)

    def _turn(self, link, events) -> None:
        state = self.due[link]
        if events & selectors.EVENT_WRITE:
            if state[0]:
                state[0] = state[0][link.send(state[0][:65536]):]
            if not state[0]:
                self.selector.modify(link, selectors.EVENT_READ)
        if events & selectors.EVENT_READ:
            got = link.recv(65536)
            assert got, "a gateway has closed a connection"
            text = state[1] + got
            self.answered += text.count(RESULT)
            # What may be the beginning of another one.
            at = max(text.rfind(RESULT) + len(RESULT), 0) if RESULT in text else 0
            state[1] = text[max(at, len(text) - len(RESULT) + 1):]

    def close(self) -> None:
        for link in self.sockets:
            link.close()
        self.selector.close()
