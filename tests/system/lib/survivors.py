"""Clients that live through the kills of a broker: they publish, listen, come back, and remember everything.

A `Life` runs them all on one event loop in a thread of its own. What a listener saw of a channel is a list of
stretches, one per epoch it was told of; within a stretch every publication must follow the one before it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import threading

from websockets.asyncio.client import connect

PACE = 0.004


class Stretch:
    """What a listener got within one epoch from one told position on."""

    def __init__(self, epoch: str, offset: int, told: bool):
        self.epoch, self.first, self.told = epoch, offset, told
        self.numbers: list[int] = []  # of the publications above `first`, one an offset

    @property
    def top(self) -> int:
        return self.first + len(self.numbers)


class Session:
    """One WebSocket connection: commands are awaited, events go to `on_event`."""

    def __init__(self, socket, on_event):
        self.socket, self.on_event = socket, on_event
        self.ids, self.waiting = itertools.count(1), {}
        self.reader = asyncio.create_task(self._read())

    async def _read(self):
        async for text in self.socket:
            message = json.loads(text)
            waiting = self.waiting.pop(message.get("id"), None)
            if waiting is None:
                self.on_event(message)
                continue
            kept, future = waiting
            if kept and "result" in message:
                kept(message["result"])  # in the order of the wire, before any event behind it
            future.set_result(message)

    async def call(self, action: str, kept=None, **payload) -> dict:
        number = next(self.ids)
        self.waiting[number] = (kept, asyncio.get_running_loop().create_future())
        future = self.waiting[number][1]
        await self.socket.send(json.dumps({"id": number, "action": action, "payload": payload}))
        return await asyncio.wait_for(future, 60)

    async def close(self):
        await self.socket.close()
        self.reader.cancel()


async def open_session(url: str, on_event=lambda _: None) -> Session:
    return Session(await connect(url, subprotocols=["peal.json.v1"], proxy=None, max_size=None), on_event)


class Producer:
    """Publishes 1, 2, 3, … to one channel, each until it is acknowledged; repeated under its sequence."""

    def __init__(self, url: str, channel: str):
        self.url, self.channel = url, channel
        self.acknowledged: list[tuple[str, int, int]] = []  # epoch, offset, number
        self.retries, self.duplicates, self.odd, self.done = 0, 0, [], False

    async def run(self, life: "Life"):
        session = await open_session(self.url)
        for number in itertools.count(1):
            if life.publishing_ends.is_set():
                break
            await self.publish(session, number)
            await asyncio.sleep(PACE)
        self.done = True
        await session.close()

    async def publish(self, session: Session, number: int):
        while True:
            reply = await session.call("publish", channel=self.channel, message=number,
                                       source=f"producer of {self.channel}", sequence=f"0-{number}")
            if "result" in reply:
                break
            if not reply["error"]["temporary"]:
                self.odd.append(reply)
            self.retries += 1
            await asyncio.sleep(0.02)
        result = reply["result"]
        self.duplicates += 1 if result.get("duplicate") else 0
        if "epoch" in result:
            self.acknowledged.append((result["epoch"], result["offset"], number))


class Listener:
    """Subscribed to all channels; with `wanders` it goes away again and again and comes back at its positions."""

    def __init__(self, urls: list[str], channels: list[str], wanders: bool):
        self.urls, self.channels, self.wanders = urls, channels, wanders
        self.heard: dict[str, list[Stretch]] = {channel: [] for channel in channels}
        self.resets = {channel: 0 for channel in channels}
        self.faults: list[str] = []
        self.returns = 0

    def _subscribed(self, result: dict):
        stretches = self.heard[result["channel"]]
        missed = result.get("publications", [])
        before = result["offset"] - len(missed)
        if not stretches:
            stretches.append(Stretch(result["epoch"], result["offset"], False))
        elif result.get("recovered"):
            if stretches[-1].epoch != result["epoch"]:
                self.faults.append(f"recovered in another epoch: {result}")
            del before
            for publication in missed:
                self._got(result["channel"], publication["offset"], publication["message"])
        else:
            self.resets[result["channel"]] += 1
            stretches.append(Stretch(result["epoch"], result["offset"], True))

    def _got(self, channel: str, offset: int, number: int):
        stretch = self.heard[channel][-1]
        if offset != stretch.top + 1:
            self.faults.append(f"{channel}: {offset} after {stretch.top} of {stretch.epoch}")
            stretch.first, stretch.numbers = offset - 1, []
        stretch.numbers.append(number)

    def _event(self, event: dict):
        if event["event"] == "message":
            self._got(event["channel"], event["offset"], event["message"])
        elif event["event"] == "reset":
            self.resets[event["channel"]] += 1
            self.heard[event["channel"]].append(Stretch(event["epoch"], event["offset"], True))
        elif event["event"] not in ("position", "heartbeat"):
            self.faults.append(str(event))

    async def run(self, life: "Life"):
        for url in itertools.cycle(self.urls):
            session = await open_session(url, self._event)
            for channel in self.channels:
                await self._subscribe(session, channel)
            away = random.uniform(0.3, 1.5) if self.wanders else None
            ended = await life.ended_within(away)
            await session.close()
            if ended:
                return
            self.returns += 1
            await asyncio.sleep(random.uniform(0, 0.3))

    async def _subscribe(self, session: Session, channel: str):
        """While there is no broker it is refused, temporarily."""
        while True:
            stretches = self.heard[channel]
            since = {"since": {"epoch": stretches[-1].epoch, "offset": stretches[-1].top}} if stretches else {}
            reply = await session.call("subscribe", kept=self._subscribed, channel=channel, **since)
            if "result" in reply:
                return
            if not reply["error"]["temporary"]:
                self.faults.append(str(reply))
            await asyncio.sleep(0.05)

    def tops(self) -> dict[str, tuple[str, int]]:
        return {channel: (all_[-1].epoch, all_[-1].top) if all_ else ("", 0)
                for channel, all_ in self.heard.items()}


class Life:
    """Runs producers and listeners until `end`, which waits until all listeners have what there is."""

    def __init__(self, urls: list[str], channels: list[str], listeners: int, wanderers: int):
        self.producers = [Producer(urls[i % len(urls)], channel) for i, channel in enumerate(channels)]
        self.listeners = [Listener(urls[i % len(urls):] + urls[:i % len(urls)], channels, i >= listeners)
                          for i in range(listeners + wanderers)]
        self.loop = asyncio.new_event_loop()
        self.publishing_ends, self.all_ends = asyncio.Event(), asyncio.Event()
        self.errors: list[BaseException] = []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    async def ended_within(self, seconds: float | None) -> bool:
        try:
            await asyncio.wait_for(self.all_ends.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        return True

    def _run(self):
        asyncio.set_event_loop(self.loop)

        async def all_of(those):
            for result in await asyncio.gather(*(one.run(self) for one in those), return_exceptions=True):
                if isinstance(result, BaseException):
                    self.errors.append(result)

        async def everybody():
            await asyncio.gather(all_of(self.producers), all_of(self.listeners))
        self.loop.run_until_complete(everybody())

    def acknowledged(self) -> int:
        return sum(len(producer.acknowledged) for producer in self.producers)

    def stop_publishing(self):
        self.loop.call_soon_threadsafe(self.publishing_ends.set)

    def behind(self, tops: dict[str, tuple[str, int]]) -> int:
        """How many listeners do not stand where the log does."""
        return sum(listener.tops() != tops for listener in self.listeners)

    def end(self):
        self.stop_publishing()
        self.loop.call_soon_threadsafe(self.all_ends.set)
        self.thread.join(60)
        assert not self.thread.is_alive(), "a client hangs"
        assert not self.errors, self.errors
