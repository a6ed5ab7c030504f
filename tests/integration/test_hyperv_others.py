# SPDX-License-Identifier: Apache-2.0
"""Others work on the same Hyper-V host: nothing of theirs is taken for ours, and nothing of theirs is taken back."""

import pytest

from support.wait import wait_for
from support.wsman import WsMan, instance, vm_ref

pytestmark = [pytest.mark.timeout(200), pytest.mark.usefixtures("without_faults")]

GIB = 1 << 30


@pytest.fixture(scope="module")
def hv(hyperv_hosts):
    return hyperv_hosts("others", vms=4, tasks=12, settings={"outcome_wait_s": 2})


def ended(hv, *sent):
    tasks = []
    for status, task in sent:
        assert status == 202, task
        tasks.append(hv.api.wait_task(task["id"], 90))
    return tasks


def named(hv, name):
    return [v for v in hv.host.vms() if v.name == name]


def seen(hv, name):
    return [v for v in hv.api.items("vms", view="full") if v["name"] == name]


# Equal operations side by side


@pytest.mark.parametrize("rounds", range(3))
def test_two_vms_of_one_name_made_at_once_are_not_confused(hv, host_id, rounds):
    """One request never arrives, the answer of the other is lost."""
    name = f"same{rounds}"
    hv.control.fault("DefineSystem", match="lost-before", drop="before", count=1)
    hv.control.fault("DefineSystem", match="lost-after", drop="after", count=1)
    sent = [hv.send("post", "/vms", {"name": name, "host": host_id, "memory": {"bytes": GIB}, "annotation": which,
                                     "path": f"D:\\VMs\\{which}-{rounds}", "disks": [{"capacity_bytes": GIB}]})
            for which in ("lost-before", "lost-after")]
    before, after = ended(hv, *sent)
    assert before["state"] == "failed" and after["state"] == "succeeded", (before, after)
    assert hv.calls("DefineSystem") == 2, "nothing is sent twice"
    (made,) = named(hv, name)
    assert made.notes == "lost-after" and len(made.disks) == 1
    assert [v["id"] for v in seen(hv, name)] == [after["result"]["ref"]["id"]]
    files = [path for path in hv.host.state()["files"] if f"-{rounds}\\" in path and path.startswith("D:\\VMs\\lost")]
    assert len(files) == 1 and f"lost-after-{rounds}" in files[0]


def test_a_vm_that_another_admin_makes_meanwhile_is_not_ours(hv, host_id):
    hv.control.fault("DefineSystem", match="quick", drop="before", count=1)
    status, task = hv.send("post", "/vms", {"name": "quick", "host": host_id, "memory": {"bytes": GIB}, "disks": [{"capacity_bytes": GIB}]})
    assert status == 202
    wait_for(lambda: hv.calls("DefineSystem") == 1, "the request, which never arrives")
    theirs = hv.host.new_vm(name="quick", generation=2, disk="D:\\VMs\\theirs\\quick.vhdx", size=GIB)
    task = hv.api.wait_task(task["id"], 90)
    assert task["state"] == "failed", task
    (left,) = named(hv, "quick")
    assert left.id == theirs["id"] and [d["path"] for d in left.disks] == ["D:\\VMs\\theirs\\quick.vhdx"]


def test_the_notes_of_a_new_vm_are_what_was_asked_for(hv, host_id):
    for generation in ("uefi", "bios"):
        for notes in (None, "Größe: 大"):
            name = f"notes-{generation}-{bool(notes)}"
            body = {"name": name, "host": host_id, "memory": {"bytes": GIB}, "firmware": generation, **({"annotation": notes} if notes else {})}
            made = hv.do("post", "/vms", body)["result"]["ref"]["id"]
            assert named(hv, name)[0].notes == (notes or "")
            assert (hv.api.read(f"/vms/{made}")["annotation"] or "") == (notes or "")


