"""The chart's pods outside Kubernetes: their commands, environment, volumes, probes and hooks, run for good."""

import itertools
import os
import pathlib
import re
import subprocess
import time

import pytest

from chart import manifests, one, values_named
from fresh_root import run
from lib.processes import PATIENCE_S, bin_dir, until
from pods import Network, Pod

VALUES = values_named("haproxy")  # a broker on disk, CURVE, keys, rules
HOSTS = "127.0.0.1 localhost peal-broker-0.peal-broker.default.svc peal-gateway\n"
numbers = itertools.count(1)


def curve_keys(folder: pathlib.Path, name: str) -> dict[str, str]:
    run(bin_dir() / "peal", "keygen", name, cwd=folder)
    return {f"{name}-secret-key": (folder / f"{name}.key").read_text().strip(),
            f"{name}-public-key": (folder / f"{name}.pub").read_text().strip()}


@pytest.fixture(scope="module")
def image(installed, tmp_path_factory):
    root = installed.copy(tmp_path_factory.mktemp("image") / "root")
    (root.folder / "etc" / "hosts").write_text(HOSTS)
    # The image's user is the one that manifests name.
    for words in (["groupmod", "-g", "10001", "peal"], ["usermod", "-u", "10001", "peal"], ["chgrp", "-R", "peal", "/etc/peal"]):
        root.call(*words)
    return root


@pytest.fixture
def deployed(image, tmp_path):
    """A function that makes a pod of a manifest: kind, its name, the pod's name."""
    secrets = {"peal-curve": {**curve_keys(tmp_path, "gateway"), **curve_keys(tmp_path, "broker")},
               "peal-keys": {"NEWSROOM": "a long secret"}, "peal-test": {"key": "a long secret"}}
    maps = {each["metadata"]["name"]: each["data"] for each in manifests(VALUES) if each["kind"] == "ConfigMap"}
    network = Network(f"peal-pods-{os.getpid()}-{next(numbers)}", {80: 8420})
    pods = []

    def make(kind: str, name: str, pod_name: str) -> Pod:
        manifest = one(kind, name, VALUES)
        spec = manifest["spec"] if kind == "Pod" else manifest["spec"]["template"]["spec"]
        pods.append(Pod(pod_name, spec, image, network, tmp_path, maps, secrets))
        return pods[-1]
    try:
        yield make
    finally:
        for pod in pods:
            pod.close()
        network.close()


@pytest.fixture
def pair(deployed):
    broker = deployed("StatefulSet", "peal-broker", "peal-broker-0").start()
    broker.wait_ready()
    gateway = deployed("Deployment", "peal-gateway", "peal-gateway-x1").start()
    gateway.wait_ready()
    return broker, gateway


def uid(pod: Pod) -> str:
    return re.search(r"^Uid:\s+(\d+)", pathlib.Path(f"/proc/{pod.popen.pid}/status").read_text(), re.MULTILINE).group(1)


def test_pods_start_serve_and_end_in_peace(pair, deployed):
    broker, gateway = pair
    assert uid(broker) == uid(gateway) == "10001"
    assert '"name":"peal-broker-0"' in broker.log(), broker.log()
    # What `helm test` runs: publishes, and hears it.
    tester = deployed("Pod", "peal-test", "peal-test").start()
    assert tester.popen.wait(PATIENCE_S) == 0, tester.log()
    assert "helm-test" in tester.log()
    for pod in (gateway, broker):
        began = time.monotonic()
        assert pod.end() == 0, pod.log()
        took = time.monotonic() - began
        print(f"{pod.name} ended after {took:.1f} s of {pod.spec['terminationGracePeriodSeconds']}")
        assert "hurrying" not in pod.log() and "gave up" not in pod.log()


def test_readiness_goes_when_the_broker_does_and_liveness_stays(pair):
    broker, gateway = pair
    broker.close()
    until(lambda: not gateway.probe("readinessProbe"), "the gateway isn't ready any more")
    assert gateway.probe("livenessProbe")
    broker.start()
    broker.wait_ready()
    until(lambda: gateway.probe("readinessProbe"), "and is again")


def test_the_root_cannot_be_written(pair):
    gateway = pair[1]
    done = subprocess.run(["nsenter", "--target", str(gateway.popen.pid), "--mount", "--net", "chroot", gateway.root.folder,
                           "sh", "-c", "touch /written"], capture_output=True, text=True)
    assert "Read-only file system" in done.stderr, done


def test_a_config_map_edited_to_nonsense_harms_nobody_who_runs(pair, deployed):
    broker, gateway = pair
    (gateway.volume("config") / "peal.toml").write_text("listen = [nonsense\n")
    late = deployed("Deployment", "peal-gateway", "peal-gateway-x2")
    late.config_maps = {**late.config_maps, "peal-gateway": {"peal.toml": "listen = [nonsense\n"}}
    assert late.start().popen.wait(PATIENCE_S) != 0
    assert "peal.toml:1" in late.log(), late.log()
    assert gateway.probe("readinessProbe") and gateway.popen.poll() is None


def test_a_key_that_a_rule_names_and_no_secret_has_is_said(pair, deployed):
    gateway = deployed("Deployment", "peal-gateway", "peal-gateway-x2")
    gateway.secrets = {**gateway.secrets, "peal-keys": {}}
    assert gateway.start().popen.wait(PATIENCE_S) != 0
    assert 'the key "newsroom"' in gateway.log() and "[keys]" in gateway.log(), gateway.log()
