# SPDX-License-Identifier: Apache-2.0
"""The connection to a Hyper-V host is cut before and after the effect of every method that changes something.

All operations run beside each other, each on a VM of its own; each is cut before the effect first, which has to leave
everything as it was, and then after it, which has to be found out and not repeated.
"""

import json
from types import SimpleNamespace

import pytest

from support.hyperv_api import Estate

pytestmark = pytest.mark.timeout(400)

GIB = 1 << 30

class Case:
    """One method of one operation. `match` tells its request from the others'; {vm} is the VM's GUID, {name} its name."""

    def __init__(self, name, method, verb, path, body=None, match="{vm}", first=(), query=None, done=None, running=False,
                 seeded=False):
        self.name, self.method, self.verb, self.path, self.body, self.match = name, method, verb, path, body, match
        self.first, self.query, self.done, self.running, self.seeded = first, query or {}, done, running, seeded

    def __repr__(self):
        return self.name


def state(wanted):
    return lambda r: r.vm["state"] == wanted


def count(what, n):
    return lambda r: len(r.vm[what]) == n


def setting(name, value):
    return lambda r: r.vm["settings"].get(name) == value


def both(text):
    """A request that holds this and names the VM, in any order."""
    return f"(?=.*{text})(?=.*{{vm}})"


def post(path, body=None):
    return ("post", path, body)


SNAP = post("snapshots", {"name": "one"})
START = post("actions/start")
NIC = post("nics", {"label": "extra", "network": "{net10}"})
ISO = {"image": {"path": "D:\\ISO\\cut.iso"}}

