"""A TCP proxy that breaks: it stalls one way or both, delays, loses, resets and drops, on command.

A `Wire` stands between one process and one address; a `Proxy` runs all wires of a test on one loop in a thread of
its own. What is stalled or late is kept and arrives later in order, as TCP does when a network heals; a sender is
not read any more while too much is kept for it. A new connection across a wire that stalls is taken and hears
nothing. Loss is what TCP makes of it: a piece, and all behind it, comes a retransmission later.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import random
import socket
import struct
import threading

KEPT_MAX = 1 << 20
RETRANSMISSION = 0.2
THERE, BACK = "there", "back"


class Half(asyncio.Protocol):
    """One side of a connection; `other` is the side that gets what it sends."""

    def __init__(self, wire: "Wire", way: str):
        self.wire, self.way = wire, way
        self.transport: asyncio.Transport | None = None
        self.other: Half | None = None
        self.kept: collections.deque[tuple[float, bytes]] = collections.deque()
        self.bytes_kept, self.last_due = 0, 0.0
        self.ended = self.paused = self.sink_full = False
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.wire.halves.add(self)

    def data_received(self, data: bytes):
        self.last_due = max(self.last_due, self.wire.loop.time() + self.wire.lateness())
        self.kept.append((self.last_due, data))
        self.bytes_kept += len(data)
        self.flow()

    def connection_lost(self, _):
        self.wire.halves.discard(self)
        self.ended = True
        self.flow()

    # The transport that `other` writes to is this half's own.
    def pause_writing(self):
        self.other.sink_full = True

    def resume_writing(self):
        self.other.sink_full = False
        self.other.flow()

    def flow(self):
        """Hands over what is due, as far as the wire lets it."""
        if self.timer:
            self.timer.cancel()
            self.timer = None
        sink = self.other.transport if self.other else None
        open_ = sink is not None and self.way not in self.wire.stalled
        while open_ and self.kept and not self.sink_full:
            due, data = self.kept[0]
            if due > self.wire.loop.time():
                self.timer = self.wire.loop.call_at(due, self.flow)
                break
            self.kept.popleft()
            self.bytes_kept -= len(data)
            if not sink.is_closing():
                sink.write(data)
        if self.ended:
            if open_ and not self.kept:
                sink.close()
            return
        full = self.bytes_kept > KEPT_MAX or self.sink_full
        if full != self.paused:
            self.paused = full
            (self.transport.pause_reading if full else self.transport.resume_reading)()


class Wire:
    """A listening address in front of `target`. All but `address` is to be called on the proxy's loop."""

    def __init__(self, loop, target: tuple[str, int]):
        self.loop, self.target = loop, target
        self.halves: set[Half] = set()
        self.stalled: set[str] = set()
        self.delay, self.loss, self.lost = (0.0, 0.0), 0.0, 0
        self.server: asyncio.Server | None = None
        self.address: tuple[str, int] = ("", 0)

    async def listen(self):
        self.server = await self.loop.create_server(lambda: self._accepted(), "127.0.0.1", 0)
        self.address = self.server.sockets[0].getsockname()

    def _accepted(self) -> Half:
        near, far = Half(self, THERE), Half(self, BACK)
        near.other, far.other = far, near
        self.loop.create_task(self._reach(near, far))
        return near

    async def _reach(self, near: Half, far: Half):
        while self.stalled and not near.ended:  # a handshake needs both ways
            await asyncio.sleep(0.05)
        try:
            await self.loop.create_connection(lambda: far, *self.target)
        except OSError:
            if near.transport:
                near.transport.abort()
            return
        near.flow()

    def lateness(self) -> float:
        late = random.uniform(*self.delay)
        while self.loss and random.random() < self.loss:
            late += RETRANSMISSION
            self.lost += 1
        return late

    def resume(self):
        for half in list(self.halves):
            half.flow()

    def end(self, reset: bool):
        for half in list(self.halves):
            if reset:
                linger = struct.pack("ii", 1, 0)
                half.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            half.kept.clear()
            half.transport.abort()


class Proxy:
    """The wires of a test. Its methods may be called from the test's thread."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.wires: list[Wire] = []

    def _do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def _call(self, function):
        async def called():
            return function()
        return self._do(called())

    def wire(self, target: tuple[str, int]) -> Wire:
        wire = Wire(self.loop, target)
        self._do(wire.listen())
        self.wires.append(wire)
        return wire

    def stall(self, wire: Wire, *ways: str):
        """Nothing passes any more that way (both, when none is named), nor a new connection."""
        self._call(lambda: wire.stalled.update(ways or (THERE, BACK)))

    def set(self, wire: Wire, delay: tuple[float, float] = (0.0, 0.0), loss: float = 0.0):
        def change():
            wire.delay, wire.loss = delay, loss
        self._call(change)

    def heal(self, wire: Wire):
        def change():
            wire.stalled.clear()
            wire.delay, wire.loss = (0.0, 0.0), 0.0
            wire.resume()
        self._call(change)

    def drop(self, wire: Wire, reset: bool = False):
        """Ends its connections, with a RST if told so."""
        self._call(lambda: wire.end(reset))

    def close(self):
        async def end_all():
            for wire in self.wires:
                wire.server.close()
                wire.stalled.clear()
                wire.end(False)
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            for task in tasks:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        self._do(end_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()
