"""The command line and the log: history, dump and load, against a gateway and a broker."""

import json

import pytest

from lib.cli import DONE, REFUSED, UNREACHABLE, USAGE, peal
from lib.client import Control
from lib.processes import until

RULES = """
[[channels]]
pattern = "log:short"
subscribe = "anyone"
publish = "anyone"
recoverable = true
history_length_max = 3
[[channels]]
pattern = "log:*"
subscribe = "anyone"
publish = "anyone"
recoverable = true
history_age_max = "0s"
"""
KEPT = '[[channels]]\npattern = "*"\nrecoverable = true\nhistory_age_max = "0s"\n'


@pytest.fixture(params=["gateway", "broker"])
def control(request, cluster):
    """How a process with a log of its own is reached."""
    if request.param == "gateway":
        return ["--control", cluster.gateway(config=RULES).ready["control"]]
    path = cluster.folder / "broker.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(KEPT)
    return ["--control", cluster.broker(flags=["--config", str(path)]).ready["control"]]


def publish(control, channel, *messages):
    for message in messages:
        assert peal("publish", channel, message, *control).code == DONE


def test_history_prints_what_is_kept_from_either_end(control):
    publish(control, "log:a", *map(str, range(1, 8)))
    everything = peal("history", "log:a", *control).lines()
    assert [line["message"] for line in everything] == list(range(1, 8))
    assert everything[0] == {"channel": "log:a", "offset": 1, "message": 1}
    last = peal("history", "log:a", "--reverse", "--limit", "2", *control).lines()
    assert [line["offset"] for line in last] == [7, 6]
    epoch = peal("publish", "log:a", "8", "--json", *control).json()["epoch"]
    since = peal("history", "log:a", "--since", f"{epoch}-6", *control).lines()
    assert [line["message"] for line in since] == [7, 8]
    before = peal("history", "log:a", "--since", f"{epoch}-3", "--reverse", *control).lines()
    assert [line["message"] for line in before] == [2, 1]


def test_what_history_cannot_do_is_said(control):
    publish(control, "log:a", "1")
    assert peal("history", "log:a", "--since", "elsewhere", *control).code == USAGE
    assert peal("history", "log:a", "--reverse", "--follow", *control).code == USAGE
    lost = peal("history", "log:a", "--since", "Elsewher-1", *control)
    assert lost.code == REFUSED and "position_lost" in lost.err
    future = peal("history", "log:a", "--since", f"{'z' * 8}-9007199254740991", *control)
    assert future.code == REFUSED and "position_lost" in future.err
    assert peal("history", "log:a", "--control", "ipc:///nowhere", "--timeout", "1s").code == UNREACHABLE


def test_following_goes_from_the_past_to_live_without_gap_or_duplicate(control, running):  # noqa: F811
    publish(control, "log:f", *map(str, range(50)))
    follower = running("history", "log:f", "--follow", *control)
    for number in range(50, 80):
        publish(control, "log:f", str(number))
    until(lambda: len(follower.lines) >= 80, "all were printed")
    assert follower.messages() == list(range(80))
    assert follower.end() == DONE


def test_history_over_http_is_the_same(cluster, running):  # noqa: F811
    gateway = cluster.gateway(config=RULES)
    control = ["--control", gateway.ready["control"]]
    publish(control, "log:h", *map(str, range(5)))
    assert [line["message"] for line in peal("history", "log:h", "--url", gateway.url).lines()] == list(range(5))
    newest = peal("history", "log:h", "--url", gateway.url, "--reverse", "--limit", "2").lines()
    assert [line["message"] for line in newest] == [4, 3]
    refused = peal("history", "other", "--url", gateway.url)
    assert refused.code == REFUSED and "permission_denied" in refused.err
    follower = running("history", "log:h", "--follow", "--url", gateway.url)
    publish(control, "log:h", "5")
    until(lambda: len(follower.lines) == 6, "the last one was printed")
    assert follower.messages() == list(range(6))
    assert follower.end() == DONE


