"""The command line that looks at processes and measures them, and what it puts on a terminal."""

import json
import os
import pty
import signal
import subprocess
import threading

from lib.cli import DONE, REFUSED, UNREACHABLE, USAGE, peal, subscribed
from lib.processes import PATIENCE_S, bin_dir, until


def test_stats_channels_and_sessions_show_what_is_there(cluster, running):
    gateway = cluster.gateway()
    control = ["--control", gateway.ready["control"]]
    listeners = [running("subscribe", "a", f"b{n}", "--url", gateway.ws_url) for n in range(3)]
    for n in range(3):
        subscribed(gateway, f"b{n}")
    subscribed(gateway, "a", 3)
    stats = peal("stats", "--json", *control).json()
    assert stats["node"] == "gateway-1" and stats["kind"] == "gateway" and stats["ready"] is True
    assert stats["embedded"] is True and "other gateways" in stats["note"]
    assert sum(v for k, v in stats["metrics"].items() if k.split("{")[0] == "peal_sessions") == 3
    assert "gateway-1" in peal("stats", *control).out
    names = [line["name"] for line in peal("channels", "--json", *control).lines()]
    assert names == ["a", "b0", "b1", "b2"]
    assert [line["name"] for line in peal("channels", "--json", "--after", "a", "--limit", "2", *control).lines()] == ["b0", "b1"]
    table = peal("channels", *control).out.splitlines()
    assert table[0].split() == ["CHANNEL", "SUBSCRIBERS", "POSITION"] and table[1].split() == ["a", "3"]
    sessions = peal("sessions", "--json", *control).lines()
    assert len(sessions) == 3 and all(line["channels"] == 2 for line in sessions)
    assert len(peal("sessions", *control).out.splitlines()) == 4

    ran = peal("disconnect", sessions[0]["session"], *control)
    assert (ran.code, ran.out, ran.err) == (DONE, "disconnected 1 session\n", "1 of 1 gateway answered\n")
    until(lambda: any(note for listener in listeners for note in listener.notes), "one was told")
    until(lambda: peal("sessions", "--json", *control).out.count("\n") == 3, "and has come back")
    ran = peal("disconnect", "no-such-session", *control)
    assert ran.code == REFUSED and "session_not_found" in ran.err


def test_stats_watch_goes_on_until_it_is_stopped(cluster, running):
    gateway = cluster.gateway()
    watch = running("stats", "--watch", "--json", "--interval", "50ms", "--control", gateway.ready["control"])
    until(lambda: len(watch.lines) >= 3, "three looks")
    assert watch.end() == DONE
    assert all(json.loads(line)["node"] == "gateway-1" for line in watch.lines)


def test_log_level_and_drain_change_a_process(cluster):
    gateway = cluster.gateway()
    control = ["--control", gateway.ready["control"]]
    assert peal("log-level", *control).out == "info\n"
    assert peal("log-level", "debug", *control).out == "debug\n"
    assert peal("log-level", *control).out == "debug\n"
    assert peal("log-level", "loud", *control).code == REFUSED
    assert peal("rebalance", *control).out == "closing 0 sessions\n"
    assert peal("drain", *control).out == "draining\n"
    until(lambda: gateway.popen.poll() is not None, "the gateway has ended")
    assert gateway.popen.returncode == 0


def test_the_only_process_is_found_and_of_several_one_is_chosen_by_name(cluster, tmp_path):
    gateway = cluster.gateway()
    folder = cluster.folder / "peal"
    folder.mkdir(mode=0o700, exist_ok=True)
    env = {"XDG_RUNTIME_DIR": str(cluster.folder)}
    os.symlink(gateway.ready["control"].removeprefix("ipc://"), folder / "one.control")
    (folder / "left-behind.control").write_text("")  # of a process that was killed
    assert peal("stats", "--json", env=env).json()["node"] == "gateway-1"
    assert peal("publish", "a", "1", env=env).code == DONE
    second = cluster.gateway("gateway-2")
    os.symlink(second.ready["control"].removeprefix("ipc://"), folder / "two.control")
    ran = peal("stats", env=env)
    assert ran.code == USAGE and "--node one" in ran.err and "--node two" in ran.err
    assert peal("stats", "--json", "--node", "two", env=env).json()["node"] == "gateway-2"
    ran = peal("stats", "--node", "three", env=env)
    assert ran.code == UNREACHABLE and "three" in ran.err


