# SPDX-License-Identifier: Apache-2.0
"""Injected misbehaviour: rules by host, action, class and method, counted down as they are used."""

import itertools
import random
import re

_numbers = itertools.count(1)


class JobFault:
    def __init__(self, data):
        self.code = data.get("code")
        self.message = data.get("message", "")
        self.errors = data.get("errors")
        self.seconds = data.get("seconds")
        self.at = data.get("at")
        self.vanish = bool(data.get("vanish"))
        self.no_effect = bool(data.get("no_effect"))
        self.state = data.get("state")
        unknown = set(data) - {"code", "message", "errors", "seconds", "at", "vanish", "no_effect", "state"}
        if unknown:
            raise ValueError(f"a job has no {', '.join(sorted(unknown))}")

    def error(self):
        """What the job ends with; a code with a state of its own (7 or 32768) is no exception."""
        return None if self.code is None or self.state is not None else (self.code, self.message, self.errors)


class Rule:
    """One rule. Where: host, action, class, method, match (regular expression on the body), chance, skip, count.

    What it does: fault {subcode, code, text, detail, status}, delay, drop before|after, status (plain HTTP),
    return (ReturnValue without effect), job {code, message, errors, seconds, at, vanish}.
    """

    def __init__(self, data):
        data = dict(data)
        self.id = next(_numbers)
        self.host = data.pop("host", None)
        self.action = data.pop("action", None)
        self.cls = data.pop("class", None)
        self.method = data.pop("method", None)
        self.match = re.compile(data.pop("match")) if data.get("match") else None
        data.pop("match", None)
        self.skip = data.pop("skip", 0)
        self.count = data.pop("count", None)
        self.chance = data.pop("chance", None)
        self.fault = data.pop("fault", None)
        self.delay = data.pop("delay", None)
        self.drop = data.pop("drop", None)
        self.status = data.pop("status", None)
        self.body = data.pop("body", "")
        self.returns = data.pop("return", None)
        self.job = data.pop("job", None)
        if self.job is not None:
            JobFault(self.job)
        self.cut = data.pop("cut", None)
        self.replace = data.pop("replace", None)
        self.once_done = data.pop("then", None)
        self.hits = 0
        if data:
            raise ValueError(f"a rule has no {', '.join(sorted(data))}")
        if self.drop not in (None, "before", "after"):
            raise ValueError("drop is before or after")

    def shown(self):
        return {"id": self.id, "host": self.host, "action": self.action, "class": self.cls, "method": self.method,
                "hits": self.hits, "left": self.count}

    def _is(self, wanted, given):
        if wanted is None:
            return True
        if given is None:
            return False
        return re.fullmatch(wanted, given, re.IGNORECASE) is not None

    def fits(self, host, action, cls, method, body):
        if self.count is not None and self.count <= 0:
            return False
        if not (self._is(self.host, host.name) and self._is(self.action, action) and self._is(self.cls, cls)
                and self._is(self.method, method)):
            return False
        if self.match is not None and not self.match.search(body or ""):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.chance is not None and random.random() >= self.chance:
            return False
        return True

    def take(self):
        self.hits += 1
        if self.count is not None:
            self.count -= 1


class Faults:
    def __init__(self):
        self.rules = []
        self.pending_job = None

    def add(self, data):
        rule = Rule(data)
        self.rules.append(rule)
        return rule

    def clear(self, ident=None):
        self.rules = [] if ident is None else [r for r in self.rules if r.id != ident]

    def look(self, host, action, cls, method, body=""):
        """The rules that apply to this request now, each taken once."""
        if not self.rules:
            return []
        found = [r for r in self.rules if r.fits(host, action, cls, method, body)]
        for rule in found:
            rule.take()
        return found

    def job(self, _host, _name, _kind):
        """What the rules of the request under way want of the job that it starts."""
        taken, self.pending_job = self.pending_job, None
        return None if taken is None else JobFault(taken)
