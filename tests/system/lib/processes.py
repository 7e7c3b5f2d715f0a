"""Starts real Peal processes for a test and ends each of them, whatever happens.

Every process gets free ports (it binds port 0), a folder of its own, and a ready file; `start` returns when
the ready file is there and fails with the process's own log otherwise. Nothing here sleeps for a time:
`until` polls a condition with a deadline that only a failure reaches, however busy the machine is.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]


def bin_dir() -> pathlib.Path:
    """Where the executables are: PEAL_BIN, by default build/dev/bin."""
    return pathlib.Path(os.environ.get("PEAL_BIN", ROOT / "build" / "dev" / "bin")).resolve()


#: Seconds after which something that is awaited will not come any more.
PATIENCE_S = 60.0


def slow_factor() -> float:
    """How much longer deadlines are, for builds with a sanitizer."""
    name = str(bin_dir())
    return 4.0 if "/asan/" in name or "/tsan/" in name else 1.0


def until(condition, what: str, seconds: float = PATIENCE_S, step: float = 0.01):
    """Returns the first true result of `condition()`; fails after `seconds`, saying `what` was awaited."""
    deadline = time.monotonic() + seconds * slow_factor()
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(step)


def cpu_seconds(pid: int) -> float:
    """What all of its threads took, finer than the clock's ticks; 0 when it is gone."""
    taken = 0
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            taken += int((task / "schedstat").read_text().split()[0])
    return taken / 1e9


