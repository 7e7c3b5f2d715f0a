"""The command line against real processes: what it prints, and the exit codes that scripts rely on."""

import json
import os
import pathlib
import pty
import signal
import stat
import subprocess
import threading

import pytest

from lib.processes import PATIENCE_S, bin_dir, slow_factor, until

DONE, REFUSED, USAGE, UNREACHABLE = 0, 1, 2, 3


class Ran:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def json(self):
        return json.loads(self.out)

    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]


def peal(*words, stdin="", env=None):
    done = subprocess.run([bin_dir() / "peal", *map(str, words)], input=stdin, capture_output=True, text=True,
                          timeout=PATIENCE_S * slow_factor(), env={**os.environ, **(env or {})})
    return Ran(done)


class Running:
    """A verb that goes on until it is stopped; its lines as they come."""

    def __init__(self, *words, stdin=subprocess.DEVNULL):
        self.popen = subprocess.Popen([bin_dir() / "peal", *map(str, words)], stdin=stdin,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines, self.notes = [], []
        self.threads = [threading.Thread(target=self._read, args=pair) for pair in
                        ((self.popen.stdout, self.lines), (self.popen.stderr, self.notes))]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def _read(stream, into):
        for line in stream:
            into.append(line.rstrip("\n"))

    def messages(self):
        return [json.loads(line)["message"] for line in self.lines]

    def end(self, number=signal.SIGINT):
        """Its exit code; a signal is sent when it has not ended by itself."""
        if number is not None and self.popen.poll() is None:
            self.popen.send_signal(number)
        try:
            self.popen.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"it does not end: {self.notes}") from None
        finally:
            for thread in self.threads:
                thread.join()
        return self.popen.returncode


@pytest.fixture
def running():
    started = []

    def start(*words, **options):
        started.append(Running(*words, **options))
        return started[-1]

    yield start
    for one in started:
        if one.popen.poll() is None:
            one.end(signal.SIGKILL)


def subscribed(gateway, channel, count=1):
    """Waits until `count` sessions of the gateway follow the channel."""
    def there():
        ran = peal("channels", "--json", "--prefix", channel, "--control", gateway.ready["control"])
        return any(line["name"] == channel and line["subscribers"] == count for line in ran.lines())

    until(there, f"{count} subscribers of {channel}")


def test_a_message_published_by_each_way_reaches_a_subscriber_as_it_was_typed(cluster, running):
    gateway = cluster.gateway()
    control = ["--control", gateway.ready["control"]]
    listener = running("subscribe", "news", "--url", gateway.ws_url)
    subscribed(gateway, "news")
    assert peal("publish", "news", '{"a": 1,  "b":[1e400]}', *control).code == DONE
    assert peal("publish", "news", "hello world", *control).code == DONE
    assert peal("publish", "news", "-", *control, stdin="from a pipe\n").code == DONE
    assert peal("publish", "news", "-7", *control).code == DONE
    assert peal("publish", "news", "over HTTP", "--url", gateway.url).code == DONE
    assert peal("publish", "news", "ingested", "--ingest", "--control", gateway.ready["ingest"]).code == DONE
    until(lambda: len(listener.lines) == 6, "all six were heard")
    assert listener.lines[0] == '{"channel":"news","message":{"a":1,"b":[1e400]}}'
    assert listener.messages()[1:] == ["hello world", "from a pipe", -7, "over HTTP", "ingested"]
    assert listener.end() == DONE and listener.notes == []


def test_the_result_of_a_publish_is_shown_to_people_and_as_json(cluster):
    gateway = cluster.gateway()
    control = ["--control", gateway.ready["control"]]
    assert peal("publish", "a", "1", *control).out == "ok\n"
    assert peal("publish", "a", "1", "--json", *control).json() == {}


def test_lines_are_published_one_by_one_as_they_come(cluster, running):
    gateway = cluster.gateway()
    listener = running("subscribe", "load", "--url", gateway.ws_url)
    subscribed(gateway, "load")
    feed = running("publish", "--lines", "load", "--json", "--control", gateway.ready["control"],
                   stdin=subprocess.PIPE)
    for line in ["one", '{"two":2}', "three"]:
        heard = len(listener.lines)
        feed.popen.stdin.write(line + "\n")
        feed.popen.stdin.flush()
        until(lambda: len(listener.lines) == heard + 1, f"'{line}' was heard before the next was written")
    feed.popen.stdin.close()
    assert feed.end(None) == DONE
    assert listener.messages() == ["one", {"two": 2}, "three"]
    assert [json.loads(line) for line in feed.lines] == [{"line": n, "result": {}} for n in (1, 2, 3)]
    assert listener.end() == DONE


