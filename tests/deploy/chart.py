"""The chart, rendered by the Helm that tools/test has built."""

from __future__ import annotations

import functools
import pathlib
import subprocess

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "peal"
GOLDEN = ROOT / "helm" / "golden"
VALUES = sorted((CHART / "ci").glob("*-values.yaml"))
HELM = ROOT / "build" / "helm" / "helm"


def helm(*words: str | pathlib.Path) -> subprocess.CompletedProcess:
    return subprocess.run([HELM, *map(str, words)], capture_output=True, text=True, timeout=120)


@functools.cache
def rendered(values: pathlib.Path) -> str:
    done = helm("template", "peal", CHART, "-f", values)
    assert done.returncode == 0, done.stderr
    return done.stdout


def manifests(values: pathlib.Path) -> list[dict]:
    return [each for each in yaml.safe_load_all(rendered(values)) if each]


def values_named(name: str) -> pathlib.Path:
    return CHART / "ci" / f"{name}-values.yaml"


def one(kind: str, name: str, values: pathlib.Path) -> dict:
    found = [each for each in manifests(values) if each["kind"] == kind and each["metadata"]["name"] == name]
    assert len(found) == 1, f"{len(found)} of {kind} {name}"
    return found[0]


def pod_specs(values: pathlib.Path) -> list[tuple[str, dict]]:
    """Of everything that makes pods: its name, and the pod's spec."""
    found = []
    for each in manifests(values):
        if each["kind"] == "Pod":
            found.append((each["metadata"]["name"], each["spec"]))
        elif "template" in each.get("spec", {}):
            found.append((each["metadata"]["name"], each["spec"]["template"]["spec"]))
    return found