class Process:
    """One running Peal process; `prefix` is the command that it is started by, as in a network namespace."""

    def __init__(self, program: str, name: str, folder: pathlib.Path, flags: list[str],
                 env: dict[str, str] | None = None, prefix: list[str] | None = None):
        self.program, self.name, self.folder, self.flags = program, name, folder, flags
        self.prefix = prefix or []
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ready_path = self.folder / f"{name}.ready"
        self.log_path = self.folder / f"{name}.log"
        self.env = {**os.environ, "XDG_RUNTIME_DIR": str(self.folder), **(env or {})}
        # Every process binds names of its own; what the machine's user has set must not leak in.
        for key in [k for k in self.env if k.startswith("PEAL_") and k not in (env or {})]:
            del self.env[key]
        self.popen: subprocess.Popen | None = None
        self.ready: dict = {}

    def launch(self) -> "Process":
        """Starts the program without waiting for it."""
        self.ready_path.unlink(missing_ok=True)
        command = [*self.prefix, str(bin_dir() / self.program), "--name", self.name, "--ready-file",
                   str(self.ready_path), *self.flags]
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          env=self.env, cwd=self.folder)
        return self

    def start(self, seconds: float = PATIENCE_S) -> "Process":
        """Starts the program and waits until it says that it is ready."""
        self.launch()
        self.wait_ready(seconds)
        return self

    def wait_ready(self, seconds: float = PATIENCE_S) -> None:
        def there():
            if self.popen.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.popen.returncode}:\n{self.log()}")
            return self.ready_path.exists()
        try:
            until(there, f"{self.name} is ready", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from None
        self.ready = json.loads(self.ready_path.read_text())

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def signal(self, number: int) -> None:
        self.popen.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and waits for the end."""
        if self.popen and self.popen.poll() is None:
            self.popen.kill()
        if self.popen:
            self.popen.wait()

    def stop(self, seconds: float = PATIENCE_S) -> int:
        """SIGTERM (twice when one does not do), waits, and returns the exit code."""
        if self.popen is None:
            return 0
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGCONT)
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(seconds * slow_factor())
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"{self.name} did not stop:\n{self.log()}") from None
        return self.popen.returncode

    @property
    def alive(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    @property
    def pid(self) -> int:
        return self.popen.pid

    def rss(self) -> int:
        """Resident bytes of the process."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    # What a process says about itself; the internal listener has it.
    @property
    def internal(self) -> str:
        return self.ready["internal"]

    def get(self, path: str) -> tuple[int, str]:
        """GET from the internal listener: status and body."""
        try:
            with urllib.request.urlopen(f"http://{self.internal}{path}", timeout=PATIENCE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self) -> dict[str, float]:
        """Every sample of /metrics: 'name{labels}' as Prometheus writes it -> value."""
        status, text = self.get("/metrics")
        assert status == 200, text
        result = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                result[name] = float(value)
        return result

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a family's samples whose labels include `labels`; 0 when there is none."""
        total = 0.0
        for sample, value in self.metrics().items():
            family, _, rest = sample.partition("{")
            if family == name and all(f'{k}="{v}"' in rest for k, v in labels.items()):
                total += value
        return total


class Gateway(Process):
    """A peal-gateway on free ports; everything is allowed on `*` unless `rules` is given."""

    def __init__(self, name: str, folder: pathlib.Path, flags: list[str] | None = None,
                 config: str | None = None, allow: str | None = "*", env: dict[str, str] | None = None,
                 listen: str | None = None, host: str = "127.0.0.1", prefix: list[str] | None = None):
        flags = ["--listen", listen or f"{host}:0", "--internal-listen", f"{host}:0", "--drain-time", "1s",
                 "--control", f"ipc://{folder}/{name}.control", "--ingest", f"ipc://{folder}/{name}.ingest",
                 *(flags or [])]
        folder.mkdir(parents=True, exist_ok=True)
        if config is not None:
            path = folder / f"{name}.toml"
            path.write_text(config)
            flags += ["--config", str(path)]
        elif allow:
            flags += ["--allow", allow]
        super().__init__("peal-gateway", name, folder, flags, env, prefix)

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.ready["listen"].rpartition(":")
        return host, int(port)

    @property
    def ws_url(self) -> str:
        return f"ws://{self.ready['listen']}/ws"

    @property
    def url(self) -> str:
        return f"http://{self.ready['listen']}"


class Broker(Process):
    """A peal-broker on free ports (or the given bus endpoint, to come back at the same place)."""

    def __init__(self, name: str, folder: pathlib.Path, flags: list[str] | None = None,
                 listen: str | None = None, host: str = "127.0.0.1", prefix: list[str] | None = None):
        flags = ["--bus-listen", listen or f"tcp://{host}:0", "--internal-listen", f"{host}:0",
                 "--control", f"ipc://{folder}/{name}.control", "--ingest", f"ipc://{folder}/{name}.ingest",
                 *(flags or [])]
        super().__init__("peal-broker", name, folder, flags, prefix=prefix)


class Cluster:
    """Starts processes and remembers them, so that `close` ends every one."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.processes: list[Process] = []

    def gateway(self, name: str = "gateway-1", start: bool = True, **options) -> Gateway:
        return self._add(Gateway(name, self.folder, **options), start)

    def broker(self, name: str = "broker-1", start: bool = True, **options) -> Broker:
        return self._add(Broker(name, self.folder, **options), start)

    def brokers(self, names: list[str], flags: list[str] | None = None) -> tuple[list[Broker], list[str]]:
        """Brokers that share the channels, serving, and the flags by which gateways find them."""
        known = {name: f"ipc://{self.folder}/{name}.bus" for name in names}
        members = [word for name, place in known.items() for word in ("--bus-members", f"{name}={place}")]
        made = [self.broker(name, listen=place, flags=[*members, *(flags or [])], start=False).launch()
                for name, place in known.items()]
        for broker in made:
            broker.wait_ready()
        return made, ["--bus-driver", "zmq", *(word.replace("members", "connect") for word in members)]

    def _add(self, process, start: bool):
        self.processes.append(process)
        return process.start() if start else process

    def close(self) -> list[str]:
        """Ends all; returns what was wrong: a crash, or a sanitizer's report."""
        problems = []
        for process in reversed(self.processes):
            if process.popen is None:
                continue
            ended_before = process.popen.poll()
            try:
                process.stop()
            except AssertionError as error:
                problems.append(str(error))
            code = process.popen.returncode
            crashed = ended_before is not None and code < 0 and code not in (-signal.SIGKILL, -signal.SIGTERM)
            if crashed or "Sanitizer" in process.log() or "runtime error:" in process.log():
                problems.append(f"{process.name} ended with {code}:\n{process.log()}")
        return problems

    def logs(self) -> str:
        return "\n".join(f"--- {p.name} ---\n{p.log()[-8000:]}" for p in self.processes)
