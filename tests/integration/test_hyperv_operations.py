# SPDX-License-Identifier: Apache-2.0
"""Operations on Hyper-V through REST, each with its dry run, held against what the fake has afterwards."""

import itertools

import pytest

from support.hyperv_api import Estate
from support.wait import wait_for

pytestmark = pytest.mark.timeout(300)

GIB = 1 << 30
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def hv(module_servers, tmp_path_factory):
    made = Estate(module_servers("hv"), tmp_path_factory.mktemp("hv"), hosts=2, vms=12, speed=50)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def nothing_is_left_behind(hv):
    yield
    hv.control.no_faults()
    assert not hv.leftovers()


def network(hv, name):
    """Of the first host."""
    return next(n for n in hv.api.items("networks", view="full")
                if n["name"] == name and n["provider"]["name"] == hv.host.name)


@pytest.fixture
def vm(hv, host_id):
    """A small VM of generation 2 that is off; gone after the test."""
    name = f"test-{next(_numbers)}"
    hv.do("post", "/vms", {"name": name, "host": host_id, "memory": {"bytes": GIB}, "disks": [{"capacity_bytes": 4 * GIB}]})
    made = hv.vm(name)
    yield made
    if made["native"]["id"] in hv.host.state()["vms"]:
        hv.end("delete", hv.path(made), force="true", disks="delete")


def now(hv, vm):
    return hv.api.read(hv.path(vm))


def whole(hv, kind, child):
    """With the details that a VM does not show of its devices."""
    return hv.api.read(f"/{kind}/{child['id'] if isinstance(child, dict) else child}")


# Power


@pytest.mark.parametrize("first, action, then", [
    ((), "start", "running"), (("start",), "stop", "off"), (("start",), "pause", "paused"), (("start",), "suspend", "suspended"),
    (("start", "pause"), "resume", "running"), (("start", "suspend"), "resume", "running"), (("start", "suspend"), "start", "running"),
    (("start", "pause"), "suspend", "suspended"), (("start",), "reset", "running"), (("start", "pause"), "stop", "off"),
])
def test_power(hv, vm, first, action, then):
    for step in first:
        hv.do("post", f"{hv.path(vm)}/actions/{step}")
    plan = hv.plan("post", f"{hv.path(vm)}/actions/{action}")
    assert hv.native_calls(plan) == ["Msvm_ComputerSystem.RequestStateChange"]
    before = hv.real(vm["name"]).state
    assert plan["changed"] is True and hv.real(vm["name"]).state == before
    task = hv.do("post", f"{hv.path(vm)}/actions/{action}")
    assert task["changed"] is True
    assert now(hv, vm)["power_state"] == then, "whoever sees 'succeeded' reads the new state"
    assert hv.real(vm["name"]).state == {"suspended": "saved"}.get(then, then)


def test_asking_for_the_state_it_is_in_changes_nothing(hv, vm):
    hv.control.reset()
    status, task = hv.send("post", f"{hv.path(vm)}/actions/stop")
    assert status in (200, 202)
    task = hv.api.wait_task(task["id"])
    assert (task["state"], task["changed"]) == ("succeeded", False)
    assert hv.calls("RequestStateChange") == 0


def test_a_reset_is_one_and_a_wrong_state_is_refused(hv, vm):
    problem = hv.refused("post", f"{hv.path(vm)}/actions/reset")
    assert problem["code"] == "vm-invalid-state"
    hv.do("post", f"{hv.path(vm)}/actions/start")
    hv.control.reset()
    hv.do("post", f"{hv.path(vm)}/actions/reset")
    assert hv.calls("RequestStateChange") == 1


def test_a_saved_state_is_dropped_only_by_force(hv, vm):
    hv.do("post", f"{hv.path(vm)}/actions/start")
    hv.do("post", f"{hv.path(vm)}/actions/suspend")
    status, got = hv.send("post", f"{hv.path(vm)}/actions/stop")
    if status == 202:
        assert hv.api.wait_task(got["id"])["state"] == "failed"
    else:
        assert status == 409
    assert hv.real(vm["name"]).state == "saved"
    hv.do("post", f"{hv.path(vm)}/actions/stop", {"force": True})
    assert hv.real(vm["name"]).state == "off"


def guest(hv, name):
    vm = hv.vm(name)
    if vm["power_state"] != "running":
        hv.do("post", f"{hv.path(vm)}/actions/start")
    return vm


def test_the_guest_shuts_down_and_restarts(hv):
    vm = hv.running()
    hv.do("post", f"{hv.path(vm)}/actions/reboot")
    hv.do("post", f"{hv.path(vm)}/actions/shutdown")
    assert hv.real(vm["name"]).state == "off" and now(hv, vm)["power_state"] == "off"
    assert any(e["what"] == "guest" for e in hv.control.effects()), "the guest was asked, not cut off"
    hv.do("post", f"{hv.path(vm)}/actions/start")


