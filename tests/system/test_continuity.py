"""The judge of clients that come back with positions: what is right passes, and each planted fault is found."""

import json
import subprocess

import pytest

from lib.processes import PATIENCE_S, bin_dir

SECOND = 1_000_000_000
EPOCH, OTHER = 4711, 4712
FAULTS = ["lost", "skipped", "duplicated", "reordered", "phantom", "stale", "false_results"]


class Story:
    """Two publishers, three channels with dense offsets, four followers that hear everything from where they begin."""

    def __init__(self, each=40, channels=3, clients=4):
        self.published, self.heard = [], []
        self.top = dict.fromkeys(range(channels), 0)
        time = 10 * SECOND
        for client in range(clients):
            for channel in range(channels):
                self.heard.append(["B", client, channel, time, EPOCH, 0, "first"])
        for number in range(each):
            for publisher in range(2):
                channel = (number + publisher) % channels
                time += 1000
                self.top[channel] += 1
                self.published.append([publisher, channel, number, time, "ok", time + 10, self.top[channel], EPOCH])
                for client in range(clients):
                    self.heard.append(["D", client, channel, publisher, number, time + 20, self.top[channel]])
        self.end = time
        for client in range(clients):
            for channel in range(channels):
                self.heard.append(["E", client, channel, time + SECOND])

    def deliveries(self, client, channel):
        return [i for i, line in enumerate(self.heard) if line[0] == "D" and line[1:3] == [client, channel]]


@pytest.fixture
def judge(tmp_path):
    def run(story, *flags):
        producer, wanderers = tmp_path / "producer", tmp_path / "wanderers"
        producer.write_text("".join("P " + " ".join(map(str, line)) + "\n" for line in story.published))
        wanderers.write_text("".join(" ".join(map(str, line)) + "\n" for line in story.heard))
        done = subprocess.run([bin_dir() / "checker", "--producer", producer, "--wanderers", wanderers,
                               *map(str, flags)], capture_output=True, text=True, timeout=PATIENCE_S)
        return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr

    return run


def only(verdict, **expected):
    assert {name: verdict[name] for name in FAULTS} == {name: expected.get(name, 0) for name in FAULTS}


def test_a_run_without_a_fault_passes(judge):
    story = Story()
    code, verdict, says = judge(story)
    assert code == 0 and says == ""
    only(verdict)
    assert verdict["deliveries"] == verdict["due"] == 4 * 80 and verdict["followed"] == 12 and verdict["told"] == 0


def test_a_delivery_that_never_comes_though_a_later_one_does_is_skipped(judge):
    story = Story()
    del story.heard[story.deliveries(2, 1)[5]]
    code, verdict, says = judge(story)
    assert code == 1 and "skipped: client 2, channel 1, offset 6" in says
    only(verdict, skipped=1)


def test_the_last_delivery_that_never_comes_is_lost(judge):
    story = Story()
    del story.heard[story.deliveries(0, 2)[-1]]
    code, verdict, _ = judge(story)
    assert code == 1
    only(verdict, lost=1)


def test_a_delivery_that_comes_twice_is_doubled(judge):
    story = Story()
    at = story.deliveries(3, 0)[4]
    story.heard.insert(at + 40, list(story.heard[at]))
    code, verdict, _ = judge(story)
    assert code == 1
    only(verdict, duplicated=1)


def test_two_deliveries_that_change_places_are_reordered(judge):
    story = Story()
    first, second = story.deliveries(1, 1)[7:9]
    story.heard[first], story.heard[second] = story.heard[second], story.heard[first]
    code, verdict, _ = judge(story)
    assert code == 1
    only(verdict, reordered=1)


@pytest.mark.parametrize("what", ["never published", "refused", "another channel's", "another offset's"])
def test_what_was_not_published_there_is_a_phantom(judge, what):
    story = Story()
    at = story.deliveries(1, 1)[3]
    if what == "never published":
        story.heard.insert(at, ["D", 1, 1, 7, 1, story.end, story.top[1] + 1])
        expected = {"phantom": 1}
    elif what == "refused":
        story.published.append([1, 1, 900, 5, "refused", 6])
        story.heard.insert(at, ["D", 1, 1, 1, 900, story.end, story.top[1] + 1])
        expected = {"phantom": 1}
    elif what == "another channel's":
        publisher, number = story.heard[story.deliveries(1, 2)[3]][3:5]
        story.heard[at][3:5] = [publisher, number]
        expected = {"phantom": 1, "skipped": 1}
    else:
        story.heard[at][6] = story.top[1] + 5
        expected = {"phantom": 1, "skipped": 1}
    code, verdict, _ = judge(story)
    assert code == 1
    only(verdict, **expected)


def test_what_a_client_was_told_of_is_no_fault_but_counted(judge):
    story = Story()
    gone = story.deliveries(2, 0)[5:9]
    told = ["B", 2, 0, story.end, EPOCH, story.heard[gone[-1]][6], "told"]
    for at in reversed(gone[1:]):
        del story.heard[at]
    story.heard[gone[0]] = told
    code, verdict, _ = judge(story)
    assert code == 0
    only(verdict)
    assert verdict["told"] == 1


