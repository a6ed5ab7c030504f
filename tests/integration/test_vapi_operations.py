# SPDX-License-Identifier: Apache-2.0
"""What can be done to a VM of vSphere beside its power: each effect is looked at through pyvmomi."""

import pytest
from pyVmomi import vim

from support.client import finish
from support.wait import wait_for

pytestmark = pytest.mark.timeout(300)
GIB = 1 << 30


@pytest.fixture(scope="module")
def vcenter(module_vcenters):
    return module_vcenters(vm=6)


def pick(api, other, index, off=False):
    """A VM of ours, and the same one as pyvmomi sees it."""
    theirs = other.vms()[index]
    if off and other.power(theirs) != "poweredOff":
        other.power_off(theirs)
        wait_for(lambda: ours(api, theirs)["power_state"] == "off", "the VM is off")
    return ours(api, theirs), theirs


def ours(api, theirs):
    return api.read(f"/vms/native:vc:{theirs._moId}")


def test_processors_memory_and_firmware_are_changed(api, other):
    vm, theirs = pick(api, other, 0, off=True)
    change = {"cpu": {"count": 4, "cores_per_socket": 2, "hot_add": True, "reservation_mhz": 500, "limit_mhz": 2000, "weight": 4000},
              "memory": {"bytes": 2 * GIB, "hot_add": True, "reservation_bytes": GIB, "limit_bytes": None},
              "firmware": "uefi", "annotation": "changed by a test"}
    finish(api, api.request("PATCH", f"/vms/{vm['id']}", json=change))
    config = theirs.config
    assert (config.hardware.numCPU, config.hardware.numCoresPerSocket, config.hardware.memoryMB) == (4, 2, 2048)
    assert (config.cpuHotAddEnabled, config.memoryHotAddEnabled, config.firmware) == (True, True, "efi")
    assert (config.cpuAllocation.reservation, config.cpuAllocation.limit) == (500, 2000)
    assert (config.cpuAllocation.shares.shares, config.cpuAllocation.shares.level) == (4000, "custom")
    assert (config.memoryAllocation.reservation, config.memoryAllocation.limit) == (1024, -1)
    assert config.annotation == "changed by a test"
    now = ours(api, theirs)
    assert now["cpu"]["count"] == 4 and now["memory"]["bytes"] == 2 * GIB and now["firmware"] == "uefi"


def test_a_dry_run_tells_before_and_after_and_changes_nothing(api, other):
    vm, theirs = pick(api, other, 1, off=True)
    answer = api.request("PATCH", f"/vms/{vm['id']}?dry_run=true", json={"cpu": {"count": 3}})
    assert answer.status_code == 200, answer.text
    entry = answer.json()["plan"][0]
    assert (entry["before"]["cpu"]["count"], entry["after"]["cpu"]["count"]) == (vm["cpu"]["count"], 3)
    assert entry["native_calls"][0]["operation"] == "ReconfigVM_Task"
    assert theirs.config.hardware.numCPU == vm["cpu"]["count"]


@pytest.mark.parametrize("change, pointer", [
    ({"memory": {"dynamic": True}}, "/memory/dynamic"), ({"memory": {"min_bytes": GIB}}, "/memory/min_bytes"),
    ({"cpu": {"threads_per_core": 2}}, "/cpu/threads_per_core"), ({"tpm": True}, "/tpm"),
    ({"secure_boot": {"template": "MicrosoftWindows"}}, "/secure_boot/template"),
    ({"snapshots": {"mode": "production"}}, "/snapshots/mode"), ({"autostart": {"start": "always"}}, "/autostart"),
])
def test_what_only_the_other_family_has_is_refused_at_once_by_name(api, other, change, pointer):
    vm, theirs = pick(api, other, 1, off=True)
    answer = api.request("PATCH", f"/vms/{vm['id']}", json=change)
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["code"] == "not-supported" and problem["errors"][0]["pointer"] == pointer, problem


