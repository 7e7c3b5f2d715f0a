"""Pods without Kubernetes: what a manifest says is done to a real process, in the files of the package.

Deployed makes the pods of the chart's manifests. A Pod runs its container's command in a copy-free, read-only view of
a root folder, as the manifest's user, in a network of its own, with the ConfigMaps, Secrets and empty folders that it
mounts, and the environment that it names.
"""

from __future__ import annotations

import itertools
import os
import pathlib
import re
import subprocess

from chart import manifests, one, values_named
from fresh_root import FreshRoot, run
from lib.processes import PATIENCE_S, bin_dir, until

VALUES = values_named("haproxy")  # a broker on disk, CURVE, keys, rules, monitors
HOSTS = "127.0.0.1 localhost peal-broker-0.peal-broker.default.svc peal-gateway postgres redis\n"
_numbers = itertools.count(1)


class Network:
    """A network namespace that all pods of a test share: names lead to itself, services' ports to containers'."""

    def __init__(self, name: str, redirects: dict[int, int]):
        self.name = name
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
        lines = ["table ip nat {", "chain out {", "type nat hook output priority -100;",
                 *(f"tcp dport {service} redirect to :{container}" for service, container in redirects.items()), "}", "}"]
        run(*self.prefix, "nft", "-f", "-", input="\n".join(lines) + "\n")

    @property
    def prefix(self) -> list[str]:
        return ["ip", "netns", "exec", self.name]

    def close(self) -> None:
        run("ip", "netns", "del", self.name)


class Pod:
    def __init__(self, name: str, spec: dict, root: FreshRoot, network: Network, folder: pathlib.Path,
                 config_maps: dict[str, dict], secrets: dict[str, dict]):
        self.name, self.spec, self.root, self.network = name, spec, root, network
        self.config_maps, self.secrets = config_maps, secrets
        self.folder = folder / name
        self.folder.mkdir()
        self.container, = spec["containers"]
        self.log_path = self.folder / "log"
        self.popen: subprocess.Popen | None = None

    # ---- what it gets ----
    def environment(self) -> list[str]:
        pairs = {"PATH": "/usr/bin:/bin"}
        for source in self.container.get("envFrom", []):
            for key, value in self.secrets[source["secretRef"]["name"]].items():
                pairs[source.get("prefix", "") + key] = value
        for each in self.container.get("env", []):
            source = each.get("valueFrom", {})
            if "fieldRef" in source:
                assert source["fieldRef"]["fieldPath"] == "metadata.name"
                pairs[each["name"]] = self.name
            elif source:
                pairs[each["name"]] = self.secrets[source["secretKeyRef"]["name"]][source["secretKeyRef"]["key"]]
            else:
                pairs[each["name"]] = re.sub(r"\$\((\w+)\)", lambda name: pairs[name.group(1)], each["value"])
        return [f"{key}={value}" for key, value in pairs.items()]

    def volume(self, name: str) -> pathlib.Path:
        """The folder of a volume, with the rights that the kubelet would give it."""
        path = self.folder / name
        if path.exists():
            return path
        path.mkdir()
        volume = next((each for each in self.spec["volumes"] if each["name"] == name), {"emptyDir": {}})  # or a claim
        if "emptyDir" in volume:
            os.chown(path, 0, self.spec["securityContext"]["fsGroup"])
            path.chmod(0o2777)
            return path
        files = self.config_maps[volume["configMap"]["name"]] if "configMap" in volume else self.secrets[volume["secret"]["secretName"]]
        for file, text in files.items():
            (path / file).write_text(text)
            (path / file).chmod(0o644)
        return path

    # ---- its life ----
    def inside(self, *words: str) -> list[str]:
        user = f"{self.spec['securityContext']['runAsUser']}:{self.spec['securityContext']['runAsGroup']}"
        return ["chroot", f"--userspec={user}", str(self.root.folder), "/usr/bin/env", "-i", *self.environment(), *words]

    def start(self) -> "Pod":
        assert self.container["securityContext"]["readOnlyRootFilesystem"]
        script = ["mount --bind {0} {0}", "mount -o remount,bind,ro {0}"]
        for mount in self.container["volumeMounts"]:
            target = self.root.folder / mount["mountPath"].lstrip("/")
            target.mkdir(parents=True, exist_ok=True)
            script.append(f"mount --bind {self.volume(mount['name'])} {target}")
            if mount.get("readOnly"):
                script.append(f"mount -o remount,bind,ro {target}")
        script = " && ".join(line.format(self.root.folder) for line in script) + ' && exec "$@"'
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(
                [*self.network.prefix, "unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh",
                 *self.inside(*self.container["command"], *self.container.get("args", []))], stdout=log, stderr=log)
        return self

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def probe(self, kind: str) -> bool:
        get = self.container[kind]["httpGet"]
        port = next(each["containerPort"] for each in self.container["ports"] if each["name"] == get["port"])
        return subprocess.run([*self.network.prefix, "curl", "-sf", "-o", "/dev/null", "--max-time", "3",
                               f"http://127.0.0.1:{port}{get['path']}"]).returncode == 0

    def wait_ready(self) -> None:
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            def passes() -> bool:
                assert self.popen.poll() is None, self.log()
                return self.probe(kind)
            until(passes, f"the {kind} of {self.name}")

    def end(self) -> int:
        """As a kubelet does it: preStop, SIGTERM, and no longer than the grace; the exit code."""
        hook = self.container.get("lifecycle", {}).get("preStop")
        if hook:
            run("nsenter", "--target", self.popen.pid, "--mount", "--net", *self.inside(*hook["exec"]["command"]))
        self.popen.terminate()
        return self.popen.wait(self.spec["terminationGracePeriodSeconds"])

    def close(self) -> None:
        if self.popen and self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait(PATIENCE_S)


