"""The command line against real processes: what it publishes and hears, whom it reaches, and the exit codes that
scripts rely on."""

import json
import pathlib
import stat
import subprocess

import pytest

from lib.cli import DONE, REFUSED, UNREACHABLE, USAGE, peal, subscribed
from lib.processes import bin_dir, until


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
