"""The chart, rendered by the Helm that tools/test has built."""

from __future__ import annotations

import functools
import pathlib
import subprocess

import jsonschema
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "peal"
GOLDEN = ROOT / "helm" / "golden"
VALUES = sorted((CHART / "ci").glob("*-values.yaml"))
HELM = ROOT / "build" / "helm" / "helm"


SCHEMAS = ROOT / "build" / "helm" / "schemas"
#: Kinds that aren't Kubernetes' own.
FOREIGN = {"ServiceMonitor": "monitoring.coreos.com_servicemonitors.yaml", "PrometheusRule": "monitoring.coreos.com_prometheusrules.yaml",
           "HTTPRoute": "gateway.networking.k8s.io_httproutes.yaml"}


def strict(schema: dict) -> dict:
    """What refuses keys that it doesn't name, and takes a number or a text where Kubernetes says so."""
    schema = {key: {name: strict(each) for name, each in value.items()} if key == "properties" else
              [strict(each) for each in value] if key in ("anyOf", "oneOf", "allOf") else
              strict(value) if key in ("items", "additionalProperties") and isinstance(value, dict) else value
              for key, value in schema.items()}
    if schema.get("pattern", "").startswith("^(?i)"):  # as Go writes it
        schema["pattern"] = "(?i)^" + schema["pattern"].removeprefix("^(?i)")
    if schema.get("x-kubernetes-int-or-string"):
        schema.pop("type", None)
    if "properties" in schema and schema.get("type") == "object" and not schema.get("x-kubernetes-preserve-unknown-fields"):
        schema.setdefault("additionalProperties", False)
    return schema


@functools.cache
def foreign_schema(kind: str, version: str) -> dict:
    """Of the CustomResourceDefinition of its makers."""
    definition = yaml.safe_load((SCHEMAS / FOREIGN[kind]).read_text())
    assert definition["spec"]["names"]["kind"] == kind
    known = {each["name"]: each["schema"]["openAPIV3Schema"] for each in definition["spec"]["versions"]}
    return strict(known[version.rpartition("/")[2]])


def validate_foreign(manifest: dict) -> None:
    """Raises jsonschema.ValidationError; rules in CEL aren't judged."""
    jsonschema.validate(manifest, foreign_schema(manifest["kind"], manifest["apiVersion"]))


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
