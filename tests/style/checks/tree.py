"""The project's files, as the style checks see them: tracked or about to be, nothing built."""

import dataclasses
import functools
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]', re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Include:
    quoted: bool
    name: str


@dataclasses.dataclass(frozen=True)
class Tree:
    root: pathlib.Path
    names: list[str]

    def text(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8", errors="replace")

    def exists(self, name: str) -> bool:
        return (self.root / name).exists()

    def matching(self, *suffixes: str) -> list[str]:
        return [name for name in self.names if name.endswith(suffixes)]

    def cpp(self) -> list[str]:
        return self.matching(".cpp", ".hpp", ".ipp")

    def includes(self, name: str) -> list[Include]:
        return [Include(mark == '"', header) for mark, header in INCLUDE.findall(self.text(name))]


@functools.cache
def project() -> Tree:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()
    return Tree(ROOT, sorted(name for name in listed if (ROOT / name).is_file()))
