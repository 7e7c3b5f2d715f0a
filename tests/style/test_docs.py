"""The documents against the tree; each check first on a planted violation."""

import pytest

from checks.docs import broken_links, long_readme, wrong_type_rows
from checks.seeds import ROWS, wrong_seed_rows, wrong_status

CHECKS = [broken_links, long_readme, wrong_type_rows, wrong_seed_rows]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_documents_are_true(tree, check):
    assert check(tree) == []


@pytest.mark.parametrize(
    "check, files",
    [
        (broken_links, {"docs/a.md": "[there](nowhere.md)\n"}),
        (broken_links, {"docs/a.md": "[there](#nothing)\n# Something\n"}),
        (long_readme, {"README.md": "\n" * 121}),
        (wrong_type_rows, {"docs/architecture.md": "| `Hub` | `gateway/hub.hpp` |\n"}),
        (wrong_type_rows, {"docs/architecture.md": "| `Hub` | `a.hpp` |\n", "a.hpp": "class Hubs;\n"}),
        (wrong_type_rows, {"docs/architecture.md": "no table\n"}),
    ],
)
def test_a_planted_untruth_is_found(planted, check, files):
    assert len(check(planted(files))) == 1


def test_links_and_rows_that_are_true_are_not_reported(planted):
    tree = planted({
        "docs/architecture.md": "# The one, and `two`\n[up](../README.md#a-b) [here](#the-one-and-two)\n| `Hub` | `a.hpp` |\n",
        "README.md": "## A b\n",
        "a.hpp": "class Hub {};\n",
    })
    assert broken_links(tree) == []
    assert wrong_type_rows(tree) == []


def seeds_page(rows: dict[str, str]) -> str:
    return "".join(f"| {id} | what | {rows.get(id, 'later')} |\n" for id in ROWS if rows.get(id) != "")


def test_a_complete_seeds_page_is_not_reported(planted):
    page = seeds_page({"C1": "tested: `tests/a_test.cpp` `Watch.Hears`", "W3": "declined: no client asks for it"})
    assert wrong_seed_rows(planted({"docs/seeds.md": page, "tests/a_test.cpp": "Watch.Hears"})) == []


def test_a_missing_and_a_double_seed_row_are_found(planted):
    page = seeds_page({"P19b": ""}) + "| M40 | again | later |\n"
    assert wrong_seed_rows(planted({"docs/seeds.md": page})) == [
        "docs/seeds.md: P19b is missing",
        "docs/seeds.md: M40 stands twice",
    ]


@pytest.mark.parametrize(
    "says",
    [
        "",
        "done",
        "declined",
        "declined: no",
        "tested: by hand",
        "tested: `tests/none_test.cpp` `A`",
        "tested: `tests/a_test.cpp` `B`",
        "tested: `docs/a.md` `A`",
    ],
)
def test_a_seed_row_without_a_real_answer_is_found(planted, says):
    tree = planted({"tests/a_test.cpp": "A", "docs/a.md": "A"})
    assert len(wrong_status(tree, says)) == 1


def test_there_are_149_rows():
    assert len(ROWS) == len(set(ROWS)) == 31 + 23 + 30 + 25 + 40
