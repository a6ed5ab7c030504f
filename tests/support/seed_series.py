# SPDX-License-Identifier: Apache-2.0
"""A past for objects of a server that is stopped: hours of numbers, as db/series.c stores them.

    seed_series.py DATA_FOLDER < JSON

reads [{"id": "hst_…", "days": 30, "values": {"cpu.usage_pct": [from, to, wave]}}]: the mean of a day goes from the first
number to the second, the hours of each day swing around it by the third.
"""

import json
import math
import re
import sqlite3
import sys
import time
from pathlib import Path

DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
METRICS = Path(__file__).resolve().parents[2] / "lib" / "model" / "metrics.def"
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def slots() -> dict[str, int]:
    found = re.findall(r'^METRIC\(\s*(\d+),\s*\w+,\s*"([^"]+)"', METRICS.read_text(), re.M)
    return {name: int(slot) for slot, name in found}


def key_of(text: str) -> bytes:
    number = 0
    for digit in text.split("_", 1)[1]:
        number = number << 5 | DIGITS.index(digit)
    return number.to_bytes(16, "big")


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def pack(metrics: dict[int, list[int | None]]) -> bytes:
    """Version, number of points, then slot and differences (zigzag, plus one; 0: not known) of each metric."""
    npoints = max(len(values) for values in metrics.values())
    out = bytearray([1, npoints])
    for slot, values in metrics.items():
        out.append(slot)
        before = 0
        for value in values + [None] * (npoints - len(values)):
            if value is None:
                out.append(0)
                continue
            difference = value - before
            before = value
            out += varint(1 + (difference << 1 if difference >= 0 else (-difference << 1) - 1))
    return bytes(out)


def day_of(spec: list[float], day: int, days: int, hours: int) -> list[int]:
    begin, end, wave = spec
    mean = begin + (end - begin) * day / max(1, days - 1)
    return [max(0, round(mean + wave * math.sin(2 * math.pi * hour / 24))) for hour in range(hours)]


def seed(folder, objects: list[dict]) -> int:
    """Answers how many blocks there are now."""
    found = [path for path in Path(folder).iterdir() if path.suffix in (".db", ".sqlite", ".sqlite3")]
    if len(found) != 1:
        raise FileNotFoundError(f"one database in {folder}, not {found}")
    number_of, now, written = slots(), int(time.time() * 1000), 0
    today = now // DAY_MS
    with sqlite3.connect(found[0]) as db:
        for one in objects:
            days = one.get("days", 30)
            for day in range(days + 1):
                hours = 24 if day < days else now % DAY_MS // HOUR_MS
                if not hours:
                    continue
                metrics = {number_of[name]: day_of(spec, day, days, hours) for name, spec in one["values"].items()}
                db.execute("INSERT OR REPLACE INTO series (object, step_s, start_ms, data) VALUES (?, 3600, ?, ?)",
                           (key_of(one["id"]), (today - days + day) * DAY_MS, pack(metrics)))
                written += 1
    db.close()
    return written


if __name__ == "__main__":
    print(seed(sys.argv[1], json.load(sys.stdin)))
