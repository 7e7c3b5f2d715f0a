"""Streams over HTTP against real processes: proxies, slow readers, many that come and go, a broker that is lost."""

import json
import os
import pathlib
import resource
import socket

import pytest

from lib.client import request
from lib.haproxy import Haproxy
from lib.nginx import Nginx
from lib.processes import PATIENCE_S, until
from lib.sse import EventStream

LOGGED = """
[[channels]]
pattern = "log:*"
subscribe = "anyone"
publish = "anyone"
recoverable = true

[[channels]]
pattern = "*"
subscribe = "anyone"
publish = "anyone"
"""


def broker_with_log(cluster, name: str = "broker-1", **options):
    path = cluster.folder / "broker.toml"
    path.write_text('[[channels]]\npattern = "log:*"\nrecoverable = true\n')
    return cluster.broker(name, flags=["--config", str(path)], **options)


def publish(gateway, channel: str, message) -> dict:
    status, _, body = request(gateway, "POST", f"/channels/{channel}", json.dumps(message))
    assert status == 200, body
    return json.loads(body)


def poll(gateway, wait: int, body: dict) -> dict:
    status, _, text = request(gateway, "POST", f"/stream?wait={wait}", json.dumps(body))
    assert status == 200, text
    return json.loads(text)


def numbers(events: list[dict]) -> list[int]:
    return [event["message"] for event in events if event["event"] == "message"]


@pytest.mark.sanitized
def test_a_stream_and_a_poll_hear_what_a_channel_says(cluster):
    gateway = cluster.gateway(config=LOGGED)
    channels = [{"channel": "log:a"}, {"channel": "chat"}]
    first = poll(gateway, 30, {"channels": channels})
    assert {event["channel"]: "epoch" in event for event in first["events"]} == {"log:a": True, "chat": False}
    with EventStream(gateway.address, body={"channels": channels}) as stream:
        assert {event["event"] for event in stream.expect(2)} == {"subscribed"}
        for number in range(3):
            publish(gateway, "log:a", number)
        publish(gateway, "chat", "hello")
        heard = stream.expect(4)
        assert numbers(heard) == [0, 1, 2, "hello"]
        assert stream.last_id.startswith("1.") and stream.last_id.endswith("-3.-")
    second = poll(gateway, 30, {"channels": channels, "cursor": first["cursor"]})
    assert numbers(second["events"]) == [0, 1, 2]
    assert poll(gateway, 0, {"channels": channels, "cursor": second["cursor"]}) == {
        "events": [], "cursor": second["cursor"]}
    until(lambda: gateway.metric("peal_sessions") == 0, "the stream is gone")
    until(lambda: gateway.metric("peal_channels") == 0, "nothing is watched any more")


def test_one_channel_begins_with_its_value_and_goes_on_from_the_last_event(cluster):
    gateway = cluster.gateway(config=LOGGED)
    for number in range(3):
        publish(gateway, "log:a", number)
    with EventStream(gateway.address, "/channels/log%3Aa") as stream:
        event = stream.next()
        assert (event["event"], event["recovered"], event["offset"]) == ("subscribed", True, 3)
        assert event["publications"] == [{"offset": 3, "message": 2}]
        publish(gateway, "log:a", 3)
        assert stream.next()["message"] == 3
    assert stream.last_id.endswith("-4")
    publish(gateway, "log:a", 4)
    with EventStream(gateway.address, "/channels/log%3Aa", headers={"Last-Event-ID": stream.last_id}) as again:
        event = again.next()
        assert [one["message"] for one in event["publications"]] == [4] and event["recovered"] is True
    with EventStream(gateway.address, "/channels/log%3Aa?since=start") as stream:
        assert [one["message"] for one in stream.next()["publications"]] == [0, 1, 2, 3, 4]
    with EventStream(gateway.address, "/channels/log%3Anew") as stream:
        assert stream.next() == {"event": "subscribed", "channel": "log:new", "epoch": stream.last_id[:8], "offset": 0,
                                 "recovered": True, "publications": []}
    with EventStream(gateway.address, "/channels/chat") as stream:
        assert stream.next() == {"event": "subscribed", "channel": "chat"} and stream.last_id == ""


def test_a_stream_and_a_poll_begin_where_they_are_asked_to(cluster):
    gateway = cluster.gateway(config=LOGGED)
    for number in range(3):
        publish(gateway, "log:a", number)
    channels = [{"channel": "log:a", "since": "start"}, {"channel": "chat"}]
    first = poll(gateway, 30, {"channels": channels})
    told = {event["channel"]: event for event in first["events"]}
    assert [one["message"] for one in told["log:a"]["publications"]] == [0, 1, 2]
    with EventStream(gateway.address, body={"channels": channels}) as stream:
        told = {event["channel"]: event for event in stream.expect(2)}
        assert [one["message"] for one in told["log:a"]["publications"]] == [0, 1, 2]
    assert poll(gateway, 0, {"channels": channels, "cursor": first["cursor"]})["events"] == []
    publish(gateway, "log:a", 3)
    assert numbers(poll(gateway, 30, {"channels": channels, "cursor": first["cursor"]})["events"]) == [3]


