"""Every alert rule fires when what it tells of has happened to real processes, and is silent otherwise."""

import json
import pathlib
import re
import signal
import subprocess

import pytest

import alarms
from lib.client import Control, RawSocket, Session, request
from lib.ports import free_ports
from lib.processes import ROOT, until

RECOVERABLE = '[[channels]]\npattern = "*"\nrecoverable = true\n'
OPEN = RECOVERABLE + 'subscribe = "anyone"\npublish = "anyone"\n'


@pytest.fixture
def record(tmp_path):
    return alarms.Record(tmp_path)


@pytest.fixture
def pair(cluster):
    """A broker and a gateway that is linked with it."""
    config = cluster.folder / "broker.toml"
    config.write_text(RECOVERABLE)
    broker = cluster.broker(flags=["--config", str(config)])
    gateway = cluster.gateway(config=OPEN, flags=["--bus-driver", "zmq", "--bus-connect", broker.ready["listen"], "--shards", "1"])
    return broker, gateway


def test_the_rules_are_well_formed_and_documented():
    done = subprocess.run(["promtool", "check", "rules", alarms.RULES], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    manual = (ROOT / "docs" / "operations.md").read_text()
    causes = pathlib.Path(__file__).read_text()
    for name in alarms.names():
        assert f"| `{name}` |" in manual, f"docs/operations.md has no entry for {name}"
        assert f'"{name}"' in causes, f"no test causes {name}"


def test_all_is_silent_while_a_cluster_works_and_a_gateway_is_restarted(pair, record):
    broker, gateway = pair
    record.well(broker, gateway)
    with Session(gateway) as session:
        session.call("subscribe", channel="a")
        for number in range(200):
            session.call("publish", channel="a", message=number)
        record.cause(broker, gateway)
    record.judge()
    assert gateway.stop() == 0
    gateway.start()
    record.cause(broker, gateway)
    record.judge()


def test_a_process_that_is_gone(pair, record):
    broker, gateway = pair
    record.well(broker, gateway)
    gateway.kill()
    record.cause(broker, gateway)
    record.judge("PealProcessDown")


def test_a_broker_that_is_gone(pair, record):
    broker, gateway = pair
    record.well(broker, gateway)
    broker.kill()
    until(lambda: gateway.metric("peal_bus_linked") == 0, "the gateway sees it")
    record.cause(broker, gateway)
    record.judge("PealProcessDown", "PealBusNotLinked")
    for _ in range(20):
        assert request(gateway, "POST", "/channels/a", "1")[0] == 503
    record.cause(broker, gateway)
    record.judge("PealProcessDown", "PealBusNotLinked", "PealPublishesRefused")


def test_publishes_whose_outcome_nobody_knows(pair, record):
    broker, gateway = pair
    record.well(broker, gateway)
    with Session(gateway) as session:
        broker.signal(signal.SIGSTOP)
        session.send("publish", channel="a", message=1)
        until(lambda: gateway.metric("peal_errors_total", code="publish_outcome_unknown") > 0, "the link is given up")
        broker.signal(signal.SIGCONT)
        until(lambda: gateway.metric("peal_bus_linked") == 1, "the link is back")
        record.cause(broker, gateway)
    record.judge("PealPublishesUnknown")


def test_a_past_that_is_gone(pair, record):
    broker, gateway = pair
    record.well(broker, gateway)
    with Session(gateway) as session:
        session.call("subscribe", channel="a")
        session.call("publish", channel="a", message=1)
        assert session.event()["message"] == 1
        broker.flags += ["--bus-listen", broker.ready["listen"]]
        broker.kill()
        broker.start()
        assert session.event()["event"] == "reset"
        record.cause(broker, gateway)
    record.judge("PealPastLost")


def test_clients_that_read_too_slowly(cluster, record):
    gateway = cluster.gateway(flags=["--shards", "1", "--limits-queue-bytes-max", "64KiB"])
    with RawSocket(gateway, receive_buffer=4096) as slow:
        slow.text({"id": 1, "action": "subscribe", "payload": {"channel": "a"}})
        until(lambda: gateway.metric("peal_subscriptions") == 1, "it is subscribed")
        record.well(gateway)
        big = json.dumps("x" * 100_000)

        def closed() -> bool:
            request(gateway, "POST", "/channels/a", big)
            return gateway.metric("peal_slow_consumers_total") > 0
        until(closed, "it is closed")
        record.cause(gateway)
    record.judge("PealSlowConsumers")


def test_descriptors_that_run_out(cluster, record):
    gateway = cluster.gateway(flags=["--shards", "1"], prefix=["prlimit", "--nofile=150:150"])
    record.well(gateway)
    sockets = [RawSocket(gateway, shake_hands=False) for _ in range(150)]
    until(lambda: gateway.metric("peal_accepts_refused_total") > 0, "some are turned away")
    record.cause(gateway)
    record.judge("PealConnectionsRefused", "PealDescriptorsLow")
    for each in sockets:
        each.socket.close()


def test_gateways_of_which_one_has_all_clients(cluster, record):
    one, two = cluster.gateway("gateway-1"), cluster.gateway("gateway-2")
    record.well(one, two)
    clients = [RawSocket(one) for _ in range(110)]
    until(lambda: one.metric("peal_sessions") == 110, "all are there")
    record.cause(one, two)
    record.judge("PealUnbalanced")
    for client in clients:
        client.socket.close()


def test_a_proxy_that_is_not_trusted(cluster, record):
    gateway = cluster.gateway()
    request(gateway, "GET", "/nothing")
    record.well(gateway)
    for _ in range(20):
        request(gateway, "GET", "/nothing", X_Forwarded_For="192.0.2.1")
    record.cause(gateway)
    record.judge("PealProxyNotTrusted")


def test_a_file_that_is_refused(cluster, record):
    gateway = cluster.gateway(config=OPEN)
    record.well(gateway)
    (cluster.folder / "gateway-1.toml").write_text("nonsense")
    gateway.signal(signal.SIGHUP)
    until(lambda: gateway.metric("peal_reload_refused") == 1, "it is refused")
    record.cause(gateway)
    record.judge("PealReloadRefused")


def test_a_disk_that_takes_nothing(cluster, record):
    port, = free_ports(1)
    flags = ["--store-driver", "disk", "--store-path", str(cluster.folder / "logs"), "--internal-listen", f"127.0.0.1:{port}"]
    broker = cluster.broker(flags=flags)
    record.well(broker)
    assert broker.stop() == 0
    broker.flags += ["--limits-disk-free-min", "900000GiB"]
    broker.launch()
    until(lambda: "limits.disk_free_min" in broker.log(), "it says that it has too little space")
    record.cause(broker)
    record.judge("PealDiskNotWritable")


def test_a_stranger_at_the_broker(pair, cluster, record):
    broker, gateway = pair
    record.well(broker, gateway)
    cluster.gateway("gateway-2", start=False, flags=["--bus-driver", "zmq", "--bus-connect", broker.ready["listen"],
                                                     "--bus-cluster", "another"]).launch()
    until(lambda: broker.metric("peal_broker_hellos_refused_total") > 0, "it is refused")
    record.cause(broker, gateway)
    record.judge("PealStrangersRefused")


def test_the_dashboard_shows_metrics_that_there_are(pair, cluster, tmp_path):
    broker, gateway = pair
    disk = cluster.broker("broker-2", flags=["--store-driver", "disk", "--store-path", str(cluster.folder / "logs")])
    with Session(gateway) as session:
        session.error("subscribe", channel="")  # errors and closes are there once there was one
        with Control(gateway) as control:
            control.call("disconnect", session=control.call("sessions")["sessions"][0]["session"])
        until(lambda: gateway.metric("peal_closes_total") == 1, "it is closed")
    texts = "".join(process.get("/metrics")[1] for process in (broker, disk, gateway))
    known = set(re.findall(r"^((?:peal|process)_\w+)", texts, re.MULTILINE))
    dashboard = json.loads((ROOT / "helm" / "peal" / "files" / "dashboard.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(expressions) >= 20
    rules = [{"record": f"panel:{number}", "expr": each.replace("$job", "peal")} for number, each in enumerate(expressions)]
    path = tmp_path / "panels.yaml"
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in {name for each in expressions for name in re.findall(r"\b(?:peal|process)_\w+", each)}:
        assert name in known, name
