# SPDX-License-Identifier: Apache-2.0
"""Operations on Hyper-V hosts that misbehave: true final states, nothing twice, nothing left behind."""

import time

import pytest

from support.hyperv_api import Estate
from support.wait import wait_for

pytestmark = pytest.mark.timeout(400)

GIB = 1 << 30


@pytest.fixture(scope="module")
def hv(module_servers, tmp_path_factory):
    made = Estate(module_servers("hv"), tmp_path_factory.mktemp("hv"), hosts=1, vms=8, speed=50,
                  settings={"outcome_wait_s": 2})
    yield made
    made.close()


@pytest.fixture(autouse=True)
def nothing_is_left_behind(request):
    yield
    if "hv" in request.fixturenames:
        made = request.getfixturevalue("hv")
        made.control.no_faults()
        assert not made.leftovers()


_made = 0


@pytest.fixture
def vm(hv, host_id):
    global _made
    _made += 1
    hv.do("post", "/vms", {"name": f"f-{_made}", "host": host_id, "memory": {"bytes": GIB}, "disks": [{"capacity_bytes": GIB}]})
    return hv.vm(f"f-{_made}")


def effects(hv, what, target=None):
    return [e for e in hv.control.effects() if e["what"] == what and (target is None or e["target"] == target)]


# The connection is cut (each write by itself: test_hyperv_cuts.py)

