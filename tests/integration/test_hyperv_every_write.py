# SPDX-License-Identifier: Apache-2.0
"""Every request by which an operation changes something on a Hyper-V host goes wrong in every way, one at a time.

Other tests (test_hyperv_cuts.py) take one request of each kind; here it is each request of each operation, so that what a
later step leaves behind is seen as well. Operations run beside each other, each on a host of its own.
"""

import queue
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.hyperv_api import Estate
from support.hyperv_writes import MODES, Bench, Trial

pytestmark = pytest.mark.timeout(1800)

MIB, GIB = 1 << 20, 1 << 30
HOSTS = 8
# Everyday: what earlier steps made is taken back, whichever step fails. The rest is for the night.
EVERYDAY = ["job fails"]
OPERATIONS = {}


class Operation:
    """`run` prepares and answers the request. `unsaid`: what a dry run cannot know of. `soft`: methods of which the nth
    request and those after it make a warning only. `no_job`: methods whose answer is not a job."""

    def __init__(self, name, run, everyday=False, two_hosts=False, unsaid=(), soft=None, no_job=(), skip=()):
        self.name, self.run, self.everyday, self.two_hosts = name, run, everyday, two_hosts
        self.unsaid, self.soft, self.skip = unsaid, soft or {}, skip
        self.no_job = ("Delete", "InitiateShutdown", "InitiateReboot", "ControlMetrics", *no_job)


def operation(name, **more):
    def register(run):
        OPERATIONS[name] = Operation(name, run, **more)
        return run
    return register


VSMS = "Msvm_VirtualSystemManagementService"


# Making, copying, removing


@operation("create", everyday=True)
def _(b):
    b.fresh()
    return "post", "/vms", {
        "name": b.name, "host": b.host_id, "path": f"D:\\Bench\\{b.name}", "annotation": "made", "cpu": {"count": 2, "nested": True},
        "memory": {"bytes": GIB, "dynamic": True, "max_bytes": 2 * GIB}, "secure_boot": {"on": True},
        "disks": [{"capacity_bytes": GIB, "qos": {"iops_limit": 400}}, {"image": {"path": b.file("there.vhdx")}}],
        "cdroms": [{"image": {"path": b.file("cd.iso", kind=0)}}],
        "nics": [{"label": "front", "network": b.external, "vlan": {"mode": "access", "id": 10}, "mac": "02:11:22:33:44:55",
                  "security": {"dhcp_guard": True}, "bandwidth": {"limit_bps": 10**8}}, {"network": b.private}],
        "boot": {"order": ["cdrom", "disk"]}, "autostart": {"start": "always"}}


@operation("create of generation 1 and start", unsaid=(f"{VSMS}.ModifySystemSettings",), soft={"RequestStateChange": [1]})
def _(b):
    b.fresh()
    return "post", "/vms", {"name": b.name, "host": b.host_id, "firmware": "bios", "memory": {"bytes": GIB},
                            "disks": [{"capacity_bytes": GIB}], "nics": [{"adapter": "legacy", "network": b.private}], "start": True}


@operation("delete with checkpoints and files", soft={"Delete": [1]})
def _(b):
    b.make([("post", "snapshots", {"name": "one"}), ("post", "disks", {"capacity_bytes": GIB})])
    return "delete", f"/vms/{b.id}", None, {"disks": "delete"}


@operation("clone", everyday=True, unsaid=(f"{VSMS}.ModifySystemSettings", f"{VSMS}.ModifyResourceSettings", "CIM_DataFile.Delete"),
           soft={"Delete": [1]})
def _(b):
    b.make(nics=[{"network": b.private}])
    return "post", f"/vms/{b.id}/actions/clone", {"name": f"{b.name}-twin"}


def exported(b, *then, **more):
    b.make(then, **more)
    b.do("post", f"/vms/{b.id}/actions/export", {"path": f"D:\\Bench\\{b.name}"})
    return f"D:\\Bench\\{b.name}\\{b.name}\\Virtual Machines\\{b.guid}.vmcx"


