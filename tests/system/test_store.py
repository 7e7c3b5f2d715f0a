"""Logs on disk, as a user meets them: a gateway with the embedded core that is stopped, killed, and told to use a
folder that it can't."""

import json
import os
import shutil
import urllib.error
import urllib.request

import pytest

from lib.client import Session
from lib.processes import PATIENCE_S, until

MIB = 1024 * 1024
RULES = ('[[channels]]\npattern = "*"\nrecoverable = true\nsubscribe = "anyone"\npublish = "anyone"\n')


def start(cluster, store, name="gateway-1", **options):
    """A gateway whose logs are in `store`."""
    flags = ["--store-driver", "disk", "--store-path", str(store), *options.pop("flags", [])]
    if "--limits-disk-free-min" not in flags:
        flags += ["--limits-disk-free-min", "1MiB"]
    return cluster.gateway(name, config=RULES, flags=flags, **options)


def call(gateway, method, channel, body=None, **headers):
    """Status, headers and JSON body of a request to a channel's resource."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{gateway.url}/channels/{channel}", data, headers, method=method)
    request.add_header("content-type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def put(gateway, channel, body):
    status, headers, text = call(gateway, "PUT", channel, body)
    assert status in (200, 201, 204), (status, text)
    return headers["etag"]


def test_values_and_positions_are_the_same_after_a_stop_and_after_a_kill_with_other_shards(cluster):
    store = cluster.folder / "store"
    gateway = start(cluster, store, flags=["--shards", "2"])
    tags = {f"doc:{n}": put(gateway, f"doc:{n}", {"n": n}) for n in range(20)}
    assert gateway.stop() == 0
    for end, shards in (("kill", "1"), ("kill", "3"), ("stop", "2")):
        gateway = start(cluster, store, name=f"gateway-{end}-{shards}", flags=["--shards", shards])
        for channel, tag in tags.items():
            status, headers, text = call(gateway, "GET", channel)
            assert (status, headers["etag"], json.loads(text)) == (200, tag, {"n": int(channel[4:])})
        tags["doc:0"] = put(gateway, "doc:0", {"n": 0})
        getattr(gateway, end)()


def test_a_full_disk_refuses_publishes_and_readiness_and_ends_by_itself(cluster):
    """Full is less than limits.disk_free_min: a little below what is free now, until ballast takes that away."""
    usage = os.statvfs(cluster.folder)
    least = usage.f_bavail * usage.f_frsize // MIB - 64
    gateway = start(cluster, cluster.folder / "store", flags=["--limits-disk-free-min", f"{least}MiB"])
    tag = put(gateway, "doc", {"n": 1})
    with open(cluster.folder / "ballast", "wb") as ballast:
        os.posix_fallocate(ballast.fileno(), 0, 256 * MIB)
    until(lambda: gateway.get("/readyz")[0] == 503, "it is not ready")
    assert "limits.disk_free_min" in gateway.get("/readyz")[1]
    status, _, text = call(gateway, "PUT", "doc", {"n": 2})
    assert (status, json.loads(text)["code"]) == (503, "storage_unavailable")
    status, headers, _ = call(gateway, "GET", "doc")
    assert (status, headers["etag"]) == (200, tag)
    (cluster.folder / "ballast").unlink()
    until(lambda: gateway.get("/readyz")[0] == 200, "it is ready again")
    assert put(gateway, "doc", {"n": 3}) == tag.replace("-1", "-2")
    assert gateway.log().count("publishes to channels with a log are refused") == 1


def test_a_folder_in_use_or_damaged_is_refused_with_a_word_on_what_to_do(cluster):
    store = cluster.folder / "store"
    first = start(cluster, store)
    for n in range(50):
        put(first, "doc", {"n": n, "text": "x" * 200})
    second = start(cluster, store, name="gateway-2", start=False).launch()
    assert second.popen.wait(PATIENCE_S) == 1
    assert "used by another process" in second.log()
    first.kill()
    wal = max((store / "db").glob("*.log"))
    data = bytearray(wal.read_bytes())
    data[len(data) // 2] ^= 0xff
    wal.write_bytes(data)
    third = start(cluster, store, name="gateway-3", start=False).launch()
    assert third.popen.wait(PATIENCE_S) == 1
    assert str(store) in third.log() and "Restore a backup" in third.log()


def start_again(broker, gateway):
    until(lambda: gateway.metric("peal_bus_linked") == 0, "the gateway knows that the broker is away")
    broker.start()
    until(lambda: gateway.metric("peal_bus_linked") == 1, "the gateway is linked again")


@pytest.mark.parametrize("over", [False, True], ids=["moved away", "written over"])
def test_after_an_older_copy_was_put_back_no_position_stands_for_two_messages(cluster, over):
    """As many messages are published anew as were lost, so by its number alone the old position would be good."""
    store, backup = cluster.folder / "store", cluster.folder / "backup"
    config = cluster.folder / "broker.toml"
    config.write_text('[[channels]]\npattern = "*"\nrecoverable = true\n')
    broker = cluster.broker(flags=["--config", str(config), "--store-driver", "disk", "--store-path", str(store),
                                   "--limits-disk-free-min", "1MiB"])
    broker.flags += ["--bus-listen", broker.ready["listen"]]
    gateway = cluster.gateway(config=RULES, flags=["--bus-driver", "zmq", "--bus-connect", broker.ready["listen"]])
    with Session(gateway) as stays, Session(gateway) as publisher:
        for n in range(3):
            kept = publisher.call("publish", channel="a", message=n)
        assert broker.stop() == 0
        shutil.copytree(store, backup)
        start_again(broker, gateway)
        stays.call("subscribe", channel="a")
        heard = publisher.call("publish", channel="a", message="lost")
        assert heard == {"epoch": kept["epoch"], "offset": 4}
        assert stays.event()["message"] == "lost"

        broker.kill()
        if over:
            shutil.rmtree(store / "db")
            shutil.copytree(backup, store, dirs_exist_ok=True)
        else:
            store.rename(cluster.folder / "store.was")
            shutil.copytree(backup, store)
        start_again(broker, gateway)
        anew = publisher.call("publish", channel="a", message="anew")
        assert anew["offset"] == heard["offset"] and anew["epoch"] > heard["epoch"]
        events = [stays.event(), stays.event()]
        assert [each["event"] for each in events] == ["reset", "message"], events
        assert events[1]["message"] == "anew"
        history = publisher.call("history", channel="a")
        assert [each["message"] for each in history["publications"]] == [0, 1, 2, "anew"]
        with Session(gateway) as back:
            assert back.call("subscribe", channel="a", since=heard)["recovered"] is False
    assert "not where it was written" in broker.log()