def test_a_locked_guest_is_not_cut_off_silently(hv):
    vm = hv.running()
    hv.host.change(vm["native"]["id"], guest={"locked": True})
    try:
        error = hv.fails("post", f"{hv.path(vm)}/actions/shutdown")
        assert error["provider"]["native_code"].startswith("32781") and error["remedy"]
        assert hv.real(vm["name"]).state == "running"
    finally:
        hv.host.change(vm["native"]["id"], guest={"locked": False})


def test_a_guest_that_ignores_it_times_out_or_is_cut_off_as_asked(hv):
    vm = hv.running()
    hv.host.change(vm["native"]["id"], guest={"ignores_shutdown": True})
    try:
        error = hv.fails("post", f"{hv.path(vm)}/actions/shutdown", {"timeout_s": 1})
        assert error["code"] == "provider-timeout"
        assert hv.real(vm["name"]).state == "running"
        hv.do("post", f"{hv.path(vm)}/actions/shutdown", {"timeout_s": 1, "on_timeout": "stop"})
        assert hv.real(vm["name"]).state == "off"
    finally:
        hv.host.change(vm["native"]["id"], guest={"ignores_shutdown": False})
        hv.do("post", f"{hv.path(vm)}/actions/start")


# Checkpoints


def snapshots(hv, vm):
    return {s["name"]: s for s in hv.api.items(f"vms/{vm['id']}/snapshots")}


def test_checkpoints_from_making_to_deleting(hv, vm):
    body = {"name": "one", "description": "before the change"}
    plan = hv.plan("post", f"{hv.path(vm)}/snapshots", body)
    assert "Msvm_VirtualSystemSnapshotService.CreateSnapshot" in hv.native_calls(plan)
    assert snapshots(hv, vm) == {}
    task = hv.do("post", f"{hv.path(vm)}/snapshots", body)
    one = snapshots(hv, vm)["one"]
    assert one["description"] == "before the change" and one["id"] == task["result"]["ref"]["id"]
    hv.do("post", f"{hv.path(vm)}/snapshots", {"name": "two"})
    two = snapshots(hv, vm)["two"]
    assert two["parent"]["id"] == one["id"] and two["current"] is True

    hv.do("patch", f"{hv.path(vm)}/snapshots/{one['id']}", {"name": "uno", "description": None})
    assert snapshots(hv, vm)["uno"]["description"] in (None, "")

    hv.plan("post", f"{hv.path(vm)}/snapshots/{one['id']}/actions/revert")
    hv.do("post", f"{hv.path(vm)}/snapshots/{one['id']}/actions/revert")
    assert hv.real(vm["name"]).applied in one["native"]["id"]
    assert snapshots(hv, vm)["uno"]["current"] is True

    hv.do("delete", f"{hv.path(vm)}/snapshots/{one['id']}")
    assert list(snapshots(hv, vm)) == ["two"]
    hv.do("delete", f"{hv.path(vm)}/snapshots/{two['id']}")
    assert snapshots(hv, vm) == {}


def test_a_tree_of_checkpoints_goes_at_once(hv, vm):
    for name in ("root", "child", "grandchild"):
        hv.do("post", f"{hv.path(vm)}/snapshots", {"name": name})
    hv.control.reset()
    hv.do("delete", f"{hv.path(vm)}/snapshots/{snapshots(hv, vm)['root']['id']}", children="true")
    assert snapshots(hv, vm) == {} and hv.real(vm["name"]).snapshots == []
    assert hv.calls("DestroySnapshotTree") == 1


def test_all_checkpoints_go_tree_by_tree(hv, vm):
    for name in ("root", "child"):
        hv.do("post", f"{hv.path(vm)}/snapshots", {"name": name})
    hv.do("post", f"{hv.path(vm)}/snapshots/{snapshots(hv, vm)['root']['id']}/actions/revert")
    hv.do("post", f"{hv.path(vm)}/snapshots", {"name": "branch"})
    plan = hv.plan("post", f"{hv.path(vm)}/actions/delete_snapshots")
    assert hv.native_calls(plan) == ["Msvm_VirtualSystemSnapshotService.DestroySnapshotTree"]
    hv.control.reset()
    assert hv.do("post", f"{hv.path(vm)}/actions/delete_snapshots")["changed"] is True
    assert snapshots(hv, vm) == {} and hv.real(vm["name"]).snapshots == []
    assert hv.calls("DestroySnapshotTree") == 1


@pytest.mark.parametrize("body, mode", [({"snapshot_type": "standard"}, 5), ({"snapshot_type": "production"}, 4),
                                        ({"quiesce": True}, 4), ({"memory": True}, 5)])
def test_the_kind_of_checkpoint_is_chosen_and_the_vm_keeps_its_setting(hv, vm, body, mode):
    before = hv.real(vm["name"]).settings["UserSnapshotType"]
    hv.control.reset()
    hv.do("post", f"{hv.path(vm)}/snapshots", {"name": "kind", **body})
    assert hv.real(vm["name"]).settings["UserSnapshotType"] == before
    assert hv.calls("CreateSnapshot") == 1
    assert hv.calls("ModifySystemSettings") == (3 if mode != before else 1)


