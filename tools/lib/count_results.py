"""Adds up JUnit XML results of every runner: one line `N passed, N failed`, exit code 1 on failure.

count_results.py FOLDER                      counts every *.xml under it
count_results.py --failures FOLDER           how many failed so far
count_results.py --add FOLDER NAME OUTCOME   writes a result of one case; OUTCOME passed or a reason
"""

import pathlib
import re
import sys
import xml.etree.ElementTree as xml


# GoogleTest writes what a test's parameters hold, also what XML 1.0 forbids.
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read(path: pathlib.Path) -> xml.Element:
    return xml.fromstring(FORBIDDEN.sub("?", path.read_bytes().decode(errors="replace")))


def count(path: pathlib.Path) -> tuple[int, list[str], int]:
    """(passed, names of the failed, skipped) of one file; a broken file is a failure."""
    try:
        cases = list(read(path).iter("testcase"))
    except xml.ParseError as error:
        return 0, [f"{path.name}: {error}"], 0
    failed, skipped = [], 0
    for case in cases:
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(f"{case.get('classname', '')} {case.get('name', '')}".strip())
        elif case.find("skipped") is not None or case.get("status") == "notrun":
            skipped += 1
    return len(cases) - len(failed) - skipped, failed, skipped


def add(folder: pathlib.Path, name: str, outcome: str) -> None:
    root = xml.Element("testsuites")
    case = xml.SubElement(xml.SubElement(root, "testsuite", name="steps"), "testcase", name=name)
    if outcome != "passed":
        xml.SubElement(case, "failure", message=outcome)
    folder.mkdir(parents=True, exist_ok=True)
    xml.ElementTree(root).write(folder / f"step-{name.replace(' ', '-')}.xml", encoding="utf-8")


def total(folder: pathlib.Path) -> tuple[int, list[str], int]:
    passed, failed, skipped = 0, [], 0
    for path in sorted(folder.rglob("*.xml")):
        more_passed, more_failed, more_skipped = count(path)
        passed, skipped = passed + more_passed, skipped + more_skipped
        failed += more_failed
    return passed, failed, skipped


def main(arguments: list[str]) -> int:
    if arguments[0] == "--add":
        add(pathlib.Path(arguments[1]), arguments[2], arguments[3])
        return 0
    if arguments[0] == "--failures":
        print(len(total(pathlib.Path(arguments[1]))[1]))
        return 0
    passed, failed, skipped = total(pathlib.Path(arguments[0]))
    for name in failed:
        print(f"FAILED {name}")
    if skipped:  # nothing may be skipped in silence
        print(f"FAILED {skipped} skipped")
    failures = len(failed) + skipped
    print(f"{passed} passed, {failures} failed")
    return 1 if failures or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
