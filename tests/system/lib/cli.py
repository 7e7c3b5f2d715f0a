"""Runs `peal`: to its end, or until it is stopped."""

import json
import os
import signal
import subprocess
import threading

from lib.processes import PATIENCE_S, bin_dir, slow_factor, until

DONE, REFUSED, USAGE, UNREACHABLE = 0, 1, 2, 3


class Ran:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def json(self):
        return json.loads(self.out)

    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]


def peal(*words, stdin="", env=None):
    done = subprocess.run([bin_dir() / "peal", *map(str, words)], input=stdin, capture_output=True, text=True,
                          timeout=PATIENCE_S * slow_factor(), env={**os.environ, **(env or {})})
    return Ran(done)


class Running:
    """A verb that goes on until it is stopped; its lines as they come."""

    def __init__(self, *words, stdin=subprocess.DEVNULL):
        self.popen = subprocess.Popen([bin_dir() / "peal", *map(str, words)], stdin=stdin,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines, self.notes = [], []
        self.threads = [threading.Thread(target=self._read, args=pair) for pair in
                        ((self.popen.stdout, self.lines), (self.popen.stderr, self.notes))]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def _read(stream, into):
        for line in stream:
            into.append(line.rstrip("\n"))

    def messages(self):
        return [json.loads(line)["message"] for line in self.lines]

    def end(self, number=signal.SIGINT):
        """Its exit code; a signal is sent when it has not ended by itself."""
        if number is not None and self.popen.poll() is None:
            self.popen.send_signal(number)
        try:
            self.popen.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"it does not end: {self.notes}") from None
        finally:
            for thread in self.threads:
                thread.join()
        return self.popen.returncode


def subscribed(gateway, channel, count=1):
    """Waits until `count` sessions of the gateway follow the channel."""
    def there():
        ran = peal("channels", "--json", "--prefix", channel, "--control", gateway.ready["control"])
        return any(line["name"] == channel and line["subscribers"] == count for line in ran.lines())

    until(there, f"{count} subscribers of {channel}")
