"""The chart: what it renders is as it was, is what Kubernetes takes, and wrong values are refused by name.

After a change that is meant, `PEAL_GOLDEN=write` writes the renders anew; read their difference.
"""

import os
import subprocess

import jsonschema
import kubernetes_validate
import pytest

from chart import CHART, FOREIGN, GOLDEN, VALUES, helm, manifests, one, pod_specs, rendered, validate_foreign, values_named
from lib.processes import PATIENCE_S, bin_dir

each_values = pytest.mark.parametrize("values", VALUES, ids=lambda path: path.name.removesuffix("-values.yaml"))
#: What the least version that the chart takes knows, and one of today.
VERSIONS = ["1.27", "1.34"]


@each_values
def test_lint_finds_nothing(values):
    done = helm("lint", "--strict", CHART, "-f", values)
    assert done.returncode == 0 and "WARNING" not in done.stdout, done.stdout + done.stderr


@each_values
def test_it_renders_what_it_did(values):
    golden = GOLDEN / values.name.replace("-values", "")
    if os.environ.get("PEAL_GOLDEN") == "write":
        golden.write_text(rendered(values))
    assert rendered(values) == golden.read_text(), f"{golden} differs: PEAL_GOLDEN=write when it is meant"


@pytest.mark.parametrize("version", VERSIONS)
@each_values
def test_kubernetes_takes_it(values, version):
    kinds = set()
    for manifest in manifests(values):
        kinds.add(manifest["kind"])
        if manifest["kind"] in FOREIGN:
            validate_foreign(manifest)
        else:
            kubernetes_validate.validate(manifest, version, strict=True)
    assert {"Deployment", "Service", "ConfigMap", "PodDisruptionBudget"} <= kinds


def test_a_key_that_kubernetes_does_not_know_is_found():
    deployment = one("Deployment", "peal-gateway", values_named("minimal"))
    changed = {**deployment, "spec": {**deployment["spec"], "replcias": 3}}
    with pytest.raises(kubernetes_validate.ValidationError, match="replcias"):
        kubernetes_validate.validate(changed, VERSIONS[0], strict=True)


@pytest.mark.parametrize("kind, name, values, key", [
    ("HTTPRoute", "peal-gateway", "passthrough", "hostnmaes"), ("ServiceMonitor", "peal", "haproxy", "endpionts"),
    ("PrometheusRule", "peal", "haproxy", "gruops")])
def test_a_key_that_others_do_not_know_is_found(kind, name, values, key):
    manifest = one(kind, name, values_named(values))
    validate_foreign(manifest)
    with pytest.raises(jsonschema.ValidationError, match=key):
        validate_foreign({**manifest, "spec": {**manifest["spec"], key: []}})


@each_values
def test_pods_may_do_nothing_that_they_do_not_need(values):
    for name, spec in pod_specs(values):
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["enableServiceLinks"] is False, f"{name}: they would be PEAL_ variables"
        assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["runAsUser"] > 0, name
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"], name
            assert security["capabilities"] == {"drop": ["ALL"]}, name


@each_values
def test_the_grace_is_longer_than_a_drain(values):
    def seconds(config: str, key: str) -> int:
        line = next(line for line in config.splitlines() if line.startswith(f"{key} = "))
        return int(line.split('"')[1].removesuffix("s"))

    config = one("ConfigMap", "peal-gateway", values)["data"]["peal.toml"]
    spec = one("Deployment", "peal-gateway", values)["spec"]["template"]["spec"]
    drain = seconds(config, "drain_delay") + seconds(config, "drain_time")
    assert spec["terminationGracePeriodSeconds"] >= drain + 5  # what a process takes before it gives up
    assert spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][:2] == ["peal", "drain"]


@each_values
def test_services_and_budgets_select_pods_that_there_are(values):
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in manifests(values) if each["kind"] in ("Deployment", "StatefulSet")]
    for each in manifests(values):
        if each["kind"] == "Service":
            selector = each["spec"]["selector"]
        elif each["kind"] == "PodDisruptionBudget":
            selector = each["spec"]["selector"]["matchLabels"]
        else:
            continue
        assert sum(selector.items() <= pod.items() for pod in labels) == 1, each["metadata"]["name"]


