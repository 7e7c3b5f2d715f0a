"""Doors: one third-party library is entered at one place, so that it can be replaced there."""

import re

from .tree import Tree

# library: (its headers, where they may be included). Tests may use any.
DOORS = {
    "ZeroMQ": (r"zmq(_addon)?\.h(pp)?$", r"broker/src/(bus|server)/\w*\.(cpp|hpp)|proto/runtime/src/\w+\.(cpp|hpp)|tools/peal/\w*\.cpp"),
    "Beast": (r"boost/beast", r"gateway/src/http/|proto/runtime/src/\w*(http|listener)\w*\.(cpp|hpp)|tools/peal/\w+\.(cpp|hpp)"),
    "OpenSSL": (r"openssl/", r"gateway/src/io/\w*(tls|transport)\w*\.(cpp|hpp)|tools/peal/bench/client/tls_\w+\.cpp|broker/src/redis/tls_\w+\.(cpp|hpp)"),
    "simdjson": (r"simdjson", r"proto/src/json\w*\.cpp"),
    "protobuf": (r"google/protobuf|.*\.pb\.h$", r"proto/src/\w+\.cpp"),
    "spdlog": (r"spdlog/", r"proto/runtime/src/\w*log\w*\.cpp"),
    "toml++": (r"toml\+\+", r"proto/runtime/src/\w*(config|toml)\w*\.cpp"),
    "prometheus-cpp": (r"prometheus/", r"proto/runtime/src/\w*(probe|metrics)\w*\.cpp"),
    "RocksDB": (r"rocksdb/", r"broker/src/disk/\w+\.cpp"),
    "hiredis": (r"hiredis", r"broker/src/redis/"),
    "libpq": (r"libpq", r"monitors/src/postgres/"),
}


def broken_doors(tree: Tree) -> list[str]:
    found = []
    for name in tree.cpp():
        if name.startswith("tests/"):
            continue
        for include in tree.includes(name):
            for library, (headers, door) in DOORS.items():
                if re.match(headers, include.name) and not re.match(door, name):
                    found.append(f"{name}: {library} has its door elsewhere ({include.name})")
    return found
