"""The shape of a file: its length, how a header opens, what a source includes first."""

import pathlib

from .tree import Tree

LINES_MAX = 600
DESIGN_LINES_MAX = 15
CODE = (".cpp", ".hpp", ".ipp", ".py", ".ts", ".sh", ".css", ".html", ".cmake", ".proto")
SCRIPTS = ("tools/run", "tools/test")


def too_long(tree: Tree) -> list[str]:
    found = []
    for name in {*tree.matching(*CODE), *(name for name in SCRIPTS if tree.exists(name))}:
        lines = tree.text(name).count("\n")
        if lines > LINES_MAX:
            found.append(f"{name}: {lines} lines, {LINES_MAX} at most: it is two ideas")
    return sorted(found)


def bad_openings(tree: Tree) -> list[str]:
    """A header opens with #pragma once and then its design, in at most 15 lines."""
    found = []
    for name in tree.matching(".hpp"):
        lines = [line.strip() for line in tree.text(name).splitlines() if line.strip()]
        if not lines or lines[0] != "#pragma once":
            found.append(f"{name}: doesn't open with #pragma once")
            continue
        comment = 0
        while comment + 1 < len(lines) and lines[comment + 1].startswith("//"):
            comment += 1
        if not comment:
            found.append(f"{name}: no design comment after #pragma once")
        elif comment > DESIGN_LINES_MAX:
            found.append(f"{name}: a design comment of {comment} lines, {DESIGN_LINES_MAX} at most")
    return found


def own_header_not_first(tree: Tree) -> list[str]:
    found = []
    headers = tree.matching(".hpp")
    for name in tree.matching(".cpp"):
        path = pathlib.PurePosixPath(name)
        room = path.parts[0]
        own = f"{path.stem}.hpp"
        includes = [include.name for include in tree.includes(name)]
        mine = [i for i in includes if pathlib.PurePosixPath(i).name == own
                and any(header.startswith(room) and header.endswith(f"/{i}") for header in headers)]
        if mine and includes[0] not in mine:
            found.append(f"{name}: {mine[0]} is to be its first include")
    return found
