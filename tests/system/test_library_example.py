"""The program of tests/examples: a gateway inside an application, with a hook that answers later."""

import subprocess
import types

import pytest

from lib.client import Session
from lib.processes import PATIENCE_S, bin_dir


@pytest.fixture
def server():
    process = subprocess.Popen([bin_dir() / "example_moderated_chat"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    listen = process.stdout.readline().strip()
    host, _, port = listen.rpartition(":")
    yield types.SimpleNamespace(process=process, ws_url=f"ws://{listen}/ws", address=(host, int(port)))
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, errors


def test_the_application_judges_and_speaks(server):
    with Session(server) as ann, Session(server) as bob:
        bob.call("subscribe", channel="chat:all")
        assert ann.call("publish", channel="chat:all", message="hello") == {}
        assert bob.event()["message"] == "hello"
        error = ann.error("publish", channel="chat:all", message="buy spam")
        assert (error["code"], error["message"]) == ("permission_denied", "the moderator said no")
        # Many questions at once are answered each for itself, in order.
        numbers = [ann.send("publish", channel="chat:all", message="spam" if i % 3 == 0 else i) for i in range(12)]
        replies = [ann.reply(number) for number in numbers]
        assert ["error" in reply for reply in replies] == [i % 3 == 0 for i in range(12)]
        assert [bob.event()["message"] for _ in range(8)] == [i for i in range(12) if i % 3]
        # The application itself is trusted, within the limits.
        server.process.stdin.write('"spam from the boss"\n{"broken"\n')
        server.process.stdin.flush()
        assert bob.event()["message"] == "spam from the boss"
        assert "JSON" in server.process.stderr.readline()
        assert ann.error("subscribe", channel="elsewhere")["code"] == "permission_denied"
