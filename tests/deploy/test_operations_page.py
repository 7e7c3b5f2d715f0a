"""docs/operations.md: what it tells an operator to type does what it says."""

import json
import re
import subprocess

from fresh_root import run
from lib.client import Session
from lib.processes import ROOT, bin_dir, until

PAGE = (ROOT / "docs" / "operations.md").read_text()
LOG = '[[channels]]\npattern = "*"\nrecoverable = true\n'


def typed(kind: str) -> list[str]:
    """The lines of the page's only block of this kind."""
    block, = re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return block.splitlines()


def test_a_disk_broker_is_backed_up_and_restored_as_the_page_says(cluster):
    config = cluster.folder / "broker.toml"
    config.write_text(LOG)
    flags = ["--config", str(config), "--store-driver", "disk", "--store-path", str(cluster.folder / "lib" / "broker")]
    broker = cluster.broker(start=False, flags=flags)
    for folder in ("lib", "backups"):
        (cluster.folder / folder).mkdir()
    broker.start()
    broker.flags += ["--bus-listen", broker.ready["listen"]]
    gateway = cluster.gateway(config=LOG + 'subscribe = "anyone"\npublish = "anyone"\n',
                              flags=["--bus-driver", "zmq", "--bus-connect", broker.ready["listen"]])

    def do(kind: str) -> None:
        for line in typed(kind):
            if line == "systemctl stop peal-broker":
                assert broker.stop() == 0
            elif line == "systemctl start peal-broker":
                broker.start()
                until(lambda: gateway.metric("peal_bus_linked") == 1, "the gateway is linked again")
            else:
                line = line.replace("/var/lib/peal", str(cluster.folder / "lib")).replace("/var/backups", str(cluster.folder / "backups"))
                subprocess.run(["bash", "-ec", line], check=True)

    with Session(gateway) as session:
        first = session.call("publish", channel="a", message=1)
        do("backup")
        do("backup")  # each night
        after = session.call("publish", channel="a", message="not in the backup")
        assert after == {"epoch": first["epoch"], "offset": 2}
        do("restore")
        assert (cluster.folder / "lib" / "broker.was").is_dir()
        kept = session.call("history", channel="a")
        assert kept["epoch"] > first["epoch"] and [each["message"] for each in kept["publications"]] == [1]
        assert session.call("publish", channel="a", message="anew")["offset"] == 2
        assert session.call("subscribe", channel="a", since=after)["recovered"] is False, "who had heard more is told"
    assert gateway.metric("peal_closes_total") == 0


def test_packages_are_renewed_and_put_back_as_the_page_says(debs, installed, tmp_path):
    """A package of a later version is what was built, under another number."""
    root = installed.copy(tmp_path / "debian")
    forth, back = typed("upgrade")
    old, new = (re.search(r"peal_([\d.]+)_amd64", line).group(1) for line in (back, forth))
    run("dpkg-deb", "-R", debs["peal"], tmp_path / "peal")
    control = tmp_path / "peal" / "DEBIAN" / "control"
    for version in (old, new):
        control.write_text(re.sub(r"^Version: .*$", f"Version: {version}", control.read_text(), flags=re.MULTILINE))
        run("dpkg-deb", "--root-owner-group", "-b", tmp_path / "peal", root.folder / "tmp" / f"peal_{version}_amd64.deb")
    config = root.folder / "etc" / "peal" / "gateway.toml"
    config.write_text(config.read_text() + "\n# the operator's line\n")
    for line, version in ((forth, new), (back, old)):
        root.call("bash", "-ec", f"cd /tmp && {line}")
        assert root.call("dpkg-query", "-W", "-f", "${Version}", "peal").stdout == version
        assert config.read_text().endswith("# the operator's line\n")
        assert "valid" in root.call("peal-gateway", "--check-config", "--config", "/etc/peal/gateway.toml").stdout
        assert root.call("stat", "-c", "%U:%G %a", "/etc/peal/gateway.toml").stdout.strip() == "root:peal 640"


def test_the_sizing_tables_commands_say_what_it_has(cluster):
    """As written, but for a shorter time."""
    commands = re.findall(r"^\| `peal (bench [^`]*)` \|", PAGE, re.MULTILINE)
    assert len(commands) == 4
    gateway = cluster.gateway(allow="demo:*", flags=["--shards", "1"])
    for command in commands:
        said = json.loads(run(bin_dir() / "peal", *command.split(), "--url", gateway.ws_url, "--pid", gateway.pid, "--duration", "500ms",
                              "--warmup", "100ms", "--json").stdout)
        print(command, said)
        if "idle" in command:
            assert said["heard"] == 8000 and said["closed"] == 0
        else:
            assert said["server_cpu_us_per_delivery"] > 0
