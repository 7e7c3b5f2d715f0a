"""The disk that the logs are on is full for a while: really, on a small file system of the test's own, where rights
allow; else less is free than limits.disk_free_min asks for."""

import os
import subprocess
import time

import pytest

from kit.load import CHANNELS, FULL, Topology
from lib.processes import until

MIB = 1 << 20
FILLED = 30 if FULL else 3


class Disk:
    """A place for logs that `fill` fills to the last byte."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.mounted = os.geteuid() == 0 and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", str(folder)], capture_output=True).returncode == 0
        usage = os.statvfs(folder)
        self.free_min = 1 if self.mounted else usage.f_bavail * usage.f_frsize // MIB - 128

    def fill(self):
        with open(self.folder / "ballast", "wb", buffering=0) as ballast:
            if not self.mounted:
                os.posix_fallocate(ballast.fileno(), 0, 512 * MIB)
                return
            for size in (MIB, 4096):
                try:
                    while True:
                        ballast.write(b"\0" * size)
                except OSError:
                    pass

    def clear(self):
        (self.folder / "ballast").unlink(missing_ok=True)

    def close(self):
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)


@pytest.fixture
def disk(cluster):
    place = Disk(cluster.folder / "disk")
    yield place
    cluster.close()
    place.close()


def test_a_full_disk_refuses_and_loses_nothing(disk, load, bars):
    run = load(Topology("disk"), broker_flags=["--store-path", str(disk.folder / "store"),
                                               "--limits-disk-free-min", f"{disk.free_min}MiB"])
    broker = run.brokers[0]
    run.flows()
    disk.fill()
    filled = time.monotonic()
    until(lambda: broker.get("/readyz")[0] == 503, "the broker is not ready")
    until(lambda: time.monotonic() - filled > FILLED, "it was full for long enough", FILLED + 10)
    lines = broker.log().count("\n")
    disk.clear()
    until(lambda: broker.get("/readyz")[0] == 200, "the broker is ready again")
    run.flows()
    outcome = run.end()
    bars.at_least("refused as temporary", outcome.codes.get("storage_unavailable", 0), 1)
    bars.exactly("lost, doubled, reordered, silently behind", outcome.verdict["faults"], 0)
    bars.exactly("epochs that ended", outcome.verdict["epochs"] - CHANNELS, 0)
    bars.exactly("clients that lost their connection", outcome.clients["cuts"], 0)
    bars.at_most("lines that the broker logged till then", lines, 40)
