"""Runs the C++ programs swarm, wanderers, producer, repeater and checker (tests/system/swarm) for a test."""

from __future__ import annotations

import json
import pathlib
import subprocess
from collections.abc import Iterator

from .processes import bin_dir, slow_factor


class Program:
    """A program that prints JSON when its standard input ends, or when it is done by itself."""

    def __init__(self, words: list[str], log: pathlib.Path):
        self.log = log
        with open(log, "wb") as errors:
            self.popen = subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, stderr=errors, text=True)

    def first_line(self) -> str:
        """Waits for a line; a program that ends instead has failed."""
        line = self.popen.stdout.readline().strip()
        assert line, f"{self.popen.args[0]} ended with {self.popen.wait()}:\n{self.says()}"
        return line

    def end(self, seconds: float = 60) -> dict:
        """Ends its input, waits for it, and gives what it printed last."""
        try:
            out, _ = self.popen.communicate(timeout=seconds * slow_factor())
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.popen.args[0]} does not end:\n{self.says()}") from None
        assert self.popen.returncode == 0, f"{self.popen.args[0]} ended with {self.popen.returncode}:\n{self.says()}\n{out}"
        return json.loads(out.splitlines()[-1])

    def says(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    def kill(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()


class Job:
    """One run of publishers against listeners, and the judgement of it."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.programs: list[Program] = []
        self.journals: list[pathlib.Path] = []
        self.listeners: Program | None = None
        self.kind = "swarm"

    def swarm(self, urls: list[str], **options) -> Program:
        """Starts the listeners and waits until those that stay are all subscribed."""
        return self._listeners("swarm", urls, options)

    def wanderers(self, urls: list[str], transports: list[str], **options) -> Program:
        """Starts clients that leave and come back with positions; waits until all know their first ones."""
        return self._listeners("wanderers", urls, options, *(f"--transport={name}" for name in transports))

    def _listeners(self, program: str, urls: list[str], options: dict, *flags) -> Program:
        self.kind = program
        words = [bin_dir() / program, "--journal", self.folder / "listeners.journal", *flags]
        for url in urls:
            words += ["--url", url]
        self.listeners = self._start(words, options, program)
        assert self.listeners.first_line() == "ready"
        return self.listeners

    def producer(self, way: str, target: str, **options) -> Program:
        return self._publisher("producer", way, [target], options, "--peal", bin_dir() / "peal")

    def repeater(self, targets: list[str], way: str = "control", **options) -> Program:
        """Publishes under a sequence, each until it is acknowledged, at one target after the other."""
        return self._publisher("repeater", way, targets, options)

    def _publisher(self, program: str, way: str, targets: list[str], options: dict, *flags) -> Program:
        number = len(self.journals)
        journal = self.folder / f"{program}-{number}.journal"
        self.journals.append(journal)
        words = [bin_dir() / program, way, "--journal", journal, "--publisher", number, *flags]
        for target in targets:
            words += ["--target", target]
        return self._start(words, options, f"{program}-{number}")

    def hearings(self) -> Iterator[tuple[int, int]]:
        """Of every delivery that is in the listeners' journal: when its message was sent, and when it was heard."""
        sent = {}
        for journal in self.journals:
            for words in map(str.split, journal.read_text().splitlines()):
                sent[words[1], words[3]] = int(words[4])
        with open(self.folder / "listeners.journal") as lines:
            for words in map(str.split, lines):
                if words[0] == "D":
                    yield sent[words[3], words[4]], int(words[5])

    def judge(self, *flags) -> dict:
        words = [bin_dir() / "checker", f"--{self.kind}", self.folder / "listeners.journal", *flags]
        if self.kind == "swarm":
            words += ["--settle", "2s"]  # of the three that the listeners wait for more, on a busy machine
        for journal in self.journals:
            words += ["--producer", journal]
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True,
                              timeout=120 * slow_factor())
        assert done.stdout, f"the checker ended with {done.returncode}:\n{done.stderr}"
        verdict = json.loads(done.stdout)
        assert done.returncode == 0, f"{done.stderr}\n{verdict}"
        return verdict

    def _start(self, words: list, options: dict, name: str) -> Program:
        for option, value in options.items():
            words += [f"--{option.replace('_', '-')}", value]
        program = Program(words, self.folder / f"{name}.log")
        self.programs.append(program)
        return program

    def close(self) -> None:
        for program in self.programs:
            program.kill()