def test_an_unknown_publish_may_be_there_or_not_but_the_same_for_all(judge):
    story = Story()
    top = story.top[0] + 1
    story.published.append([0, 0, 999, story.end, "unknown", story.end])
    ends = [i for i, line in enumerate(story.heard) if line[0] == "E"][0]
    story.heard[ends:ends] = [["D", client, 0, 0, 999, story.end + 5, top] for client in range(4)]
    code, verdict, _ = judge(story)
    assert code == 0 and verdict["unknown"] == 1
    del story.heard[ends]  # one client does not hear what the others do
    code, verdict, _ = judge(story)
    assert code == 1
    only(verdict, lost=1)
    story = Story()
    story.published.append([0, 0, 999, story.end, "unknown", story.end])
    assert judge(story)[0] == 0


def test_two_results_with_one_position_are_a_fault(judge):
    story = Story()
    story.published.append([1, 0, 999, story.end, "ok", story.end, 3, EPOCH])
    assert judge(story)[0] == 1


def test_a_result_of_an_epoch_that_ended_is_not_due(judge):
    story = Story()
    story.published.append([1, 0, 999, story.end, "ok", story.end, 1, OTHER])
    code, verdict, _ = judge(story)
    assert code == 0 and verdict["epochs"] == 4


def test_what_was_repeated_until_it_was_acknowledged_may_stand_in_the_epoch_before_too(judge):
    story = Story()
    top = story.top[0]
    story.published.append([0, 0, 998, story.end, "kept", story.end + 9, 1, OTHER])
    story.published.append([0, 0, 999, story.end, "kept", story.end + 9])
    story.published.append([0, 0, 1000, story.end, "kept", story.end + 9])  # and this nobody hears
    ends = [i for i, line in enumerate(story.heard) if line[0] == "E"][0]
    for client in range(4):
        story.heard[ends:ends] = [["D", client, 0, 0, 998, story.end + 1, top + 1],
                                  ["B", client, 0, story.end + 2, OTHER, 0, "told"],
                                  ["D", client, 0, 0, 998, story.end + 9, 1], ["D", client, 0, 0, 999, story.end + 9, 2]]
        ends += 4
    code, verdict, says = judge(story)
    assert code == 0, says
    assert (verdict["kept"], verdict["unheard"], verdict["told_min"], verdict["told_max"]) == (3, 1, 0, 1)
    story.heard[ends - 1][4] = 998  # twice in one epoch: the sequence did not do its work
    code, verdict, _ = judge(story)
    assert code == 1
    only(verdict, phantom=1, lost=1)


def test_an_epoch_that_was_left_must_not_come_back(judge):
    story = Story()
    ends = [i for i, line in enumerate(story.heard) if line[0] == "E"][0]
    story.heard[ends:ends] = [["B", 1, 2, story.end, OTHER, 0, "told"],
                              ["B", 1, 2, story.end, EPOCH, story.top[2], "told"]]
    code, verdict, _ = judge(story)
    assert code == 1
    only(verdict, stale=1)


def test_around_an_outage_nothing_is_acknowledged_and_the_last_client_to_come_back_is_timed(judge):
    story = Story()
    killed = story.end + SECOND
    restarted = killed + 4 * SECOND
    story.published.append([0, 0, 998, killed - 5, "ok", killed + SECOND // 10, story.top[0] + 1, EPOCH])
    for channel in range(3):
        offset = story.top[channel] + (2 if channel == 0 else 1)
        story.published.append([0, channel, 1000 + channel, restarted + 5, "ok", restarted + 9, offset, EPOCH])
        for client in range(4):
            if channel == 0:
                story.heard.append(["D", client, 0, 0, 998, killed, offset - 1])
            story.heard.append(["D", client, channel, 0, 1000 + channel, restarted + (client + channel) * SECOND, offset])
    flags = ["--killed", killed, "--restarted", restarted]
    code, verdict, says = judge(story, *flags)
    assert code == 0, says
    assert verdict["back_after_ms"] == 5000 and verdict["silence_ms"] >= 9000
    story.published[-4][5] = killed + 2 * SECOND
    code, verdict, _ = judge(story, *flags)
    assert code == 1
    only(verdict, false_results=1)
    del story.heard[-1]
    assert judge(story, *flags)[1]["back_after_ms"] == -1


@pytest.mark.parametrize("line", ["P 1 2 3", "D 1 1 1 1 1", "B 1 1 1 1 1 never", "Q 1", "E 1 1", "P 1 1 1 1 fired 1"])
def test_a_broken_journal_is_not_judged(judge, line, tmp_path):
    journal = tmp_path / "broken"
    journal.write_text(line + "\n")
    done = subprocess.run([bin_dir() / "checker", "--wanderers", journal], capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 2 and "line 1" in done.stderr
