"""A Postgres of a test's own: a cluster in the test's folder, reached by a unix socket unless told otherwise."""

from __future__ import annotations

import json
import os
import pathlib
import pwd
import signal
import subprocess

from lib.processes import until

PROGRAMS = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))


class PostgresServer:
    """`with PostgresServer(folder) as postgres: postgres.ask("select 1")`.

    `options` are settings of its own, `prefix` a command that it is started by, such as one that enters a network.
    """

    def __init__(self, folder: pathlib.Path, options: dict[str, str] | None = None, prefix: list[str] | None = None):
        self.folder = folder / "postgres"
        self.folder.mkdir()
        self.data = self.folder / "data"
        # Its files outlive its processes, not the machine.
        self.options = {"listen_addresses": "", "unix_socket_directories": str(self.folder), "fsync": "off",
                        "full_page_writes": "off", "max_connections": "60", **(options or {})}
        self.popen: subprocess.Popen | None = None
        self.prefix = prefix or []
        self.user = None
        if os.geteuid() == 0:  # as root it refuses to run
            self.user = "postgres"
            account = pwd.getpwnam(self.user)
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            for parent in self.folder.parents:
                mode = parent.stat().st_mode
                if parent.stat().st_uid == 0 and not mode & 1:
                    parent.chmod(mode | 0o011)

    def __enter__(self) -> "PostgresServer":
        self._run("initdb", "-D", str(self.data), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C",
                  "--no-sync")
        return self.start()

    def __exit__(self, *_) -> None:
        self.crash()

    def _program(self, name: str) -> str:
        return str(PROGRAMS[-1] / name)

    def _run(self, name: str, *args: str) -> None:
        done = subprocess.run([self._program(name), *args], user=self.user, capture_output=True, text=True,
                              cwd=self.folder)
        assert done.returncode == 0, done.stderr

    def start(self) -> "PostgresServer":
        settings = [word for key, value in self.options.items() for word in ("-c", f"{key}={value}")]
        with open(self.folder.parent / "postgres.log", "ab") as log:
            # What enters a network has to be root for that.
            become = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"] if self.user else []
            self.popen = subprocess.Popen([*self.prefix, *become, self._program("postgres"), "-D", str(self.data), *settings],
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        until(lambda: self.psql("select 1").returncode == 0, "postgres answers")
        return self

    def crash(self) -> None:
        """Ends it as a power cut would, but for the disk."""
        self._end(signal.SIGQUIT)

    def stop(self) -> None:
        """A restart by its administrator: connections are cut, everything is written."""
        self._end(signal.SIGINT)

    def _end(self, number: int) -> None:
        if self.popen and self.popen.poll() is None:
            self.popen.send_signal(number)
        if self.popen:
            self.popen.wait()

    @property
    def dsn(self) -> str:
        return self.dsn_of("postgres")

    def dsn_of(self, role: str) -> str:
        return f"host={self.folder} user={role} dbname=postgres"

    def psql(self, sql: str, role: str = "postgres") -> subprocess.CompletedProcess:
        return subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.dsn_of(role)],
                              input=sql, capture_output=True, text=True)

    def ask(self, sql: str, role: str = "postgres") -> str:
        """What it answers, a line a row; an error fails."""
        done = self.psql(sql, role)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def rows(self, query: str) -> list[dict]:
        """The rows of a query, as objects."""
        text = self.ask(f"select coalesce(json_agg(q), '[]') from ({query}) q")
        return json.loads(text)
