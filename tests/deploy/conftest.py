"""Tests of what operators deploy start their processes by the system tests' fixture."""

import importlib.util
import pathlib
import sys

SYSTEM = pathlib.Path(__file__).resolve().parents[1] / "system"
sys.path[:0] = [str(SYSTEM), str(pathlib.Path(__file__).parent)]

_spec = importlib.util.spec_from_file_location("system_conftest", SYSTEM / "conftest.py")
_system = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_system)

cluster = _system.cluster
pytest_runtest_makereport = _system.pytest_runtest_makereport
