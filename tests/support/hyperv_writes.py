# SPDX-License-Identifier: Apache-2.0
"""Runs an operation on a simulated Hyper-V host as often as it has requests that change something: each of them once cut
before its effect and after it, refused, with a job that fails, and with a job that is forgotten.

What is true is read from the fake: everything of the hosts before and after, and the ledger of requests. An operation that
fails must leave nothing, one that is told as done must have done what it does undisturbed, and nothing is sent twice.
"""

import itertools
import json
import re
import traceback

from .hyperv import Control, Host

READS = ("GetSummaryInformation", "GetVirtualHardDiskSettingData", "GetVirtualHardDiskState", "ShowMetrics", "GetKeyProtector",
         "CheckVirtualSystemIsMigratableToHost", "GetVirtualSystemThumbnailImage", "GetErrorEx")
# Of a VM that nobody touches these change all the same.
UNSTEADY = ("uptime", "busy", "keys", "LastModified", "CreationTime", "LastKnownSwitchName", "BIOSSerialNumber",
            "BaseBoardSerialNumber", "ChassisSerialNumber")
_numbers = itertools.count(1)


class Mode:
    """One way of going wrong. `leaves`: what there is afterwards is as before, or as if nothing had gone wrong."""

    def __init__(self, name, rule, leaves):
        self.name, self.rule, self.leaves = name, rule, leaves

    def __repr__(self):
        return self.name


NOTHING, ALL = "nothing", "all"
# Asked again when its answer is lost, for it changes nothing; and failed when its job is forgotten.
CHECKS = ("ValidatePlannedSystem",)
CHECKS_SKIP = ("cut before", "cut after", "job forgotten, done", "job does nothing")
MODES = {m.name: m for m in (
    Mode("cut before", {"drop": "before"}, NOTHING),
    Mode("refused", {"returns": 32773}, NOTHING),
    Mode("job fails", {"job": {"code": 32773, "message": "The host does not want to."}}, NOTHING),
    Mode("job forgotten, undone", {"job": {"code": 32773, "vanish": True}}, NOTHING),
    Mode("job does nothing", {"job": {"no_effect": True}}, NOTHING),
    Mode("cut after", {"drop": "after"}, ALL),
    Mode("job forgotten, done", {"job": {"vanish": True}}, ALL),
)}


def flat(node, path=""):
    """{path: value} of everything in it."""
    if isinstance(node, dict) and node:
        found = {}
        for key, value in node.items():
            if key not in UNSTEADY:
                found.update(flat(value, f"{path}/{key}"))
        return found
    return {} if node is None or node is False else {path: json.dumps(node, sort_keys=True)}


def difference(before, after):
    old, new = flat(before), flat(after)
    return {path: (old.get(path), new.get(path)) for path in sorted(old.keys() | new.keys()) if old.get(path) != new.get(path)}