@pytest.mark.parametrize("framing", ["eventsource", "post"])
def test_a_reader_that_comes_back_to_another_gateway_misses_and_doubles_nothing(cluster, framing):
    broker = broker_with_log(cluster)
    flags = ["--bus-driver", "zmq", "--bus-connect", broker.ready["listen"]]
    gateways = [cluster.gateway(f"gateway-{i}", config=LOGGED, flags=flags) for i in (1, 2)]
    names = [f"log:{i}" for i in range(5)]
    heard: dict[str, list[int]] = {name: [] for name in names}
    positions: dict[str, dict] = {}
    target = "/stream?" + "&".join(f"channel={name}" for name in names)
    published, last_id = 0, ""
    for turn in range(8):
        if framing == "eventsource":
            stream = EventStream(gateways[turn % 2].address, target, headers={"Last-Event-ID": last_id} if last_id else {})
        else:
            stream = EventStream(gateways[turn % 2].address, body={"ids": False, "channels": [
                {"channel": name, **({"since": positions[name]} if name in positions else {})} for name in names]})
        subscribed = 0
        wanted = published + 10
        while subscribed < len(names) or sum(map(len, heard.values())) < wanted:
            event = stream.next()
            if event["event"] == "subscribed":
                subscribed += 1
                assert event.get("recovered", turn > 0) is (turn > 0)
                positions.setdefault(event["channel"], {"epoch": event["epoch"], "offset": event["offset"]})
            for message in [event] if event["event"] == "message" else event.get("publications", []):
                heard[event["channel"]].append(message["message"])
                positions[event["channel"]]["offset"] = message["offset"]
            if subscribed == len(names) and published < wanted:
                for _ in range(10):
                    publish(gateways[published % 2], names[published % 5], published // 5)
                    published += 1
        last_id = stream.last_id
        stream.close()
        for _ in range(10):  # while it is away
            publish(gateways[0], names[published % 5], published // 5)
            published += 1
    assert all(list(range(len(seen))) == seen for seen in heard.values()), heard


def test_a_stream_and_a_poll_pass_a_proxy_that_ends_what_is_silent(cluster):
    gateways = [cluster.gateway("gateway-1", config=LOGGED, flags=["--limits-ping-interval", "500ms"])]
    with Haproxy(cluster.folder, gateways) as proxy, EventStream(proxy.address, "/stream?channel=log:a") as stream:
        assert stream.status == 200 and stream.next()["event"] == "subscribed"
        # Longer than the proxy's patience: comments keep it alive.
        answer = poll_through(proxy.address, {"channels": [{"channel": "chat"}], "cursor": "-"}, wait=1)
        assert answer == {"events": [], "cursor": "-"}
        until(lambda: comments(stream) >= 8, "eight comments have come")
        publish(gateways[0], "log:a", 1)
        assert stream.next()["message"] == 1
        stream.close()
        until(lambda: gateways[0].metric("peal_sessions") == 0, "the gateway is told that the reader left")


def poll_through(address: tuple[str, int], body: dict, wait: int) -> dict:
    text = json.dumps(body)
    with socket.create_connection(address, timeout=PATIENCE_S) as client:
        client.sendall(f"POST /stream?wait={wait} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                       f"Content-Length: {len(text)}\r\n\r\n{text}".encode())
        answer = b""
        while part := client.recv(65536):
            answer += part
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert b" 200 " in head, head
    return json.loads(rest)


def comments(stream: EventStream) -> int:
    """Takes one more piece off the wire; what is there so far are comments."""
    stream._more()
    stream._unwrap()
    return stream.text.count(b":\n\n")


def test_nginx_passes_each_event_on_at_once_though_it_would_buffer(cluster):
    gateway = cluster.gateway(config=LOGGED)
    server = f"location / {{ proxy_pass http://{gateway.ready['listen']}; proxy_http_version 1.1; " \
             "proxy_set_header Host localhost; }"
    with Nginx(cluster.folder, "", server) as proxy:
        with EventStream(("127.0.0.1", proxy.port), "/stream?channel=log:a") as stream:
            assert stream.next()["event"] == "subscribed"
            for number in range(3):
                publish(gateway, "log:a", number)
                assert stream.next()["message"] == number
        until(lambda: gateway.metric("peal_sessions") == 0, "the gateway is told that the reader left")


def test_who_reads_too_slowly_is_ended_and_nobody_else(cluster):
    gateway = cluster.gateway(config=LOGGED, flags=["--limits-queue-bytes-max", "65536"])
    target = "/stream?channel=log:a&channel=log:b"
    with EventStream(gateway.address, target, receive_buffer=4096) as slow, \
            EventStream(gateway.address, target) as good:
        good.expect(2)
        slow.expect(2)
        for number in range(200):  # the good one reads each before the next, however busy the machine is
            publish(gateway, "log:a", [number, "x" * 8192])
            assert good.next()["message"][0] == number
        assert gateway.metric("peal_slow_consumers_total") == 1
        seen = []
        while (event := slow.next()) is not None:
            seen.append(event)
        assert [message[0] for message in numbers(seen)] == list(range(len(seen))), "whole events, in order, then the end"
        # Its last id is that of the last event which it got, so it can go on from there.
        assert slow.last_id.split(".")[1].endswith(f"-{len(seen)}")


def test_a_stream_survives_the_loss_of_the_broker_and_is_told_that_its_memory_is_gone(cluster):
    broker = broker_with_log(cluster)
    bus = broker.ready["listen"]
    gateway = cluster.gateway(config=LOGGED, flags=["--bus-driver", "zmq", "--bus-connect", bus])
    with EventStream(gateway.address, "/stream?channel=log:a&channel=log:b") as stream:
        stream.expect(2)
        publish(gateway, "log:a", 1)
        assert stream.next()["message"] == 1
        broker.kill()
        until(lambda: gateway.get("/readyz")[0] == 503, "the gateway has noticed")
        status, _, body = request(gateway, "POST", "/stream?wait=30", json.dumps({"channels": [{"channel": "log:a"}]}))
        assert (status, json.loads(body)["temporary"]) == (503, True)
        with EventStream(gateway.address, "/stream?channel=log:a") as other:
            assert other.next()["code"] == "broker_unavailable"
            assert other.next()["reconnect"] is True and other.next() is None
        broker_with_log(cluster, "broker-2", listen=bus)
        events = stream.expect(2)
        assert {(event["event"], event["channel"]) for event in events} == {("reset", "log:a"), ("reset", "log:b")}
        publish(gateway, "log:a", 2)
        event = stream.next()
        assert (event["message"], event["offset"]) == (2, 1)


@pytest.mark.parametrize("query, most", [("channel=a", 1024), ("channel=a&channel=b&channel=c", 1024),
                                         ("channel=a&wait=60&cursor=-", 1024 + 256)],
                         ids=["stream", "stream of three", "poll"])
def test_who_only_waits_costs_a_kilobyte(cluster, query, most):
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    gateway = cluster.gateway(flags=["--shards", "1"])
    clients, before = [], 0
    for i in range(4000):
        if i == 1000:  # pools and tables have their first size
            until(lambda: gateway.metric("peal_http_requests_total") == 1000, "the first have asked")
            before = gateway.rss()
        clients.append(socket.create_connection(gateway.address))
        clients[-1].sendall(f"GET /stream?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    until(lambda: gateway.metric("peal_http_requests_total") == 4000, "all have asked")
    each = (gateway.rss() - before) / 3000
    print(f"{each:.0f} bytes")
    assert each < most
    for client in clients:
        client.close()


def test_waiting_costs_no_cpu(cluster):
    gateway = cluster.gateway(flags=["--shards", "1"])
    text = "GET /stream?channel=a&wait=60&cursor=- HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    clients = [socket.create_connection(gateway.address) for _ in range(500)]
    for client in clients:
        client.sendall(text)
    until(lambda: gateway.metric("peal_http_requests_total") == 500, "all wait")
    before = cpu_seconds(gateway)
    assert poll(gateway, 1, {"channels": [{"channel": "a"}], "cursor": "-"})["events"] == []  # a second passes
    assert cpu_seconds(gateway) - before < 0.3  # of the second; what a poll costs on a slow machine, but not 500
    publish(gateway, "a", "wake up")
    assert all(b"wake up" in client.recv(65536) for client in clients)
    for client in clients:
        client.close()


def cpu_seconds(process) -> float:
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_ten_thousand_that_come_and_go_leave_nothing(cluster):
    gateway = cluster.gateway(config=LOGGED)
    text = json.dumps({"channels": [{"channel": "log:a"}, {"channel": "chat"}]})
    requests = [f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()
                for target in ("/stream", "/stream?wait=30")]
    for turn in range(100):
        clients = [socket.create_connection(gateway.address) for _ in range(100)]
        for i, client in enumerate(clients):
            client.sendall(requests[(turn + i) % 2])
        if turn % 3:
            for client in clients[::7]:
                client.recv(100)
        for client in clients:
            client.close()
    for name in ("peal_sessions", "peal_subscriptions", "peal_channels", "peal_connections"):
        until(lambda name=name: gateway.metric(name) == 0, f"no {name} is left")
