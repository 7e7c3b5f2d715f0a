"""The kit itself: wires and namespaces do what they are told to, and leave nothing behind."""

import socket
import subprocess
import threading
import time

import pytest

from kit import namespaces
from kit.proxy import BACK, KEPT_MAX, THERE, Proxy
from lib.processes import until


class Echo:
    """A server that sends back what it gets, until it is told to keep silent."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.heard = b""
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(link,), daemon=True).start()

    def _echo(self, link):
        with link:
            try:
                while data := link.recv(65536):
                    self.heard += data
                    link.sendall(data)
            except OSError:
                pass


@pytest.fixture
def echo():
    server = Echo()
    yield server
    server.listener.close()


@pytest.fixture
def proxy():
    run = Proxy()
    yield run
    run.close()


def connect(wire) -> socket.socket:
    return socket.create_connection(wire.address, timeout=10)


def read(link, size: int) -> bytes:
    data = b""
    while len(data) < size and (piece := link.recv(size - len(data))):
        data += piece
    return data


def silent(link) -> bool:
    link.settimeout(0.3)
    try:
        link.recv(1)
    except TimeoutError:
        return True
    finally:
        link.settimeout(10)
    return False


def test_a_wire_stalls_one_way_or_both_and_loses_nothing_by_it(echo, proxy):
    wire = proxy.wire(echo.address)
    with connect(wire) as link:
        link.sendall(b"one")
        assert read(link, 3) == b"one"
        proxy.stall(wire, BACK)
        link.sendall(b"two")
        until(lambda: echo.heard == b"onetwo", "it is heard there")
        assert silent(link)
        proxy.stall(wire, THERE)
        link.sendall(b"three")
        assert silent(link) and echo.heard == b"onetwo"
        with connect(wire) as late:  # a connection made meanwhile hears nothing
            late.sendall(b"!")
            assert silent(late)
            proxy.heal(wire)
            assert read(link, 8) == b"twothree" and read(late, 1) == b"!"


def test_a_wire_delays_and_loses_in_order(echo, proxy):
    wire = proxy.wire(echo.address)
    with connect(wire) as link:
        proxy.set(wire, delay=(0.05, 0.15))
        began = time.monotonic()
        numbers = [b"%04d" % n for n in range(100)]
        for number in numbers:
            link.sendall(number)
        assert read(link, 400) == b"".join(numbers) and time.monotonic() - began >= 0.1
        proxy.set(wire, loss=0.5)
        for number in numbers[:20]:
            link.sendall(number)
            time.sleep(0.005)
        assert read(link, 80) == b"".join(numbers[:20]) and wire.lost > 0


def test_a_wire_resets_drops_and_is_not_filled_without_end(echo, proxy):
    wire = proxy.wire(echo.address)
    for reset in (True, False):
        with connect(wire) as link:
            link.sendall(b"x")
            read(link, 1)
            proxy.drop(wire, reset)
            if reset:
                with pytest.raises(ConnectionResetError):
                    link.recv(1)
            else:
                assert link.recv(1) == b""
    with connect(wire) as link:
        link.sendall(b"x")
        read(link, 1)
        proxy.stall(wire)
        link.settimeout(0.5)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 100 * KEPT_MAX:
                sent += link.send(b"x" * 65536)
        assert sum(half.bytes_kept for half in wire.halves) < 3 * KEPT_MAX


@pytest.mark.parametrize("killed", [False, True], ids=["closed", "of-a-process-that-is-gone"])
def test_namespaces_leave_nothing_behind(killed):
    if not namespaces.allowed():
        with pytest.raises((OSError, subprocess.CalledProcessError)):
            namespaces.Namespaces().place("a")
        return
    spaces = namespaces.Namespaces()
    spaces.place("a")
    spaces.place("b")
    spaces.cut("a", "b")
    if killed:  # as if another process had made them, and is gone
        gone = subprocess.Popen(["true"])
        gone.wait()
        for name in spaces.addresses:
            namespaces.ip("netns", "add", f"{namespaces.PREFIX}{gone.pid}-{name}")
        with namespaces.Namespaces() as _:
            pass
        assert f"{namespaces.PREFIX}{gone.pid}-" not in namespaces.ip("netns", "list")
    spaces.close()
    assert f"{spaces.bridge}-" not in namespaces.ip("netns", "list")
    assert spaces.bridge not in namespaces.ip("link", "show")


def test_namespaces_are_made_again_at_once():
    for _ in range(8 if namespaces.allowed() else 0):
        with namespaces.Namespaces() as spaces:
            for place in ("a", "b", "c", "d"):
                spaces.place(place)
