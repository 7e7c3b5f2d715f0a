"""Peers that behave badly under load: a subscriber that stops reading, and strangers on the bus port."""

import os
import random
import socket
import statistics
import time

import zmq

from kit.load import CHANNELS, FULL, Topology
from kit.network import host_and_port
from lib.client import RawSocket
from lib.processes import PATIENCE_S, slow_factor, until

DISK = Topology("disk")
PAIRS, WINDOW = (12, 4.0) if FULL else (2, 1.5)
MIB = 1 << 20


class Stopped:
    """Subscribed to every channel, and reads no more once it is."""

    def __init__(self, gateway):
        self.peer = RawSocket(gateway, receive_buffer=4096)
        for number in range(CHANNELS):
            self.peer.text({"id": number + 1, "action": "subscribe", "payload": {"channel": f"job:{number}"}})

    def close(self):
        self.peer.socket.close()


def test_one_subscriber_stops_reading(load, bars):
    run = load(DISK, gateway_flags=[] if FULL else ["--limits-queue-bytes-max", "32KiB"])
    gateway = run.gateways[0]
    run.flows()
    before = gateway.rss()
    windows: dict[bool, list[tuple[int, int]]] = {False: [], True: []}
    for number in range(2 * PAIRS):
        stopped = Stopped(gateway) if number % 2 else None
        began = time.monotonic_ns()
        time.sleep(WINDOW)  # nothing but the load, so that both kinds of windows are alike
        windows[number % 2 == 1].append((began, time.monotonic_ns()))
        if stopped:
            until(lambda: gateway.metric("peal_slow_consumers_total") >= (number + 1) // 2, "its policy acts", 40, 0.1)
            stopped.close()
    grown = gateway.rss() - before
    outcome = run.end()
    bars.exactly("lost, doubled, reordered, silently behind", outcome.verdict["faults"], 0)
    bars.exactly("others that lost their connection", outcome.clients["cuts"], 0)
    bars.exactly("times that its policy acted", gateway.metric("peal_slow_consumers_total"), PAIRS)
    bars.at_most("more memory of its gateway", grown / MIB, 16 * slow_factor(), " MiB")
    latencies = run.latencies(windows[False] + windows[True])
    alone, beside = latencies[:PAIRS], latencies[PAIRS:]
    if FULL:
        bars.at_most("the others' p99 with it, of without, median",
                     statistics.median(b / a for a, b in zip(alone, beside)), 1.25)
    else:  # a busy machine: the bar is a sign of life, not a figure
        bars.at_most("the others' p99 with it, beyond 1.25 times without, median",
                     statistics.median(b - 1.25 * a for a, b in zip(alone, beside)), 250 * slow_factor(), " ms")


def field(number: int, wire: int, value: bytes) -> bytes:
    return bytes([number << 3 | wire]) + value


def text(number: int, value: bytes) -> bytes:
    return field(number, 2, bytes([len(value)]) + value)


def hello(version: int, cluster: bytes) -> bytes:
    """The first frame of a link, of another version or cluster."""
    return text(1, field(1, 0, bytes([version])) + field(2, 0, bytes([version])) + text(3, cluster)
                + text(4, b"stranger") + field(5, 1, random.randbytes(8)))


def test_strangers_on_the_bus_port_are_refused_and_felt_by_nobody(cluster, load, bars):
    run = load(DISK)
    broker = run.brokers[0]
    address = host_and_port(broker.ready["listen"])
    run.flows()
    descriptors = len(os.listdir(f"/proc/{broker.pid}/fd"))
    lines, before = broker.log().count("\n"), broker.rss()
    noise = random.Random(5)
    context = zmq.Context()
    silent = [socket.create_connection(address, timeout=PATIENCE_S) for _ in range(40)]  # half-open: they say nothing
    for size in (10, 64, 1000, 50_000):
        for data in (noise.randbytes(size), b"GET / HTTP/1.1\r\n\r\n", b"\xff\0\0\0\0\0\0\0\1\x7f" + noise.randbytes(size)):
            with socket.create_connection(address, timeout=PATIENCE_S) as peer:
                try:
                    peer.sendall(data)
                except OSError:
                    pass
    peer = context.socket(zmq.DEALER)
    peer.connect(broker.ready["listen"])
    for version, name, code in ((99, b"peal", b"version_unsupported"), (2, b"other", b"cluster_mismatch")):
        stranger = context.socket(zmq.DEALER)
        stranger.connect(broker.ready["listen"])
        for _ in range(20):
            stranger.send_multipart([hello(version, name), b""])
        assert stranger.poll(1000 * PATIENCE_S), "no refusal"
        refusal = stranger.recv_multipart()[0]
        assert code in refusal and (b"broker-1" in refusal or name == b"peal"), refusal
    for _ in range(500):
        peer.send_multipart([noise.randbytes(noise.choice([0, 1, 30, 3000])) for _ in range(noise.randint(1, 4))])
    other = cluster.gateway("other", start=False, flags=["--bus-driver", "zmq", "--bus-connect",
                                                         broker.ready["listen"], "--bus-cluster", "blue"]).launch()
    until(lambda: "blue" in other.log() and "peal" in other.log(), "the other cluster's gateway names both")
    run.flows(2)
    context.destroy(linger=0)
    other.stop()
    until(lambda: len(os.listdir(f"/proc/{broker.pid}/fd")) <= descriptors + 2,
          "the broker has let go of who says nothing")
    said, grown = other.log().count("\n"), broker.rss() - before
    bars.exactly("links declared dead", sum(gateway.metric("peal_bus_links_lost_total") for gateway in run.gateways), 0)
    outcome = run.end()
    for peer in silent:
        peer.close()
    bars.exactly("lost, doubled, reordered, silently behind", outcome.verdict["faults"], 0)
    bars.exactly("clients that lost their connection", outcome.clients["cuts"], 0)
    bars.at_most("lines logged by the broker", broker.log().count("\n") - lines, 60)
    bars.at_most("lines logged by the other cluster's gateway", said, 40)
    bars.at_most("more memory of the broker", grown / MIB, 64 * slow_factor(), " MiB")
