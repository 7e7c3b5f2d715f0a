"""The chart's pods outside Kubernetes: their commands, environment, volumes, probes and hooks, run for good."""

import json
import pathlib
import re
import subprocess
import time

import pytest

from chart import VALUES, pod_specs
from fresh_root import run
from lib.processes import PATIENCE_S, bin_dir, until
from pods import Pod


@pytest.fixture
def pair(deployed):
    broker = deployed.broker()
    gateway = deployed.pod("Deployment", "peal-gateway", "peal-gateway-x1").start()
    gateway.wait_ready()
    return broker, gateway


def uid(pod: Pod) -> str:
    return re.search(r"^Uid:\s+(\d+)", pathlib.Path(f"/proc/{pod.popen.pid}/status").read_text(), re.MULTILINE).group(1)


def test_pods_start_serve_and_end_in_peace(pair, deployed):
    broker, gateway = pair
    assert uid(broker) == uid(gateway) == "10001"
    assert '"name":"peal-broker-0"' in broker.log(), broker.log()
    # What `helm test` runs: publishes, and hears it.
    tester = deployed.pod("Pod", "peal-test", "peal-test").start()
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
    late = deployed.pod("Deployment", "peal-gateway", "peal-gateway-x2")
    late.config_maps = {**late.config_maps, "peal-gateway": {"peal.toml": "listen = [nonsense\n"}}
    assert late.start().popen.wait(PATIENCE_S) != 0
    assert "peal.toml:1" in late.log(), late.log()
    assert gateway.probe("readinessProbe") and gateway.popen.poll() is None


def test_a_key_that_a_rule_names_and_no_secret_has_is_said(pair, deployed):
    gateway = deployed.pod("Deployment", "peal-gateway", "peal-gateway-x2")
    gateway.secrets = {**gateway.secrets, "peal-keys": {}}
    assert gateway.start().popen.wait(PATIENCE_S) != 0
    assert 'the key "newsroom"' in gateway.log() and "[keys]" in gateway.log(), gateway.log()


def test_a_pod_that_is_killed_without_grace_takes_nothing_with_it(pair, deployed):
    """The broker's volume has what was acknowledged."""
    broker, gateway = pair
    run(bin_dir() / "peal", "publish", "news:1", "before", "--control", f"ipc://{gateway.volume('run')}/gateway.control")
    broker.close()
    gateway.close()
    for pod in pair:
        pod.start()
        pod.wait_ready()
    control = f"ipc://{gateway.volume('run')}/gateway.control"
    said = run(bin_dir() / "peal", "history", "news:1", "--json", "--control", control).stdout
    assert [json.loads(line)["message"] for line in said.splitlines()] == ["before"]
    tester = deployed.pod("Pod", "peal-test", "peal-test").start()
    assert tester.popen.wait(PATIENCE_S) == 0, tester.log()


def test_a_secret_that_is_missing_is_never_done_without():
    """Kubernetes then says so in an event, and doesn't start the pod: nothing of a Secret is optional."""
    for values in VALUES:
        for name, spec in pod_specs(values):
            assert "optional" not in json.dumps(spec), name