IMPORT_UNSAID = (f"{VSMS}.ModifySystemSettings", f"{VSMS}.ModifyResourceSettings", "Msvm_ImageManagementService.ConvertVirtualHardDisk",
                 f"{VSMS}.ImportSnapshotDefinitions")


@operation("import of a copy", everyday=True, unsaid=IMPORT_UNSAID)
def _(b):
    source = exported(b, nics=[{"network": b.private}])
    return "post", "/vms/actions/import", {"host": b.host_id, "source": source, "mode": "copy", "name": f"{b.name}-copy"}


@operation("import in place with checkpoints", unsaid=IMPORT_UNSAID, soft={"ImportSnapshotDefinitions": [1]})
def _(b):
    source = exported(b, ("post", "snapshots", {"name": "one"}))
    b.do("delete", f"/vms/{b.id}", None, disks="delete")
    return "post", "/vms/actions/import", {"host": b.host_id, "source": source, "mode": "register"}


@operation("move of files")
def _(b):
    b.make()
    return "post", f"/vms/{b.id}/actions/move", {"path": f"D:\\Moved\\{b.name}"}


@operation("move to another host", two_hosts=True)
def _(b):
    b.make()
    return "post", f"/vms/{b.id}/actions/move", {"host": b.other_id, "path": f"D:\\Moved\\{b.name}"}


# Settings


@operation("reconfigure", everyday=True)
def _(b):
    b.make()
    return "patch", f"/vms/{b.id}", {"annotation": "new", "cpu": {"count": 3, "weight": 250}, "memory": {"bytes": 2 * GIB, "dynamic": True},
                                     "secure_boot": {"on": True}, "autostart": {"start": "always", "delay_s": 90},
                                     "boot": {"order": ["network", "disk"]}}


@operation("reconfigure with a TPM")
def _(b):
    b.make()
    b.host.change(b.guid, key_protector=[1] * 64)
    return "patch", f"/vms/{b.id}", {"cpu": {"count": 2}, "tpm": True, "boot": {"order": ["network"]}}


# Disks, drives, controllers


@operation("disk on a new controller", everyday=True)
def _(b):
    b.make([("delete", "disks/{disk}"), ("delete", "cdroms/{cdrom}"), ("delete", "controllers/{controller}")])
    return "post", f"/vms/{b.id}/disks", {"capacity_bytes": GIB}


@operation("disk that differs from another")
def _(b):
    b.make()
    return "post", f"/vms/{b.id}/disks", {"image": {"path": f"D:\\Bench\\{b.name}\\diff.vhdx", "parent": b.image("base")}}


@operation("change of a disk", everyday=True)
def _(b):
    vm = b.make()
    return "patch", f"/vms/{b.id}/disks/{vm['disks'][0]['id']}", {
        "qos": {"iops_limit": 300}, "controller": {"type": "scsi", "unit": 9}, "capacity_bytes": 2 * GIB}


@operation("disk and its file away", everyday=True, soft={"Delete": [1]})
def _(b):
    vm = b.make()
    return "delete", f"/vms/{b.id}/disks/{vm['disks'][0]['id']}", None, {"file": "delete"}


@operation("CD drive with an image")
def _(b):
    b.make()
    return "post", f"/vms/{b.id}/cdroms", {"image": {"path": b.file("a.iso", kind=0)}}


@operation("other image in a drive")
def _(b):
    b.make(cdroms=[{}])
    drive = b.vm["cdroms"][0]["id"]
    b.do("post", f"/vms/{b.id}/cdroms/{drive}/actions/mount", {"image": {"path": b.file("a.iso", kind=0)}})
    return "post", f"/vms/{b.id}/cdroms/{drive}/actions/mount", {"image": {"path": b.file("b.iso", kind=0)}}


