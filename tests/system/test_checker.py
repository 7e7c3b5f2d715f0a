"""The checker itself: journals without a fault pass, and each planted fault is found and named rightly."""

import json
import random
import subprocess

import pytest

from lib.processes import PATIENCE_S, bin_dir

SECOND = 1_000_000_000


class Story:
    """Journals of a run in which everything went well: producers, listeners that stay, one that comes and goes."""

    def __init__(self, publishers=2, channels=3, each=60, listeners=4):
        self.published = []  # [publisher, channel, number, sent, outcome, done]
        self.heard = []  # lines of the swarm, in order of time
        rng = random.Random(5)
        start = 10 * SECOND
        for client in range(listeners):
            for channel in range(channels):
                self.heard.append(["S", client, channel, start - SECOND])
        time = start
        coming = False
        for number in range(each):
            for publisher in range(publishers):
                channel = (number + publisher) % channels
                time += SECOND // 20
                self.published.append([publisher, channel, number, time, "ok", time + 1000])
                if rng.random() < 0.1:
                    coming = not coming
                    self.comes_or_goes(coming, listeners, channels, time - 500)
                hearers = list(range(listeners)) + ([listeners] if coming else [])
                for client in hearers:
                    self.heard.append(["D", client, channel, publisher, number, time + 2000 + client])

    def comes_or_goes(self, coming, client, channels, time):
        for channel in range(channels):
            if coming:
                self.heard.append(["S", client, channel, time])
            else:
                self.heard.append(["U", client, channel, time])
                self.heard.append(["V", client, channel, time + 100])

    def deliveries_of(self, client, channel):
        return [i for i, line in enumerate(self.heard) if line[0] == "D" and line[1] == client and line[2] == channel]

    def swap(self, first, second):
        """The first of two deliveries comes just behind the second one."""
        late = self.heard.pop(first)
        late[5] = self.heard[second - 1][5] + 1
        self.heard.insert(second, late)


@pytest.fixture
def judge(tmp_path):
    def run(story, *flags):
        producer, swarm = tmp_path / "producer", tmp_path / "swarm"
        producer.write_text("".join("P " + " ".join(map(str, line)) + "\n" for line in story.published))
        swarm.write_text("".join(" ".join(map(str, line)) + "\n" for line in story.heard))
        done = subprocess.run([bin_dir() / "checker", "--producer", producer, "--swarm", swarm, *map(str, flags)],
                              capture_output=True, text=True, timeout=PATIENCE_S)
        verdict = json.loads(done.stdout) if done.stdout else None
        return done.returncode, verdict, done.stderr

    return run


FAULTS = ["lost", "skipped", "duplicated", "reordered", "phantom", "false_results"]


def only(verdict, **expected):
    """Asserts that these are the faults, and no others."""
    assert {name: verdict[name] for name in FAULTS} == {name: expected.get(name, 0) for name in FAULTS}


def test_a_run_without_a_fault_passes(judge):
    story = Story()
    code, verdict, says = judge(story)
    assert (code, says) == (0, "")
    only(verdict)
    assert verdict["publishes"] == verdict["ok"] == 120
    assert verdict["due"] >= 4 * 120
    assert verdict["deliveries"] == sum(line[0] == "D" for line in story.heard)


def test_a_message_in_the_middle_that_one_client_does_not_hear_is_skipped(judge):
    story = Story()
    del story.heard[story.deliveries_of(2, 1)[10]]
    code, verdict, says = judge(story)
    assert code == 1
    only(verdict, skipped=1)
    assert "skipped: client 2, channel 1" in says


def test_the_last_messages_that_one_client_does_not_hear_are_lost(judge):
    story = Story()
    for index in reversed(story.deliveries_of(2, 1)[-3:]):
        del story.heard[index]
    code, verdict, _ = judge(story)
    assert code == 1
    only(verdict, lost=3)


def test_a_message_that_nobody_hears_is_a_fault_for_each(judge):
    story = Story()
    story.heard = [line for line in story.heard if not (line[0] == "D" and line[3:5] == [1, 20])]
    code, verdict, _ = judge(story)
    assert code == 1
    # No order is known for it, so it counts as lost by each of the four that stayed all the time.
    assert verdict["lost"] == 4 and verdict["faults"] == verdict["lost"]


def test_a_message_heard_twice_is_duplicated(judge):
    story = Story()
    index = story.deliveries_of(1, 0)[4]
    story.heard.insert(index + 7, list(story.heard[index]))
    code, verdict, _ = judge(story)
    assert code == 1
    only(verdict, duplicated=1)


def test_a_message_heard_again_on_a_new_connection_is_counted_apart(judge):
    story = Story()
    end = story.published[-1][5] + SECOND
    last = list(story.heard[story.deliveries_of(1, 0)[-1]])
    last[5] = end + 20
    story.heard += [["X", 1, end], ["S", 1, 0, end + 10], last]
    code, verdict, _ = judge(story)
    assert code == 0 and verdict["again"] == 1
    only(verdict)
    story.heard.append([*last[:5], end + 30])
    code, verdict, _ = judge(story)
    assert code == 1
    only(verdict, duplicated=1)


def test_two_messages_heard_in_another_order_than_elsewhere_are_reordered(judge):
    story = Story()
    story.swap(*story.deliveries_of(3, 2)[7:9])
    code, verdict, _ = judge(story)
    assert code == 1
    only(verdict, reordered=1)


