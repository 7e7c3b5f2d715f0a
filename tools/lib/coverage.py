"""Line coverage by room, from what the programs of build/coverage counted: coverage.py ROOT LEAST_PERCENT.

Prints a line a room and the files that are least covered; exit code 1 when a room is under the least.
"""

import json
import pathlib
import subprocess
import sys

ROOMS = ("proto", "broker", "gateway")
WORST_SHOWN = 12


def measure(root: pathlib.Path) -> list[dict]:
    summary = root / "build" / "log" / "coverage.json"
    filters = [argument for room in ROOMS for argument in ("--filter", f"{room}/")]
    subprocess.run(
        ["gcovr", "--root", ".", "-j", "2", "--json-summary", summary,
         "--txt", root / "build" / "log" / "coverage.txt", *filters, "build/coverage"],
        cwd=root, check=True,
    )
    return json.loads(summary.read_text())["files"]


def main(arguments: list[str]) -> int:
    root, least = pathlib.Path(arguments[0]), float(arguments[1])
    files = measure(root)
    under = 0
    for room in ROOMS:
        own = [file for file in files if file["filename"].startswith(room + "/")]
        lines, covered = (sum(file[key] for file in own) for key in ("line_total", "line_covered"))
        percent = 100 * covered / lines if lines else 0
        under += percent < least
        print(f"  {room:<10} {percent:5.1f} % of {lines} lines" + ("  UNDER" if percent < least else ""))
    print("  least covered:")
    missed = sorted(files, key=lambda file: file["line_covered"] - file["line_total"])
    for file in missed[:WORST_SHOWN]:
        print(f"    {file['line_total'] - file['line_covered']:4} lines missed of {file['line_total']:4}  {file['filename']}")
    return 1 if under else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
