"""clang-tidy over the tree, two files at a time, each only when something it reads has changed.

tidy.py ROOT   (after `tools/test --only build`: it uses build/dev/compile_commands.json)

A pass is remembered by a hash of the clang-tidy version, .clang-tidy, the compile command, the file
and every header of the tree that ninja knows it includes. The memory is in the user's cache folder, so
a fresh checkout of a tree that was checked before takes seconds. Failures aren't remembered.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

# clang-tidy 14, Debian 12's default, can't read GCC 12's <ranges>.
TIDY = next((name for name in ("clang-tidy-19", "clang-tidy-16") if shutil.which(name)), "clang-tidy")
ROOMS = ("proto/", "broker/", "gateway/", "monitors/", "tools/", "tests/")


def cache_folder() -> pathlib.Path:
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    folder = pathlib.Path(base) / "peal" / "tidy"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def headers_by_object(build: pathlib.Path, root: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """What ninja learnt from the compiler: the tree's own files that each object includes."""
    output = subprocess.run(
        ["ninja", "-C", build, "-t", "deps"], check=True, capture_output=True, text=True
    ).stdout
    headers: dict[str, list[pathlib.Path]] = {}
    current: list[pathlib.Path] = []
    for line in output.splitlines():
        if line and not line[0].isspace():
            current = headers.setdefault(line.split(":")[0], [])
        elif line.strip():
            path = (build / line.strip()).resolve()
            if path.is_relative_to(root):
                current.append(path)
    return headers


class Tree:
    def __init__(self, root: pathlib.Path):
        self.root, self.build = root, root / "build" / "dev"
        version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
        self.base = hashlib.sha256(version + (root / ".clang-tidy").read_bytes()).digest()
        self.headers = headers_by_object(self.build, root)
        self.digests: dict[pathlib.Path, bytes] = {}

    def digest(self, path: pathlib.Path) -> bytes:
        if path not in self.digests:
            self.digests[path] = hashlib.sha256(path.read_bytes()).digest()
        return self.digests[path]

    def key(self, entry: dict[str, str]) -> str | None:
        """None when ninja doesn't know the file's headers: then it is always checked."""
        known = self.headers.get(entry["command"].split(" -o ")[1].split()[0])
        if known is None:
            return None
        key = hashlib.sha256(self.base + entry["command"].replace(str(self.root), "").encode())
        for path in sorted({pathlib.Path(entry["file"]), *known}):
            if not path.exists():
                return None
            key.update(str(path.relative_to(self.root)).encode() + self.digest(path))
        return key.hexdigest()


def check(tree: Tree, entry: dict[str, str]) -> tuple[str, bool, str, float]:
    began = time.monotonic()
    done = subprocess.run(
        # -Wno-unknown-warning-option: the compile commands are GCC's.
        [TIDY, "--quiet", "-p", tree.build, "--extra-arg=-Wno-unknown-warning-option",
         "--extra-arg=-Wno-everything", entry["file"]],
        capture_output=True, text=True, cwd=tree.root,
    )
    return entry["file"], done.returncode == 0, done.stdout + done.stderr, time.monotonic() - began


def main(arguments: list[str]) -> int:
    root = pathlib.Path(arguments[0]).resolve()
    tree, cache = Tree(root), cache_folder()
    entries = json.loads((tree.build / "compile_commands.json").read_text())
    wanted, remembered, seen = [], 0, set()
    for entry in entries:
        path = pathlib.Path(entry["file"])
        if entry["file"] in seen or not path.is_relative_to(root):
            continue
        if not str(path.relative_to(root)).startswith(ROOMS):
            continue  # generated files
        seen.add(entry["file"])
        key = tree.key(entry)
        if key and (cache / key).exists():
            (cache / key).touch()
            remembered += 1
        else:
            wanted.append((entry, key))
    # The largest first, so that two workers end together.
    wanted.sort(key=lambda pair: -os.path.getsize(pair[0]["file"]))
    print(f"{remembered} files unchanged since they passed, {len(wanted)} to check", flush=True)
    failed = 0
    jobs = min(os.cpu_count() or 2, 4)
    with concurrent.futures.ThreadPoolExecutor(max_workers=jobs) as pool:
        futures = {pool.submit(check, tree, entry): key for entry, key in wanted}
        for future in concurrent.futures.as_completed(futures):
            name, passed, output, took = future.result()
            print(f"{'ok    ' if passed else 'FAILED'} {took:5.1f} s {os.path.relpath(name, root)}", flush=True)
            if passed and futures[future]:
                (cache / futures[future]).touch()
            elif not passed:
                failed += 1
                print(output, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