@pytest.mark.parametrize("way", ["control", "ingest", "url"])
def test_ten_thousand_lines_arrive_in_order_and_none_is_lost(cluster, running, way):
    gateway = cluster.gateway()
    count = 10_000 if way != "url" else 2_000
    listener = running("subscribe", "load", "--url", gateway.ws_url, "--count", count)
    subscribed(gateway, "load")
    flags = {"control": ["--control", gateway.ready["control"]],
             "ingest": ["--ingest", "--control", gateway.ready["ingest"]],
             "url": ["--url", gateway.url]}[way]
    ran = peal("publish", "--lines", "load", *flags, stdin="".join(f"{n}\n" for n in range(count)))
    assert (ran.code, ran.err) == (DONE, "")
    until(lambda: listener.popen.poll() is not None, "the subscriber has heard all")
    assert listener.messages() == list(range(count))
    assert listener.end(None) == DONE


def test_a_line_that_is_refused_is_named_and_the_others_go_on(cluster):
    gateway = cluster.gateway(flags=["--limits-message-bytes-max", "1KiB"])
    ran = peal("publish", "--lines", "a", "--control", gateway.ready["control"], stdin=f"1\n{'x' * 2000}\n3\n")
    assert ran.code == REFUSED
    assert "line 2: message_too_large" in ran.err and "1 of 3 messages were not published" in ran.err


@pytest.mark.parametrize("way", ["control", "url"])
@pytest.mark.parametrize("size", [600_000, 3_000_000])
def test_a_message_that_is_too_large_is_refused_and_the_lines_beside_it_are_not(cluster, way, size):
    gateway = cluster.gateway()
    flags = ["--control", gateway.ready["control"]] if way == "control" else ["--url", gateway.url]
    ran = peal("publish", "a", "-", *flags, stdin="x" * size)
    assert ran.code == REFUSED and "too_large" in ran.err
    ran = peal("publish", "--lines", "a", "--json", *flags, stdin=f"1\n{'x' * size}\n3\n")
    answers = {line["line"]: line for line in ran.lines()}
    assert ran.code == REFUSED and answers[1]["result"] == answers[3]["result"] == {}
    assert answers[2]["error"]["code"].endswith("too_large")


def test_commands_carry_their_own_channel(cluster, running):
    gateway = cluster.gateway()
    listener = running("subscribe", "a", "b", "--url", gateway.ws_url)
    subscribed(gateway, "b")
    ran = peal("publish", "--commands", "--json", "--control", gateway.ready["control"],
               stdin='{"channel":"a","message":1}\n\n{"channels":["a","b"],"message":2}\nnonsense\n')
    assert ran.code == REFUSED
    results = sorted(ran.lines(), key=lambda line: line["line"])  # they come as they are answered
    assert [line["line"] for line in results] == [1, 2, 3]
    assert results[0]["result"] == {} and results[1]["result"] == [{}, {}]
    assert results[2]["error"]["code"] == "command_invalid"
    until(lambda: len(listener.lines) == 3, "all were heard")
    assert sorted(map(str, listener.messages())) == ["1", "2", "2"]


def test_subscribe_comes_back_when_the_gateway_does(cluster, running):
    gateway = cluster.gateway()
    listen = gateway.ready["listen"]
    listener = running("subscribe", "news", "--url", gateway.ws_url)
    subscribed(gateway, "news")
    gateway.stop()
    until(lambda: any("coming back" in note for note in listener.notes), "the loss is said")
    again = cluster.gateway("gateway-2", flags=["--listen", listen])
    subscribed(again, "news")
    assert peal("publish", "news", "again", "--control", again.ready["control"]).code == DONE
    until(lambda: listener.lines, "the message after the restart")
    assert listener.messages() == ["again"]


def test_subscribe_once_ends_with_the_connection(cluster, running):
    gateway = cluster.gateway()
    listener = running("subscribe", "news", "--once", "--url", gateway.ws_url)
    subscribed(gateway, "news")
    gateway.stop()
    until(lambda: listener.popen.poll() is not None, "it has ended")
    assert listener.end(None) == UNREACHABLE
    assert "1012" in listener.notes[-1]