WRITES = {
    "start": ("RequestStateChange", "actions/start", None, lambda r: r.state == "running"),
    "snapshot": ("CreateSnapshot", "snapshots", {"name": "cut"}, lambda r: len(r.snapshots) == 1),
    "rename": ("ModifySystemSettings", "actions/rename", {"name": "cut-name"}, lambda r: r.name == "cut-name"),
    "cpu": ("ModifyResourceSettings", "actions/reconfigure", {"cpu": {"count": 3}}, lambda r: r.cpus == 3),
    "disk file": ("CreateVirtualHardDisk", "disks", {"capacity_bytes": GIB}, lambda r: len(r.disks) == 2),
    "drive": ("AddResourceSettings", "disks", {"capacity_bytes": GIB}, lambda r: len(r.disks) == 2),
    "controller": ("AddResourceSettings", "controllers", {"bus": "scsi"}, lambda r: len(r.controllers) == 2),
    "nic": ("AddResourceSettings", "nics", {"label": "cut"}, lambda r: len(r.nics) == 2),
    "kvp": ("AddKvpItems", "actions/set_guest_data", {"data": {"k": "v"}}, lambda r: r.kvp_host == {"k": "v"}),
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("method", ["DefineSystem", "CreateVirtualHardDisk", "AddResourceSettings", "ModifyResourceSettings"])
def test_making_a_vm_is_whole_or_not_at_all(hv, host_id, method, when):
    name = f"whole-{method.lower()}-{when}"
    hv.control.fault(method, drop=when, count=1)
    task = hv.end("post", "/vms", {"name": name, "host": host_id, "cpu": {"count": 2}, "memory": {"bytes": GIB},
                                   "disks": [{"capacity_bytes": GIB}]}, timeout=240)
    files = [f for f in hv.host.state()["files"] if name in f]
    if when == "after":
        assert task["state"] == "succeeded", task["error"]
        assert len(hv.real(name).disks) == len(files) == 1
    else:
        assert task["state"] in ("failed", "lost"), task
        assert hv.host.vm_named(name) is None and files == []


# Jobs that go wrong


def test_a_job_that_fails_says_why_in_the_hosts_words(hv, vm):
    hv.control.fault("RequestStateChange", job={"code": 32778, "message": "Not enough memory in the system to start."}, count=1)
    error = hv.fails("post", f"{hv.path(vm)}/actions/start")
    assert "Not enough memory" in error["detail"] and error["provider"]["native_code"].startswith("32778")
    assert hv.api.read(hv.path(vm))["power_state"] == "off"


@pytest.mark.parametrize("done", [True, False])
def test_a_job_that_vanishes_is_decided_by_what_the_vm_is_in(hv, vm, done):
    rule = {"seconds": 20, "vanish": True} if done else {"seconds": 20, "vanish": True, "code": 32768}
    hv.control.fault("RequestStateChange", job=rule, count=1)
    task = hv.end("post", f"{hv.path(vm)}/actions/start", timeout=300)
    real = hv.host.vm(vm["native"]["id"]).state
    assert (task["state"] == "succeeded") == (real == "running"), (task["state"], real)
    assert done == (real == "running")


def test_a_later_step_that_fails_takes_the_earlier_ones_back(hv, vm):
    before = hv.host.vm(vm["native"]["id"])
    hv.control.fault("AddResourceSettings", skip=1, count=1, job={"code": 32773, "message": "no such medium"})
    error = hv.fails("post", f"{hv.path(vm)}/disks", {"capacity_bytes": GIB})
    assert "no such medium" in error["detail"] and "taken back" in error["detail"]
    after = hv.host.vm(vm["native"]["id"])
    assert after.drives == before.drives and len([f for f in hv.host.state()["files"] if vm["name"] in f and ".vhdx" in f]) == 1


def test_settings_are_put_back_when_a_later_one_fails(hv, vm):
    hv.control.fault("ModifyResourceSettings", match="Msvm_MemorySettingData", job={"code": 32773, "message": "too much"})
    error = hv.fails("patch", hv.path(vm), {"cpu": {"count": 4}, "annotation": "x", "memory": {"bytes": 2 * GIB}})
    assert "too much" in error["detail"]
    real = hv.host.vm(vm["native"]["id"])
    assert real.cpus == 1 and real.memory_mb == 1024 and real.notes == ""


def test_a_failed_import_leaves_no_planned_system(hv, vm, host_id):
    hv.do("post", f"{hv.path(vm)}/actions/export", {"path": "D:\\Exports"})
    source = f"D:\\Exports\\{vm['name']}\\Virtual Machines\\{vm['native']['id']}.vmcx"
    for method in ("ValidatePlannedSystem", "RealizePlannedSystem", "ConvertVirtualHardDisk"):
        hv.control.fault(method, job={"code": 32768, "message": "no"}, count=1)
        hv.fails("post", "/vms/actions/import", {"host": host_id, "source": source, "mode": "copy", "name": "never"})
        assert hv.host.state()["planned"] == {} or hv.host.state()["planned"] == []
        assert not [f for f in hv.host.state()["files"] if "\\never\\" in f]


def test_success_without_effect_is_no_success(hv, vm):
    hv.control.fault("ModifySystemSettings", returns=0, count=5)
    error = hv.fails("post", f"{hv.path(vm)}/actions/rename", {"name": "nothing-happened"}, timeout=120)
    assert "not to be seen" in error["detail"]


def test_a_transition_that_is_under_way_is_waited_for(hv, vm):
    hv.control.fault("RequestStateChange", returns=32775, count=2)
    assert hv.do("post", f"{hv.path(vm)}/actions/start", timeout=120)["changed"] is True
    assert hv.host.vm(vm["native"]["id"]).state == "running"


def test_settings_that_fail_at_random_are_tried_again(hv, vm):
    hv.control.fault("ModifyResourceSettings", returns=32768, count=2)
    hv.do("patch", hv.path(vm), {"cpu": {"count": 2}})
    assert hv.host.vm(vm["native"]["id"]).cpus == 2


def test_a_running_job_is_canceled_and_its_host_says_so(hv, vm):
    hv.control.fault("ExportSystemDefinition", job={"seconds": 3000}, count=1)
    task = hv.api.act("vms", vm["id"], "export", {"path": "D:\\Slow"})
    wait_for(lambda: hv.api.task(task["id"])["native"]["id"] and "Job" in hv.api.task(task["id"])["native"]["id"], "the job should be known", 30)
    assert hv.api.post(f"/tasks/{task['id']}/actions/cancel").status_code in (200, 202)
    assert hv.api.wait_task(task["id"])["state"] == "canceled"
    assert [e for e in effects(hv, "job") if e.get("state") == 8], "the host ended its job"


def test_progress_and_steps_are_told(hv, vm):
    hv.control.fault("CreateVirtualHardDisk", job={"seconds": 100}, count=1)
    status, task = hv.send("post", f"{hv.path(vm)}/disks", {"capacity_bytes": GIB})
    seen = wait_for(lambda: (lambda t: t if t["step"] and (t["progress"] or 0) > 0 else None)(hv.api.task(task["id"])), "progress", 30)
    assert seen["step"]["of"] == 3
    assert hv.api.wait_task(task["id"])["state"] == "succeeded"


# The host is away


def test_a_host_that_goes_down_during_a_job_is_asked_when_it_is_back(hv, vm):
    hv.control.fault("RequestStateChange", job={"seconds": 100}, count=1)
    hv.control.reset()
    task = hv.api.act("vms", vm["id"], "start")
    wait_for(lambda: hv.calls("RequestStateChange") == 1, "the host should have been asked", 30)
    hv.host.down()
    time.sleep(4)
    hv.host.up()
    assert hv.api.wait_task(task["id"], 120)["state"] == "succeeded"
    assert hv.calls("RequestStateChange") == 1 and hv.host.vm(vm["native"]["id"]).state == "running"


def test_a_host_that_goes_down_before_all_is_taken_back_is_asked_when_it_is_back(hv, vm):
    """Drive and file of the disk are there when the host goes, and nobody can say what became of the disk itself."""
    before = hv.host.vm(vm["native"]["id"])
    hv.control.reset()
    rule = hv.control.fault("AddResourceSettings", match="Virtual Hard Disk", drop="before", delay=1500, count=1)
    _, task = hv.send("post", f"{hv.path(vm)}/disks", {"capacity_bytes": GIB})
    wait_for(lambda: hv.control.hits(rule) == 1, "the last request should be on its way", 30)
    hv.host.down()
    wait_for(lambda: hv.api.task(task["id"])["state"] == "reattaching", "nobody can say what became of it", 60)
    hv.host.up()
    ended = hv.api.wait_task(task["id"], 120)
    assert ended["state"] == "failed", ended
    after = hv.host.vm(vm["native"]["id"])
    assert after.drives == before.drives and after.disks == before.disks
    assert len([f for f in hv.host.state()["files"] if vm["name"] in f and ".vhdx" in f]) == 1
    assert hv.calls("AddResourceSettings") == 2 and hv.calls("CreateVirtualHardDisk") == 1, "nothing is sent twice"


@pytest.mark.parametrize("method", ["ApplySnapshot", "DestroySystem"])
def test_a_vm_that_was_turned_off_for_what_then_failed_is_said_to_be_off(hv, vm, method):
    """Its memory is gone: that is the one thing nobody can take back."""
    hv.do("post", f"{hv.path(vm)}/snapshots", {"name": "one"})
    hv.do("post", f"{hv.path(vm)}/actions/start")
    snapshot = hv.api.items(f"vms/{vm['id']}/snapshots")[0]["id"]
    hv.control.fault(method, job={"code": 32773, "message": "no"}, count=1)
    hv.control.fault(action="Pull", class_=r"\*", delay=3000)    # the feed comes later than the task's end
    if method == "ApplySnapshot":
        error = hv.fails("post", f"{hv.path(vm)}/snapshots/{snapshot}/actions/revert")
    else:
        error = hv.fails("delete", hv.path(vm), force="true", disks="delete")
    assert "turned off, and stays off" in error["detail"], error
    assert hv.host.vm(vm["native"]["id"]).state == "off" and hv.api.read(hv.path(vm))["power_state"] == "off"


# The server is killed


LONG = {
    "export": ("ExportSystemDefinition", "actions/export", {"path": "D:\\Killed"}, lambda r: True),
    "delete": ("DestroySystem", None, None, None),
    "move": ("MigrateVirtualSystemToHost", "actions/move", {"path": "D:\\Moved"}, lambda r: r.disks[0]["path"].startswith("D:\\Moved\\")),
    "clone: export": ("ExportSystemDefinition", "actions/clone", {"name": "twin"}, lambda r: True),
    "clone: realize": ("RealizePlannedSystem", "actions/clone", {"name": "twin"}, lambda r: True),
}


@pytest.mark.parametrize("name", ["start", "snapshot", "drive", "cpu", *LONG])
def test_killed_while_a_job_runs_it_is_followed_not_repeated(servers, tmp_path, name):
    hv = Estate(servers("kill"), tmp_path / "f", hosts=1, vms=4, speed=50)
    try:
        vm = hv.off()
        method, path, body, done = {**WRITES, **LONG}[name]
        hv.control.fault(method, job={"seconds": 200}, count=1)
        hv.control.reset()
        disks = len(hv.host.vm(vm["native"]["id"]).disks)
        if path:
            _, task = hv.send("post", f"{hv.path(vm)}/{path}", body)
        else:
            _, task = hv.send("delete", hv.path(vm), disks="delete")
        wait_for(lambda: "Job:" in ((hv.api.task(task["id"])["native"] or {}).get("id") or ""), "the job should be stored", 30)
        hv.server.kill()
        hv.server.start()
        hv.again()
        ended = hv.api.wait_task(task["id"], 120)
        assert ended["state"] == "succeeded", ended["error"]
        assert hv.calls(method) == (2 if name == "drive" else 1)
        if name == "delete":
            assert hv.host.vm_named(vm["name"]) is None and not [f for f in hv.host.state()["files"] if vm["name"] in f and ".vhd" in f]
        elif name == "drive":
            assert len(hv.host.vm(vm["native"]["id"]).disks) == disks + 1
        else:
            assert done(hv.host.vm(vm["native"]["id"]))
        if name.startswith("clone"):
            assert [v.name for v in hv.host.vms()].count("twin") == 1 and hv.calls("ImportSystemDefinition") == 1
            assert len(hv.real("twin").disks) == disks and not hv.leftovers()
        if name == "snapshot":
            assert [s["name"] for s in hv.host.vm(vm["native"]["id"]).snapshots] == ["cut"]
    finally:
        hv.close()


@pytest.mark.parametrize("name", ["merge", "convert"])
def test_killed_while_a_disk_is_worked_on_it_is_followed(servers, tmp_path, name):
    hv = Estate(servers("kill"), tmp_path / "f", hosts=1, vms=2, speed=50)
    try:
        host = hv.api.one("hosts", hv.host.name)["id"]

        def image(text):
            return next(i for i in hv.api.items("disk-images", view="full") if i["path"] == f"D:\\VMs\\{text}.vhdx")

        hv.do("post", "/disk-images", {"host": host, "path": "D:\\VMs\\k.vhdx", "capacity_bytes": GIB})
        hv.do("post", "/disk-images", {"host": host, "path": "D:\\VMs\\k-child.vhdx", "parent": image("k")["id"]})
        method, body, left = {"merge": ("MergeVirtualHardDisk", {}, ["k.vhdx"]),
                              "convert": ("ConvertVirtualHardDisk", {"path": "D:\\VMs\\k-new.vhdx"}, ["k-child.vhdx", "k-new.vhdx", "k.vhdx"])}[name]
        hv.control.fault(method, job={"seconds": 200}, count=1)
        hv.control.reset()
        _, task = hv.send("post", f"/disk-images/{image('k-child')['id']}/actions/{name}", body)
        wait_for(lambda: "Job:" in ((hv.api.task(task["id"])["native"] or {}).get("id") or ""), "the job should be stored", 30)
        hv.server.kill()
        hv.server.start()
        hv.again()
        ended = hv.api.wait_task(task["id"], 120)
        assert ended["state"] == "succeeded", ended["error"]
        assert hv.calls(method) == 1
        assert sorted(f[7:] for f in hv.host.state()["files"] if f.startswith("D:\\VMs\\k")) == left
    finally:
        hv.close()


def test_killed_while_it_moves_to_another_host_it_arrives_once(servers, tmp_path):
    hv = Estate(servers("kill"), tmp_path / "f", hosts=2, vms=2, speed=50)
    try:
        hv.do("post", "/vms", {"name": "goes", "host": hv.api.one("hosts", hv.host.name)["id"], "memory": {"bytes": GIB},
                               "disks": [{"capacity_bytes": GIB}]})
        vm = hv.vm("goes")
        there = hv.fake.hosts[1]
        hv.control.fault("MigrateVirtualSystemToHost", job={"seconds": 200}, count=1)
        hv.control.reset()
        _, task = hv.send("post", f"{hv.path(vm)}/actions/move", {"host": hv.api.one("hosts", there.name)["id"], "path": "D:\\Arrived"})
        wait_for(lambda: "Job:" in ((hv.api.task(task["id"])["native"] or {}).get("id") or ""), "the job should be stored", 30)
        hv.server.kill()
        hv.server.start()
        hv.again()
        ended = hv.api.wait_task(task["id"], 120)
        assert ended["state"] == "succeeded", ended["error"]
        assert hv.calls("MigrateVirtualSystemToHost") == 1
        assert hv.host.vm_named(vm["name"]) is None and there.vm_named(vm["name"]) is not None
        wait_for(lambda: hv.api.read(hv.path(vm))["provider"]["name"] == there.name, "it should be shown where it is", 90)
    finally:
        hv.close()


def test_killed_while_a_vm_is_made_it_is_whole_afterwards(servers, tmp_path):
    hv = Estate(servers("kill"), tmp_path / "f", hosts=1, vms=2, speed=50)
    try:
        host = hv.api.one("hosts", hv.host.name)["id"]
        for method in ("DefineSystem", "CreateVirtualHardDisk", "AddResourceSettings"):
            name = f"half-{method.lower()}"
            hv.control.fault(method, job={"seconds": 150}, count=1)
            hv.control.reset()
            _, task = hv.send("post", "/vms", {"name": name, "host": host, "memory": {"bytes": GIB}, "disks": [{"capacity_bytes": GIB}],
                                               "nics": [{}, {}]})
            wait_for(lambda: "Job:" in ((hv.api.task(task["id"])["native"] or {}).get("id") or "") and hv.calls(method) == 1, "job", 30)
            hv.server.kill()
            hv.server.start()
            hv.again()
            ended = hv.api.wait_task(task["id"], 120)
            assert ended["state"] == "succeeded", ended["error"]
            real = hv.real(name)
            assert len(real.disks) == 1 and len(real.nics) == 2 and len(real.drives) == 2 and hv.calls("DefineSystem") == 1
            assert len([f for f in hv.host.state()["files"] if name in f and ".vhdx" in f]) == 1
            assert len([v for v in hv.host.vms() if v.name == name]) == 1
    finally:
        hv.close()
