"""What a monitor must stand: many writers, while everything around it is killed, and nothing lost, doubled or reordered.

PEAL_MONITOR_CHANGES=100000 PEAL_MONITOR_KILLS=10 is the long form; by default it is a short one.
"""

from __future__ import annotations

import os
import random
import threading

from lib.monitor import Monitor, install, keeping_broker, messages_of
from lib.processes import until

KEYS = 40
JOB_TABLES = f"""
create table items (id int primary key, value int not null);
insert into items select i, 0 from generate_series(1, {KEYS}) i;
-- What was committed, by a trigger of the test's own.
create table truth (number bigint generated always as identity, id int, value int);
create function note() returns trigger language plpgsql as $$
begin insert into truth (id, value) values (new.id, new.value); return null; end $$;
create trigger note after update on items for each row execute function note();
"""
JOB_RULES = """
[[rules]]
table = "items"
channel = "item:{id}"
payload = "{value}"
[[rules]]
table = "items"
channel = "items"
key = "{id}"
payload = '[{id}, {value}]'
"""


class Writer(threading.Thread):
    """Transactions with savepoints, rollbacks and overlaps until `changes` were tried; lost connections are renewed."""

    def __init__(self, postgres, number: int, changes: int, messages: bool):
        super().__init__()
        self.postgres, self.number, self.changes, self.messages = postgres, number, changes, messages
        self.random = random.Random(number)

    def run(self):
        while self.changes > 0:
            # What fails (a deadlock, a restart) has changed nothing; the truth is in the database.
            self.postgres.psql("\n".join(self.transaction() for _ in range(20)))

    def update(self) -> str:
        return f"update items set value = value + 1 where id = {self.random.randint(1, KEYS)};"

    def transaction(self) -> str:
        lines = ["begin;"]
        for _ in range(self.random.randint(1, 4)):
            self.changes -= 1
            kind = self.random.randrange(6)
            if kind == 0:
                lines += ["savepoint s;", self.update(), "rollback to s;"]
            elif kind == 1:
                lines += ["savepoint s;", self.update(), "release s;"]
            elif kind == 2 and self.messages:
                lines.append(f"select peal.publish('writer:{self.number}', to_jsonb({self.changes}));")
            else:
                lines.append(self.update())
        if self.random.randrange(50) == 0:
            lines.append("select pg_sleep(0.3);")
        lines.append("rollback;" if self.random.randrange(6) == 0 else "commit;")
        return "\n".join(lines)


def hard_work(cluster, postgres, config: str = "") -> None:
    """Without `config` over the outbox, where messages of the writers' own go besides."""
    changes = int(os.environ.get("PEAL_MONITOR_CHANGES", "10000"))
    kills = int(os.environ.get("PEAL_MONITOR_KILLS", "5"))
    postgres.ask(JOB_TABLES)
    messages = not config
    if messages:
        install(postgres.dsn, "--table", "items")
    else:
        postgres.ask("alter table items replica identity full")
    broker = keeping_broker(cluster)
    listen = broker.ready["listen"]
    monitors = [Monitor(cluster, f"monitor-{n}", postgres.dsn, broker, config + JOB_RULES,
                        ["--postgres-batch-changes-max", "200"]).start() for n in (1, 2)]
    writers = [Writer(postgres, number, changes // 8, messages) for number in range(8)]
    for writer in writers:
        writer.start()
    chance = random.Random(1)
    taken = 0
    events = ["monitor"] * kills + ["postgres", "broker", "monitor without broker"] + (["postgres"] if changes >= 100_000 else [])
    chance.shuffle(events)
    for event in events:
        # The next blow falls in the middle of the work.
        taken += changes // (2 * len(events))
        until(lambda: committed(postgres) >= taken or not any(w.is_alive() for w in writers), "work goes on", 300)
        if event == "monitor":
            kill_active(monitors)
        elif event == "postgres":
            postgres.crash()
            postgres.start()
        else:
            broker.kill()
            if event == "monitor without broker":
                # What it has read meanwhile it can't have published.
                seen = committed(postgres)
                until(lambda: committed(postgres) >= seen + 200 or not any(w.is_alive() for w in writers), "work", 300)
                until(lambda: read_so_far(monitors), "it has read some of it")
                kill_active(monitors)
            broker = keeping_broker(cluster, listen)
    for writer in writers:
        writer.join()
    done = done_of_outbox if messages else done_of_log
    until(lambda: done(postgres, broker), "all of it was published", 300)
    check(postgres, broker, messages)


def kill_active(monitors) -> None:
    active = until(lambda: [m for m in monitors if m.active()], "one is active")
    active[0].kill()
    active[0].launch()


def read_so_far(monitors) -> bool:
    return any(m.active() and m.metric("peal_monitor_changes_total") > 0 for m in monitors)


def done_of_outbox(postgres, broker) -> bool:
    return postgres.ask("select count(*) from peal.outbox") == "0"


def done_of_log(postgres, broker) -> bool:
    """All keys have their last value, in each of their channels."""
    last = dict(tuple(row.values()) for row in postgres.rows("select id, value from items"))
    state = {key: 0 for key in last} | dict(pairs_of(broker))
    return state == last and all(messages_of(broker, f"item:{key}")[-1] == value for key, value in last.items())


def pairs_of(broker) -> list[list[int]]:
    """Key and value of each publication of the whole table; that a snapshot begins is none."""
    return [message for message in messages_of(broker, "items") if isinstance(message, list)]


def committed(postgres) -> int:
    done = postgres.psql("select count(*) from truth")
    return int(done.stdout) if done.returncode == 0 else 0


def differs(what: str, heard: list[int], truth: list[int]) -> None:
    """Fails, and says how, unless both are the same."""
    if heard != truth:
        at = next((i for i, pair in enumerate(zip(heard, truth)) if pair[0] != pair[1]), min(len(heard), len(truth)))
        raise AssertionError(
            f"{what}: {len(heard)} heard of {len(truth)}; lost {sorted(set(truth) - set(heard))[:9]}, "
            f"{len(heard) - len(set(heard))} doubled, from {at} on: {heard[at:at + 9]} for {truth[at:at + 9]}")


def check(postgres, broker, messages: bool) -> None:
    truth = {key: [] for key in range(1, KEYS + 1)}
    for row in postgres.rows("select id, value from truth order by number"):
        truth[row["id"]].append(row["value"])
    assert sum(map(len, truth.values())) > 1000
    for key, values in truth.items():
        assert values == list(range(1, len(values) + 1)), "rows are locked: the truth is in order"
        differs(f"item:{key}", messages_of(broker, f"item:{key}"), values)
    together = {key: [] for key in truth}
    for key, value in pairs_of(broker):
        if value != 0:  # what a snapshot had
            together[key].append(value)
    for key, values in truth.items():
        differs(f"items, {key}", together[key], values)
    for number in range(8 if messages else 0):
        counts = messages_of(broker, f"writer:{number}")
        assert counts == sorted(set(counts), reverse=True), "each transaction's messages once, in order"
