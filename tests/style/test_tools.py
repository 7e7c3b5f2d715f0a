"""The scripts that judge all other tests: what they count, and that a crash or a hang can't pass."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIB = ROOT / "tools" / "lib"


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60, **options)


def count(folder: pathlib.Path):
    done = run(sys.executable, LIB / "count_results.py", folder)
    return done.stdout.splitlines()[-1], done.returncode


def junit(*cases: str) -> str:
    return f"<testsuites><testsuite name='s'>{''.join(cases)}</testsuite></testsuites>"


PASSED = "<testcase classname='a' name='b'/>"
FAILED = "<testcase classname='a' name='c'><failure message='no'/></testcase>"
SKIPPED = "<testcase classname='a' name='d'><skipped/></testcase>"


@pytest.mark.parametrize(
    "files, line, code",
    [
        ({"a.xml": junit(PASSED), "b/c.xml": junit(PASSED, PASSED)}, "3 passed, 0 failed", 0),
        ({"a.xml": junit(PASSED, FAILED)}, "1 passed, 1 failed", 1),
        ({"a.xml": junit(PASSED, SKIPPED)}, "1 passed, 1 failed", 1),
        ({"a.xml": junit(PASSED), "b.xml": "<testsuites><test"}, "1 passed, 1 failed", 1),
        ({"a.xml": junit("<testcase name='\uffff'/>")}, "1 passed, 0 failed", 0),
        ({}, "0 passed, 0 failed", 1),
    ],
)
def test_results_are_added_up(tmp_path, files, line, code):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert count(tmp_path) == (line, code)


REPORT = 'for a in "$@"; do case $a in --gtest_output=xml:*) out=${a#*xml:} ;; esac; done\n'


@pytest.mark.parametrize(
    "script, line",
    [
        (REPORT + f"echo \"{junit(PASSED)}\" >$out", "1 passed, 0 failed"),
        (REPORT + f"echo \"{junit(PASSED, FAILED)}\" >$out; exit 1", "1 passed, 1 failed"),
        ("kill -SEGV $$", "0 passed, 1 failed"),
        (REPORT + f"echo \"{junit(PASSED)}\" >$out; kill -ABRT $$", "0 passed, 1 failed"),
        ("exit 0", "0 passed, 1 failed"),
        (REPORT + f"echo \"{junit(PASSED)}\" >$out; exit 66", "0 passed, 1 failed"),
    ],
)
def test_a_test_program_that_ends_badly_is_a_failure(tmp_path, script, line):
    program = tmp_path / "bin" / "unit_x"
    program.parent.mkdir()
    program.write_text(f"#!/bin/bash\n{script}\n")
    program.chmod(0o755)
    results = tmp_path / "results"
    done = run(sys.executable, LIB / "run_gtests.py", program.parent, "unit_", results)
    assert done.returncode == (0 if line.endswith(" 0 failed") else 1)
    assert count(results)[0] == line


def test_a_hanging_test_program_is_ended_with_its_children(tmp_path):
    program = tmp_path / "bin" / "unit_x"
    program.parent.mkdir()
    program.write_text(f"#!/bin/bash\nsleep 1000 &\necho $! >{tmp_path}/child\nwait\n")
    program.chmod(0o755)
    results = tmp_path / "results"
    run(sys.executable, LIB / "run_gtests.py", program.parent, "unit_", results,
        env={**os.environ, "PEAL_TEST_DEADLINE_S": "1"})
    assert count(results)[0] == "0 passed, 1 failed"
    child = int((tmp_path / "child").read_text())
    state = pathlib.Path(f"/proc/{child}/status")
    assert not state.exists() or "State:\tZ" in state.read_text()


def test_no_test_program_is_a_failure(tmp_path):
    assert run(sys.executable, LIB / "run_gtests.py", tmp_path, "unit_", tmp_path / "results").returncode == 2


@pytest.mark.parametrize("script", ["tools/run", "tools/test", "tests/system/fresh_root", ".ci/run", "tools/lib/lock_requirements"])
def test_scripts_parse_and_are_executable(script):
    assert os.access(ROOT / script, os.X_OK)
    assert run("bash", "-n", ROOT / script).returncode == 0


@pytest.mark.parametrize("script", ["tools/run", "tools/test"])
def test_scripts_explain_themselves_and_refuse_what_they_do_not_know(script):
    assert run(ROOT / script, "--help").stdout.startswith("Usage: " + script)
    refused = run(ROOT / script, "--dance")
    assert refused.returncode == 2 and "--dance" in refused.stderr


@pytest.mark.parametrize("path", sorted((LIB / "packages").glob("*.txt")), ids=lambda path: path.stem)
def test_each_package_has_its_reason(path):
    rows = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    assert rows
    for row in rows:
        package, probe, reason = row.split(maxsplit=2)
        assert probe.split(":")[0] in {"cmd", "pc", "file", "py"}, row
        assert reason.startswith("# ") and len(reason) > 5, row
