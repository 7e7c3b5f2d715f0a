"""The examples of docs/protocol.md, each against a real gateway.

In a `session` block `>` is a message sent over WebSocket and `<` the next one that comes; several `<any` in
a row come in any order; `EPOCH` in what is sent is the last epoch that came. An `exchange` block is HTTP requests
and their answers: status, perhaps headers, body; a `stream` block is a request that is answered by events, with `!`
for what somebody else publishes meanwhile. `…` stands for any value, `{name}` for one that a later request repeats,
and an answer may have members and headers that the page doesn't show.
"""

import http.client
import itertools
import json
import re

import pytest
from websockets.sync.client import connect

from lib.client import request
from lib.processes import PATIENCE_S, ROOT
from lib.sse import EventStream

PAGE = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")


RULES = """
[[channels]]
pattern = "log:*"
subscribe = "anyone"
publish = "anyone"
recoverable = true

[[channels]]
pattern = "doc:*"
subscribe = "anyone"
publish = "anyone"
recoverable = true

[[channels]]
pattern = "file:*"
subscribe = "anyone"
publish = "anyone"
file = true

[[channels]]
pattern = "*"
subscribe = "anyone"
publish = "anyone"
presence = "anyone"
"""


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def matches(wanted, got) -> bool:
    if wanted == "…":
        return True
    if isinstance(wanted, dict):
        return isinstance(got, dict) and all(k in got and matches(v, got[k]) for k, v in wanted.items())
    return type(wanted) is type(got) and wanted == got


def take_lines(receive, mark: str, expected: list) -> None:
    """What comes next is `expected`, in that order or, after `<any`, in any."""
    while expected:
        got = receive()
        candidates = expected if mark == "<any" else expected[:1]
        match = next((wanted for wanted in candidates if matches(wanted, got)), None)
        assert match is not None, f"wanted {candidates}\nbut came {got}"
        expected.remove(match)


def runs(lines: list[str]):
    """Consecutive lines of one mark: (mark, what stands behind it)."""
    for mark, group in itertools.groupby(lines, lambda line: line.split(" ")[0].split("{")[0]):
        yield mark, [line.removeprefix(mark).strip() for line in group]


@pytest.mark.parametrize("block", blocks("session"), ids=lambda block: block.split('"action": "')[1].split('"')[0])
def test_a_session_goes_as_the_page_says(cluster, block):
    gateway = cluster.gateway(config=RULES)
    epoch = ""
    with connect(gateway.ws_url, subprotocols=["peal.json.v1"]) as socket:
        for mark, texts in runs(block.splitlines()):
            if mark == ">":
                for text in texts:
                    socket.send(text.replace("EPOCH", epoch))
                continue
            came = []
            take_lines(lambda: came.append(json.loads(socket.recv(timeout=PATIENCE_S))) or came[-1], mark,
                       [json.loads(text) for text in texts])
            for answer in came:
                result = answer.get("result")
                epoch = result.get("epoch", epoch) if isinstance(result, dict) else epoch


@pytest.mark.parametrize("block", blocks("stream"), ids=lambda block: block.split("\n")[0][2:])
def test_a_stream_goes_as_the_page_says(cluster, block):
    gateway = cluster.gateway()
    (_, sent), *rest = runs(block.splitlines())
    method, path = sent[0].split(" ")
    headers = dict(line.split(": ", 1) for line in sent[1:sent.index("")])
    body = json.loads(sent[-1]) if method == "POST" else None
    with EventStream(gateway.address, path, body, headers) as stream:
        assert stream.status == 200
        for mark, texts in rest:
            if mark == "!":
                for channel, message in (text.split(" ", 1) for text in texts):
                    assert request(gateway, "POST", f"/channels/{channel}", message)[0] == 200
            else:
                take_lines(stream.next, mark, [json.loads(text) for text in texts])


def matches_text(wanted: str, got: str, names: dict[str, str]) -> bool:
    """`wanted` with … for anything and {name} for what is remembered, or is to be."""
    pattern, new = "", []
    for part in re.split(r"(…|\{\w+\})", wanted):
        name = part[1:-1] if re.fullmatch(r"\{\w+\}", part) else None
        if name and name not in names:
            new.append(name)
            pattern += f"(?P<{name}>.+)"
        else:
            pattern += ".+" if part == "…" else re.escape(names[name] if name else part)
    found = re.fullmatch(pattern, got, re.DOTALL)
    names.update((name, found[name]) for name in new if found)
    return found is not None


@pytest.mark.parametrize("block", blocks("exchange"), ids=lambda block: block.split("\n")[0][2:])
def test_an_exchange_goes_as_the_page_says(cluster, block):
    gateway = cluster.gateway(config=RULES)
    client = http.client.HTTPConnection(*gateway.address, timeout=PATIENCE_S)
    names: dict[str, str] = {}
    groups = [[line[2:] for line in lines] for _, lines in itertools.groupby(block.splitlines(), lambda line: line[0])]
    for sent, wanted in zip(groups[::2], groups[1::2], strict=True):
        method, path = (re.sub(r"\{(\w+)\}", lambda name: names[name[1]], part) for part in sent[0].split(" "))
        end = sent.index("") if "" in sent else len(sent)
        headers = {}
        for line in sent[1:end]:
            name, value = line.split(": ", 1)
            headers[name] = re.sub(r"\{(\w+)\}", lambda found: names[found[1]], value)
        client.request(method, path, "\n".join(sent[end + 1:]).encode(), headers)
        response = client.getresponse()
        body = response.read().decode()
        status, *rest = wanted
        assert response.status == int(status), body
        while rest and re.match(r"[A-Z][A-Za-z-]+: ", rest[0]):
            name, value = rest.pop(0).split(": ", 1)
            assert matches_text(value, response.getheader(name, "none"), names), (name, response.getheader(name))
        text = "\n".join(rest)
        if text.startswith(("{", "[")):
            assert matches(json.loads(text), json.loads(body)), body
        else:
            assert matches_text(text, body, names), body
        if response.status >= 400 and not response.getheader("content-location"):
            assert response.getheader("content-type") == "application/problem+json"


def test_the_page_has_examples():
    assert len(blocks("session")) >= 6
    assert len(blocks("exchange")) >= 8
    assert len(blocks("stream")) >= 2