def test_a_vm_that_runs_goes_back_to_a_checkpoint(hv, vm):
    hv.do("post", f"{hv.path(vm)}/snapshots", {"name": "calm"})
    hv.do("post", f"{hv.path(vm)}/actions/start")
    hv.do("post", f"{hv.path(vm)}/snapshots/{snapshots(hv, vm)['calm']['id']}/actions/revert")
    assert hv.real(vm["name"]).state == "off"


def test_a_checkpoint_that_is_gone_is_not_an_error_to_delete(hv, vm):
    hv.do("post", f"{hv.path(vm)}/snapshots", {"name": "one"})
    one = snapshots(hv, vm)["one"]
    hv.control.fault("DestroySnapshot", returns=32768, count=1)
    assert hv.fails("delete", f"{hv.path(vm)}/snapshots/{one['id']}")["provider"]["native_code"].startswith("32768")
    assert list(snapshots(hv, vm)) == ["one"]


# Settings


@pytest.mark.parametrize("body, path, wanted", [
    ({"cpu": {"count": 3}}, "cpu.count", 3),
    ({"cpu": {"weight": 250}}, "cpu.weight", 250),
    ({"cpu": {"limit_mhz": 1000}}, "cpu.limit_mhz", 1000),
    ({"cpu": {"reservation_mhz": 500}}, "cpu.reservation_mhz", 500),
    ({"cpu": {"nested": True}}, "cpu.nested", True),
    ({"cpu": {"threads_per_core": 1}}, "cpu.threads_per_core", 1),
    ({"memory": {"bytes": 2 * GIB}}, "memory.bytes", 2 * GIB),
    ({"memory": {"dynamic": True, "min_bytes": GIB // 2, "max_bytes": 4 * GIB, "buffer_pct": 30}}, "memory.max_bytes", 4 * GIB),
    ({"memory": {"weight": 7000}}, "memory.weight", 7000),
    ({"secure_boot": {"on": True, "template": "MicrosoftWindows"}}, "secure_boot.template", "MicrosoftWindows"),
    ({"autostart": {"start": "always", "stop": "shutdown", "delay_s": 90}}, "autostart.delay_s", 90),
    ({"snapshots": {"mode": "standard"}}, "snapshots.mode", "standard"),
    ({"annotation": "Zeile 1\nline 2 äöü <&>"}, "annotation", "Zeile 1\nline 2 äöü <&>"),
    ({"boot": {"order": ["network", "disk"]}}, "boot.order", ["network", "disk", "cdrom"]),
])
def test_reconfigure(hv, vm, body, path, wanted):
    def shown():
        value = now(hv, vm)
        for part in path.split("."):
            value = value[part]
        return value

    before = shown()
    plan = hv.plan("patch", hv.path(vm), body)
    assert plan["changed"] is True and len(hv.native_calls(plan)) == 1
    assert shown() == before, "a dry run changes nothing"
    task = hv.do("patch", hv.path(vm), body)
    assert task["changed"] is True and shown() == wanted
    again = hv.do("patch", hv.path(vm), body)
    assert again["changed"] is False, "the same again is nothing to do"


def test_only_what_differs_is_written(hv, vm):
    hv.control.reset()
    hv.do("patch", hv.path(vm), {"cpu": {"count": 1}, "memory": {"bytes": GIB}, "annotation": "new"})
    assert hv.calls("ModifyResourceSettings") == 0 and hv.calls("ModifySystemSettings") == 1


def test_static_memory_has_all_three_values_equal(hv, vm):
    hv.do("patch", hv.path(vm), {"memory": {"dynamic": True}})
    hv.do("patch", hv.path(vm), {"memory": {"dynamic": False, "bytes": 2 * GIB}})
    real = hv.real(vm["name"])
    assert (real.memory_mb, real.memory_min_mb, real.memory_max_mb, real.dynamic_memory) == (2048, 2048, 2048, False)


def test_rename(hv, vm):
    new = f"renamed-{next(_numbers)}"
    hv.plan("post", f"{hv.path(vm)}/actions/rename", {"name": new})
    assert hv.host.vm_named(new) is None
    hv.do("post", f"{hv.path(vm)}/actions/rename", {"name": new})
    assert hv.host.vm_named(new) is not None and now(hv, vm)["name"] == new


@pytest.mark.parametrize("body, part", [
    ({"cpu": {"cores_per_socket": 2}}, "cores_per_socket"), ({"firmware": "bios"}, "generation"),
    ({"autostart": {"order": 3}}, "order"), ({"memory": {"bytes": GIB + (1 << 20)}}, "2 MiB"),
    ({"memory": {"min_bytes": GIB}}, "dynamic"), ({"boot": {"order": ["a pear"]}}, "a pear"),
    ({"guest": {"os_id": "x"}}, "os_id"), ({"secure_boot": {"template": "Nobody"}}, "template"),
])
def test_what_hyper_v_cannot_do_is_said_before_anything_changes(hv, vm, body, part):
    hv.control.reset()
    status, got = hv.send("patch", hv.path(vm), body)
    if status == 202:
        task = hv.api.wait_task(got["id"])
        assert task["state"] == "failed"
        got = task["error"]
    assert part in got["detail"], got["detail"]
    assert not [m for m in ("ModifyResourceSettings", "ModifySystemSettings") if hv.calls(m)]


# Making and removing


@pytest.mark.parametrize("firmware, profile", [("uefi", "server"), ("uefi", "minimal"), ("bios", "server"), ("bios", "minimal")])
def test_create_and_delete(hv, host_id, firmware, profile):
    name = f"made-{next(_numbers)}"
    body = {"name": name, "host": host_id, "firmware": firmware, "profile": profile, "cpu": {"count": 2}, "memory": {"bytes": 2 * GIB},
            "disks": [{"capacity_bytes": 8 * GIB}, {"capacity_bytes": GIB, "image": {"subformat": "fixed"}}],
            "annotation": "made by a test"}
    plan = hv.plan("post", "/vms", body)
    assert hv.native_calls(plan)[0] == "Msvm_VirtualSystemManagementService.DefineSystem"
    assert hv.host.vm_named(name) is None
    task = hv.do("post", "/vms", body)
    vm, real = hv.vm(name), hv.real(name)
    assert task["result"]["ref"]["id"] == vm["id"]
    assert vm["firmware"] == firmware and vm["cpu"]["count"] == 2 and vm["memory"]["bytes"] == 2 * GIB
    assert vm["annotation"] == "made by a test" and vm["secure_boot"]["on"] is False
    assert [d["capacity_bytes"] for d in vm["disks"]] == [8 * GIB, GIB]
    assert vm["disks"][1]["image"]["subformat"] == "fixed"
    assert len(vm["nics"]) == len(vm["cdroms"]) == (1 if profile == "server" else 0)
    kinds = sorted(d["kind"] for d in task["result"]["devices"] if d["kind"] != "floppy")
    assert kinds == sorted(["disk"] * 2 + ["nic"] * len(vm["nics"]) + ["cdrom"] * len(vm["cdroms"]) +
                           ["controller"] * len(vm["controllers"])), "the answer lists every device"
    assert ("differences" in task["result"]) == (firmware == "bios")
    files = [d["path"] for d in real.disks]
    hv.do("delete", hv.path(vm), disks="keep" if profile == "minimal" else "delete")
    assert hv.host.vm_named(name) is None
    left = [f for f in files if f in hv.host.state()["files"]]
    assert left == (files if profile == "minimal" else [])


def test_create_with_everything(hv, host_id):
    name = f"full-{next(_numbers)}"
    hv.host.add_file("D:\\ISO\\install.iso", kind=0)
    hv.do("post", "/vms", {
        "name": name, "host": host_id, "path": f"D:\\Elsewhere\\{name}", "cpu": {"count": 4, "nested": True},
        "memory": {"bytes": 2 * GIB, "dynamic": True, "max_bytes": 4 * GIB}, "secure_boot": {"on": True},
        "disks": [{"capacity_bytes": GIB, "controller": {"type": "scsi", "unit": 5}, "qos": {"iops_limit": 400}}],
        "cdroms": [{"image": {"path": "D:\\ISO\\install.iso"}}],
        "nics": [{"label": "front", "network": network(hv, "External VLAN 20")["id"], "mac": "00:15:5D:AA:BB:CC",
                  "security": {"dhcp_guard": True}}, {"network": network(hv, "Private")["id"], "label": "back"}],
        "boot": {"order": ["cdrom", "disk"]}, "autostart": {"start": "never", "stop": "suspend"}, "start": True})
    vm = hv.vm(name)
    assert vm["power_state"] == "running" and vm["memory"]["dynamic"] is True and vm["secure_boot"]["on"] is True
    assert vm["boot"]["order"][:2] == ["cdrom", "disk"]
    assert vm["disks"][0]["controller"]["unit"] == 5
    assert whole(hv, "disks", vm["disks"][0])["qos"]["iops_limit"] == 400
    assert vm["cdroms"][0]["image"]["path"] == "D:\\ISO\\install.iso"
    front = whole(hv, "nics", next(n for n in vm["nics"] if n["label"] == "front"))
    assert front["mac"] == "00:15:5D:AA:BB:CC" and front["mac_mode"] == "static"
    assert front["vlan"] == {"mode": "access", "id": 20, "allowed": None} and front["network"]["name"] == "External VLAN 20"
    assert front["security"]["dhcp_guard"] is True
    assert hv.refused("delete", hv.path(vm))["code"] == "vm-invalid-state"
    hv.do("delete", hv.path(vm), disks="delete", force="true")
    assert hv.host.vm_named(name) is None


def test_names_may_repeat_and_the_right_one_is_found(hv, host_id):
    name = f"twin-{next(_numbers)}"
    ids = [hv.do("post", "/vms", {"name": name, "host": host_id, "profile": "minimal"})["result"]["ref"]["id"] for _ in range(2)]
    assert len(set(ids)) == 2
    for one in ids:
        hv.do("delete", f"/vms/{one}")


# Devices


def test_disks(hv, vm):
    plan = hv.plan("post", f"{hv.path(vm)}/disks", {"capacity_bytes": 2 * GIB})
    assert [c.split(".")[1] for c in hv.native_calls(plan)] == ["CreateVirtualHardDisk", "AddResourceSettings", "AddResourceSettings"]
    task = hv.do("post", f"{hv.path(vm)}/disks", {"capacity_bytes": 2 * GIB})
    disk = next(d for d in now(hv, vm)["disks"] if d["id"] == task["result"]["ref"]["id"])
    path = disk["image"]["path"]
    hv.do("patch", f"{hv.path(vm)}/disks/{disk['id']}", {"capacity_bytes": 3 * GIB, "qos": {"iops_limit": 100}})
    disk = whole(hv, "disks", disk)
    assert disk["capacity_bytes"] == 3 * GIB and disk["qos"]["iops_limit"] == 100
    hv.do("patch", f"{hv.path(vm)}/disks/{disk['id']}", {"qos": {"iops_limit": None}})
    hv.do("delete", f"{hv.path(vm)}/disks/{disk['id']}")
    assert path in hv.host.state()["files"], "the file stays unless asked otherwise"
    hv.do("post", f"{hv.path(vm)}/disks", {"image": {"path": path}})
    disk = next(d for d in now(hv, vm)["disks"] if d["image"]["path"] == path)
    hv.do("delete", f"{hv.path(vm)}/disks/{disk['id']}", file="delete")
    assert path not in hv.host.state()["files"] and len(hv.real(vm["name"]).drives) == 2


def test_images_go_into_drives_and_out(hv, vm):
    for name in ("a", "b"):
        hv.host.add_file(f"D:\\ISO\\{name}.iso", kind=0)
    drive = now(hv, vm)["cdroms"][0]
    at = f"{hv.path(vm)}/cdroms/{drive['id']}/actions"
    for name in ("a", "b"):
        hv.plan("post", f"{at}/mount", {"image": {"path": f"D:\\ISO\\{name}.iso"}})
        hv.do("post", f"{at}/mount", {"image": {"path": f"D:\\ISO\\{name}.iso"}})
        assert now(hv, vm)["cdroms"][0]["image"]["path"] == f"D:\\ISO\\{name}.iso"
    hv.do("post", f"{at}/eject")
    assert now(hv, vm)["cdroms"][0]["image"]["path"] is None
    assert hv.do("post", f"{at}/eject")["changed"] is False
    task = hv.do("post", f"{hv.path(vm)}/cdroms", {"image": {"path": "D:\\ISO\\a.iso"}})
    hv.do("delete", f"{hv.path(vm)}/cdroms/{task['result']['ref']['id']}")
    assert len(now(hv, vm)["cdroms"]) == 1


def test_adapters(hv, vm):
    body = {"label": "data", "network": network(hv, "External VLAN 10")["id"], "bandwidth": {"limit_bps": 10**8}}
    hv.plan("post", f"{hv.path(vm)}/nics", body)
    task = hv.do("post", f"{hv.path(vm)}/nics", body)
    nic = f"{hv.path(vm)}/nics/{task['result']['ref']['id']}"

    def shown():
        return whole(hv, "nics", task["result"]["ref"]["id"])

    assert shown()["vlan"]["id"] == 10 and shown()["connected"] and shown()["bandwidth"]["limit_bps"] == 10**8
    hv.do("patch", nic, {"network": network(hv, "Private")["id"], "label": "other"})
    assert shown()["network"]["name"] == "Private" and shown()["label"] == "other" and shown()["vlan"]["mode"] == "untagged"
    hv.do("patch", nic, {"vlan": {"mode": "trunk", "id": 7, "allowed": "10-12,20"}})
    assert shown()["vlan"] == {"mode": "trunk", "id": 7, "allowed": "10-12,20"}
    hv.do("patch", nic, {"security": {"mac_spoofing": True}, "bandwidth": {"limit_bps": None}})
    assert shown()["security"]["mac_spoofing"] is True and shown()["bandwidth"]["limit_bps"] is None
    hv.do("patch", nic, {"mac": "02-11-22-33-44-55"})
    assert shown()["mac"] == "02:11:22:33:44:55" and shown()["mac_mode"] == "static"
    hv.do("patch", nic, {"network": None})
    assert shown()["network"] is None and shown()["connected"] is False
    hv.do("delete", nic)
    assert len(now(hv, vm)["nics"]) == 1


def test_controllers(hv, vm):
    task = hv.do("post", f"{hv.path(vm)}/controllers", {"bus": "scsi"})
    added = task["result"]["ref"]["id"]
    used = next(c for c in now(hv, vm)["controllers"] if c["id"] != added)
    assert "remove them first" in hv.fails("delete", f"{hv.path(vm)}/controllers/{used['id']}")["detail"]
    hv.do("delete", f"{hv.path(vm)}/controllers/{added}")
    assert [c["id"] for c in now(hv, vm)["controllers"]] == [used["id"]]


# Images


def test_disk_images(hv, host_id):
    def image(name):
        found = hv.api.items("disk-images", filter=f'name="{name}"', view="full")
        return found[0] if found else None

    stem = f"img{next(_numbers)}"
    hv.plan("post", "/disk-images", {"host": host_id, "path": f"D:\\VMs\\{stem}.vhdx", "capacity_bytes": GIB})
    hv.do("post", "/disk-images", {"host": host_id, "path": f"D:\\VMs\\{stem}.vhdx", "capacity_bytes": GIB})
    error = hv.fails("post", "/disk-images", {"host": host_id, "path": f"D:\\VMs\\{stem}.vhdx", "capacity_bytes": GIB})
    assert error["code"] == "conflict-exists"
    one = image(f"{stem}.vhdx")
    at = f"/disk-images/{one['id']}/actions"
    assert hv.do("post", f"{at}/inspect")["result"]["data"]["MaxInternalSize"] == GIB
    hv.do("post", f"{at}/resize", {"capacity_bytes": 2 * GIB})
    assert image(f"{stem}.vhdx")["capacity_bytes"] == 2 * GIB
    assert hv.do("post", f"{at}/resize", {"capacity_bytes": 2 * GIB})["changed"] is False
    hv.do("post", f"{at}/compact", {"mode": "quick"})
    assert hv.do("post", f"{at}/check")["result"]["data"]["result"] == "ok"
    hv.do("post", f"{at}/convert", {"path": f"D:\\VMs\\{stem}-fixed.vhd", "format": "vhd", "subformat": "fixed"})
    assert image(f"{stem}-fixed.vhd")["subformat"] == "fixed"
    hv.do("post", "/disk-images", {"host": host_id, "path": f"D:\\VMs\\{stem}-child.vhdx", "parent": one["id"]})
    child = image(f"{stem}-child.vhdx")
    assert child["subformat"] == "differencing"
    hv.do("post", f"/disk-images/{child['id']}/actions/merge")
    assert f"D:\\VMs\\{stem}-child.vhdx" not in hv.host.state()["files"]
    hv.do("delete", f"/disk-images/{one['id']}")
    assert f"D:\\VMs\\{stem}.vhdx" not in hv.host.state()["files"]


def test_a_damaged_image_is_found_and_one_in_use_stays(hv, vm):
    path = now(hv, vm)["disks"][0]["image"]["path"]
    used = next(i for i in hv.api.items("disk-images", view="full") if i["path"].lower() == path.lower())
    assert "uses it" in hv.fails("delete", f"/disk-images/{used['id']}")["detail"]
    hv.control.fault("ValidateVirtualHardDisk", job={"code": 32768, "message": "The file is corrupt."}, count=1)
    data = hv.do("post", f"/disk-images/{used['id']}/actions/check")["result"]["data"]
    assert data["result"] == "damaged" and "corrupt" in data["detail"]


# Switches


def test_switches(hv, host_id):
    def switch(name):
        return next((s for s in hv.host.state()["switches"].values() if s["name"] == name), None)

    body = {"name": "lab", "host": host_id, "switch_type": "internal", "annotation": "for the lab"}
    plan = hv.plan("post", "/switches", body)
    assert hv.native_calls(plan) == ["Msvm_VirtualEthernetSwitchManagementService.DefineSystem"] and switch("lab") is None
    made = hv.do("post", "/switches", body)["result"]["ref"]["id"]
    assert switch("lab")["kind"] == "internal" and hv.api.read(f"/switches/{made}")["switch_type"] == "internal"
    assert "of this name" in hv.fails("post", "/switches", body)["detail"]
    hv.do("patch", f"/switches/{made}", {"name": "lab2", "annotation": "renamed"})
    assert switch("lab2")["notes"] == "renamed"
    hv.do("patch", f"/switches/{made}", {"switch_type": "private"})
    assert switch("lab2")["kind"] == "private"
    hv.do("delete", f"/switches/{made}")
    assert switch("lab2") is None


def test_a_switch_in_use_and_an_adapter_in_use_are_refused_in_words(hv, host_id):
    used = next(s for s in hv.api.items("switches", view="full") if s["name"] == "External" and s["provider"]["name"] == hv.host.name)
    assert "attached" in hv.fails("delete", f"/switches/{used['id']}")["detail"]
    body = {"name": "second", "host": host_id, "switch_type": "external", "uplinks": used["uplinks"]}
    assert "another switch" in hv.fails("post", "/switches", body)["detail"]
    assert "needs an adapter" in hv.fails("post", "/switches", {**body, "uplinks": []})["detail"]


# Guest, screen, keyboard


def test_screenshots_are_png_and_fit_the_envelope(hv):
    vm = hv.running()
    for size in ({}, {"width": 80, "height": 60}, {"width": 640, "height": 480}):
        answer = hv.api.get(f"{hv.path(vm)}/screenshot", **size)
        assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
        assert answer.content.startswith(b"\x89PNG\r\n\x1a\n") and answer.content.endswith(b"IEND\xaeB`\x82")


def test_keys_arrive_in_order_and_nothing_stays_pressed(hv):
    vm = hv.running()
    answer = hv.api.post(f"{hv.path(vm)}/keystrokes", {"text": "root", "keys": ["enter", "ctrl+alt+f2"], "ctrl_alt_del": True})
    assert answer.status_code in (200, 204), answer.text
    keys = hv.real(vm["name"]).keys[-8:]
    assert keys == [{"text": "root"}, {"TypeKey": 13}, {"PressKey": 17}, {"PressKey": 18}, {"TypeKey": 113}, {"ReleaseKey": 18},
                    {"ReleaseKey": 17}, {"ctrl-alt-del": True}]
    assert hv.api.post(f"{hv.path(vm)}/keystrokes", {"keys": ["no such key"]}).status_code == 422
    assert hv.api.post(f"{hv.path(vm)}/keystrokes", {"text": "ü"}).status_code == 422


def test_the_console_says_where_to_connect(hv):
    vm = hv.running()
    data = hv.api.post(f"{hv.path(vm)}/console").json()
    assert data["protocol"] == "rdp" and data["port"] == 2179 and data["preconnection_blob"] == vm["native"]["id"]
    assert hv.api.post(f"{hv.path(vm)}/console", {"protocol": "vnc"}).status_code == 422


def test_guest_data_and_metering(hv):
    vm = hv.running()
    hv.plan("post", f"{hv.path(vm)}/actions/set_guest_data", {"data": {"role": "web"}})
    hv.do("post", f"{hv.path(vm)}/actions/set_guest_data", {"data": {"role": "web", "site": "A"}})
    hv.do("post", f"{hv.path(vm)}/actions/set_guest_data", {"data": {"role": "db", "site": None}})
    assert hv.real(vm["name"]).kvp_host == {"role": "db"}
    hv.do("post", f"{hv.path(vm)}/actions/enable_metrics")
    assert hv.real(vm["name"]).metrics
    assert hv.do("post", f"{hv.path(vm)}/actions/enable_metrics")["changed"] is False
    gathered = hv.do("post", f"{hv.path(vm)}/actions/disable_metrics")["result"]["data"]["metrics"]
    assert gathered and not hv.real(vm["name"]).metrics


# Export, import, clone, move


def test_export_import_and_clone(hv, vm, host_id):
    source = f"D:\\Exports\\{vm['name']}\\Virtual Machines\\{vm['native']['id']}.vmcx"
    hv.plan("post", f"{hv.path(vm)}/actions/export", {"path": "D:\\Exports"})
    hv.do("post", f"{hv.path(vm)}/actions/export", {"path": "D:\\Exports"})
    assert source in hv.host.state()["files"]
    copy, clone = f"copy-{next(_numbers)}", f"clone-{next(_numbers)}"
    hv.plan("post", "/vms/actions/import", {"host": host_id, "source": source, "mode": "copy", "name": copy})
    hv.do("post", "/vms/actions/import", {"host": host_id, "source": source, "mode": "copy", "name": copy})
    hv.plan("post", f"{hv.path(vm)}/actions/clone", {"name": clone})
    hv.do("post", f"{hv.path(vm)}/actions/clone", {"name": clone})
    files = [d["path"] for name in (vm["name"], copy, clone) for d in hv.real(name).disks]
    assert len(set(files)) == 3, "each has a disk of its own"
    macs = [n["mac"] for name in (vm["name"], copy, clone) for n in hv.real(name).nics if n["mac"] != "000000000000"]
    assert len(set(macs)) == len(macs)
    for name in (copy, clone):
        hv.do("delete", hv.path(hv.vm(name)), disks="delete")


def test_a_checkpoint_is_exported(hv, vm):
    hv.do("post", f"{hv.path(vm)}/snapshots", {"name": "then"})
    hv.do("post", f"{hv.path(vm)}/snapshots/{snapshots(hv, vm)['then']['id']}/actions/export", {"path": "D:\\Then"})
    assert [f for f in hv.host.state()["files"] if f.startswith("D:\\Then\\")]


def test_files_move_while_it_runs(hv, vm):
    hv.do("post", f"{hv.path(vm)}/actions/start")
    hv.plan("post", f"{hv.path(vm)}/actions/move", {"path": "D:\\Moved"})
    hv.do("post", f"{hv.path(vm)}/actions/move", {"path": "D:\\Moved"})
    assert now(hv, vm)["disks"][0]["image"]["path"].startswith("D:\\Moved\\") and hv.real(vm["name"]).state == "running"
    assert hv.do("post", f"{hv.path(vm)}/actions/move", {"path": "D:\\Moved"})["state"] == "succeeded"


def test_it_moves_to_another_host_and_keeps_its_id(hv, vm):
    other = hv.api.one("hosts", hv.fake.hosts[1].name)
    hv.do("post", f"{hv.path(vm)}/actions/start")
    hv.plan("post", f"{hv.path(vm)}/actions/move", {"host": other["id"], "path": "D:\\Arrived"})
    assert hv.host.vm_named(vm["name"]) is not None
    hv.do("post", f"{hv.path(vm)}/actions/move", {"host": other["id"], "path": "D:\\Arrived"})
    assert hv.host.vm_named(vm["name"]) is None and hv.fake.hosts[1].vm_named(vm["name"]).state == "running"

    def arrived():
        found = hv.api.get(hv.path(vm))
        return found.status_code == 200 and found.json()["provider"]["name"] == hv.fake.hosts[1].name

    wait_for(arrived, "the VM should be shown at its new host under its id", 90, every=1)


@pytest.mark.parametrize("change, back, words, remedy", [
    ({"migration": {"EnableVirtualSystemMigration": False}}, {"migration": {"EnableVirtualSystemMigration": True}}, "turned off on", "Enable-VMMigration"),
    ({"migration": {"AuthenticationType": 0}}, {"migration": {"AuthenticationType": 1}}, "CredSSP", "Kerberos"),
    ({"migration_addresses": []}, {"migration_addresses": None}, "no address", "Add-VMMigrationNetwork"),
])
def test_a_target_that_takes_no_migration_is_named_at_once_with_the_remedy(hv, vm, change, back, words, remedy):
    there = hv.fake.hosts[1]
    other = hv.api.one("hosts", there.name)

    def setup():
        return hv.api.read(f"/hosts/{other['id']}")["native"]["extra"]["live_migration"]

    body = {"host": other["id"], "path": "D:\\Arrived"}
    right = setup()
    there.settings(**change)
    hv.api.post(f"/providers/{hv.providers[1]['id']}/actions/sync")
    wait_for(lambda: setup() != right, "the target's setup should be read", 60)
    hv.control.reset()
    try:
        error = hv.fails("post", f"{hv.path(vm)}/actions/move", body)
        assert words in error["detail"] and there.name in error["detail"] and remedy in error["remedy"], error
        assert hv.calls("MigrateVirtualSystemToHost") == 0
    finally:
        there.settings(**back)
    assert setup() != right
    hv.do("post", f"{hv.path(vm)}/actions/move", body)  # what was read before is no reason to refuse
    assert there.vm_named(vm["name"]) is not None


def test_credssp_on_its_own_host_is_refused_before_anything(hv, vm):
    hv.host.settings(migration={"AuthenticationType": 0})
    try:
        error = hv.fails("post", f"{hv.path(vm)}/actions/move", {"host": hv.api.one("hosts", hv.fake.hosts[1].name)["id"], "path": "D:\\Arrived"})
        assert "CredSSP" in error["detail"] and "Kerberos" in error["remedy"]
    finally:
        hv.host.settings(migration={"AuthenticationType": 1})


def test_missing_delegation_is_named(hv, vm):
    other = hv.api.one("hosts", hv.fake.hosts[1].name)
    hv.control.fault("MigrateVirtualSystemToHost", job={"code": 32769, "message": "Access is denied."}, count=1)
    error = hv.fails("post", f"{hv.path(vm)}/actions/move", {"host": other["id"], "path": "D:\\Arrived"})
    assert "delegation" in error["remedy"] and error["provider"]["native_code"].startswith("32769")
    hv.control.fault("ExportSystemDefinition", job={"code": 32769, "message": "Access is denied."}, count=1)
    error = hv.fails("post", f"{hv.path(vm)}/actions/export", {"path": "\\\\nas\\exports"})
    assert "delegation" in error["remedy"]


# What cannot be done says so first


@pytest.mark.parametrize("path, body, word", [
    ("actions/clone", {"name": "x", "linked": True}, "linked"), ("actions/template", {"template": True}, ""),
    ("actions/export", {"path": "D:\\x", "format": "ovf"}, "format"), ("disks", {"capacity_bytes": GIB, "mode": "independent_persistent"}, ""),
    ("controllers", {"bus": "nvme"}, "SCSI"), ("nics", {"adapter": "sriov"}, "adapter"), ("disks", {"image": {"path": "relative.vhdx"}}, "absolute"),
])
def test_what_cannot_be_done_is_refused_with_a_reason(hv, vm, path, body, word):
    status, got = hv.send("post", f"{hv.path(vm)}/{path}", body)
    if status == 202:
        task = hv.api.wait_task(got["id"])
        assert task["state"] == "failed", task
        got = task["error"]
    assert got["code"] in ("not-supported", "validation-failed"), got
    assert word in got["detail"], got["detail"]
