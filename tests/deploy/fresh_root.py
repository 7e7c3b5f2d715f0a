"""A Debian of the tests' own in a folder: made once by debootstrap, copied for each use, entered by chroot."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess

from lib.processes import ROOT

BASE = ROOT / "build" / "deploy" / "base"
RELEASE = "bookworm"


def run(*words, **options) -> subprocess.CompletedProcess:
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=900, **options)
    assert done.returncode == 0, f"{words}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


def base() -> pathlib.Path:
    """Debian's smallest, with the machine's own package sources."""
    if (BASE / ".complete").exists():
        return BASE
    shutil.rmtree(BASE, ignore_errors=True)
    BASE.parent.mkdir(parents=True, exist_ok=True)
    run("debootstrap", "--variant=minbase", "--include=ca-certificates", RELEASE, BASE)
    for folder in ("share/doc", "share/man", "share/info", "share/locale"):
        shutil.rmtree(BASE / "usr" / folder, ignore_errors=True)
    (BASE / "etc" / "apt" / "sources.list").unlink()
    for name in ("sources.list", "sources.list.d", "apt.conf.d", "preferences.d", "keyrings"):
        source = pathlib.Path("/etc/apt") / name
        if source.is_dir():
            shutil.copytree(source, BASE / "etc" / "apt" / name, dirs_exist_ok=True)
        elif source.exists():
            shutil.copy(source, BASE / "etc" / "apt" / name)
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", BASE / "etc/ssl/certs")
    (BASE / ".complete").touch()
    return BASE


class FreshRoot:
    def __init__(self, folder: pathlib.Path, of: pathlib.Path | None = None):
        self.folder = folder
        run("cp", "-a", of or base(), folder)
        shutil.copy("/etc/resolv.conf", folder / "etc" / "resolv.conf")
        # Services of packages aren't started here.
        policy = folder / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)

    def copy(self, folder: pathlib.Path) -> "FreshRoot":
        return FreshRoot(folder, self.folder)

    def install(self, *debs: pathlib.Path) -> None:
        for deb in debs:
            shutil.copy(deb, self.folder / "tmp")
        self.call("apt-get", "update", "-q")
        self.call("apt-get", "install", "-y", "-q", "--no-install-recommends", *[f"/tmp/{deb.name}" for deb in debs])

    def call(self, *words, **options) -> subprocess.CompletedProcess:
        return run("chroot", self.folder, *words, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C",
                                                       "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, **options)