def test_brokers_and_who_serves_what(cluster, running):
    (a, b), bus = cluster.brokers(["a", "b"], flags=["--limits-broker-settle", "500ms"])
    members = [f"{broker.name}={broker.ready['listen']}" for broker in (a, b)]
    shown = peal("cluster", "--control", a.ready["control"])
    assert shown.code == DONE and "broker a, logs in memory\n" in shown.out, shown
    until(lambda: [member["state"] for member in peal("cluster", "--json", "--control",
                                                      a.ready["control"]).lines()[0]["members"]] == ["serves"] * 2,
          "each sees the other")
    where = peal("cluster", "where", "news", "--json", "--control", a.ready["control"]).lines()[0]
    assert sorted(rank["broker"] for rank in where["ranks"]) == ["a", "b"]
    assert where["server"] == where["ranks"][0]["broker"]
    other = a if where["server"] == "b" else b
    asked = peal("presence", "news", "--control", other.ready["control"])
    assert (asked.code, "not_owner" in asked.err) == (REFUSED, True), asked
    assert "<- asked for it now" in peal("cluster", "where", "news", "--control", b.ready["control"]).out
    listener = running("subscribe", "news", "--bus", ",".join(members))
    until(lambda: sum(line["subscribers"] for broker in (a, b) for line in
                      peal("channels", "--json", "--control", broker.ready["control"]).lines()) == 1, "it listens")
    for broker in (a, b):  # whichever is told
        assert peal("publish", "news", broker.name, "--control", broker.ready["control"]).out == "ok\n"
    assert peal("publish", "news", "bus", "--bus", ",".join(members)).code == DONE
    until(lambda: listener.messages() == ["a", "b", "bus"], "all were heard")
    alone = peal("publish", "news", "1", "--bus", members[0].partition("=")[2], "--timeout", "1s")
    assert "knows the brokers a, b" in alone.err, alone
    assert peal("cluster", "when", "--control", a.ready["control"]).code == USAGE
    gateway = cluster.gateway(flags=bus)
    asked = peal("cluster", "--control", gateway.ready["control"])
    assert (asked.code, "a peal-broker" in asked.err) == (REFUSED, True), asked
    kinds = {link["kind"] for link in peal("cluster", "--json", "--control", a.ready["control"]).lines()[0]["links"]}
    assert kinds >= {"broker", "gateway"}, kinds


def test_benchmarks_measure_and_count(cluster):
    gateway = cluster.gateway()
    url, pid = ["--url", gateway.ws_url], ["--pid", gateway.pid]
    fanout = peal("bench", "fanout", *url, *pid, "--subscribers", 20, "--rate", 200, "--duration", "1s",
                  "--warmup", "100ms", "--publishers", 3, "--json").json()
    assert fanout["lost"] == fanout["reordered"] == fanout["refused"] == 0
    assert fanout["deliveries"] == 20 * fanout["published"] and fanout["published"] >= 200
    assert 0 < fanout["latency_us"]["p50"] <= fanout["latency_us"]["p99.9"] <= fanout["latency_us"]["max"]
    assert 0 < fanout["idle_share"] <= 1 and fanout["server_cpu_us_per_delivery"] >= 0
    channels = peal("bench", "channels", *url, "--subscribers", 50, "--rate", 0, "--duration", "500ms", "--warmup",
                    "100ms", "--publishers", 2, "--json").json()
    assert channels["channels"] == 50 and channels["lost"] == channels["reordered"] == 0
    assert channels["deliveries"] == channels["published"] > 100
    connect = peal("bench", "connect", *url, "--subscribers", 300, "--json").json()
    assert connect["connections"] == 300 and connect["failed"] == 0 and connect["connects_per_second"] > 0
    idle = peal("bench", "idle", *url, *pid, "--subscribers", 200, "--duration", "100ms", "--json").json()
    assert idle["heard"] == 200 and idle["closed"] == 0
    people = peal("bench", "fanout", *url, "--subscribers", 5, "--rate", 100, "--duration", "300ms", "--warmup", "0s")
    assert people.code == DONE and "p99.9" in people.out and "lost" in people.out


def test_a_bench_that_is_refused_says_so(cluster):
    gateway = cluster.gateway(allow="other:*")
    ran = peal("bench", "fanout", "--url", gateway.ws_url, "--subscribers", 3)
    assert ran.code != DONE and "permission_denied" in ran.err


def on_terminal(words, env, until_seen):
    """Runs a verb on a terminal of its own until its output has what is awaited; then Ctrl-C. Output and exit code."""
    main, other = pty.openpty()
    child = subprocess.Popen([bin_dir() / "peal", *map(str, words)], stdin=other, stdout=other, stderr=other,
                             env={**os.environ, "TERM": "xterm", **env}, start_new_session=True)
    os.close(other)
    seen = bytearray()

    def reading():
        while True:
            try:
                seen.extend(os.read(main, 65536))
            except OSError:
                return

    reader = threading.Thread(target=reading)
    reader.start()
    try:
        until(lambda: until_seen(seen.decode(errors="replace")) or child.poll() is not None, "the output")
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
        code = child.wait(PATIENCE_S)
        reader.join()
        os.close(main)
    return seen.decode(errors="replace"), code


def test_a_terminal_gets_colours_and_a_redrawn_picture_unless_it_wants_none(cluster):
    gateway = cluster.gateway()
    words = ["stats", "--watch", "--interval", "50ms", "--control", gateway.ready["control"]]
    out, code = on_terminal(words, {"NO_COLOR": ""}, lambda text: text.count("\x1b[H") >= 3)
    assert code == DONE and "\x1b[1mgateway-1\x1b[0m" in out and "PER SECOND" in out
    out, code = on_terminal(words, {"NO_COLOR": "1"}, lambda text: text.count("\x1b[H") >= 3)
    assert code == DONE and "\x1b[1m" not in out and "gateway-1" in out


def test_what_was_published_cannot_drive_the_terminal_of_who_reads_it(cluster):
    gateway = cluster.gateway()

    def heard(text):
        peal("publish", "a", json.dumps("\u009b2Jgone", ensure_ascii=False), "--control", gateway.ready["control"])
        return "gone" in text

    out, code = on_terminal(["subscribe", "a", "--url", gateway.ws_url], {}, heard)
    assert code == DONE and "?2Jgone" in out and "\u009b" not in out
