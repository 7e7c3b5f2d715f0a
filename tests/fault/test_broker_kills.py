"""A broker is killed again and again under load. On disk nothing that was acknowledged is lost and the epochs stay;
in memory every client is told so, once a kill, and nobody is silently behind. PEAL_KILLS says how often, 20 times."""

import json
import os
import time
import urllib.request

import pytest

from lib.processes import until
from lib.survivors import Life

KILLS = int(os.environ.get("PEAL_KILLS", "20"))
CHANNELS = [f"log:{n}" for n in range(4)]
RULES = '[[channels]]\npattern = "*"\nrecoverable = true\nhistory_length_max = 100000\n'
ALLOWED = RULES + 'subscribe = "anyone"\npublish = "anyone"\n'


@pytest.fixture
def job(cluster, request):
    """A broker with the store asked for, two gateways, and clients on both; `restart` kills and starts anew."""
    return Job(cluster, request.param)


class Job:
    def __init__(self, cluster, driver: str):
        self.cluster = cluster
        config = cluster.folder / "broker.toml"
        config.write_text(RULES)
        self.flags = ["--config", str(config), "--store-driver", driver, "--store-path", str(cluster.folder / "store"),
                      "--limits-disk-free-min", "1MiB"]
        self.broker = cluster.broker(flags=self.flags)
        self.endpoint = self.broker.ready["listen"]
        bus = ["--bus-driver", "zmq", "--bus-connect", self.endpoint]
        self.gateways = [cluster.gateway(f"gateway-{n}", flags=bus, config=ALLOWED) for n in (1, 2)]
        self.life = Life([gateway.ws_url for gateway in self.gateways], CHANNELS, listeners=6, wanderers=4)

    def progress(self, publications: int = 40):
        """Every channel's producer has that many more acknowledged."""
        before = [len(producer.acknowledged) for producer in self.life.producers]
        until(lambda: all(len(producer.acknowledged) >= count + publications
                          for producer, count in zip(self.life.producers, before)),
              f"publishes go on: {before}")

    def restart(self):
        self.broker.kill()
        self.broker = self.cluster.broker(listen=self.endpoint, flags=self.flags)

    def head(self, channel: str) -> tuple[str, int]:
        with urllib.request.urlopen(f"{self.gateways[0].url}/channels/{channel}?since=start&limit=1") as answer:
            page = json.load(answer)
        return page["epoch"], page["offset"]

    def finish(self) -> dict[str, tuple[str, int]]:
        """Publishing ends; every listener gets to where the log is."""
        self.life.stop_publishing()
        until(lambda: all(producer.done for producer in self.life.producers), "publishing has ended")
        settled = time.monotonic()
        tops = {}

        def there():
            tops.update({channel: self.head(channel) for channel in CHANNELS})
            return self.life.behind(tops) == 0
        until(there, "every listener stands where the log does")
        self.life.end()
        print(f"{KILLS} kills, {self.life.acknowledged()} acknowledged, "
              f"{sum(p.retries for p in self.life.producers)} retries, "
              f"{sum(p.duplicates for p in self.life.producers)} found to be duplicates, "
              f"{sum(one.returns for one in self.life.listeners)} returns, "
              f"all up to date after {time.monotonic() - settled:.1f} s")
        return tops


@pytest.mark.parametrize("job", ["disk"], indirect=True)
def test_on_disk_nothing_acknowledged_is_lost_and_the_epoch_stays(job):
    job.progress()
    epochs = {channel: job.head(channel)[0] for channel in CHANNELS}
    for _ in range(KILLS):
        job.restart()
        job.progress()
    tops = job.finish()

    for producer in job.life.producers:
        epoch, top = tops[producer.channel]
        assert epoch == epochs[producer.channel]
        assert not producer.odd
        # Each number stands at one offset, once, in order: the sequence made every retry harmless.
        last = producer.acknowledged[-1][2]
        assert top == last
        assert all((epoch, number, number) == one for number, one in enumerate_from(producer))
    for listener in job.life.listeners:
        assert not listener.faults, listener.faults[:3]
        for channel, stretches in listener.heard.items():
            assert len(stretches) == 1, f"{channel}: told of a reset {listener.resets}"
            assert stretches[0].numbers == list(range(stretches[0].first + 1, stretches[0].top + 1))


def enumerate_from(producer):
    """(number expected, (epoch, offset, number)) of each acknowledged publication; a duplicate may have no offset."""
    return ((one[2], one) for one in producer.acknowledged)


@pytest.mark.parametrize("job", ["memory"], indirect=True)
def test_in_memory_every_client_is_told_once_a_kill_and_nobody_is_silently_behind(job):
    job.progress()
    for kill in range(1, KILLS + 1):
        job.restart()
        job.progress()
        steady = [listener for listener in job.life.listeners if not listener.wanders]
        until(lambda: all(listener.resets[channel] == kill for listener in steady for channel in CHANNELS),
              f"every listener is told of kill {kill}")
    job.finish()

    for listener in job.life.listeners:
        assert not listener.faults, listener.faults[:3]
        for channel in CHANNELS:
            # Who was away during a kill is told when it comes back; who was away for two, once for both.
            told = listener.resets[channel]
            assert told == KILLS if not listener.wanders else 1 <= told <= KILLS, (channel, told, listener.wanders)
            epochs = [stretch.epoch for stretch in listener.heard[channel]]
            assert len(set(epochs)) == len(epochs) == told + 1, epochs
