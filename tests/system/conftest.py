"""The fixtures that start processes, and what is shown of them when a test fails."""

import pathlib
import shutil
import signal
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from lib.cli import Running  # noqa: E402
from lib.processes import Cluster  # noqa: E402


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    cluster = getattr(item, "funcargs", {}).get("cluster")
    if report.when == "call" and report.failed and cluster is not None:
        report.sections.append(("processes", cluster.logs()))


@pytest.fixture
def cluster():
    """Processes of one test: `cluster.gateway(...)`, `cluster.broker(...)`."""
    # Paths of ipc:// sockets are limited to 107 bytes, so pytest's own long folder names will not do.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="peal-"))
    processes = Cluster(folder)
    try:
        yield processes
    finally:
        problems = processes.close()
        shutil.rmtree(folder, ignore_errors=True)
    assert not problems, "\n".join(problems)


@pytest.fixture
def running():
    """`running(*words)` starts a verb of `peal` that goes on until it is stopped."""
    started = []

    def start(*words, **options):
        started.append(Running(*words, **options))
        return started[-1]

    yield start
    for one in started:
        if one.popen.poll() is None:
            one.end(signal.SIGKILL)
