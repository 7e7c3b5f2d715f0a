"""peal-monitor-postgres --dry-run with NOTIFY: it prints what would be published, until it is told to end."""

import json
import signal
import subprocess

from lib.monitor import Monitor
from lib.postgres_server import PostgresServer

LISTEN = """
postgres.mode = "notify"
[[listen]]
name = "news"
channel = "news:{payload.to}"
reset = "news"
[[listen]]
name = "Changed"
channel = "orders"
key = "{payload.id}"
fetch = "select to_jsonb(o) from orders o where id = $1::int"
"""


def test_what_is_said_is_shown_until_the_end(cluster):
    with PostgresServer(cluster.folder) as postgres:
        postgres.ask("create table orders (id int, note text); insert into orders values (1, 'one')")
        monitor = Monitor(cluster, "monitor-1", postgres.dsn, "tcp://127.0.0.1:1", LISTEN, ["--dry-run"])
        shown = subprocess.Popen(monitor.launch_command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            assert "Ctrl-C" in shown.stderr.readline()
            postgres.ask("""notify news, '{"to": "ann"}'; notify news, 'no JSON'; notify "Changed", '1'; notify "Changed", 'x';""")
            lines = [json.loads(shown.stdout.readline()) for _ in range(4)]
            assert lines[0] == {"channel": "news:ann", "message": {"to": "ann"}}
            assert "payload.to" in lines[1]["error"] and "integer" in lines[3]["error"]
            assert lines[2] == {"channel": "orders", "key": "1", "message": {"id": 1, "note": "one"}}
            shown.send_signal(signal.SIGINT)
            assert shown.wait(60) == 0
        finally:
            shown.kill()
        again = subprocess.Popen(monitor.launch_command(), stderr=subprocess.PIPE, text=True)
        try:
            assert "Ctrl-C" in again.stderr.readline()
            postgres.crash()
            assert again.wait(60) == 1 and again.stderr.read() != ""
        finally:
            again.kill()
