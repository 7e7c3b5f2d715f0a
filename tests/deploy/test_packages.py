"""What is installed: by `cmake --install` an application is built with it; the .deb in a Debian that has nothing else."""

import os
import pathlib
import re
import subprocess

import pytest

from fresh_root import run
from lib.processes import PATIENCE_S, ROOT, bin_dir, until

BUILD = bin_dir().parent
UNITS = ["peal-gateway", "peal-broker", "peal-monitor-postgres", "peal-monitor-redis"]
#: What systemd-analyze thinks of a unit, 10 being worst.
EXPOSURE_MAX = 2.0


@pytest.fixture(scope="module")
def root(installed, tmp_path_factory):
    """One of these tests' own."""
    return installed.copy(tmp_path_factory.mktemp("own") / "debian")


def test_the_deb_is_installed_where_nothing_else_is(root, debs):
    print({name: f"{deb.stat().st_size / 1e6:.1f} MB" for name, deb in debs.items()})
    for program in ("peal-gateway", "peal-broker"):
        config = f"/etc/peal/{program.removeprefix('peal-')}.toml"
        assert "valid" in root.call(program, "--check-config", "--config", config).stdout
    assert root.call("peal", "--help").stdout
    passwd = root.call("getent", "passwd", "peal").stdout
    assert passwd.startswith("peal:") and "nologin" in passwd
    assert root.call("stat", "-c", "%U:%G %a", "/etc/peal/gateway.toml").stdout.strip() == "root:peal 640"
    assert (root.folder / "usr/share/peal/web/client.js").stat().st_size > 1000
    assert sorted(root.call("dpkg-query", "-W", "-f", "${Conffiles}", "peal").stdout.split()[::2]) == [
        "/etc/peal/broker.toml", "/etc/peal/gateway.toml"]


def test_the_shipped_configuration_serves_as_the_packages_user(root, tmp_path):
    socket = root.folder / "tmp" / "run"
    root.call("install", "-d", "-o", "peal", "/tmp/run")
    words = ["chroot", "--userspec=peal:peal", root.folder, "/usr/bin/peal-gateway", "--config", "/etc/peal/gateway.toml",
             "--listen", "127.0.0.1:0", "--internal-listen", "off", "--control", "ipc:///tmp/run/c", "--ingest", "off"]
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen([*map(str, words)], stdout=log, stderr=log)
    try:
        def listens():
            assert process.poll() is None, (tmp_path / "log").read_text()
            return re.search(r"listening address=(\S+)", (tmp_path / "log").read_text())
        address = until(listens, "it listens").group(1)
        answer = run("curl", "-sf", f"http://{address}/client.js")
        assert len(answer.stdout) > 1000
        assert socket.exists()
    finally:
        process.terminate()
        assert process.wait(PATIENCE_S) == 0


def test_units_are_right_and_shut_in(root):
    root.call("apt-get", "install", "-y", "-q", "--no-install-recommends", "systemd")
    units = [root.folder / "usr/lib/systemd/system" / f"{name}.service" for name in UNITS]
    run("systemd-analyze", "verify", "--man=no", f"--root={root.folder}", *[f"{name}.service" for name in UNITS])
    said = run("systemd-analyze", "security", "--offline=yes", "--no-pager", *units).stdout
    scores = [float(score) for score in re.findall(r"Overall exposure level for \S+: ([\d.]+)", said)]
    print(dict(zip(UNITS, scores)))
    assert len(scores) == len(UNITS) and max(scores) <= EXPOSURE_MAX, said


def test_the_package_goes_and_leaves_the_operators_files(root):
    root.call("dpkg", "-r", "peal")
    assert not (root.folder / "usr/bin/peal-gateway").exists()
    assert (root.folder / "etc/peal/gateway.toml").exists(), "conffiles stay until a purge"
    root.call("dpkg", "-P", "peal")
    assert not (root.folder / "etc/peal").exists()


EXAMPLE = """
cmake_minimum_required(VERSION 3.25)
project(example CXX)
set(CMAKE_CXX_STANDARD 20)
find_package(Peal {version} REQUIRED)
add_executable(example main.cpp)
target_link_libraries(example PRIVATE peal::gateway)
"""
MAIN = """
#include <iostream>
#include "peal/gateway/gateway.hpp"
int main() {
  peal::gateway::GatewayConfig config;
  config.listen = "127.0.0.1:0";
  auto gateway = peal::gateway::Gateway::make(std::move(config)).value();
  gateway->start().value();
  std::cout << gateway->address() << std::endl;
}
"""


def test_an_application_is_built_with_what_is_installed(tmp_path):
    run("cmake", "--install", BUILD, "--prefix", "/usr", env={**os.environ, "DESTDIR": str(tmp_path / "installed")})
    source = tmp_path / "example"
    source.mkdir()
    version = re.search(r"VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text().partition("project(")[2]).group(1)
    (source / "CMakeLists.txt").write_text(EXAMPLE.format(version=version))
    (source / "main.cpp").write_text(MAIN)
    installed = tmp_path / "installed" / "usr"
    build = tmp_path / "build"
    run("cmake", "-S", source, "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={installed}", "-DCMAKE_BUILD_TYPE=Debug")
    run("cmake", "--build", build)
    assert run(build / "example").stdout.startswith("127.0.0.1:")
    for there in ("include/peal/bus/bus_port.hpp", "include/peal/monitor/publisher.hpp", "share/peal/web/client.js", "share/peal/web/index.html",
                  "share/peal/alerts.yaml", "lib/systemd/system/peal-broker.service"):
        assert (installed / there).is_file(), there
    assert str(ROOT) not in "".join(path.read_text() for path in pathlib.Path(installed).rglob("*.cmake"))