def test_two_switches_of_one_name_made_at_once_are_not_confused(hv, host_id):
    hv.control.fault("DefineSystem", match="(?s)twin.*HostResource|HostResource.*twin", drop="after", count=1)
    hv.control.fault("DefineSystem", match="(?s)^(?!.*HostResource).*twin", drop="before", count=1)
    sent = [hv.send("post", "/switches", {"name": "twin", "host": host_id, "switch_type": kind, "annotation": f"the {kind} one"})
            for kind in ("internal", "private")]
    after, before = ended(hv, *sent)
    assert after["state"] == "succeeded" and before["state"] == "failed", (after, before)
    (made,) = [s for s in hv.host.state()["switches"].values() if s["name"] == "twin"]
    assert made["kind"] == "internal" and made["notes"] == "the internal one"
    assert hv.api.read(f"/switches/{after['result']['ref']['id']}")["switch_type"] == "internal"


def test_a_switch_whose_notes_cannot_be_written_is_made_all_the_same(hv, host_id):
    hv.control.fault("ModifySystemSettings", job={"code": 32768, "message": "no"}, count=3)
    task = hv.do("post", "/switches", {"name": "noted", "host": host_id, "switch_type": "private", "annotation": "wanted"})
    assert "notes could not be written" in str(task["result"])
    assert "noted" in [s["name"] for s in hv.host.state()["switches"].values()]
    hv.do("patch", f"/switches/{task['result']['ref']['id']}", {"annotation": "wanted"})


def test_a_checkpoint_that_another_admin_makes_meanwhile_is_not_renamed(hv, host_id):
    vm = hv.off()
    hv.control.fault("CreateSnapshot", job={"seconds": 100}, count=1)  # two at our speed
    status, task = hv.send("post", f"{hv.path(vm)}/snapshots", {"name": "ours"})
    assert status == 202
    wait_for(lambda: hv.calls("CreateSnapshot") == 1, "the request")
    theirs = hv.host.new_checkpoint(vm["native"]["id"], "theirs")
    task = hv.api.wait_task(task["id"], 90)
    assert task["state"] == "succeeded", task
    names = {s["id"]: s["name"] for s in hv.host.vm(vm["native"]["id"]).snapshots}
    assert sorted(names.values()) == ["ours", "theirs"] and names[theirs] == "theirs"


@pytest.mark.parametrize("how", ["fails", "is still at work"])
def test_the_job_of_another_admin_at_the_same_vm_is_not_taken_for_ours(hv, how):
    """He exports it while our checkpoint is on its way, and never arrives."""
    vm = hv.off()
    before = hv.host.vm(vm["native"]["id"]).snapshots
    client = WsMan(hv.host)
    hv.control.fault("CreateSnapshot", drop="before", delay=500, count=1)
    hv.control.fault("ExportSystemDefinition", count=1, job={"seconds": 25, "code": 32768, "message": "The disk of his is full."}
                     if how == "fails" else {"seconds": 200})
    status, task = hv.send("post", f"{hv.path(vm)}/snapshots", {"name": "ours"})
    assert status == 202
    wait_for(lambda: hv.calls("CreateSnapshot") == 1, "the request, which never arrives")
    client.service("Msvm_VirtualSystemManagementService", "ExportSystemDefinition", {
        "ComputerSystem": vm_ref(vm["native"]["id"]), "ExportDirectory": "D:\\His", "ExportSettingData": instance(
            "Msvm_VirtualSystemExportSettingData", CopySnapshotConfiguration=("uint8", 0), CopyVmStorage=("boolean", True))})
    task = hv.api.wait_task(task["id"], 90)
    assert task["state"] == "failed" and "nothing is to be seen of it" in task["error"]["detail"], task
    assert "full" not in task["error"]["detail"] and hv.calls("CreateSnapshot") == 1
    assert hv.host.vm(vm["native"]["id"]).snapshots == before