def test_a_dump_loaded_elsewhere_is_the_same_log(cluster, control, tmp_path):
    other = ["--control", cluster.gateway("other", config=RULES).ready["control"]]
    publish(control, "log:d", '{"a": 1,  "b":[1e400]}', "text", '"\\u00e9"')
    peal("publish", "log:d", "4", "--message-key", "k", "--source", "s", "--sequence", "1-7", *control)
    peal("publish", "log:d", "--delete", "--message-key", "k", *control)
    dump = peal("dump", "log:d", *control)
    assert dump.code == DONE
    head, *records, end = dump.lines()
    assert head["peal_dump"] == 1 and head["channel"] == "log:d" and head["top"] == 5 and head["floor"] == 0
    assert [record["offset"] for record in records] == [1, 2, 3, 4, 5]
    assert '"message":{"a": 1,  "b":[1e400]}}' in dump.out.splitlines()[1]
    assert end == {"end": {"epoch": head["epoch"], "top": 5, "publications": 5}}

    assert peal("load", *other, "--json", stdin=dump.out).json()["loaded"] == 5
    assert peal("dump", "log:d", *other).out == dump.out
    # The next one follows, and the producer is known.
    again = peal("publish", "log:d", "4", "--source", "s", "--sequence", "1-7", "--json", *other).json()
    assert again["duplicate"] and again["offset"] == 4
    assert peal("publish", "log:d", "6", "--json", *other).json() == {"epoch": head["epoch"], "offset": 6}
    assert peal("load", "log:copy", *other, stdin=dump.out).code == DONE
    assert peal("history", "log:copy", *other).lines()[3]["key"] == "k"


def test_a_load_goes_on_where_it_stopped_and_never_into_another_log(control):
    publish(control, "log:a", *map(str, range(6)))
    lines = peal("dump", "log:a", *control).out.splitlines(keepends=True)
    cut = peal("load", "log:b", *control, stdin="".join(lines[:4]))
    assert cut.code == REFUSED and "cut off" in cut.err
    again = peal("load", "log:b", "--json", *control, stdin="".join(lines))
    assert again.code == DONE and again.json()["loaded"] == 3 and again.json()["offset"] == 6
    assert peal("load", "log:b", "--json", *control, stdin="".join(lines)).json()["loaded"] == 0
    publish(control, "log:c", "mine")
    refused = peal("load", "log:c", *control, stdin="".join(lines))
    assert refused.code == REFUSED and "expectation_failed" in refused.err
    assert len(peal("history", "log:c", *control).lines()) == 1


def test_a_dump_that_is_none_is_refused(control):
    for text in ("no json\n", "{}\n", '{"peal_dump":99,"channel":"log:x","epoch":"Epoch001"}\n',
                 '{"peal_dump":1,"channel":"log:x","epoch":"short","floor":0,"top":1}\n',
                 '{"peal_dump":1,"channel":"log:x","epoch":"Epoch001","floor":0,"top":1}\n{"message":1}\n'):
        refused = peal("load", *control, stdin=text)
        assert refused.code == REFUSED and "message_invalid" in refused.err, text
    assert peal("load", *control, stdin="").code == USAGE
    with Control.of(control[1]) as direct:
        reply = direct.ask("load", channel="log:x", epoch="Epoch001", floor=0, publications=[{"offset": 0}])
        assert reply["error"]["code"] == "command_invalid"


def test_a_log_that_kept_nothing_has_a_position_all_the_same(cluster):
    control = ["--control", cluster.gateway(config=RULES).ready["control"]]
    head = {"peal_dump": 1, "channel": "log:e", "epoch": "Epoch001", "floor": 9, "top": 9}
    end = {"end": {"epoch": "Epoch001", "top": 9, "publications": 0}}
    assert peal("load", *control, stdin=f"{json.dumps(head)}\n{json.dumps(end)}\n").code == DONE
    assert peal("publish", "log:e", "1", "--json", *control).json() == {"epoch": "Epoch001", "offset": 10}
    # What the rule doesn't keep is said to be gone again.
    records = [{"offset": n, "message": n} for n in range(1, 6)]
    lines = [{**head, "channel": "log:short", "floor": 0, "top": 5}, *records,
             {"end": {**end["end"], "top": 5, "publications": 5}}]
    loaded = peal("load", *control, stdin="".join(json.dumps(line) + "\n" for line in lines))
    assert loaded.code == DONE and "keeps less" in loaded.err
