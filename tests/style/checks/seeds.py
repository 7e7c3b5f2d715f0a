"""docs/seeds.md has one line per row of the inventory of the systems that Peal replaces.

A row is `| C1 | what | tested: `file` `name in it` |`, or `later`, or `declined: why`.
"""

import re

from .tree import Tree

ROWS = (
    [f"C{n}" for n in range(1, 32)] + [f"W{n}" for n in range(1, 24)]
    + [f"P{n}" for n in range(1, 20)] + ["P19a", "P19b"] + [f"P{n}" for n in range(20, 29)]
    + [f"R{n}" for n in range(1, 26)] + [f"M{n}" for n in range(1, 41)]
)
ROW = re.compile(r"^\|\s*([CWPRM]\d+[ab]?)\s*\|[^|]*\|\s*(.*?)\s*\|\s*$", re.MULTILINE)
TESTED = re.compile(r"`([^`]+)` `([^`]+)`")


def wrong_seed_rows(tree: Tree, page: str = "docs/seeds.md") -> list[str]:
    rows = ROW.findall(tree.text(page))
    ids = [row[0] for row in rows]
    found = [f"{page}: {id} is missing" for id in ROWS if id not in ids]
    found += [f"{page}: {id} stands twice" for id in sorted({id for id in ids if ids.count(id) > 1})]
    for id, says in rows:
        found += [f"{page}: {id}: {problem}" for problem in wrong_status(tree, says)]
    return found


def wrong_status(tree: Tree, says: str) -> list[str]:
    if says == "later" or says.startswith("later: "):
        return []
    if re.match(r"declined: \S.{9,}", says):
        return []
    if not says.startswith("tested: "):
        return [f"neither tested, later nor declined with a reason: {says!r}"]
    tests = TESTED.findall(says)
    if not tests:
        return [f"names no `file` `test`: {says!r}"]
    found = []
    for file, name in tests:
        if not file.startswith(("tests/", "gateway/web/")):
            found.append(f"{file} is not a test")
        elif not tree.exists(file):
            found.append(f"there is no {file}")
        elif name not in tree.text(file):
            found.append(f"{file} has no {name}")
    return found
