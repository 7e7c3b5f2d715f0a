"""What the style tests share: the tree of the project, and a small one to plant violations in."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from checks.tree import Tree, project  # noqa: E402


@pytest.fixture(scope="session")
def tree() -> Tree:
    return project()


@pytest.fixture
def planted(tmp_path):
    """planted({"proto/src/a.cpp": "text"}) is a tree of just those files."""

    def plant(files: dict[str, str]) -> Tree:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Tree(tmp_path, sorted(files))

    return plant
