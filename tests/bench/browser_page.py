"""A page in Chromium that notes when the client gave it each change. It is asked over the DevTools protocol."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request

from websockets.sync.client import connect

from lib.processes import PATIENCE_S, cpu_seconds, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--no-proxy-server", "--remote-debugging-port=0")


def web_root(folder: pathlib.Path) -> pathlib.Path:
    """What the gateway serves: the client and this page."""
    subprocess.run([ROOT / "gateway/web/build", folder], check=True, stdout=subprocess.DEVNULL)
    shutil.copytree(ROOT / "tests/bench/page", folder, dirs_exist_ok=True)
    return folder


class BrowserPage:
    """Hears a channel of the gateway that serves it until it has so many changes, and when each came."""

    def __init__(self, gateway, channel: str, count: int):
        self.seen, self.told, self.numbers = {}, [], itertools.count(1)
        self.profile = tempfile.TemporaryDirectory(prefix="peal-bench-page-", ignore_cleanup_errors=True)
        self.popen = subprocess.Popen(["chromium", *FLAGS, f"--user-data-dir={self.profile.name}", "about:blank"],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            place = pathlib.Path(self.profile.name) / "DevToolsActivePort"
            port = until(lambda: place.exists() and place.read_text().count("\n") and place.read_text().split()[0], "Chromium")
            pages = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list"))
            self.tab = connect(next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page"), proxy=None,
                               max_size=None)
            url = f"{gateway.url}/changes.html?channel={channel}&count={count}"
            until(self.settled, "Chromium has nothing more to do after its start")
            self.ask("Page.enable")
            self.ask("Page.navigate", url=url)
            until(lambda: self.value("Boolean(window.subscribed)"), "the page is there")
            self.value("window.subscribed")
        except BaseException:
            self.close()
            raise

    def settled(self) -> bool:
        """Its processes took less than a tenth of a core in a second: for a while a new one is busy with itself."""
        before = self.took()
        time.sleep(1)
        return self.took() - before < 0.1

    def took(self) -> float:
        return sum(cpu_seconds(pid) for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if self.owns(pid))

    def owns(self, pid: int) -> bool:
        with contextlib.suppress(ProcessLookupError):
            return os.getsid(pid) == self.popen.pid
        return False

    def ask(self, method: str, **params) -> dict:
        number = next(self.numbers)
        self.tab.send(json.dumps({"id": number, "method": method, "params": params}))
        while (answer := json.loads(self.tab.recv(timeout=PATIENCE_S))).get("id") != number:
            pass
        assert "result" in answer, answer
        return answer["result"]

    def value(self, expression: str):
        """Of an expression in the page; of a promise what it becomes."""
        told = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def start(self) -> None:
        """It hears since it is there; so that it can stand for a Listener."""

    def join(self) -> None:
        try:
            with contextlib.suppress(TimeoutError):  # who asks sees what is missing
                self.value("window.all.then(() => true)")
            found = self.value("window.found()")
            self.seen, self.told = dict(map(tuple, found["seen"])), found["told"]
        finally:
            self.close()

    def close(self) -> None:
        self.popen.send_signal(signal.SIGTERM)
        self.popen.wait(timeout=PATIENCE_S)
        self.profile.cleanup()
