"""Tests of what operators deploy start their processes by the system tests' fixture."""

import importlib.util
import pathlib
import sys

import pytest

SYSTEM = pathlib.Path(__file__).resolve().parents[1] / "system"
sys.path[:0] = [str(SYSTEM), str(pathlib.Path(__file__).parent)]

_spec = importlib.util.spec_from_file_location("system_conftest", SYSTEM / "conftest.py")
_system = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_system)

cluster = _system.cluster
pytest_runtest_makereport = _system.pytest_runtest_makereport

from fresh_root import FreshRoot, run  # noqa: E402
from lib.processes import bin_dir  # noqa: E402
from pods import Deployed, image_of  # noqa: E402


@pytest.fixture(scope="session")
def debs(tmp_path_factory):
    """The packages of what was built: name -> file."""
    folder = tmp_path_factory.mktemp("debs")
    run("cpack", "-B", folder, cwd=bin_dir().parent)
    found = {deb.name.partition("_")[0]: deb for deb in folder.glob("*.deb")}
    assert set(found) == {"peal", "peal-dev"}
    return found


@pytest.fixture(scope="session")
def installed(debs, tmp_path_factory):
    """A Debian with nothing but the package and what it depends on; not to be changed."""
    fresh = FreshRoot(tmp_path_factory.mktemp("root") / "debian")
    fresh.install(debs["peal"])
    return fresh


@pytest.fixture(scope="session")
def pod_root(installed, tmp_path_factory):
    """The image's files."""
    return image_of(installed.copy(tmp_path_factory.mktemp("image") / "root"))


@pytest.fixture
def deployed(pod_root, tmp_path):
    chart = Deployed(pod_root, tmp_path)
    yield chart
    chart.close()
