"""The image: built by tools/image on a Debian of debootstrap's and the package that was built, inspected, and started.

`PEAL_IMAGE=TAG` tries one that is there already, such as one that tools/image compiled.
"""

import json
import os
import re
import signal
import subprocess
from types import SimpleNamespace

import pytest

from chart import one, values_named
from fresh_root import base, run
from lib.client import Session
from lib.processes import PATIENCE_S, ROOT, until

GIVEN = os.environ.get("PEAL_IMAGE")
TAG = GIVEN or "peal-test:latest"
STORAGE = ROOT / "build" / "image"
SIZE_MAX = 120e6
ENVIRONMENT = {**os.environ, "BUILDAH_ISOLATION": "chroot"}


def buildah(*words) -> list[str]:
    return ["buildah", "--root", str(STORAGE / "storage"), "--runroot", str(STORAGE / "run"), "--storage-driver", "vfs",
            *map(str, words)]


@pytest.fixture(scope="module")
def image(request):
    """What buildah says of it."""
    if not GIVEN:
        deb = request.getfixturevalue("debs")["peal"]
        print(run(ROOT / "tools" / "image", "--tag", TAG, "--base-root", base(), "--deb", deb).stdout.splitlines()[-1])
    yield json.loads(run(*buildah("inspect", "--type", "image", TAG)).stdout)
    if not GIVEN:
        run(*buildah("rmi", "--force", TAG))


@pytest.fixture(scope="module")
def container(image):
    name = run(*buildah("from", TAG)).stdout.strip()
    yield name
    run(*buildah("rm", name))


def inside(container, *words) -> str:
    return run(*buildah("run", container, "--", *words), env=ENVIRONMENT).stdout


def test_it_is_small_and_says_what_it_is(image):
    listed = json.loads(run(*buildah("images", "--json", TAG)).stdout)[0]
    number, unit = listed["size"].split()
    print(f"{TAG}: {listed['size']}")
    assert float(number) * {"MB": 1e6, "GB": 1e9}[unit] <= SIZE_MAX, listed["size"]
    config = image["Docker"]["config"]
    assert config["User"] == "10001:10001"
    assert config["Cmd"][0] == "peal-gateway" and config["Healthcheck"]["Test"][:3] == ["CMD", "peal", "stats"]
    version = re.search(r"^project\(peal VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE).group(1)
    assert config["Labels"]["org.opencontainers.image.version"] == version
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_its_user_is_the_charts_and_every_command_is_there(container):
    spec = one("Deployment", "peal-gateway", values_named("minimal"))["spec"]["template"]["spec"]["securityContext"]
    assert inside(container, "id", "-u").strip() == str(spec["runAsUser"])
    assert inside(container, "id", "-gn").strip() == "peal"
    for program in ("peal", "peal-gateway", "peal-broker", "peal-monitor-postgres", "peal-monitor-redis"):
        assert inside(container, program, "--help")
    for name in ("gateway", "broker"):
        assert "valid" in inside(container, f"peal-{name}", "--check-config", "--config", f"/etc/peal/{name}.toml")


def test_the_list_beside_it_has_what_is_in_it(container):
    listed = json.loads((STORAGE / "peal.spdx.json").read_text())
    assert listed["spdxVersion"] == "SPDX-2.3" and listed["dataLicense"] == "CC0-1.0"
    inventory = {each["name"]: each["versionInfo"] for each in listed["packages"]}
    assert {"peal", "libzmq5", "librocksdb7.8", "libssl3", "libc6"} <= set(inventory)
    there = inside(container, "dpkg-query", "-W", "-f", "${Package} ${Version}\\n").splitlines()
    assert inventory == dict(line.split() for line in there)
    assert len({each["SPDXID"] for each in listed["packages"]}) == len(inventory)


def test_it_serves(container, tmp_path):
    """The image's command, but for the ports."""
    log = tmp_path / "log"
    with open(log, "wb") as out:
        process = subprocess.Popen(
            buildah("run", container, "--", "peal-gateway", "--config", "/etc/peal/gateway.toml", "--listen", "127.0.0.1:0",
                    "--internal-listen", "127.0.0.1:0", "--allow", "*", "--control", "ipc:///tmp/peal.control"),
            stdout=out, stderr=out, env=ENVIRONMENT, start_new_session=True)
    try:
        def ready():
            assert process.poll() is None, log.read_text()
            return re.search(r"\] ready .*internal=(\S+)", log.read_text())
        internal = until(ready, "it is ready").group(1)
        address = re.search(r"listening address=(\S+)", log.read_text()).group(1)
        with Session(SimpleNamespace(ws_url=f"ws://{address}/ws")) as session:
            session.call("subscribe", channel="a")
            session.call("publish", channel="a", message="from an image")
            assert session.event()["message"] == "from an image"
        assert 'src="app.js"' in run("curl", "-sf", f"http://{address}/").stdout, "the demo page is there"
        os.kill(json.loads(run("curl", "-sf", f"http://{internal}/version").stdout)["pid"], signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0, log.read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def bundle(image, container, folder):
    """What a container runtime makes of the image and of the chart's securityContext, with a network of its own."""
    run("runc", "spec", cwd=folder)
    config = json.loads((folder / "config.json").read_text())
    about = image["Docker"]["config"]
    uid, gid = map(int, about["User"].split(":"))
    config["root"] = {"path": run(*buildah("mount", container)).stdout.strip(), "readonly": True}
    config["process"] |= {"terminal": False, "args": about["Cmd"], "env": about["Env"], "user": {"uid": uid, "gid": gid},
                          "capabilities": {}, "noNewPrivileges": True}
    config["mounts"].append({"destination": "/run/peal", "type": "tmpfs", "source": "tmpfs",
                             "options": ["nosuid", "nodev", f"uid={uid}", f"gid={gid}", "mode=0750", "size=1m"]})
    (folder / "config.json").write_text(json.dumps(config))


def test_runc_starts_it_and_its_health_check_passes(image, container, tmp_path):
    """Its own command, its own user, a read-only root and no capabilities."""
    bundle(image, container, tmp_path)
    name = f"peal-image-{os.getpid()}"
    runc = ["runc", "--root", str(tmp_path / "state")]
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen([*runc, "run", "--bundle", str(tmp_path), name], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        def pid():
            assert process.poll() is None, (tmp_path / "log").read_text()
            state = subprocess.run([*runc, "state", name], capture_output=True, text=True)
            return json.loads(state.stdout)["pid"] if state.returncode == 0 else 0
        inside_network = ["nsenter", "--net", "--target", str(until(pid, "it runs"))]

        def ready():
            answer = subprocess.run([*inside_network, "curl", "-s", "http://127.0.0.1:8421/readyz"], capture_output=True, text=True)
            return answer.stdout == "ok\n"
        until(ready, "/readyz says ok")
        check = image["Docker"]["config"]["Healthcheck"]["Test"]
        assert check[0] == "CMD" and '"ready":true' in run(*runc, "exec", name, *check[1:]).stdout.replace(" ", "")
        run(*runc, "kill", name, "TERM")
        assert process.wait(PATIENCE_S) == 0, (tmp_path / "log").read_text()
    finally:
        if process.poll() is None:
            run(*runc, "kill", name, "KILL")
            process.wait(PATIENCE_S)
        run(*buildah("umount", container))
