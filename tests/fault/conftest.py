"""Fault tests start their processes by the system tests' fixture."""

import importlib.util
import pathlib
import sys

import pytest

SYSTEM = pathlib.Path(__file__).resolve().parents[1] / "system"
sys.path[:0] = [str(SYSTEM), str(pathlib.Path(__file__).parent)]

from kit import network  # noqa: E402
from kit.bars import Bars  # noqa: E402
from kit.load import FULL, Load  # noqa: E402
from lib.swarm import Job  # noqa: E402

_spec = importlib.util.spec_from_file_location("system_conftest", SYSTEM / "conftest.py")
_system = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_system)

cluster = _system.cluster
pytest_runtest_makereport = _system.pytest_runtest_makereport


def pytest_collection_modifyitems(config, items):
    left_out = [] if FULL else [item for item in items if item.get_closest_marker("full")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture
def job(tmp_path):
    run = Job(tmp_path)
    yield run
    run.close()


@pytest.fixture
def bars(request):
    """Of this test: what it measures, under its name."""
    return Bars(request.node.name.removeprefix("test_").replace("_", " "))


@pytest.fixture
def load(cluster, job):
    """`load(topology, …)` starts the one load; over wires, unless another network is given."""
    loads = []

    def start(topology, kind=network.Wires, **options) -> Load:
        loads.append(Load(cluster, job, topology, kind(), **options))
        return loads[-1].start()
    yield start
    cluster.close()  # before the network that the processes stand in
    for one in loads:
        one.close()