CASES = [
    # Power
    Case("start", "RequestStateChange", "post", "actions/start", done=state("running")),
    Case("stop", "RequestStateChange", "post", "actions/stop", running=True, done=state("off")),
    Case("pause", "RequestStateChange", "post", "actions/pause", running=True, done=state("paused")),
    Case("suspend", "RequestStateChange", "post", "actions/suspend", running=True, done=state("saved")),
    Case("resume", "RequestStateChange", "post", "actions/resume", first=[START, post("actions/pause")], done=state("running")),
    Case("reset", "RequestStateChange", "post", "actions/reset", running=True, done=state("running")),
    Case("shutdown", "InitiateShutdown", "post", "actions/shutdown", {"timeout_s": 4}, seeded=True, done=state("off")),
    # Checkpoints
    Case("checkpoint", "CreateSnapshot", "post", "snapshots", {"name": "cut"}, done=count("snapshots", 1)),
    Case("rename a checkpoint", "ModifySystemSettings", "patch", "snapshots/{snapshot}", {"name": "{name}-uno"}, first=[SNAP], match="{name}-uno",
         done=lambda r: [s["name"] for s in r.vm["snapshots"]] == [r.made["name"] + "-uno"]),
    Case("revert", "ApplySnapshot", "post", "snapshots/{snapshot}/actions/revert", first=[SNAP, post("snapshots", {"name": "two"})],
         match="{snapshot_guid}", done=lambda r: r.vm["applied"] == r.snapshot("one")),
    Case("delete a checkpoint", "DestroySnapshot", "delete", "snapshots/{snapshot}", first=[SNAP], match="{snapshot_guid}",
         done=count("snapshots", 0)),
    Case("delete a tree", "DestroySnapshotTree", "delete", "snapshots/{snapshot}", query={"children": "true"},
         first=[SNAP, post("snapshots", {"name": "two"})], match="{snapshot_guid}", done=count("snapshots", 0)),
    Case("delete all checkpoints", "DestroySnapshotTree", "post", "actions/delete_snapshots",
         first=[SNAP, post("snapshots", {"name": "two"})], match="{snapshot_guid}", done=count("snapshots", 0)),
    Case("export a checkpoint", "ExportSystemDefinition", "post", "snapshots/{snapshot}/actions/export", {"path": "D:\\Cut\\{name}"},
         first=[SNAP], done=lambda r: r.under("D:\\Cut\\")),
    # Settings
    Case("rename", "ModifySystemSettings", "post", "actions/rename", {"name": "{name}-new"}, done=lambda r: r.vm["name"].endswith("-new")),
    Case("processors", "ModifyResourceSettings", "patch", "", {"cpu": {"count": 3}}, done=lambda r: r.vm["cpus"] == 3),
    Case("memory", "ModifyResourceSettings", "patch", "", {"memory": {"bytes": 2 * GIB}}, done=lambda r: r.vm["memory_mb"] == 2048),
    Case("dynamic memory", "ModifyResourceSettings", "patch", "", {"memory": {"dynamic": True}}, done=lambda r: r.vm["dynamic_memory"]),
    Case("secure boot", "ModifySystemSettings", "patch", "", {"secure_boot": {"on": True}}, done=setting("SecureBootEnabled", True)),
    Case("boot order", "ModifySystemSettings", "patch", "", {"boot": {"order": ["network", "disk"]}},
         done=lambda r: r.vm["settings"]["BootSourceOrder"] != r.before["settings"]["BootSourceOrder"]),
    Case("autostart", "ModifySystemSettings", "patch", "", {"autostart": {"start": "always"}}, done=setting("AutomaticStartupAction", 4)),
    # Disks
    Case("file of a disk", "CreateVirtualHardDisk", "post", "disks", {"capacity_bytes": GIB}, match="{name}", done=count("disks", 2)),
    Case("drive of a disk", "AddResourceSettings", "post", "disks", {"capacity_bytes": GIB}, match=both("Synthetic Disk Drive"),
         done=count("disks", 2)),
    Case("disk into a drive", "AddResourceSettings", "post", "disks", {"capacity_bytes": GIB}, match=both("Virtual Hard Disk"),
         done=count("disks", 2)),
    Case("grow a disk", "ResizeVirtualHardDisk", "patch", "disks/{disk}", {"capacity_bytes": 2 * GIB}, match="{name}",
         done=lambda r: [f["size"] for f in r.files.values()] == [2 * GIB]),
    Case("limit a disk", "ModifyResourceSettings", "patch", "disks/{disk}", {"qos": {"iops_limit": 300}},
         done=lambda r: r.api_disk()["qos"]["iops_limit"] == 300),
    Case("disk out of a drive", "RemoveResourceSettings", "delete", "disks/{disk}", match=both("StorageAllocationSettingData"), done=count("disks", 0)),
    Case("drive out", "RemoveResourceSettings", "delete", "disks/{disk}", match=both("Msvm_ResourceAllocationSettingData"), done=count("disks", 0)),
    Case("controller", "AddResourceSettings", "post", "controllers", {"bus": "scsi"}, done=count("controllers", 2)),
    Case("controller out", "RemoveResourceSettings", "delete", "controllers/{controller}", first=[post("controllers", {"bus": "scsi"})],
         done=count("controllers", 1)),
    # CD drives
    Case("CD drive", "AddResourceSettings", "post", "cdroms", {}, done=count("drives", 3)),
    Case("CD drive out", "RemoveResourceSettings", "delete", "cdroms/{cdrom}", done=count("drives", 1)),
    Case("image in", "AddResourceSettings", "post", "cdroms/{cdrom}/actions/mount", ISO, done=count("disks", 2)),
    Case("image out", "RemoveResourceSettings", "post", "cdroms/{cdrom}/actions/eject",
         first=[post("cdroms/{cdrom}/actions/mount", ISO)], done=count("disks", 1)),
    # Adapters
    Case("adapter", "AddResourceSettings", "post", "nics", {"label": "cut"}, match=both("Synthetic Ethernet Port"), done=count("nics", 2)),
    Case("port of an adapter", "AddResourceSettings", "post", "nics", {"label": "cut", "network": "{net10}"},
         match=both("Ethernet Connection"),
         done=lambda r: r.nic("cut")["switch"] == "External"),
    Case("VLAN of an adapter", "AddFeatureSettings", "post", "nics", {"label": "cut", "network": "{net10}"}, done=lambda r: r.nic("cut")["vlan"] == 10),
    Case("other VLAN", "ModifyFeatureSettings", "patch", "nics/{nic}", {"vlan": {"mode": "access", "id": 77}}, first=[NIC],
         done=lambda r: r.nic("extra")["vlan"] == 77),
    Case("no VLAN", "RemoveFeatureSettings", "patch", "nics/{nic}", {"vlan": {"mode": "untagged"}}, first=[NIC],
         done=lambda r: r.nic("extra")["vlan"] is None),
    Case("other switch", "ModifyResourceSettings", "patch", "nics/{nic}", {"network": "{private}"}, first=[NIC],
         done=lambda r: r.nic("extra")["switch"] == "Private"),
    Case("label and address", "ModifyResourceSettings", "patch", "nics/{nic}", {"mac": "02:11:22:33:44:55"}, first=[NIC],
         done=lambda r: r.nic("extra")["mac"] == "021122334455"),
    Case("adapter out", "RemoveResourceSettings", "delete", "nics/{nic}", first=[NIC], done=count("nics", 1)),
    # Guest data, metering
    Case("guest data", "AddKvpItems", "post", "actions/set_guest_data", {"data": {"k": "v"}}, done=lambda r: r.vm["kvp_host"] == {"k": "v"}),
    Case("other guest data", "ModifyKvpItems", "post", "actions/set_guest_data", {"data": {"k": "w"}},
         first=[post("actions/set_guest_data", {"data": {"k": "v"}})], done=lambda r: r.vm["kvp_host"] == {"k": "w"}),
    Case("no guest data", "RemoveKvpItems", "post", "actions/set_guest_data", {"data": {"k": None}},
         first=[post("actions/set_guest_data", {"data": {"k": "v"}})], done=lambda r: r.vm["kvp_host"] == {}),
    Case("metering", "ControlMetrics", "post", "actions/enable_metrics", done=lambda r: r.vm["metrics"]),
    Case("no metering", "ControlMetrics", "post", "actions/disable_metrics", first=[post("actions/enable_metrics")],
         done=lambda r: not r.vm["metrics"]),
    # The whole VM
    Case("export", "ExportSystemDefinition", "post", "actions/export", {"path": "D:\\Cut"}, done=lambda r: r.under("D:\\Cut\\")),
    Case("clone: export", "ExportSystemDefinition", "post", "actions/clone", {"name": "{name}-twin"}, done=lambda r: r.twin()),
    Case("clone: import", "ImportSystemDefinition", "post", "actions/clone", {"name": "{name}-twin"}, match="{name}", done=lambda r: r.twin()),
    Case("clone: realize", "RealizePlannedSystem", "post", "actions/clone", {"name": "{name}-twin"}, match="RealizePlannedSystem",
         done=lambda r: r.twin()),
    Case("move files", "MigrateVirtualSystemToHost", "post", "actions/move", {"path": "D:\\Cut\\{name}"},
         done=lambda r: r.vm["disks"][0]["path"].startswith("D:\\Cut\\")),
    Case("move to another host", "MigrateVirtualSystemToHost", "post", "actions/move", {"host": "{other}", "path": "D:\\Cut\\{name}"},
         running=True, done=lambda r: r.vm is None and r.there()),
    Case("delete", "DestroySystem", "delete", "", query={"disks": "delete"}, done=lambda r: r.vm is None and not r.files),
]
# Its request names nothing of the VM: it runs when the others are done.
ALONE = ("clone: realize",)


