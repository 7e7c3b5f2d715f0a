"""What belongs to a machine, not to the project: its paths and the registries it downloads from."""

import json
import re

from .tree import Tree

HOMES = re.compile(r"(?<![\w.$}~-])/(?:root|home/\w+|work|Users/\w+)/[\w.]")
URL = re.compile(r"https?://[^\s\"']+")
TEXT = re.compile(r"\.(png|ico|gz|woff2?|bin)$")


def machine_paths(tree: Tree) -> list[str]:
    found = []
    for name in tree.names:
        if TEXT.search(name):
            continue
        for number, line in enumerate(tree.text(name).splitlines(), 1):
            if HOMES.search(line):
                found.append(f"{name}:{number}: a path of one machine: {line.strip()[:80]}")
    return found


def registry_hosts(tree: Tree) -> list[str]:
    """Locks name versions and hashes; where they come from is the machine's business."""
    found = []
    for name in tree.names:
        base = name.rsplit("/", 1)[-1]
        if base == "package-lock.json":
            packages = json.loads(tree.text(name)).get("packages", {})
            found += [f"{name}: {key} has a resolved address" for key, value in packages.items()
                      if "resolved" in value]
        elif re.fullmatch(r"requirements.*\.(txt|in)", base) or base == ".npmrc":
            found += [f"{name}: {address}" for address in URL.findall(tree.text(name))]
    return found