@operation("CD drive with its image away")
def _(b):
    b.make(cdroms=[{}])
    drive = b.vm["cdroms"][0]["id"]
    b.do("post", f"/vms/{b.id}/cdroms/{drive}/actions/mount", {"image": {"path": b.file("a.iso", kind=0)}})
    return "delete", f"/vms/{b.id}/cdroms/{drive}"


# Adapters


FULL_NIC = {"label": "full", "vlan": {"mode": "access", "id": 10}, "security": {"dhcp_guard": True, "mac_spoofing": True},
            "bandwidth": {"limit_bps": 10**8}}


@operation("adapter with everything", everyday=True)
def _(b):
    b.make()
    return "post", f"/vms/{b.id}/nics", {**FULL_NIC, "network": b.external}


@operation("everything of a bare adapter", everyday=True)
def _(b):
    b.make(nics=[{"label": "bare"}])
    return "patch", f"/vms/{b.id}/nics/{b.vm['nics'][0]['id']}", {**FULL_NIC, "network": b.external, "mac": "02:11:22:33:44:56"}


@operation("everything of a full adapter", everyday=True)
def _(b):
    b.make(nics=[{**FULL_NIC, "network": b.external}])
    return "patch", f"/vms/{b.id}/nics/{b.vm['nics'][0]['id']}", {
        "label": "other", "network": b.private, "vlan": {"mode": "untagged"}, "security": {"dhcp_guard": False},
        "bandwidth": {"limit_bps": 10**7}}


# One request each


def simple(name, verb, path, body=None, query=None, first=(), **more):
    def run(b):
        b.make(first)
        b.now()
        words = {"disk": b.vm["disks"], "nic": b.vm["nics"], "cdrom": b.vm["cdroms"]}
        at = path
        for word, found in words.items():
            at = at.replace("{" + word + "}", found[0]["id"] if found else "")
        if "{snapshot}" in at:
            at = at.replace("{snapshot}", next(s["id"] for s in b.api.items(f"vms/{b.id}/snapshots") if s["name"] == "one"))
        return verb, f"/vms/{b.id}/{at}", body, query or {}

    operation(name, **more)(run)


START, ONE = ("post", "actions/start"), ("post", "snapshots", {"name": "one"})
simple("start", "post", "actions/start")
simple("stop", "post", "actions/stop", first=[START])
simple("pause", "post", "actions/pause", first=[START])
simple("suspend", "post", "actions/suspend", first=[START])
simple("resume", "post", "actions/resume", first=[START, ("post", "actions/suspend")])
simple("rename", "post", "actions/rename", {"name": "renamed by a test"})
simple("controller", "post", "controllers", {"bus": "scsi"})
simple("adapter away", "delete", "nics/{nic}")
simple("metering", "post", "actions/enable_metrics")
simple("checkpoint away", "delete", "snapshots/{snapshot}", first=[ONE])
simple("tree of checkpoints away", "delete", "snapshots/{snapshot}", query={"children": "true"}, first=[ONE])
simple("revert", "post", "snapshots/{snapshot}/actions/revert", first=[ONE, ("patch", "", {"cpu": {"count": 2}})],
       skip=[("job does nothing", "ApplySnapshot")])
simple("revert to another", "post", "snapshots/{snapshot}/actions/revert", first=[ONE, ("post", "snapshots", {"name": "two"})])
simple("export", "post", "actions/export", {"path": "D:\\Exported"}, skip=[("job does nothing", "ExportSystemDefinition")])


# Checkpoints


@operation("checkpoint of another kind", soft={"ModifySystemSettings": [2]})
def _(b):
    b.make()
    return "post", f"/vms/{b.id}/snapshots", {"name": "one", "snapshot_type": "standard", "description": "why"}


# Guest data


@operation("guest data of all kinds", everyday=True)
def _(b):
    b.make([("post", "actions/start")])
    b.do("post", f"/vms/{b.id}/actions/set_guest_data", {"data": {"stays": "s", "changes": "old", "goes": "g"}})
    return "post", f"/vms/{b.id}/actions/set_guest_data", {"data": {"comes": "c", "changes": "new", "goes": None}}