class Seen:
    """A VM and what belongs to it, as the fake has it."""

    def __init__(self, hv, made, truth, before=None):
        self.hv, self.made, self.before = hv, made, before
        self.vm = truth["vms"].get(made["native"]["id"])
        self.files = {path: f for path, f in truth["files"].items() if made["name"] in path and ".vhdx" in path}
        self.all = [path for path in truth["files"] if made["name"] in path]
        self.planned = truth["planned"]
        self.truth = truth

    def whole(self):
        """What a request that never arrived must not have changed."""
        vm = {k: v for k, v in self.vm.items() if k not in ("uptime", "busy", "keys")}
        vm["settings"] = {k: v for k, v in vm["settings"].items() if k not in ("LastModified", "CreationTime")}
        return json.loads(json.dumps({"vm": vm, "files": sorted(self.all), "twin": self.twin()}))

    def under(self, folder):
        return [path for path in self.all if path.startswith(folder)]

    def nic(self, name):
        return next((n for n in self.vm["nics"] if n["name"] == name), None)

    def twin(self):
        return [v["name"] for v in self.truth["vms"].values() if v["name"] == f"{self.made['name']}-twin"]

    def there(self):
        return self.hv.fake.hosts[1].vm_named(self.made["name"]) is not None

    def api_disk(self):
        return self.hv.api.read(f"/disks/{self.hv.api.read(self.hv.path(self.made))['disks'][0]['id']}")

    def snapshot(self, name):
        return next(s["id"] for s in self.vm["snapshots"] if s["name"] == name)