def test_what_is_so_anyway_is_not_refused(api, other):
    vm, theirs = pick(api, other, 1, off=True)
    answer = api.request("PATCH", f"/vms/{vm['id']}?dry_run=true",
                         json={"memory": {"dynamic": False}, "cpu": {"threads_per_core": 0}, "annotation": "x"})
    assert answer.status_code == 200, answer.text


def test_the_boot_order_names_devices_by_words(api, other):
    vm, theirs = pick(api, other, 1, off=True)
    finish(api, api.request("PATCH", f"/vms/{vm['id']}", json={"boot": {"order": ["network", "disk", "cdrom"]}}))
    order = [type(d).__name__.rsplit("Bootable")[-1] for d in theirs.config.bootOptions.bootOrder]
    assert [w for w in order if w.startswith("Ethernet")] == order[:1] and order[-1].startswith("Cdrom"), order
    assert ours(api, theirs)["boot"]["order"][0] == "network"


def test_a_vm_is_renamed_and_keeps_its_id(api, other):
    vm, theirs = pick(api, other, 2)
    finish(api, api.post(f"/vms/{vm['id']}/actions/rename", {"name": "Büro/web 01 & <x>"}))
    assert ours(api, theirs)["id"] == vm["id"]
    assert ours(api, theirs)["name"] == "Büro/web 01 & <x>"


def test_a_clone_is_a_new_vm_beside_its_source(api, other):
    vm, theirs = pick(api, other, 4, off=True)
    finish(api, api.post(f"/vms/{vm['id']}/actions/clone", {"name": "a copy"}))
    made = api.one("vms", "a copy")
    copy = other.vm(made["native"]["id"])
    assert copy.config.hardware.memoryMB == theirs.config.hardware.memoryMB
    assert copy.parent._moId == theirs.parent._moId
    assert made["id"] != vm["id"] and made["uuid"] != vm["uuid"]
    finish(api, api.request("DELETE", f"/vms/{made['id']}?disks=delete"))
    assert "a copy" not in [v.name for v in other.vms()]
    assert api.read(f"/vms/{made['id']}")["presence"] == "gone"


def test_a_running_vm_is_deleted_only_by_force(api, other):
    vm, theirs = pick(api, other, 5)
    assert vm["power_state"] == "running"
    answer = api.request("DELETE", f"/vms/{vm['id']}")
    assert answer.status_code == 409 and answer.json()["code"] == "vm-invalid-state", answer.text
    finish(api, api.request("DELETE", f"/vms/{vm['id']}?force=true"))
    assert theirs._moId not in [v._moId for v in other.vms()]


def test_all_snapshots_of_a_vm_go_at_once(api, other):
    vm, theirs = pick(api, other, 3)
    for name in ("root", "child"):
        finish(api, api.post(f"/vms/{vm['id']}/snapshots", {"name": name, "expires_at": "2099-01-31T12:00:00Z"}))
    assert len(theirs.snapshot.rootSnapshotList[0].childSnapshotList) == 1
    assert {s["expires_at"] for s in api.items(f"vms/{vm['id']}/snapshots")} == {"2099-01-31T12:00:00.000Z"}
    assert finish(api, api.post(f"/vms/{vm['id']}/actions/delete_snapshots"))["changed"] is True
    assert getattr(theirs, "snapshot", None) is None and ours(api, theirs)["snapshots"]["count"] == 0
    assert finish(api, api.post(f"/vms/{vm['id']}/actions/delete_snapshots"))["changed"] is False


def test_a_template_and_back(api, other):
    vm, theirs = pick(api, other, 4, off=True)
    finish(api, api.post(f"/vms/{vm['id']}/actions/template", {"template": True}))
    assert theirs.config.template and ours(api, theirs)["template"]
    pool = api.items("resource-pools")[0]["id"]
    finish(api, api.post(f"/vms/{vm['id']}/actions/template", {"template": False, "resource_pool": pool}))
    assert not theirs.config.template and not ours(api, theirs)["template"]
