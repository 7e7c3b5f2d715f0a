"""Runs the GoogleTest programs of a folder, two at a time, each with a deadline.

run_gtests.py BIN_FOLDER PREFIX RESULTS_FOLDER

A program that crashes or hangs is one failure by its name, whatever it did before.
"""

import concurrent.futures
import os
import pathlib
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

DEADLINE_S = float(os.environ.get("PEAL_TEST_DEADLINE_S", "600"))


def write_crash(path: pathlib.Path, program: str, reason: str) -> None:
    root = xml.Element("testsuites")
    case = xml.SubElement(
        xml.SubElement(root, "testsuite", name=program), "testcase", classname=program, name=reason
    )
    xml.SubElement(case, "failure", message=reason)
    xml.ElementTree(root).write(path, encoding="utf-8")


def run(program: pathlib.Path, results: pathlib.Path) -> bool:
    """One program, in a process group of its own so that a hang leaves nothing behind."""
    report = results / f"{program.name}.xml"
    began = time.monotonic()
    process = subprocess.Popen(
        [program, f"--gtest_output=xml:{report}", "--gtest_brief=1"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=DEADLINE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        output += f"did not end within {DEADLINE_S:g} s\n".encode()
    crashed = process.returncode not in (0, 1) or not report.exists()
    if crashed:
        write_crash(report, program.name, f"ended with {process.returncode}")
    passed = process.returncode == 0 and not crashed
    word = "ok" if passed else "FAILED"
    print(f"  {program.name:<24} {word:<7} {time.monotonic() - began:6.1f} s", flush=True)
    if not passed:
        sys.stdout.write(output.decode(errors="replace")[-20000:] + "\n")
    return passed


def main(arguments: list[str]) -> int:
    folder, prefix, results = pathlib.Path(arguments[0]), arguments[1], pathlib.Path(arguments[2])
    programs = sorted(p for p in folder.glob(f"{prefix}*") if p.is_file() and os.access(p, os.X_OK))
    results.mkdir(parents=True, exist_ok=True)
    if not programs:
        print(f"no program {prefix}* in {folder}")
        return 2
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        return 0 if all(list(pool.map(lambda p: run(p, results), programs))) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
