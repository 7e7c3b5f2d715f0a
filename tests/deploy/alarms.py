"""What Prometheus would make of real /metrics: rules tried by promtool on samples that were taken of processes.

A `Record` has two samples of each process, twenty minutes each: all is well, then the cause. Rules that count what
happened within minutes see the step between them, rules that wait for a while see the second one last.
"""

from __future__ import annotations

import json
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = ROOT / "helm" / "peal" / "files" / "alerts.yaml"
MINUTES = 20
SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")


def samples(text: str | None, instance: str) -> dict[str, str]:
    """Series with the labels that a scrape adds -> value; of a process that doesn't answer only that."""
    found = {f'up{{job="peal",instance="{instance}"}}': "1" if text is not None else "0"}
    for line in (text or "").splitlines():
        match = SAMPLE.match(line)
        if match:
            name, labels, value = match.groups()
            found[f'{name}{{{labels + "," if labels else ""}job="peal",instance="{instance}"}}'] = value
    return found


class Record:
    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.before: dict[str, str] = {}
        self.after: dict[str, str] = {}

    def well(self, *processes) -> None:
        for process in processes:
            self.before.update(samples(scrape(process), process.name))

    def cause(self, *processes) -> None:
        for process in processes:
            self.after.update(samples(scrape(process), process.name))

    def series(self) -> list[dict]:
        def stretch(value: str | None) -> str:
            return f"_x{MINUTES}" if value is None else f"{value}+0x{MINUTES - 1}"
        return [{"series": name, "values": f"{stretch(self.before.get(name))} {stretch(self.after.get(name))}"}
                for name in sorted({*self.before, *self.after})]

    def judge(self, *expected: str, also: tuple[str, ...] = ()) -> None:
        """Nothing fires in the first stretch; in the second `expected`, and nothing else but maybe some of `also`."""
        fired = self.fired()
        assert fired[0] == set(), f"fires when all is well: {fired[0]}"
        assert set(expected) <= fired[1] <= {*expected, *also}, f"{fired[1]} instead of {expected}"

    def fired(self) -> tuple[set[str], set[str]]:
        """What fires within each stretch, of all the rules."""
        at = [MINUTES - 1, 2 * MINUTES - 1]
        # promtool is asked to find nothing, and says what it finds instead.
        tests = [{"expr": f'count_over_time(ALERTS{{alertname="{name}",alertstate="firing"}}[{MINUTES - 1}m])',
                  "eval_time": f"{minute}m", "exp_samples": []} for name in names() for minute in at]
        path = self.folder / "rules.test.json"  # JSON is YAML
        path.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "30s", "tests": [
            {"interval": "1m", "input_series": self.series(), "promql_expr_test": tests}]}))
        done = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True, timeout=60)
        found = re.findall(r'expr: "count_over_time\(ALERTS\{alertname=\\"(\w+)\\".*", time: (\d+)m', done.stdout + done.stderr)
        assert done.returncode == (1 if found else 0), done.stdout + done.stderr
        return tuple({name for name, minute in found if int(minute) == each} for each in at)


def scrape(process) -> str | None:
    if not process.alive:
        return None
    status, text = process.get("/metrics")
    assert status == 200
    return text


def names() -> list[str]:
    return re.findall(r"^ *- alert: (\w+)$", RULES.read_text(), re.MULTILINE)