@each_values
def test_the_binaries_take_the_configuration(values, tmp_path):
    """The very text of the ConfigMaps, with the Secrets' variables set."""
    for kind in ("gateway", "broker", "monitor-postgres", "monitor-redis"):
        maps = [each for each in manifests(values) if each["kind"] == "ConfigMap" and each["metadata"]["name"] == f"peal-{kind}"]
        for each in maps:
            config = tmp_path / f"{kind}.toml"
            text = each["data"]["peal.toml"]
            for file in ("tls.crt", "tls.key"):  # checked for good by the test that starts the pods
                text = "\n".join(line for line in text.splitlines() if f"/etc/peal/tls/{file}" not in line)
            config.write_text(text)
            done = subprocess.run([bin_dir() / f"peal-{kind}", "--check-config", "--config", config], capture_output=True,
                                  text=True, timeout=PATIENCE_S, env=secret_environment())
            assert done.returncode == 0, f"{done.stderr}\n{text}"


def secret_environment() -> dict:
    """What the Secrets of the values would be in a pod's environment; without CURVE keys, which others' tests have."""
    return {"PATH": os.environ["PATH"], "PEAL_KEYS_NEWSROOM": "a long secret", "PEAL_KEYS_APP": "another", "PEAL_INSECURE": "true", "PEAL_POSTGRES_DSN": "host=postgres", "PEAL_NAME": "peal-broker-0"}


def test_a_change_of_the_configuration_rolls_the_pods(tmp_path):
    other = tmp_path / "values.yaml"
    other.write_text(values_named("minimal").read_text() + "log: {level: debug}\n")
    was, now = (one(kind, name, path)["spec"]["template"]["metadata"]["annotations"]["peal/config"]
                for path in (values_named("minimal"), other) for kind, name in [("Deployment", "peal-gateway")])
    assert was != now


def test_values_have_a_schema_for_every_key():
    """A key of values.yaml that the schema doesn't know would be refused; here the defaults themselves are."""
    done = helm("template", "peal", CHART, "--set", "bus.insecure=true")
    assert done.returncode == 0, done.stderr


BAD = {
    "gateway.replcias=3": "replcias",
    "gateway.replicas=0": "gateway.replicas",
    "broker.replicas=0": "broker.replicas",
    "gateway.drainSeconds=1": "gateway.drainSeconds",
    "gateway.drainSharePercent=200": "gateway.drainSharePercent",
    "gateway.proxyHeader=x-real-ip": "gateway.proxyHeader",
    "gateway.tls.secret=mine": "secret",
    "bus.driver=embedded": "bus.driver",
    "broker.store=floppy": "broker.store",
    "broker.storage.size=lots": "broker.storage.size",
    "ingress.controller=traefik": "ingress.controller",
    "image.repository=": "image.repository",
    "channels[0].pattern=a,channels[0].subscribe=everyone": "subscribe",
    "channels[0].subscribe=anyone": "pattern",
    "log.level=loud": "log.level",
    "monitor.postgres.enabled=true": "monitor",
    "bus.curve.existingSecret=": "bus.curve.existingSecret",
    "bus.driver=redis": "bus.redis.addresses",
    "ingress.enabled=true": "ingress.host",
    "gateway.drainSeconds=10,gateway.drainSharePercent=5": "gateway.drainSeconds",
    "monitors.postgres.enabled=true": "monitors.postgres.config",
    "monitors.redis.enabled=true,monitors.redis.config=x,bus.driver=redis,bus.redis.addresses={redis:6379}": "monitors.redis.enabled",
    "gateway.autoscaling.minReplicas=11": "gateway.autoscaling.minReplicas",
}


@pytest.mark.parametrize("setting, names", BAD.items())
def test_bad_values_are_refused_with_the_key(setting, names):
    insecure = [] if "curve" in setting else ["--set", "bus.insecure=true"]
    done = helm("template", "peal", CHART, *insecure, "--set", setting)
    assert done.returncode != 0, "it was taken"
    # The schema's validator writes gateway.replicas, or /gateway/replicas in later versions.
    said = done.stderr.replace("/", ".")
    assert names in said, done.stderr
