"""docs/monitors.md as somebody new would follow it: its lines are pasted into a shell, in their order, by a role that is
nothing but the owner of its database; and its configurations are what the program takes."""

import json
import os
import re
import subprocess

import pytest

from lib.ports import free_ports
from lib.postgres_server import PostgresServer
from lib.processes import ROOT, bin_dir, until

PAGE = (ROOT / "docs" / "monitors.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def blocks(text: str) -> tuple[list[str], list[str]]:
    """Commands, and configurations."""
    commands = [line.strip() for line in re.findall(r"^    \S.*$", text, re.MULTILINE)]
    return commands, re.findall(r"```toml\n(.*?)```", text, re.DOTALL)


def rings(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]


def test_in_five_minutes(cluster):
    folder = cluster.folder
    commands, [config] = blocks(section("In five minutes"))
    (folder / "monitor.toml").write_text(config)
    bus, public = free_ports(2)
    places = {":8422": f":{bus}", "/var/run/postgresql": str(folder / "postgres"),
              "peal subscribe": f"peal subscribe --url ws://127.0.0.1:{public}/ws"}
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PEAL_", "PG"))}
    env |= {"PATH": f"{bin_dir()}:{env['PATH']}", "XDG_RUNTIME_DIR": str(folder), "PEAL_INTERNAL_LISTEN": "127.0.0.1:0"}
    with PostgresServer(folder) as postgres:
        postgres.ask("create role me login; create database shop owner me")
        heard, log = folder / "heard", folder / "log"
        with open(heard, "wb") as output, open(log, "wb") as said:
            shell = subprocess.Popen(["bash", "-e"], stdin=subprocess.PIPE, stdout=output, stderr=said, text=True,
                                     cwd=folder, env=env, start_new_session=True)

        def followed():
            """The channels that the gateway, whose control socket is one of these, knows."""
            asked = [subprocess.run(["peal", "channels", "--control", f"ipc://{path}"], env=env, capture_output=True, text=True)
                     for path in (folder / "peal").glob("*.control")]
            return "".join(done.stdout for done in asked)

        #: What somebody who types sees before the next line is typed.
        seen = {"peal-broker": lambda: log.read_text().count("ready name=") == 1,
                "peal-gateway": lambda: log.read_text().count("ready name=") == 2,
                "peal-monitor": lambda: "active source=" in log.read_text(),
                "peal subscribe": lambda: {"order:1", "orders:open"} <= set(followed().split())}
        try:
            for line in commands:
                for place, here in places.items():
                    line = line.replace(place, here)
                if line.startswith("peal-monitor"):  # which would take the default
                    line = line.replace("--config", f"--bus-connect tcp://127.0.0.1:{bus} --config")
                if line.startswith("peal-gateway"):
                    line = line.replace("peal-gateway", f"peal-gateway --listen 127.0.0.1:{public}")
                shell.stdin.write(line + "\n")
                shell.stdin.flush()
                for program, there in seen.items():
                    if line.startswith(program):
                        until(lambda: there() or shell.poll() is not None, f"after: {line}")
            until(lambda: len(rings(heard)) == 2 or shell.poll() is not None, "both channels ring")
            assert {ring["channel"]: ring["message"]["new"]["total"] for ring in rings(heard)} == {
                "order:1": 12.5, "orders:open": 12.5}
        finally:
            shell.stdin.write("kill $(jobs -p)\nwait\n")
            shell.stdin.close()
            shell.wait()
            print(log.read_text())


@pytest.mark.parametrize("title", ["In five minutes", "Logical replication", "NOTIFY"])
def test_each_configuration_is_one(tmp_path, title):
    for config in blocks(section(title))[1]:
        (tmp_path / "monitor.toml").write_text(config)
        done = subprocess.run([bin_dir() / "peal-monitor-postgres", "--config", tmp_path / "monitor.toml", "--check-config"],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