class Bench:
    """A host (or two) on which one operation after the other is tried."""

    def __init__(self, hv, names):
        self.hv = hv
        self.api = hv.api.with_token(hv.server.token)
        self.control = Control(hv.control.url)
        rows = {row["name"]: row for row in hv.fake.info["hosts"]}
        self.hosts = [Host(self.control, rows[name]) for name in names]
        self.host = self.hosts[0]
        self.host_id = self.api.one("hosts", self.host.name)["id"]
        self.other_id = self.api.one("hosts", names[1])["id"] if len(names) > 1 else None
        here = {i["name"]: i["id"] for i in self.api.items("networks", view="full") if i["provider"]["name"] == self.host.name}
        self.external, self.private = here["External"], here["Private"]
        self.name = self.vm = None

    # Preparing

    def send(self, verb, path, body=None, **query):
        if verb == "delete":
            answer = self.api.delete(path, **query)
        else:
            answer = getattr(self.api, verb)(path, body, **query)
        return answer.status_code, answer.json() if answer.content else None

    def task(self, verb, path, body=None, **query):
        status, got = self.send(verb, path, body, **query)
        assert status == 202, f"{verb} {path} {body}: {status} {json.dumps(got)[:600]}"
        return self.api.wait_task(got["id"], 120)

    def do(self, verb, path, body=None, **query):
        ended = self.task(verb, path, body, **query)
        assert ended["state"] == "succeeded", f"{verb} {path} {body}: {json.dumps(ended)[:1500]}"
        return ended

    def fresh(self):
        """A name that nothing has yet. Switches of the one before give their adapters back."""
        for one in self.host.state()["switches"].values():
            if self.name and one["name"].startswith(self.name):
                self.host.remove_switch(one["name"])
        self.name = f"w{next(_numbers):04}"
        return self.name

    def file(self, stem, **what):
        path = f"D:\\Bench\\{self.name}\\{stem}"
        self.host.add_file(path, **what)
        return path

    def make(self, then=(), **more):
        """A small VM that is off, and what is done with it before; `then` are requests below it."""
        made = self.do("post", "/vms", {"name": self.fresh(), "host": self.host_id, "memory": {"bytes": 1 << 30},
                                        "disks": [{"capacity_bytes": 1 << 30}], **more})
        self.id = made["result"]["ref"]["id"]
        for verb, path, *body in then:
            self.do(verb, f"/vms/{self.id}/{path}".rstrip("/"), *body)
        return self.now()

    def now(self):
        self.vm = self.api.read(f"/vms/{self.id}")
        self.guid = self.vm["native"]["id"]
        return self.vm

    def image(self, stem, **more):
        path = f"D:\\Bench\\{self.name}\\{stem}.vhdx"
        self.do("post", "/disk-images", {"host": self.host_id, "path": path, **(more or {"capacity_bytes": 1 << 30})})
        return next(i["id"] for i in self.api.items("disk-images", view="full", filter=f'name="{stem}.vhdx"')
                    if i["path"].lower() == path.lower() and i["provider"]["name"] == self.host.name)

    # Looking

    def state(self):
        seen = {}
        for host in self.hosts:
            whole = host.whole()
            seen[host.name] = {k: whole[k] for k in ("vms", "planned", "switches", "files")}
        return seen

    def mark(self):
        rows = self.control.ledger(host=self.host.name, limit=1)
        return rows[-1]["number"] if rows else 0

    def writes(self, after):
        return [r for r in self.control.ledger(host=self.host.name, after=after)
                if r["action"] == "Invoke" and r["method"] not in READS]

    def simple(self, text):
        """Without what is another each time: names of this run, ids, addresses, times."""
        if text is None:
            return ""
        text = re.sub(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "#", text).replace(self.name, "@")
        text = re.sub(r'"00155D[0-9A-F]{6}"', '"mac"', text)
        return re.sub(r"\d{4}-\d\d-\d\d[T ][0-9:.+Z-]*|\d{14}\.\d{6}[+-]\d{3}|\d+/\d+/\d{4} - [0-9:]+ ?[AP]?M?", "time", text)

    def plain(self, changes):
        return sorted((self.simple(path), self.simple(old), self.simple(new)) for path, (old, new) in changes.items())

    def left(self, changes):
        """What is not as before. What was removed and made again has another id, and is the same."""
        gone = sorted((self.simple(path), old) for path, (old, new) in changes.items() if new is None)
        come = sorted((self.simple(path), new) for path, (old, new) in changes.items() if old is None)
        changed = {path: both for path, both in changes.items() if None not in both}
        return changes if changed or [(p, self.simple(v)) for p, v in gone] != [(p, self.simple(v)) for p, v in come] else {}


