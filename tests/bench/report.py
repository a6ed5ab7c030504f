# SPDX-License-Identifier: Apache-2.0
"""Collecting figures, printing a table, writing JSON."""

import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from support import paths

QUICK = "--quick" in sys.argv


class Report:
    def __init__(self, name: str):
        self.name = name
        self.rows: list[dict] = []
        print(f"== {name}", flush=True)

    def add(self, what: str, value: float, unit: str, reference: float | None = None, goal: str = "", lower=True, note=""):
        """reference: the same figure of whatever it is compared with; the ratio is value / reference."""
        row = {"what": what, "value": value, "unit": unit, "reference": reference,
               "ratio": value / reference if reference else None, "goal": goal, "lower_is_better": lower, "note": note}
        self.rows.append(row)
        ratio = f"{row['ratio']:8.2f}" if row["ratio"] is not None else " " * 8
        other = f"{reference:12.3f}" if reference is not None else " " * 12
        print(f"{what:58} {value:12.3f} {unit:8} {other} {ratio}  {goal:12} {note}", flush=True)

    def head(self):
        print(f"{'what':58} {'ours':>12} {'unit':8} {'reference':>12} {'ratio':>8}  {'goal':12}")

    def close(self):
        folder = paths.ROOT / "build" / "bench"
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{self.name}.json"
        target.write_text(json.dumps({"name": self.name, "cpus": os.cpu_count(), "quick": QUICK, "rows": self.rows}, indent=1))
        print(f"-- {target}", flush=True)


def middle(values) -> float:
    return statistics.median(values)


def percentile(values, share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def folder() -> Path:
    """A new folder for one run."""
    base = paths.ROOT / "build" / "bench"
    base.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="run-", dir=base))
