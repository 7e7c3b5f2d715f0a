"""That the documents tell the truth where a machine can see it."""

import pathlib
import re

from .tree import Tree

README_LINES_MAX = 120
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
TYPE_ROW = re.compile(r"^\|\s*`([A-Z]\w+)`\s*\|\s*`([^`]+)`\s*\|", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def broken_links(tree: Tree) -> list[str]:
    found = []
    for name in tree.matching(".md"):
        for groups in LINK.findall(FENCE.sub("", tree.text(name))):
            target = groups[0] or groups[1]
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = pathlib.Path(name).parent / path if path else pathlib.Path(name)
            resolved = (tree.root / file).resolve()
            if not resolved.exists():
                found.append(f"{name}: {target} leads nowhere")
            elif anchor and anchor not in anchors(resolved.read_text(encoding="utf-8")):
                found.append(f"{name}: {target}: no such heading")
    return found


def anchors(text: str) -> set[str]:
    """Headings as the links to them are written: lower case, no punctuation, dashes for spaces."""
    headings = re.findall(r"^#+\s+(.*)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def wrong_type_rows(tree: Tree, page: str = "docs/architecture.md") -> list[str]:
    """Each row `| `Type` | `file` |`: the file exists and defines the type."""
    found = []
    rows = TYPE_ROW.findall(tree.text(page))
    if not rows:
        return [f"{page}: no type -> file table"]
    for name, file in rows:
        if not tree.exists(file):
            found.append(f"{page}: {name}: there is no {file}")
        elif not re.search(rf"\b(class|struct|enum class|using|concept|interface)\s+{name}\b", tree.text(file)):
            found.append(f"{page}: {file} doesn't define {name}")
    return found


def long_readme(tree: Tree) -> list[str]:
    lines = tree.text("README.md").count("\n")
    return [f"README.md: {lines} lines, {README_LINES_MAX} at most"] if lines > README_LINES_MAX else []