class Trial:
    """What came of all the ways in which one operation can go wrong: {mode: [what was not as it has to be]}."""

    def __init__(self, bench, operation, modes):
        self.bench, self.operation = bench, operation
        self.found = {mode: [] for mode in (*MODES, "dry run", "undisturbed")}
        self.steps, self.runs = [], 0
        try:
            self._undisturbed()
            self._all([MODES[m] for m in modes])
        except Exception:  # told by the tests that ask for it
            self.found["undisturbed"].append(traceback.format_exc(limit=8))

    def _request(self):
        return self.operation.run(self.bench)

    def _run(self, request, rule=None):
        """The finished task, what has changed, and what was sent."""
        bench = self.bench
        verb, path, body, query = (*request, None, {})[:4] if len(request) < 4 else request
        before, mark = bench.state(), bench.mark()
        ident = bench.control.fault(host=bench.host.name, count=1, **rule) if rule else None
        try:
            task = bench.task(verb, path, body, **(query or {}))
        finally:
            hit = ident is None or bench.control.hits(ident) == 1
            if ident is not None:
                bench.control.ask("DELETE", f"/faults/{ident}")
        self.runs += 1
        return task, difference(before, bench.state()), bench.writes(mark), hit

    def _undisturbed(self):
        request = self._request()
        before, mark = self.bench.state(), self.bench.mark()
        verb, path, body, query = (*request, None, {})[:4] if len(request) < 4 else request
        status, plan = self.bench.send(verb, path, body, dry_run="true", **(query or {}))
        if status != 200 or plan.get("changed") is not True:
            self.found["dry run"].append(f"{status} {json.dumps(plan)[:800]}")
        if self.bench.writes(mark) or difference(before, self.bench.state()):
            self.found["dry run"].append("it changes something")
        task, self.done, sent, _ = self._run(request)
        self.steps = [(r["class"], r["method"]) for r in sent]
        self.done = self.bench.plain(self.done)
        if task["state"] != "succeeded":
            self.found["undisturbed"].append(f"{task['state']}: {task['error']}")
        planned = {c if isinstance(c, str) else c["operation"] for e in plan.get("plan") or [] for c in e.get("native_calls", [])}
        unsaid = {f"{c}.{m}" for c, m in self.steps} - planned - set(self.operation.unsaid)
        if unsaid:
            self.found["dry run"].append(f"it does not tell of {sorted(unsaid)}")

    def _all(self, modes):
        request = None
        for mode in [m for m in modes if m.leaves == NOTHING] + [m for m in modes if m.leaves == ALL]:
            for number, (cls, method) in enumerate(self.steps):
                if "job" in mode.rule and method in self.operation.no_job or (mode.name, method) in self.operation.skip or \
                        method in CHECKS and mode.name in CHECKS_SKIP:
                    continue
                if request is None:
                    request = self._request()
                skip = sum(1 for _, m in self.steps[:number] if m == method)
                task, changed, sent, hit = self._run(request, {"method": method, "skip": skip, **mode.rule})
                wrong = self._judge(mode, number, task, changed, sent, hit)
                if wrong:
                    self.found[mode.name].append(f"step {number + 1} of {len(self.steps)}, {method}: {wrong}")
                if wrong or changed:
                    request = None

    def _judge(self, mode, number, task, changed, sent, hit):
        method = self.steps[number][1]
        if not hit:
            return f"the request was not made; {[r['method'] for r in sent]}"
        after = self.operation.soft.get(method)  # what comes after it is told by a warning, and is no failure
        if after and after[0] <= sum(1 for _, m in self.steps[:number + 1] if m == method):
            return self._judge_soft(task)
        wanted = "succeeded" if mode.leaves == ALL else "failed"
        again = mode.name == "job does nothing" and task["state"] == "succeeded"  # some settings are tried once more
        told = (f"{task['state']} {task['error']['detail'] if task['error'] else json.dumps(task['result'])[:400]}; "
                f"sent {[r['method'] for r in sent]}")
        if again:
            mode, wanted = MODES["refused"], "succeeded"
        if task["state"] != wanted:
            return told
        if [r["method"] for r in sent[:number + 1]] != [m for _, m in self.steps[:number + 1]]:
            return f"other requests than undisturbed: {told}"
        keys = [(r["class"], r["method"], json.dumps(r["selectors"], sort_keys=True), r.get("digest")) for r in sent]
        twice = {k[1] for k in keys if keys.count(k) > 1}
        if twice and mode.name != "refused":
            return f"sent twice: {sorted(twice)}; {told}"
        if mode.leaves == NOTHING and not again:
            left = self.bench.left(changed)
            return f"left behind: {json.dumps(left)[:600]}; {told}" if left else None
        seen = self.bench.plain(changed)
        return None if seen == self.done else (
            f"not as undisturbed: missing {json.dumps([x for x in self.done if x not in seen])[:900]}, "
            f"more {json.dumps([x for x in seen if x not in self.done])[:900]}; {told}")

    @staticmethod
    def _judge_soft(task):
        if task["state"] != "succeeded":
            return f"{task['state']} {json.dumps(task['error'])[:700]}"
        return None