def test_an_adapter_that_another_server_adds_meanwhile_is_not_ours(hv, host_id):
    """Its connection cannot be made; what is taken back is ours alone."""
    vm = hv.off()
    guid = vm["native"]["id"]
    before = {n["id"] for n in hv.host.vm(guid).nics}
    network = next(n["id"] for n in hv.api.items("networks", view="full") if n["name"] == "External")
    hv.control.fault("AddResourceSettings", match="Synthetic Ethernet Port", drop="before", count=1)
    status, task = hv.send("post", f"{hv.path(vm)}/nics", {"label": "ours", "network": network})
    assert status == 202
    wait_for(lambda: hv.calls("AddResourceSettings") == 1, "the request, which never arrives")
    theirs = hv.host.change(guid, new_nic="theirs")
    task = hv.api.wait_task(task["id"], 90)
    assert task["state"] == "failed", task
    after = {n["id"]: n["name"] for n in hv.host.vm(guid).nics}
    assert set(after) - before and set(after.values()) >= {"theirs"}, theirs
    assert "ours" not in after.values()


# Files


def test_a_file_that_somebody_else_made_meanwhile_stays(hv, host_id):
    """It was not there when we looked, and is when the host is asked: the task fails, and takes nothing back."""
    path = "D:\\VMs\\race.vhdx"
    hv.control.fault("CreateVirtualHardDisk", match="race", delay=3000, count=1)
    status, task = hv.send("post", "/disk-images", {"host": host_id, "path": path, "capacity_bytes": GIB})
    assert status == 202
    wait_for(lambda: any(r.get("method") is None and r.get("class") == "CIM_DataFile" for r in hv.control.ledger()), "the look")
    hv.host.add_file(path, size=5 * GIB)
    task = hv.api.wait_task(task["id"], 90)
    assert task["state"] == "failed" and "exists" in task["error"]["detail"], task
    assert hv.host.state()["files"][path]["size"] == 5 * GIB


def test_a_file_whose_maker_cannot_be_told_stays_when_a_later_step_fails(hv, host_id):
    vm = hv.off()
    path = "D:\\VMs\\whose.vhdx"
    hv.control.fault("CreateVirtualHardDisk", match="whose", drop="before", count=1)
    hv.control.fault("AddResourceSettings", match="Synthetic Disk Drive", job={"code": 32768, "message": "no"}, count=6)
    status, task = hv.send("post", f"{hv.path(vm)}/disks", {"capacity_bytes": GIB, "image": {"path": path}})
    assert status == 202, task
    wait_for(lambda: hv.calls("CreateVirtualHardDisk") == 1, "the request, which never arrives")
    hv.host.add_file(path, size=GIB)
    task = hv.api.wait_task(task["id"], 90)
    assert task["state"] == "failed", task
    assert path in hv.host.state()["files"]


def test_a_clone_takes_no_files_away_that_were_there(hv, host_id):
    vm = hv.off()
    base = hv.host.vm(vm["native"]["id"]).disks[0]["path"].rsplit("\\", 1)[1]
    path = f"D:\\VMs\\Taken\\Virtual Hard Disks\\{base}"
    hv.host.add_file(path, size=7 * GIB)
    error = hv.fails("post", f"{hv.path(vm)}/actions/clone", {"name": "Taken"})
    assert error["code"] == "conflict-exists" and "files of a clone in D:\\VMs\\Taken" in error["detail"]
    assert hv.host.state()["files"][path]["size"] == 7 * GIB and hv.calls("ExportSystemDefinition") == 0


def test_a_disk_that_other_vms_stand_on_is_not_deleted(hv, host_id):
    golden = hv.do("post", "/vms", {"name": "golden", "host": host_id, "memory": {"bytes": GIB}, "disks": [{"capacity_bytes": GIB}]})
    golden = hv.api.read(f"/vms/{golden['result']['ref']['id']}")
    base = golden["disks"][0]["image"]["path"]
    theirs = "D:\\VMs\\linked\\linked.vhdx"
    hv.host.new_vm(name="linked", generation=2, disk=theirs, size=GIB)
    hv.host.remove_file(theirs)
    hv.host.add_file(theirs, kind=4, size=GIB, parent=base)
    task = hv.do("delete", hv.path(golden), disks="delete")
    assert base in hv.host.state()["files"], "the other VM's disk stands on it"
    assert "stands on it" in str(task["result"])
    image = wait_for(lambda: next((i for i in hv.api.items("disk-images", view="full") if i["path"].lower() == base.lower()), None), "its image")
    assert "stands on it" in hv.fails("delete", f"/disk-images/{image['id']}")["detail"]
    assert base in hv.host.state()["files"]
