"""Rooms, doors, file shapes and what belongs to a machine; each check first on a planted violation."""

import pytest

from checks.doors import broken_doors
from checks.private import machine_paths, registry_hosts
from checks.rooms import broken_rooms
from checks.shape import bad_openings, own_header_not_first, too_long

CHECKS = [broken_rooms, broken_doors, too_long, bad_openings, own_header_not_first, machine_paths, registry_hosts]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_tree_has_none(tree, check):
    assert check(tree) == []


OPENED = "#pragma once\n// What it is.\n"
HOME = "/" + "home/ann/x"


@pytest.mark.parametrize(
    "check, files",
    [
        (broken_rooms, {"proto/src/a.cpp": '#include "peal/broker/core.hpp"\n'}),
        (broken_rooms, {"broker/src/core/a.cpp": '#include "peal/runtime/logger.hpp"\n'}),
        (broken_rooms, {"tools/peal/a.cpp": '#include "peal/gateway/gateway.hpp"\n'}),
        (broken_rooms, {"broker/src/bus/a.cpp": '#include "io/outbox.hpp"\n'}),
        (broken_rooms, {"broker/src/bus/a.cpp": '#include "../core/log.hpp"\n'}),
        (broken_rooms, {"gateway/include/peal/gateway/a.hpp": '#include "io/outbox.hpp"\n'}),
        (broken_doors, {"gateway/src/session/a.cpp": "#include <zmq.hpp>\n"}),
        (broken_doors, {"gateway/src/websocket/a.cpp": "#include <boost/beast/core.hpp>\n"}),
        (broken_doors, {"broker/src/core/a.cpp": "#include <simdjson.h>\n"}),
        (broken_doors, {"broker/src/bus/a.cpp": '#include "bus.pb.h"\n'}),
        (broken_doors, {"proto/runtime/include/peal/runtime/a.hpp": "#include <spdlog/spdlog.h>\n"}),
        (too_long, {"proto/src/a.cpp": "\n" * 601}),
        (bad_openings, {"proto/src/a.hpp": "// design\n#pragma once\n"}),
        (bad_openings, {"proto/src/a.hpp": "#pragma once\nstruct A;\n"}),
        (bad_openings, {"proto/src/a.hpp": "#pragma once\n" + "// long\n" * 16}),
        (own_header_not_first, {"proto/src/a.cpp": '#include <vector>\n#include "a.hpp"\n', "proto/src/a.hpp": OPENED}),
        (machine_paths, {"docs/a.md": f"see {HOME}\n"}),
        (registry_hosts, {"tests/requirements.txt": "--index-url https://packages.example/simple\n"}),
        (registry_hosts, {"gateway/web/package-lock.json": '{"packages": {"a": {"resolved": "https://x.example/a"}}}'}),
    ],
)
def test_a_planted_violation_is_found(planted, check, files):
    assert len(check(planted(files))) == 1


def test_what_is_allowed_is_not_reported(planted):
    tree = planted({
        "proto/src/a.hpp": OPENED,
        "proto/src/a.cpp": '#include "a.hpp"\n\n#include <simdjson.h>\n',
        "proto/src/json_reader.cpp": '#include "peal/proto/json.hpp"\n\n#include <simdjson.h>\n',
        "gateway/src/session/b.cpp": '#include "session/c.hpp"\n',
        "gateway/src/session/c.hpp": OPENED,
        "tests/unit/gateway/d_test.cpp": "#include <boost/beast/core.hpp>\n",
    })
    assert broken_rooms(tree) == []
    assert broken_doors(tree) == ["proto/src/a.cpp: simdjson has its door elsewhere (simdjson.h)"]
    assert own_header_not_first(tree) == []
