"""tools/run with the programs under test: what it prints works, and what it starts ends with it."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.request

import pytest
from websockets.sync.client import connect

from lib.ports import free_ports
from lib.processes import PATIENCE_S, ROOT, bin_dir, until


class Run:
    """tools/run on ports of its own, its output in a file."""

    def __init__(self, *arguments: str):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="peal-run-"))
        self.output_path = self.folder / "output"
        env = {key: value for key, value in os.environ.items() if not key.startswith("PEAL_")}
        env |= {"PEAL_BIN": str(bin_dir()), "PEAL_RUN_DIR": str(self.folder / "run")}
        with open(self.output_path, "wb") as output:
            # As from a terminal: who runs the tests in the background ignores SIGINT, and bash can't take
            # back what it was born with.
            self.popen = subprocess.Popen([ROOT / "tools" / "run", *arguments], stdin=subprocess.DEVNULL,
                                          stdout=output, stderr=output, env=env, start_new_session=True,
                                          preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        until(lambda: "Ctrl-C stops it" in self.output() or self.popen.poll() is not None, "tools/run is ready")
        assert self.popen.poll() is None, self.output() + self.logs()

    def output(self) -> str:
        return self.output_path.read_text()

    def logs(self) -> str:
        return "\n".join(f"--- {p.name}\n{p.read_text()}" for p in sorted((self.folder / "run").glob("*.log")))

    def urls(self) -> list[str]:
        return re.findall(r"^  (http://127\.0\.0\.1:\d+/)  gateway", self.output(), re.MULTILINE)

    def printed_lines(self) -> str:
        return self.output().split("From another terminal")[1].split("\n", 1)[1].split("Logs: ")[0]

    def members(self) -> list[int]:
        """Processes of its session that still live, whoever their parent is now."""
        found = []
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue  # ended meanwhile
            if int(fields[3]) == self.popen.pid and fields[0] != "Z":
                found.append(int(stat.parent.name))
        return found

    def stop(self, number: int) -> int:
        self.popen.send_signal(number)
        return self.popen.wait(timeout=PATIENCE_S)

    def close(self) -> None:
        for pid in self.members():
            os.kill(pid, signal.SIGKILL)
        self.popen.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def run():
    runs = []

    def start(*arguments: str) -> Run:
        runs.append(Run(*arguments))
        return runs[-1]

    yield start
    for one in runs:
        one.close()


def read(client, count: int) -> list[str]:
    return [client.recv(timeout=PATIENCE_S) for _ in range(count)]


def subscribe(client, channel: str) -> None:
    client.send('{"id": 1, "action": "subscribe", "payload": {"channel": "%s"}}' % channel)
    assert '"result"' in client.recv(timeout=PATIENCE_S)


def test_each_printed_line_works_when_pasted_and_the_load_comes_by_itself(run):
    demo = run("--port", str(free_ports(1)[0]))
    [url] = demo.urls()
    with connect(url.replace("http", "ws") + "ws") as client:
        subscribe(client, "demo:room")
        done = subprocess.run(["bash", "-e"], input=demo.printed_lines(), text=True, capture_output=True,
                              timeout=PATIENCE_S)
        assert done.returncode == 0, done.stderr
        said = "\n".join(read(client, 3))
        assert "Hello from the command line" in said
        assert "Hello from curl" in said
        assert "Hello from Python" in said
    with connect(url.replace("http", "ws") + "ws") as client:
        subscribe(client, "demo:load")
        assert '"demo:load"' in client.recv(timeout=PATIENCE_S)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("flags", [[], ["--with-postgres"]])
def test_a_signal_stops_all_that_was_started(run, number, flags):
    demo = run("--port", str(free_ports(1)[0]), *flags)
    assert len(demo.members()) >= 3
    databases = re.findall(r"host=(\S+)", demo.output())
    demo.stop(number)
    until(lambda: demo.members() == [], "everything that tools/run started has ended")
    assert not any(pathlib.Path(folder).exists() for folder in databases), "its database is gone too"


def test_rows_of_its_own_postgres_ring_on_every_gateway(run):
    demo = run("--with-postgres", "--cluster", "--port", str(free_ports(1)[0]))
    urls = demo.urls()
    assert len(urls) == 3
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(url.replace("http", "ws") + "ws")) for url in urls]
        for client in clients:
            subscribe(client, "demo:table:orders:open")
        done = subprocess.run(["bash", "-e"], input=demo.printed_lines(), text=True, capture_output=True,
                              timeout=PATIENCE_S)
        assert done.returncode == 0, done.stderr
        for client in clients:
            until(lambda: '"A bell"' in client.recv(timeout=PATIENCE_S), "the row rings")
    demo.stop(signal.SIGTERM)  # with its database's folder


def test_a_cluster_is_a_broker_and_three_gateways_that_hear_each_other(run):
    demo = run("--cluster", "--port", str(free_ports(1)[0]))
    urls = demo.urls()
    assert len(urls) == 3
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(url.replace("http", "ws") + "ws")) for url in urls]
        for client in clients:
            subscribe(client, "demo:room")
        urllib.request.urlopen(urllib.request.Request(
            urls[0] + "channels/demo:room", data=b'"from one to all"',
            headers={"content-type": "application/json"}), timeout=PATIENCE_S).close()
        for client in clients:
            assert '"from one to all"' in client.recv(timeout=PATIENCE_S)
    demo.stop(signal.SIGTERM)
    until(lambda: demo.members() == [], "everything that tools/run started has ended")


def test_a_busy_port_is_said_aloud_and_the_next_free_one_taken(run):
    with socket.create_server(("127.0.0.1", free_ports(1)[0])) as busy:
        port = busy.getsockname()[1]
        demo = run("--port", str(port))
        assert f"Port {port} is busy" in demo.output()
        assert demo.urls() != [f"http://127.0.0.1:{port}/"]


def test_a_process_that_ends_by_itself_is_named(run):
    demo = run("--port", str(free_ports(1)[0]))
    ready = (demo.folder / "run" / "gateway-1.ready").read_text()
    os.kill(int(re.search(r'"pid" *: *(\d+)', ready)[1]), signal.SIGKILL)
    assert demo.popen.wait(timeout=PATIENCE_S) == 1
    assert "gateway-1 has ended" in demo.output()