class Lab:
    """Every case with its VM, prepared, and what came of cutting it."""

    def __init__(self, hv):
        self.hv = hv
        self.cases, self.came = {}, {}
        networks = {(n["provider"]["name"], n["name"]): n["id"] for n in hv.api.items("networks", view="full")}
        self.words = {"net10": networks[hv.host.name, "External VLAN 10"], "private": networks[hv.host.name, "Private"],
                      "other": hv.api.one("hosts", hv.fake.hosts[1].name)["id"]}
        hv.host.add_file("D:\\ISO\\cut.iso", kind=0)
        self._prepare(hv.api.one("hosts", hv.host.name)["id"])
        self.cut("before")
        self.cut("after")

    def _prepare(self, host):
        running = [v for v in self.hv.api.items("vms", view="full") if v["power_state"] == "running" and v["provider"]["name"] == self.hv.host.name]
        tasks = []
        for number, case in enumerate(CASES):
            name = running.pop()["name"] if case.seeded else f"cut{number:02}"
            self.cases[case.name] = SimpleNamespace(case=case, name=name)
            if not case.seeded:
                tasks.append(self.hv.send("post", "/vms", {"name": name, "host": host, "memory": {"bytes": GIB},
                                                           "disks": [{"capacity_bytes": GIB}], "start": case.running}))
        self._wait(tasks)
        for one in self.cases.values():
            one.vm = self.hv.vm(one.name)
        for step in range(max(len(case.first) for case in CASES)):
            self._wait([self._send(one, *one.case.first[step]) for one in self.cases.values() if len(one.case.first) > step])

    def _wait(self, sent):
        for status, task in sent:
            assert status == 202, task
            ended = self.hv.api.wait_task(task["id"], 120)
            assert ended["state"] == "succeeded", ended

    def _filled(self, one, text):
        """With ids in place of {words}."""
        if "{" not in text:
            return text
        words = {**self.words, "name": one.name, "vm": one.vm["native"]["id"]}
        if any(w in text for w in ("{snapshot", "{disk", "{cdrom", "{nic", "{controller")):
            now = self.hv.api.read(self.hv.path(one.vm))
            snapshots = {s["name"]: s for s in self.hv.api.items(f"vms/{one.vm['id']}/snapshots")}
            used = {d["controller"]["id"] for d in now["disks"] if d.get("controller", {}).get("id")}
            words.update(
                snapshot=snapshots.get("one", {}).get("id"),
                snapshot_guid=snapshots["one"]["native"]["id"].split(":")[-1] if "one" in snapshots else None,
                disk=next((d["id"] for d in now["disks"]), None), cdrom=next((c["id"] for c in now["cdroms"]), None),
                nic=next((n["id"] for n in now["nics"] if n["label"] == "extra"), None),
                controller=next((c["id"] for c in reversed(now["controllers"]) if c["id"] not in used), None))
        for word, value in words.items():
            text = text.replace("{" + word + "}", str(value))
        return text

    def _send(self, one, verb, path, body=None, **query):
        body = None if body is None else json.loads(json.dumps(body), object_pairs_hook=lambda pairs: {
            k: self._filled(one, v) if isinstance(v, str) else v for k, v in pairs})
        path = self._filled(one, path)
        return self.hv.send(verb, f"{self.hv.path(one.vm)}/{path}".rstrip("/"), body, **query)

    def _start(self, one, when, truth):
        one.before = Seen(self.hv, one.vm, truth)
        if when == "before":  # what it changes shows in that nothing has changed afterwards
            one.plan = self._send(one, one.case.verb, one.case.path, one.case.body, dry_run="true", **one.case.query)
        match = "(?s)" + self._filled(one, one.case.match)
        one.rule = self.hv.control.fault(one.case.method, match=match, drop=when, count=1)
        one.counter = self.hv.control.fault(one.case.method, match=match, delay=0)
        status, one.task = self._send(one, one.case.verb, one.case.path, one.case.body, **one.case.query)
        assert status == 202, f"{one.case}: {one.task}"

    def _end(self, one, when, truth):
        task = self.hv.api.task(one.task["id"])
        seen = Seen(self.hv, one.vm, truth, one.before.vm)
        self.came[one.case.name, when] = SimpleNamespace(
            task=task, seen=seen, before=one.before, cut=self.hv.control.hits(one.rule), sent=self.hv.control.hits(one.counter))

    def cut(self, when):
        for together in ([c for name, c in self.cases.items() if name not in ALONE], *([self.cases[name]] for name in ALONE)):
            truth = self.hv.host.state()
            for one in together:
                self._start(one, when, truth)
            for one in together:
                self.hv.api.wait_task(one.task["id"], 120)
            truth = self.hv.host.state()
            for one in together:
                self._end(one, when, truth)
        self.hv.control.no_faults()


