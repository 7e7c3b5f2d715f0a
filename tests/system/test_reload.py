"""SIGHUP: channel rules, keys and the certificate are read again under running sessions; what is wrong changes nothing.

Brokers read their channel rules again, alike.
"""

import signal
import ssl
import subprocess

from lib.client import Control, Session, request
from lib.processes import until

RULES = """
[[channels]]
pattern = "open:*"
subscribe = "anyone"
publish = "anyone"

[keys]
old = "an old secret"
"""
MORE = """
[[channels]]
pattern = "open:*"
subscribe = "anyone"

[[channels]]
pattern = "new:*"
subscribe = "key:fresh"
publish = "key:fresh"

[keys]
fresh = "a fresh secret"
"""
REFUSED = "not reloaded, the old configuration stays"


def reload(process, config: str, taken: bool = True) -> None:
    (process.folder / f"{process.name}.toml").write_text(config)
    before, refused = process.metric("peal_reloads_total"), process.log().count(REFUSED)
    process.signal(signal.SIGHUP)
    if taken:
        until(lambda: process.metric("peal_reloads_total") == before + 1, "the configuration is read again")
        assert process.metric("peal_reload_refused") == 0
    else:
        until(lambda: process.log().count(REFUSED) == refused + 1, "it is refused")
        assert process.metric("peal_reload_refused") == 1
        assert process.metric("peal_reloads_total") == before


def test_rules_and_keys_change_under_running_sessions(cluster):
    gateway = cluster.gateway(config=RULES, flags=["--shards", "2"])
    with Session(gateway) as one, Session(gateway) as two:
        one.call("subscribe", channel="open:1")
        two.call("publish", channel="open:1", message=1)
        assert one.error("subscribe", channel="new:1")["code"] == "permission_denied"
        reload(gateway, MORE)
        # Who is there stays, and hears; what comes next is judged by the new rules.
        assert two.error("publish", channel="open:1", message=2)["code"] == "permission_denied"
        with Control(gateway) as control:
            control.call("publish", channel="open:1", message=3)
        assert [one.event()["message"], one.event()["message"]] == [1, 3]
        with Session(gateway) as three:
            three.call("connect", token="a fresh secret")
            three.call("subscribe", channel="new:1")
            three.call("publish", channel="new:1", message=4)
            assert three.event()["message"] == 4
        assert gateway.metric("peal_closes_total") == 0
        with Session(gateway) as late:
            assert late.error("connect", token="an old secret")["code"] == "token_invalid"


def test_a_bad_file_is_refused_and_the_old_one_stays(cluster):
    gateway = cluster.gateway(config=RULES)
    with Session(gateway) as one:
        one.call("subscribe", channel="open:1")
        for bad, says in [("nonsense", "gateway-1.toml"), (RULES.replace("publish", "pulbish"), "publish"),
                          (RULES.replace('"anyone"', '"key:nobodys"'), "nobodys"), ("[limits]\nmessage_bytes_max = 0\n", "message_bytes_max")]:
            reload(gateway, bad, taken=False)
            assert says in gateway.log().splitlines()[-1], gateway.log()
            one.call("publish", channel="open:1", message=1)
            assert one.event()["message"] == 1
        (gateway.folder / "gateway-1.toml").unlink()
        gateway.signal(signal.SIGHUP)
        until(lambda: gateway.log().count(REFUSED) == 5, "a file that is gone is refused too")
        reload(gateway, RULES)
        one.call("publish", channel="open:1", message=2)
        assert one.event()["message"] == 2
    assert gateway.alive


def test_what_needs_a_restart_is_named(cluster):
    secret = '\n[redis]\npassword = "{}"\n'
    gateway = cluster.gateway(config=RULES + secret.format("one"))
    reload(gateway, 'shards = 3\nflush_delay = "1ms"\n' + RULES + secret.format("another"))
    until(lambda: "reloaded: channel rules" in gateway.log(), "it says that it is done")
    named = [line for line in gateway.log().splitlines() if "only a restart" in line]
    assert [line.rpartition("key=")[2] for line in named] == ["flush_delay", "redis.password", "shards"], named
    assert "another" not in gateway.log()


def make_certificate(folder, name: str) -> None:
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)


def shown(gateway) -> str:
    """Whose certificate a new connection is shown."""
    pem = ssl.get_server_certificate(gateway.address)
    said = subprocess.run(["openssl", "x509", "-noout", "-subject"], input=pem, capture_output=True, text=True, check=True)
    return said.stdout.rpartition("=")[2].strip()


def test_a_renewed_certificate_is_shown_without_dropping_a_session(cluster, tmp_path):
    make_certificate(tmp_path, "first")
    gateway = cluster.gateway(flags=["--tls-certificate", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem")])
    assert shown(gateway) == "first"
    trust = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    with Session(gateway, url=f"wss://{gateway.ready['listen']}/ws", ssl=trust) as session:
        session.call("subscribe", channel="a")
        make_certificate(tmp_path, "second")
        gateway.signal(signal.SIGHUP)
        until(lambda: shown(gateway) == "second", "the new certificate is shown")
        (tmp_path / "key.pem").write_text("half a key")
        gateway.signal(signal.SIGHUP)
        until(lambda: gateway.metric("peal_reload_refused") == 1, "half a key is refused")
        assert shown(gateway) == "second"
        session.call("publish", channel="a", message="still here")
        assert session.event()["message"] == "still here"
        assert request(gateway, "POST", "/channels/a", '"again"', tls=ssl._create_unverified_context())[0] == 200
        assert session.event()["message"] == "again"


LOG = """
[[channels]]
pattern = "log:*"
recoverable = true
"""
ANYONE = 'subscribe = "anyone"\npublish = "anyone"\n'
TWO_LOGS = LOG + LOG.replace("log:", "late:")


def test_a_broker_reads_its_channels_again_and_keeps_the_logs_that_it_has(cluster):
    (cluster.folder / "broker-1.toml").write_text(LOG)
    broker = cluster.broker(flags=["--config", str(cluster.folder / "broker-1.toml")])
    rules = LOG + ANYONE + LOG.replace("log:", "late:") + ANYONE
    gateway = cluster.gateway(config=rules, flags=["--bus-driver", "zmq", "--bus-connect", broker.ready["listen"]])
    with Session(gateway) as one:
        kept = one.call("subscribe", channel="log:1")
        assert one.call("publish", channel="log:1", message=1)["offset"] == 1
        assert one.call("publish", channel="late:1", message=1) == {}, "not yet a log"
        for bad, says in [("nonsense", "broker-1.toml"), (LOG.replace("recoverable", "recoverabel"), "recoverable"),
                          (LOG.replace('pattern = "log:*"', ""), "pattern"), ("[limits]\nmessage_bytes_max = 0\n", "message_bytes_max")]:
            reload(broker, bad, taken=False)
            assert says in broker.log().splitlines()[-1], broker.log()
            assert one.call("publish", channel="late:1", message=2) == {}
        reload(broker, TWO_LOGS + 'history_length_max = 7\n[store]\npath = "elsewhere"\n')
        assert "only a restart puts it in force key=store.path" in broker.log()
        assert one.call("publish", channel="late:1", message=3)["offset"] == 1, "a log by now"
        again = one.call("publish", channel="log:1", message=2)
        assert again == {"epoch": kept["epoch"], "offset": 2}, "what there was goes on"
        assert [one.event()["message"], one.event()["message"]] == [1, 2]
        assert gateway.metric("peal_closes_total") == 0 and gateway.metric("peal_bus_linked") == 1
    assert broker.alive and gateway.alive