def image_of(root: FreshRoot) -> FreshRoot:
    """Makes of a root with the package what the image is: its user is the one that manifests name."""
    (root.folder / "etc" / "hosts").write_text(HOSTS)
    for words in (["groupmod", "-g", "10001", "peal"], ["usermod", "-u", "10001", "peal"], ["chgrp", "-R", "peal", "/etc/peal"]):
        root.call(*words)
    return root


def curve_keys(folder: pathlib.Path, name: str) -> dict[str, str]:
    run(bin_dir() / "peal", "keygen", name, cwd=folder)
    return {f"{name}-secret-key": (folder / f"{name}.key").read_text().strip(),
            f"{name}-public-key": (folder / f"{name}.pub").read_text().strip()}


class Deployed:
    """The chart, installed: a network, the ConfigMaps and Secrets, and the pods that were made of its manifests."""

    def __init__(self, image: FreshRoot, folder: pathlib.Path):
        self.image, self.folder = image, folder
        self.secrets = {"peal-curve": {**curve_keys(folder, "gateway"), **curve_keys(folder, "broker")},
                        "peal-keys": {"NEWSROOM": "a long secret"}, "peal-test": {"key": "a long secret"},
                        "postgres": {"PEAL_POSTGRES_DSN": "host=postgres user=postgres dbname=postgres"},
                        "redis": {"PEAL_REDIS_ADDRESSES": "redis:6379", "PEAL_REDIS_PASSWORD": "another secret"}}
        self.maps = {each["metadata"]["name"]: each["data"] for each in manifests(VALUES) if each["kind"] == "ConfigMap"}
        self.network = Network(f"peal-pods-{os.getpid()}-{next(_numbers)}", {80: 8420})
        self.pods: list[Pod] = []

    def pod(self, kind: str, name: str, pod_name: str) -> Pod:
        manifest = one(kind, name, VALUES)
        spec = manifest["spec"] if kind == "Pod" else manifest["spec"]["template"]["spec"]
        self.pods.append(Pod(pod_name, spec, self.image, self.network, self.folder, self.maps, self.secrets))
        return self.pods[-1]

    def broker(self) -> Pod:
        pod = self.pod("StatefulSet", "peal-broker", "peal-broker-0").start()
        pod.wait_ready()
        return pod

    def close(self) -> None:
        for pod in self.pods:
            pod.close()
        self.network.close()