@pytest.fixture(scope="module")
def lab(module_servers, tmp_path_factory):
    hv = Estate(module_servers("cuts"), tmp_path_factory.mktemp("cuts"), hosts=2, vms=8, speed=100, add=False, settings={"outcome_wait_s": 1})
    for host in hv.fake.hosts:
        hv.add(host, limits={"max_concurrent_tasks": 12})
    yield Lab(hv)
    assert not hv.leftovers()
    hv.close()


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_a_dry_run_names_what_the_host_would_be_asked(lab, name):
    one = lab.cases[name]
    status, plan = one.plan
    assert status == 200 and plan["changed"] is True, plan
    asked = [call.split(".")[-1] for call in lab.hv.native_calls(plan)]
    assert one.case.method in asked, asked


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_cut_before_the_effect_it_fails_and_leaves_everything_as_it_was(lab, name):
    came = lab.came[name, "before"]
    assert came.cut == 1, "the request this is about was sent"
    assert came.task["state"] == "failed", came.task
    assert came.sent == 1, "what may have been done is not sent again"
    assert came.seen.whole() == came.before.whole()


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_cut_after_the_effect_it_is_found_out_and_not_repeated(lab, name):
    came, case = lab.came[name, "after"], lab.cases[name].case
    assert came.cut == 1, "the request this is about was sent"
    assert came.task["state"] == "succeeded", came.task["error"]
    assert came.sent == 1, "nothing is sent twice"
    assert case.done(came.seen)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_checkpoint_whose_name_got_lost_is_there_and_the_task_says_so(lab, when):
    hv, one = lab.hv, lab.cases["start"]
    name = f"called-{when}"
    hv.control.fault("ModifySystemSettings", match=name, drop=when, count=1)
    task = hv.do("post", f"{hv.path(one.vm)}/snapshots", {"name": name})
    assert (name in [s["name"] for s in hv.host.vm(one.vm["native"]["id"]).snapshots]) == (when == "after")
    assert ("not named" in json.dumps(task["result"])) == (when == "before")


# What is no VM, and a guest that may or may not have been asked


def image(hv, name):
    return next(i for i in hv.api.items("disk-images", view="full") if i["path"].lower() == f"d:\\vms\\{name}.vhdx".lower())


def make_image(hv, name, **more):
    host = hv.api.one("hosts", hv.host.name)["id"]
    hv.do("post", "/disk-images", {"host": host, "path": f"D:\\VMs\\{name}.vhdx", **(more or {"capacity_bytes": GIB})})
    return image(hv, name)


def disks(hv, stem):
    return sorted(f.split("\\")[-1] for f in hv.host.state()["files"] if stem in f)


def size(hv, stem):
    return next(f["size"] for path, f in hv.host.state()["files"].items() if stem in path)