def test_a_reader_that_goes_away_ends_subscribe_quietly(cluster, running):
    gateway = cluster.gateway()
    peal_path, url = bin_dir() / "peal", gateway.ws_url
    shell = subprocess.Popen(["bash", "-c", f"'{peal_path}' subscribe news --url {url} | head -n 1; "
                              'echo "${PIPESTATUS[0]}"'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    subscribed(gateway, "news")

    def published():
        peal("publish", "news", "x", "--control", gateway.ready["control"])
        return shell.poll() is not None

    until(published, "the pipe has ended")
    out, err = shell.communicate()
    assert out.splitlines()[1:] == ["0"] and err == ""


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


def test_what_is_not_allowed_is_refused_with_its_code(cluster):
    gateway = cluster.gateway(config='[[channels]]\npattern = "open"\npublish = "anyone"\nsubscribe = "key:reader"\n'
                              '[[channels]]\npattern = "closed"\n[keys]\nreader = "s3cret"\n')
    ran = peal("publish", "closed", "1", "--url", gateway.url)
    assert ran.code == REFUSED and ran.err.startswith("peal: permission_denied: ")
    assert peal("publish", "open", "1", "--url", gateway.url).code == DONE
    ran = peal("subscribe", "open", "--url", gateway.ws_url)
    assert ran.code == REFUSED and "permission_denied" in ran.err
    ran = peal("subscribe", "open", "--key", "wrong", "--url", gateway.ws_url)
    assert ran.code == REFUSED and "token_invalid" in ran.err
    # The control socket is trusted: rules do not apply, limits do.
    assert peal("publish", "closed", "1", "--control", gateway.ready["control"]).code == DONE
    ran = peal("publish", "a" * 256, "1", "--control", gateway.ready["control"])
    assert ran.code == REFUSED and "channel_name_invalid" in ran.err


def test_a_key_opens_a_channel(cluster, running):
    gateway = cluster.gateway(config='[[channels]]\npattern = "*"\npublish = "key:writer"\nsubscribe = "key:reader"\n'
                              '[keys]\nreader = "s3cret"\nwriter = "w"\n')
    listener = running("subscribe", "a", "--key", "s3cret", "--url", gateway.ws_url)
    subscribed(gateway, "a")
    assert peal("publish", "a", "1", "--url", gateway.url, "--key", "w").code == DONE
    until(lambda: listener.lines, "the message")


def test_nobody_there_is_told_apart_from_a_refusal(cluster, tmp_path):
    for words in (["publish", "a", "1", "--control", tmp_path / "none"],
                  ["publish", "a", "1", "--control", "tcp://127.0.0.1:9"],
                  ["publish", "a", "1", "--url", "http://127.0.0.1:9"],
                  ["publish", "a", "1", "--bus", "tcp://127.0.0.1:9", "--timeout", "200ms"],
                  ["subscribe", "a", "--url", "ws://127.0.0.1:9/ws"],
                  ["bench", "connect", "--url", "ws://127.0.0.1:9/ws"]):
        ran = peal(*words)
        assert ran.code == UNREACHABLE and ran.out == "" and ran.err.startswith("peal: "), words
    env = {"XDG_RUNTIME_DIR": str(tmp_path)}
    assert peal("stats", env=env).code == UNREACHABLE


@pytest.mark.parametrize("words, says", [
    ([], "Usage: peal VERB"),
    (["pubish", "a"], "did you mean 'peal publish'?"),
    (["publish"], "missing CHANNEL"),
    (["publish", "a", "b", "c"], "one word too many"),
    (["publish", "a", "--lnes"], "did you mean --lines?"),
    (["publish", "a", "1", "--url", "http://x", "--ingest"], "choose one"),
    (["publish", "a", "1", "--expect", "nonsense"], "--expect takes EPOCH-OFFSET"),
    (["publish", "a", "1", "--url", "ftp://x"], "no http, https, ws or wss URL"),
    (["publish", "a", "1", "--control", "tcp://192.0.2.1:8422"], "on another machine"),
    (["subscribe", "a", "--count", "many"], "not a value for --count N"),
    (["disconnect"], "give a SESSION or --user USER"),
    (["bench", "fanot"], "did you mean fanout?"),
])
def test_a_wrong_command_line_is_explained(words, says):
    ran = peal(*words)
    assert ran.code == USAGE and says in ran.err and ran.out == ""


@pytest.mark.parametrize("verb", ["publish", "subscribe", "stats", "channels", "sessions", "count", "disconnect", "drain", "rebalance",
                                  "log-level", "monitor", "keygen", "bench"])
def test_every_verb_has_help_with_an_example(verb):
    ran = peal(verb, "--help")
    assert ran.code == DONE and ran.err == ""
    for part in (f"Usage: peal {verb}", "--json", "Examples:", f"peal {verb}"):
        assert part in ran.out
    assert verb in peal("--help").out
    assert "\x1b" not in ran.out


def test_keygen_writes_a_pair_that_only_its_owner_can_read(tmp_path):
    ran = peal("keygen", tmp_path / "broker", "--json")
    assert ran.code == DONE
    told = ran.json()
    secret, public = pathlib.Path(told["secret_file"]), pathlib.Path(told["public_file"])
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert public.read_text().strip() == told["public_key"] and len(told["public_key"]) == 40
    assert len(secret.read_text().strip()) == 40 and secret.read_text() not in ran.out + ran.err
    before = secret.read_text()
    assert peal("keygen", tmp_path / "broker").code == REFUSED
    assert secret.read_text() == before


def test_control_over_tcp_takes_the_key_that_is_allowed_and_no_other(cluster, tmp_path):
    keys = {}
    for name in ("server", "friend", "stranger"):
        keys[name] = peal("keygen", tmp_path / name, "--json").json()["public_key"]
    gateway = cluster.gateway(flags=["--control", "tcp://127.0.0.1:0"],
                              config=f'[[channels]]\npattern = "*"\n[curve]\n'
                              f'secret_key = "{(tmp_path / "server.key").read_text().strip()}"\n'
                              f'allowed_keys = ["{keys["friend"]}"]\n')
    control = ["--control", gateway.ready["control"], "--timeout", "2s"]
    right = ["--curve-key", tmp_path / "friend.key", "--server-key", keys["server"]]
    assert peal("stats", "--json", *control, *right).json()["node"] == "gateway-1"
    right[3] = tmp_path / "server.pub"
    assert peal("publish", "a", "1", *control, *right).code == DONE
    wrong = ["--curve-key", tmp_path / "stranger.key", "--server-key", keys["server"]]
    ran = peal("stats", *control, *wrong)
    assert ran.code == UNREACHABLE and "CURVE" in ran.err
    assert peal("stats", *control).code == UNREACHABLE
    assert peal("stats", *control, "--curve-key", tmp_path / "friend.key").code == USAGE


def test_the_bus_is_spoken_too(cluster, running):
    broker = cluster.broker()
    gateway = cluster.gateway(flags=["--bus-driver", "zmq", "--bus-connect", broker.ready["listen"]])
    bus = ["--bus", broker.ready["listen"]]
    on_gateway = running("subscribe", "news", "--url", gateway.ws_url)
    on_bus = running("subscribe", "news", *bus)
    until(lambda: any(line["name"] == "news" and line["subscribers"] == 2 for line in
                      peal("channels", "--json", "--control", broker.ready["control"]).lines()), "both listen")
    assert peal("publish", "news", "over the bus", *bus).out == "ok\n"
    assert peal("publish", "news", '{"from": "gateway"}', "--control", gateway.ready["control"]).code == DONE
    assert peal("publish", "news", "from broker", "--control", broker.ready["control"]).code == DONE
    ran = peal("publish", "--lines", "news", *bus, stdin="".join(f"{n}\n" for n in range(1000)))
    assert (ran.code, ran.err) == (DONE, "")
    wanted = ["over the bus", {"from": "gateway"}, "from broker", *range(1000)]
    for listener in (on_gateway, on_bus):
        until(lambda: len(listener.lines) == len(wanted), "all were heard")
        assert listener.messages() == wanted
        assert listener.end() == DONE


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


def test_a_broker_that_is_away_refuses_a_publish_through_a_gateway(cluster):
    broker = cluster.broker()
    gateway = cluster.gateway(flags=["--bus-driver", "zmq", "--bus-connect", broker.ready["listen"]])
    broker.kill()
    until(lambda: gateway.get("/readyz")[0] == 503, "the gateway has noticed")
    ran = peal("publish", "a", "1", "--control", gateway.ready["control"])
    assert ran.code == REFUSED and ran.err.startswith("peal: broker_unavailable: ")


def test_lines_wait_for_a_process_that_restarts(cluster, running):
    gateway = cluster.gateway()
    control, ingest = gateway.ready["control"], gateway.ready["ingest"]
    feed = running("publish", "--lines", "load", "--json", "--control", control, stdin=subprocess.PIPE)
    feed.popen.stdin.write("1\n")
    feed.popen.stdin.flush()
    until(lambda: feed.lines, "the first is answered")
    gateway.stop()
    until(lambda: any("trying again" in note for note in feed.notes), "the loss is said")
    again = cluster.gateway("gateway-2", flags=["--control", control, "--ingest", ingest])
    listener = running("subscribe", "load", "--url", again.ws_url)
    subscribed(again, "load")
    until(lambda: any("is back" in note for note in feed.notes), "the link is back")
    feed.popen.stdin.write("2\n")
    feed.popen.stdin.close()
    assert feed.end(None) == DONE
    until(lambda: listener.lines, "what came after the restart")
    assert listener.messages() == [2]


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


def test_tls_is_checked_against_the_given_authority(cluster, running, tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    gateway = cluster.gateway(flags=["--tls-certificate", certificate, "--tls-key", key])
    https, wss = f"https://{gateway.ready['listen']}", f"wss://{gateway.ready['listen']}/ws"
    listener = running("subscribe", "a", "--url", wss, "--ca", certificate)
    subscribed(gateway, "a")
    assert peal("publish", "a", "1", "--url", https, "--ca", certificate).code == DONE
    ran = peal("publish", "--lines", "a", "--url", https, "--ca", certificate, stdin="2\n3\n")
    assert (ran.code, ran.err) == (DONE, "")
    until(lambda: len(listener.lines) == 3, "all three")
    assert listener.messages() == [1, 2, 3]
    for words in (["publish", "a", "1", "--url", https], ["subscribe", "a", "--url", wss]):
        ran = peal(*words)
        assert ran.code == UNREACHABLE and "certificate" in ran.err
    assert peal("publish", "a", "1", "--url", https, "--ca", tmp_path / "none.pem").code == UNREACHABLE
    bench = peal("bench", "fanout", "--url", wss, "--subscribers", 20, "--rate", 200, "--duration", "500ms",
                 "--warmup", "0s", "--json").json()
    assert bench["lost"] == bench["reordered"] == 0 and bench["deliveries"] == 20 * bench["published"]


def test_values_are_put_got_and_deleted_on_a_condition(cluster):
    gateway = cluster.gateway(config='[[channels]]\npattern = "*"\nsubscribe = "anyone"\npublish = "anyone"\n'
                                     'recoverable = true\n')
    at = ["--url", gateway.url]
    missing = peal("get", "theme", *at)
    assert missing.code == REFUSED and "not_found" in missing.err
    created = peal("put", "theme", '{"a":  1}', *at)
    assert created.code == DONE and created.out.startswith("created ")
    first = created.out.split()[1]
    assert peal("get", "theme", *at).out == '{"a":  1}'
    assert peal("get", "theme", "--json", *at).json() == {
        "position": first, "type": "application/json", "value": {"a": 1}}
    assert peal("get", "theme", "--if-none-match", first, *at).out == ""
    assert peal("put", "theme", "dark", "--if-none-match", *at).code == REFUSED
    changed = peal("put", "theme", "dark", "--if-match", first, "--json", *at)
    assert changed.code == DONE and changed.json()["offset"] == 2
    late = peal("put", "theme", "light", "--if-match", first, *at)
    assert late.code == REFUSED and "expectation_failed" in late.err and first[:8] + "-2" in late.err
    assert peal("put", "theme", "-", "--type", "text/plain", *at, stdin="two\nlines\n").code == DONE
    assert peal("get", "theme", *at).out == "two\nlines\n"
    assert peal("delete", "theme", "--if-match", first, *at).code == REFUSED
    assert peal("delete", "theme", *at).out.startswith("deleted ")
    assert "gone" in peal("get", "theme", *at).err
    assert peal("get", "theme", "--url", "http://127.0.0.1:1").code == UNREACHABLE
    assert peal("put", "theme", "1", "--if-match", "nonsense", *at).code == USAGE
