"""An nginx of the test's own: one process, a folder for what it writes, a free port."""

from __future__ import annotations

import pathlib
import socket
import subprocess

from lib.processes import until

KEPT = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {http}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    {server}
  }}
}}
"""


class Nginx:
    def __init__(self, folder: pathlib.Path, http: str, server: str):
        self.folder = folder / "nginx"
        self.folder.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        config = self.folder / "nginx.conf"
        config.write_text(KEPT.format(folder=self.folder, port=self.port, http=http, server=server))
        self.popen = subprocess.Popen(["nginx", "-p", str(self.folder), "-c", str(config), "-e",
                                       str(self.folder / "nginx.log")])

    def __enter__(self) -> "Nginx":
        def answers() -> bool:
            assert self.popen.poll() is None, (self.folder / "nginx.log").read_text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0
        until(answers, "nginx listens")
        return self

    def __exit__(self, *_) -> None:
        self.popen.terminate()
        self.popen.wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"
