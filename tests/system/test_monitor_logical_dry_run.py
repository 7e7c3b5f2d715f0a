"""peal-monitor-postgres --dry-run with logical replication: what the slot keeps is shown, and kept."""

import json
import subprocess

from lib.monitor import Monitor, keeping_broker, messages_of
from lib.postgres_server import PostgresServer
from lib.processes import until

RULES = """
postgres.mode = "logical"
[[rules]]
table = "orders"
channel = "orders"
key = "{id}"
payload = '{"event": "{event}", "note": {note}}'
[[rules]]
table = "orders"
channel = "by:{note}"
on = ["insert"]
"""


def test_what_a_slot_keeps_is_shown_and_kept(cluster):
    broker = keeping_broker(cluster)
    with PostgresServer(cluster.folder, {"wal_level": "logical", "max_wal_senders": "8"}) as postgres:
        postgres.ask("create table orders (id int primary key, note text)")
        monitor = Monitor(cluster, "monitor-1", postgres.dsn, broker, RULES)

        def shown():
            return subprocess.run([*monitor.launch_command(), "--dry-run"], capture_output=True, text=True)

        early = shown()
        assert early.returncode == 1 and "no slot of" in early.stderr
        monitor.start()
        until(monitor.active, "it is active")
        postgres.ask("insert into orders values (1, 'one')")
        until(lambda: messages_of(broker, "by:one"), "it rings")
        busy = shown()
        assert busy.returncode == 1 and "is active for PID" in busy.stderr
        monitor.stop()
        postgres.ask("insert into orders values (2, 'two'), (3, null); update orders set note = 'II' where id = 2; "
                     "begin; delete from orders where id = 1; rollback; delete from orders where id = 3")
        for _ in range(2):
            lines = [json.loads(line) for line in shown().stdout.splitlines()]
            assert [line for line in lines if line.get("channel") == "orders"] == [
                {"channel": "orders", "key": "2", "message": {"event": "insert", "note": "two"}},
                {"channel": "orders", "key": "3", "message": {"event": "insert", "note": None}},
                {"channel": "orders", "key": "2", "message": {"event": "update", "note": "II"}},
                {"channel": "orders", "key": "3", "delete": True, "message": {"event": "delete", "note": None}}]
            assert [line["channel"] for line in lines if line.get("channel", "").startswith("by:")] == ["by:two"]
            assert [line["rule"] for line in lines if "error" in line] == [2]
        monitor.start()
        until(lambda: messages_of(broker, "by:two"), "they were still there")
