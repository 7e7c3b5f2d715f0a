"""Rooms: who may include whose public headers, and that private headers stay at home.

A public header is `peal/<part>/...`; a private one is named from its room's src folder.
"""

import pathlib

from .tree import Tree

# The first folder that a file's path starts with decides; the order matters. The core is pure:
# of the runtime it may know how to count, nothing else.
MAY_INCLUDE = [
    ("proto/runtime/", {"proto", "runtime"}),
    ("proto/", {"proto"}),
    ("broker/include/peal/broker/", {"proto", "broker", "bus", "runtime/probe.hpp", "redis/config.hpp"}),
    ("broker/src/core/", {"proto", "broker", "bus", "runtime/probe.hpp"}),
    ("broker/", {"proto", "runtime", "broker", "bus", "redis"}),
    ("gateway/", {"proto", "runtime", "broker", "bus", "gateway"}),
    ("monitors/", {"proto", "runtime", "bus", "redis", "monitor"}),
    ("tools/", {"proto", "runtime", "broker", "bus", "monitor"}),
]
PRIVATE_ROOTS = {
    "proto/runtime/": ["proto/runtime/src"],
    "proto/": ["proto/src"],
    "broker/": ["broker/src"],
    "gateway/": ["gateway/src"],
    "monitors/": ["monitors/src"],
    "tools/": ["tools/peal"],
}


def broken_rooms(tree: Tree) -> list[str]:
    found = []
    for name in tree.cpp():
        rule = next((rule for rule in MAY_INCLUDE if name.startswith(rule[0])), None)
        if rule is None:
            continue  # tests may look everywhere
        for include in tree.includes(name):
            if include.name.startswith("peal/"):
                part = include.name.split("/")[1]
                if part not in rule[1] and include.name.removeprefix("peal/") not in rule[1]:
                    found.append(f"{name}: {rule[0]} may not include peal/{part} ({include.name})")
            elif include.quoted:
                found += private_include(tree, name, include.name)
    return found


def private_include(tree: Tree, name: str, header: str) -> list[str]:
    if "/include/" in f"/{name}":
        return [f"{name}: a public header includes a private one ({header})"]
    if ".." in pathlib.PurePosixPath(header).parts:
        return [f"{name}: names a header by '..' ({header})"]
    if header.endswith(".pb.h"):
        return []  # generated; the doors check says where it may be used
    room = next(room for room in PRIVATE_ROOTS if name.startswith(room))
    folders = [*PRIVATE_ROOTS[room], str(pathlib.PurePosixPath(name).parent)]
    if any(tree.exists(f"{folder}/{header}") for folder in folders):
        return []
    return [f"{name}: {header} is not a private header of {room}"]