IMAGES = {
    "make": ("CreateVirtualHardDisk", None, {}, lambda hv, s: disks(hv, s) == [f"{s}.vhdx"]),
    "resize": ("ResizeVirtualHardDisk", "resize", {"capacity_bytes": 2 * GIB}, lambda hv, s: size(hv, s) == 2 * GIB),
    "compact": ("CompactVirtualHardDisk", "compact", {"mode": "full"}, lambda hv, s: disks(hv, s) == [f"{s}.vhdx"]),
    "convert": ("ConvertVirtualHardDisk", "convert", {"path": "D:\\VMs\\{stem}-2.vhd", "format": "vhd"},
                lambda hv, s: disks(hv, s) == [f"{s}-2.vhd", f"{s}.vhdx"]),
    "merge": ("MergeVirtualHardDisk", "merge", {}, lambda hv, s: disks(hv, s) == [f"{s}.vhdx"]),
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", IMAGES)
def test_images(lab, name, when):
    hv = lab.hv
    method, action, body, done = IMAGES[name]
    stem = f"cut-{name}-{when}"
    host = hv.api.one("hosts", hv.host.name)["id"]
    send = ["/disk-images", {"host": host, "path": f"D:\\VMs\\{stem}.vhdx", "capacity_bytes": GIB}]
    if action:
        one = make_image(hv, stem)
        if name == "merge":
            one = make_image(hv, f"{stem}-child", parent=one["id"])
        send = [f"/disk-images/{one['id']}/actions/{action}", json.loads(json.dumps(body).replace("{stem}", stem))]
    before = disks(hv, stem)
    hv.control.reset()
    hv.control.fault(method, drop=when, count=1)
    task = hv.end("post", *send, timeout=120)
    assert hv.calls(method) == 1, "nothing is sent twice"
    if when == "after":
        assert task["state"] == "succeeded", task["error"]
        assert done(hv, stem)
    else:
        assert task["state"] == "failed", task
        assert disks(hv, stem) == before


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", ["make", "rename", "connect", "disconnect", "delete"])
def test_switches(lab, name, when):
    hv, label = lab.hv, f"sw-{name}-{when}"
    host = hv.api.one("hosts", hv.host.name)["id"]

    def real():
        return {s["name"]: s["kind"] for s in hv.host.state()["switches"].values() if s["name"].startswith(label)}

    made = None
    if name != "make":
        kind = "internal" if name == "disconnect" else "private"
        made = hv.do("post", "/switches", {"name": label, "host": host, "switch_type": kind})["result"]["ref"]["id"]
    method, request, wanted = {
        "make": ("DefineSystem", ("post", "/switches", {"name": label, "host": host, "switch_type": "private"}), {label: "private"}),
        "rename": ("ModifySystemSettings", ("patch", f"/switches/{made}", {"name": f"{label}-2"}), {f"{label}-2": "private"}),
        "connect": ("AddResourceSettings", ("patch", f"/switches/{made}", {"switch_type": "internal"}), {label: "internal"}),
        "disconnect": ("RemoveResourceSettings", ("patch", f"/switches/{made}", {"switch_type": "private"}), {label: "private"}),
        "delete": ("DestroySystem", ("delete", f"/switches/{made}"), {}),
    }[name]
    before = real()
    hv.control.reset()
    hv.control.fault(method, drop=when, count=1)
    task = hv.end(*request, timeout=120)
    assert hv.calls(method) == 1, "nothing is sent twice"
    assert task["state"] == ("succeeded" if when == "after" else "failed"), task
    assert real() == (wanted if when == "after" else before)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_restart_asked_of_the_guest_is_lost_when_nobody_knows_whether_it_was_asked(lab, when):
    hv = lab.hv
    vm = next(v for v in hv.api.items("vms", view="full") if v["power_state"] == "running" and v["provider"]["name"] == hv.host.name
              and not v["name"].startswith("cut"))
    hv.control.reset()
    hv.control.fault("InitiateReboot", drop=when, count=1)
    task = hv.end("post", f"{hv.path(vm)}/actions/reboot", timeout=120)
    assert task["state"] in ("lost", "failed") and hv.calls("InitiateReboot") == 1


@pytest.mark.parametrize("seconds", [60, 400])
def test_a_job_whose_answer_was_lost_is_followed_however_long_it_takes(lab, seconds):
    hv, one = lab.hv, lab.cases["memory"]
    folder = f"D:\\Long{seconds}"
    hv.control.reset()
    hv.control.fault("ExportSystemDefinition", job={"seconds": seconds}, drop="after", count=1)
    task = hv.do("post", f"{hv.path(one.vm)}/actions/export", {"path": folder}, timeout=120)
    assert hv.calls("ExportSystemDefinition") == 1 and task["changed"] is True
    assert [f for f in hv.host.state()["files"] if f.startswith(folder)]


def test_a_job_whose_answer_was_lost_fails_with_the_hosts_words(lab):
    hv, one = lab.hv, lab.cases["memory"]
    hv.control.fault("ExportSystemDefinition", job={"code": 32768, "message": "The disk is full."}, drop="after", count=1)
    error = hv.fails("post", f"{hv.path(one.vm)}/actions/export", {"path": "D:\\Full"}, timeout=120)
    assert "The disk is full." in error["detail"]
