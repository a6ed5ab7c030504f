# SPDX-License-Identifier: Apache-2.0
"""What was asked and what happened: bounded lists, counts, readable and resettable by control."""

from collections import Counter, deque

from . import cimtime


class Ledger:
    def __init__(self, limit=20000):
        self.requests = deque(maxlen=limit)
        self.effects = deque(maxlen=limit)
        self.counts = Counter()
        self.host_counts = {}
        self.number = 0
        self.total = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.connections = Counter()
        self.logons = Counter()

    def reset(self):
        self.requests.clear()
        self.effects.clear()
        self.counts.clear()
        self.host_counts.clear()
        self.total = self.bytes_in = self.bytes_out = 0
        self.connections.clear()
        self.logons.clear()

    def request(self, host, entry):
        self.number += 1
        self.total += 1
        entry["number"] = self.number
        entry["time"] = cimtime.now()
        entry["host"] = host.name
        self.requests.append(entry)
        key = entry["action"]
        if entry.get("method"):
            key = f"{entry['class']}.{entry['method']}"
        elif entry.get("class"):
            key = f"{key} {entry['class']}"
        self.counts[key] += 1
        self.host_counts.setdefault(host.name, Counter())[key] += 1
        self.bytes_in += entry.get("bytes_in", 0)

    def effect(self, host, what, target, more):
        self.number += 1
        self.effects.append({"number": self.number, "time": cimtime.now(), "host": host.name, "what": what,
                             "target": target, **more})
