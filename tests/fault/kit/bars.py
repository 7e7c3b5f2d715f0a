"""Bars: what a fault may cost, asserted, and written down as a row of the table that `tests/fault/run` prints."""

from __future__ import annotations

import json
import os


class Bars:
    def __init__(self, fault: str):
        self.fault = fault

    def at_most(self, what: str, measured: float, bar: float, unit: str = "") -> None:
        self._row(what, f"≤ {bar:g}{unit}", measured, unit, measured <= bar)

    def at_least(self, what: str, measured: float, bar: float, unit: str = "") -> None:
        self._row(what, f"≥ {bar:g}{unit}", measured, unit, measured >= bar)

    def exactly(self, what: str, measured: float, bar: float) -> None:
        self._row(what, f"{bar:g}", measured, "", measured == bar)

    def _row(self, what: str, bar: str, measured: float, unit: str, ok: bool) -> None:
        shown = f"{round(measured, 3):g}{unit}"
        print(f"{self.fault}: {what}: {shown}, bar {bar}")
        if table := os.environ.get("PEAL_FAULT_TABLE"):
            with open(table, "a") as file:
                file.write(json.dumps([self.fault, what, bar, shown, ok]) + "\n")
        assert ok, f"{self.fault}: {what} is {shown}, and the bar is {bar}"