# Switches


def switch(b, kind, **more):
    b.fresh()
    return b.do("post", "/switches", {"name": b.name, "host": b.host_id, "switch_type": kind, **more})["result"]["ref"]["id"]


@operation("switch with notes", unsaid=("Msvm_VirtualEthernetSwitchManagementService.ModifySystemSettings",), soft={"ModifySystemSettings": [1]})
def _(b):
    b.fresh()
    return "post", "/switches", {"name": b.name, "host": b.host_id, "switch_type": "internal", "annotation": "noted"}


UPLINK = "Intel(R) Ethernet Network Adapter E810-XXV-2 #2"


@operation("switch from private to external", everyday=True)
def _(b):
    made = switch(b, "private")
    return "patch", f"/switches/{made}", {"name": f"{b.name}-2", "annotation": "new", "switch_type": "external", "uplinks": [UPLINK],
                                          "management_os": True}


@operation("switch from external to private", everyday=True)
def _(b):
    made = switch(b, "external", uplinks=[UPLINK], management_os=True)
    return "patch", f"/switches/{made}", {"name": f"{b.name}-2", "switch_type": "private"}


# Images


@operation("image that differs")
def _(b):
    b.fresh()
    return "post", "/disk-images", {"host": b.host_id, "path": f"D:\\Bench\\{b.name}\\child.vhdx", "parent": b.image("base")}


@operation("merge")
def _(b):
    b.fresh()
    child = b.image("child", parent=b.image("base"))
    return "post", f"/disk-images/{child}/actions/merge", {}


class Bench2(Bench):
    """Fills {words} in paths with ids of the VM's devices."""

    def do(self, verb, path, body=None, **query):
        if "{" in path:
            now = self.now()
            first = {"disk": now["disks"], "cdrom": now["cdroms"], "controller": now["controllers"]}
            for word, found in first.items():
                path = path.replace("{" + word + "}", found[0]["id"] if found else "")
        return super().do(verb, path, body, **query)


@pytest.fixture(scope="module")
def trials(request, module_servers, tmp_path_factory):
    """{name: future of its Trial}"""
    nightly = request.config.getoption("--nightly")
    asked = {item.callspec.params["name"] for item in request.session.items
             if item.path == request.path and hasattr(item, "callspec")}
    chosen = [o for o in OPERATIONS.values() if o.name in asked]
    hv = Estate(module_servers("writes"), tmp_path_factory.mktemp("writes"), hosts=HOSTS + 1, vms_per_host=1, speed=200, add=False,
                settings={"outcome_wait_s": 1, "events": False})
    for host in hv.fake.hosts:
        hv.add(host)
    free = queue.Queue()
    for host in hv.fake.hosts[1:-1]:
        free.put(Bench2(hv, [host.name]))
    pair = Bench2(hv, [hv.fake.hosts[0].name, hv.fake.hosts[-1].name])

    def work(one):
        bench = pair if one.two_hosts else free.get()
        try:
            return Trial(bench, one, list(MODES) if nightly else EVERYDAY)
        finally:
            if bench is not pair:
                free.put(bench)

    with ThreadPoolExecutor(max_workers=HOSTS) as pool:
        yield {one.name: pool.submit(work, one) for one in chosen}
    assert not hv.control.errors()
    hv.close()


def names():
    return [pytest.param(o.name, marks=[] if o.everyday else [pytest.mark.nightly]) for o in OPERATIONS.values()]


@pytest.mark.parametrize("name", names())
def test_nothing_is_left_nothing_is_missing_and_nothing_is_done_twice(trials, name):
    trial = trials[name].result()
    wrong = [f"{mode}: {one}" for mode, found in trial.found.items() for one in found]
    assert not wrong, f"{len(wrong)} of {trial.runs} runs of {len(trial.steps)} steps\n" + "\n".join(wrong)