def test_an_order_that_all_share_but_the_publisher_did_not_send_is_reordered(judge):
    story = Story(publishers=1, channels=1)
    for client in range(4):
        story.swap(*story.deliveries_of(client, 0)[20:22])
    code, verdict, _ = judge(story)
    assert code == 1
    assert verdict["reordered"] >= 4


@pytest.mark.parametrize("plant", ["never published", "refused", "other channel", "too early", "not subscribed", "after unsubscribe"])
def test_a_message_that_should_not_be_heard_is_a_phantom(judge, plant):
    story = Story()
    end = story.published[-1][5] + SECOND
    if plant == "never published":
        story.heard.append(["D", 0, 0, 1, 999, end])
    elif plant == "refused":
        story.published.append([1, 0, 999, end - 10, "refused", end - 5])
        story.heard.append(["D", 0, 0, 1, 999, end])
    elif plant == "other channel":
        story.published.append([1, 1, 999, end - 10, "unknown", end - 5])
        story.heard.append(["D", 0, 0, 1, 999, end])
    elif plant == "too early":
        story.published.append([1, 0, 999, end + 10, "unknown", end + 20])
        story.heard.append(["D", 0, 0, 1, 999, end])
    elif plant == "not subscribed":
        story.published.append([1, 0, 999, end - 10, "unknown", end - 5])
        story.heard.append(["D", 77, 0, 1, 999, end])
    else:
        story.published.append([1, 0, 999, end - 10, "unknown", end - 5])
        story.heard += [["U", 1, 0, end - 4], ["V", 1, 0, end - 3], ["D", 1, 0, 1, 999, end]]
    code, verdict, _ = judge(story)
    assert code == 1
    only(verdict, phantom=1)


def test_between_unsubscribe_and_its_answer_messages_may_still_come(judge):
    story = Story()
    end = story.published[-1][5] + SECOND
    story.published.append([1, 0, 999, end - 10, "unknown", end - 5])
    story.heard += [["U", 1, 0, end - 4], ["D", 1, 0, 1, 999, end - 3], ["V", 1, 0, end - 2]]
    code, verdict, _ = judge(story)
    assert code == 0
    only(verdict)


def test_who_comes_and_goes_must_hear_what_lies_between_two_deliveries(judge):
    story = Story()
    comer = 4
    for channel in range(3):
        mine = story.deliveries_of(comer, channel)
        # Neighbours within one subscription: nothing about this client between them.
        for a, b, c in zip(mine, mine[1:], mine[2:]):
            between = [line for line in story.heard[a:c] if line[1] == comer and line[0] in "SUV"]
            if not between:
                del story.heard[b]
                code, verdict, _ = judge(story)
                assert code == 1
                only(verdict, skipped=1)
                return
    raise AssertionError("the story has no such place")


def test_a_lost_connection_ends_its_subscriptions(judge):
    story = Story()
    cut = story.deliveries_of(3, 1)[10]
    story.heard = [line for i, line in enumerate(story.heard) if i < cut or line[1] != 3]
    story.heard.insert(cut, ["X", 3, story.published[30][3]])
    code, verdict, _ = judge(story, "--settle", "10s")
    only(verdict)
    assert (code, verdict["connections_lost"]) == (0, 1)


def test_what_an_outage_takes_is_excused_and_what_it_must_not_take_is_not(judge):
    story = Story(publishers=1, channels=1)
    at = {line[2]: line for line in story.published}
    killed, restarted = at[30][5] + 1, at[40][3] - 1
    for number in range(31, 40):
        at[number][4] = "refused"
    gone = range(31, 46)  # refused, and what was published before all had come back
    story.heard = [line for line in story.heard if not (line[0] == "D" and line[4] in gone)]
    flags = ["--killed", killed, "--restarted", restarted, "--back-within", "300ms"]
    code, verdict, _ = judge(story, *flags)
    assert code == 0
    assert verdict["excused"] == 4 * len(range(40, 46)) and verdict["refused"] == 9
    for i in reversed(story.deliveries_of(2, 0)):
        if story.heard[i][4] in (5, 25, 50):  # long before the kill; within its second; long after
            del story.heard[i]
    code, verdict, _ = judge(story, *flags)
    assert code == 1
    only(verdict, skipped=2)
    assert verdict["excused"] == 25


def test_a_result_while_no_broker_lives_is_false(judge):
    story = Story(publishers=1, channels=1)
    at = {line[2]: line for line in story.published}
    code, verdict, says = judge(story, "--killed", at[10][5] + 1, "--restarted", at[50][3] - 1)
    assert code == 1
    assert verdict["false_results"] > 0
    assert "while no broker was alive" in says


@pytest.mark.parametrize("line", ["Q 1 2 3", "D 1 2 3", "S 1", "half a line"])
def test_a_broken_journal_is_not_judged(judge, tmp_path, line):
    story = Story()
    story.heard.append(line.split())
    code, verdict, says = judge(story)
    assert (code, verdict) == (2, None)
    assert "cannot judge" in says


def test_a_number_used_twice_proves_nothing(judge):
    story = Story()
    story.published.append(list(story.published[3]))
    code, verdict, _ = judge(story)
    assert (code, verdict) == (2, None)
