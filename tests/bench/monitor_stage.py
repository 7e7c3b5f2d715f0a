"""A Postgres, a broker and a gateway, and changes that a monitor or a bare reader takes from there."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import threading
import time

from browser_page import BrowserPage, web_root
from lib.client import Session
from lib.monitor import Monitor, install
from lib.postgres_server import PROGRAMS, PostgresServer
from lib.processes import Cluster, bin_dir, cpu_seconds, until

MODES = ("outbox", "logical", "notify")
KINDS = 1000
TABLES = """
create table outbox_changes (id bigint generated always as identity primary key, kind int, value text);
create table logical_changes (like outbox_changes including all);
create table notify_changes (like outbox_changes including all);
create function say() returns trigger language plpgsql as $$
begin perform pg_notify('bench', to_jsonb(new)::text); return null; end $$;
create trigger say after insert on notify_changes for each row execute function say();
create publication bench for table logical_changes;
"""
RULES = ('[[channels]]\npattern = "*"\nrecoverable = true\nhistory_length_max = 100000\nsubscribe = "anyone"\n')


def config_of(mode: str, rules: int) -> str:
    """Each change rings once: in a channel for all, or, with more rules than one, in that of its kind."""
    if mode == "notify":
        return 'postgres.mode = "notify"\n[[listen]]\nname = "bench"\nchannel = "bench:notify"\n'
    head = f'postgres.mode = "{mode}"\n' + ('postgres.slot = "peal_bench"\n' if mode == "logical" else "")
    table = f'[[rules]]\ntable = "{mode}_changes"\npayload = \'{{"id": {{id}}, "value": {{value}}}}\'\n'
    if rules == 1:
        return head + table + f'channel = "bench:{mode}"\n'
    return head + "".join(f'{table}channel = "kind:{kind}"\nfilter = "kind = {kind}"\n' for kind in range(rules))


class BareReader:
    """bench_postgres_reader: reads so many changes, and says when each was there."""

    def __init__(self, stage: "Stage", mode: str, count: int):
        name = "bench" if mode != "outbox" else "-"
        self.popen = subprocess.Popen([*stage.alone, bin_dir() / "bench_postgres_reader", mode, stage.postgres.dsn, name,
                                       str(count)], stdout=subprocess.PIPE, text=True)
        assert self.popen.stdout.readline() == "ready\n"

    def seen(self) -> dict[int, float]:
        lines, _ = self.popen.communicate(timeout=300)
        assert self.popen.returncode == 0
        found = {}
        for line in lines.splitlines():
            what, _, micros = line.rpartition(" ")
            found[json.loads(what)["id"] if what.startswith("{") else int(what)] = int(micros) / 1e6
        return found


class Listener(threading.Thread):
    """A session that hears a channel until it has so many changes, and when each came."""

    def __init__(self, gateway, channel: str, count: int):
        super().__init__()
        self.session, self.count, self.seen, self.told = Session(gateway), count, {}, []
        self.session.call("subscribe", channel=channel)

    def run(self):
        while len(self.seen) < self.count:
            try:
                event = json.loads(self.session.socket.recv(timeout=60))
            except TimeoutError:
                return
            now = time.time()
            if event["event"] != "message":
                self.told.append(event)
            message = event.get("message", {})
            if "id" in message:
                self.seen[message["id"]] = now
        self.session.close()


LISTENERS = {"session": Listener, "page in Chromium": BrowserPage}


class Stage:
    def __init__(self, folder: pathlib.Path, fsync: str, scale: int):
        self.cluster = Cluster(folder)
        self.postgres = PostgresServer(folder, {
            "wal_level": "logical", "track_commit_timestamp": "on", "fsync": fsync, "full_page_writes": fsync,
            "max_wal_size": "4GB", "shared_buffers": "256MB"})
        self.alone = ["taskset", "-c", str(max(os.sched_getaffinity(0)))]
        self.scale, self.names = scale, 0

    def __enter__(self) -> "Stage":
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.postgres)
            self.postgres.ask(TABLES)
            install(self.postgres.dsn, "--table", "outbox_changes")
            config = self.cluster.folder / "broker.toml"
            config.write_text(RULES.replace('subscribe = "anyone"\n', ""))
            self.broker = self.cluster.broker(flags=["--config", str(config)])
            self.gateway = self.cluster.gateway(config=RULES, flags=["--bus-driver", "zmq", "--shards", "1", "--bus-connect",
                                                                     self.broker.ready["listen"], "--web-root",
                                                                     str(web_root(self.cluster.folder / "web"))])
            self.pgbench("-i", "-q", "-s", str(self.scale))
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_) -> None:
        problems = self.cluster.close()
        self.stack.close()
        assert not problems, problems

    def pgbench(self, *words: str) -> str:
        done = subprocess.run([PROGRAMS[-1] / "pgbench", *words], capture_output=True, text=True,
                              env={**os.environ, "PGHOST": str(self.postgres.folder), "PGUSER": "postgres",
                                   "PGDATABASE": "postgres"})
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextlib.contextmanager
    def monitor(self, mode: str, rules: int = 1):
        self.names += 1
        monitor = Monitor(self.cluster, f"monitor-{self.names}", self.postgres.dsn, self.broker, config_of(mode, rules))
        monitor.prefix = self.alone
        monitor.start()
        until(monitor.active, "it is active")
        try:
            yield monitor
        finally:
            monitor.stop()
            self.cluster.processes.remove(monitor)

    def slot(self, mode: str, reader: str) -> None:
        """Readers of the WAL begin here; what others left is forgotten, so that none keeps it for them."""
        self.postgres.ask("select pg_drop_replication_slot(slot_name) from pg_replication_slots; truncate outbox_changes, "
                          "logical_changes, notify_changes; delete from peal.outbox; delete from peal.batch; checkpoint")
        if mode == "logical" and reader == "floor":
            self.postgres.ask("select pg_create_logical_replication_slot('bench', 'pgoutput')")

    def latencies(self, mode: str, reader: str, rate: int, seconds: int) -> tuple:
        """p50, p99 and the highest, from commit on, and what a commit took; in ms."""
        script = self.cluster.folder / "insert.sql"
        script.write_text(f"\\set kind random(0, {KINDS - 1})\n"
                          f"insert into {mode}_changes (kind, value) values (:kind, repeat('x', 100));\n")
        self.slot(mode, reader)
        count = rate * seconds
        words = ["-n", "-f", str(script), "-c", "8", "-j", "1", "-R", str(rate), "-t", str(count // 8)]
        if reader == "floor":
            bare = BareReader(self, mode, count)
            said = self.pgbench(*words)
            seen = bare.seen()
        else:
            with self.monitor(mode):
                listener = LISTENERS[reader](self.gateway, f"bench:{mode}", count)
                listener.start()
                said = self.pgbench(*words)
                listener.join()
            seen = listener.seen
            assert len(seen) == count, f"{mode}, {reader}: {count} were committed, {len(seen)} heard; told was {listener.told}"
        commits = {row["id"]: row["at"] for row in self.postgres.rows(
            f"select id, extract(epoch from pg_xact_commit_timestamp(xmin)) as at from {mode}_changes")}
        assert commits.keys() == seen.keys(), f"{len(commits)} were committed and {len(seen)} seen"
        waits = sorted((seen[key] - at) * 1000 for key, at in commits.items())
        took = float(re.search(r"latency average = ([\d.]+)", said)[1]) - float(
            re.search(r"schedule lag: avg ([\d.]+)", said)[1])
        return waits[len(waits) // 2], waits[len(waits) * 99 // 100], waits[-1], took

    def drain(self, mode: str, reader: str, changes: int, rules: int = 1) -> tuple:
        """Changes a second, and CPU microseconds of the reader's own for each."""
        self.slot(mode, reader)
        fill = (f"set synchronous_commit = off; do $$ begin for i in 1..{changes} loop insert into {mode}_changes "
                f"(kind, value) values (i % {KINDS}, repeat('x', 100)); commit; end loop; end $$")
        if reader == "floor":
            return self.drain_bare(mode, changes, fill)
        with self.monitor(mode, rules) as monitor:
            published = lambda: monitor.metric("peal_monitor_publications_total")  # noqa: E731
            until(lambda: published() >= (0 if mode == "outbox" else rules), "its resets are published")
            monitor.signal(signal.SIGSTOP)
            self.postgres.ask(fill)
            before, had = cpu_seconds(monitor.pid), 0 if mode == "outbox" else rules
            began = time.monotonic()
            monitor.signal(signal.SIGCONT)
            until(lambda: published() >= had + changes, "all is published", 60, 0.02)
            return changes / (time.monotonic() - began), (cpu_seconds(monitor.pid) - before) * 1e6 / changes

    def drain_bare(self, mode: str, changes: int, fill: str) -> tuple:
        bare = BareReader(self, mode, changes)
        bare.popen.send_signal(signal.SIGSTOP)
        self.postgres.ask(fill)
        began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        bare.popen.send_signal(signal.SIGCONT)
        assert len(bare.seen()) == changes
        took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return changes / took, cpu * 1e6 / changes

    def pgbench_tps(self, mode: str | None, seconds: int) -> float:
        """With the monitor of `mode` watching the table that pgbench updates."""
        watch = {"outbox": "install", "logical": "", "notify": "create trigger say after update on pgbench_accounts for each "
                 "row execute function say()"}
        self.slot(mode or "", "")
        if mode is None:
            return self.tps(seconds)
        if mode == "outbox":
            install(self.postgres.dsn, "--table", "pgbench_accounts")
        elif watch[mode]:
            self.postgres.ask(watch[mode])
        self.names += 1
        config = config_of(mode, 1).replace(f"{mode}_changes", "pgbench_accounts").replace("{id}", "{aid}").replace(
            "{value}", "{abalance}")
        if mode == "logical":  # without its snapshot: that is not what is measured
            config = config.replace("[[rules]]", '[[rules]]\non = ["update"]')
        monitor = Monitor(self.cluster, f"monitor-{self.names}", self.postgres.dsn, self.broker, config)
        monitor.start()
        until(monitor.active, "it is active")
        try:
            return self.tps(seconds)
        finally:
            monitor.stop()
            self.cluster.processes.remove(monitor)
            self.postgres.ask("drop trigger if exists \"!peal_capture\" on pgbench_accounts; "
                              "drop trigger if exists peal_capture_truncate on pgbench_accounts; "
                              "drop trigger if exists say on pgbench_accounts")

    def tps(self, seconds: int) -> float:
        said = self.pgbench("-n", "-N", "-c", "4", "-j", "1", "-T", str(seconds))
        return float(re.search(r"tps = ([\d.]+)", said)[1])
