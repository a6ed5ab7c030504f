# SPDX-License-Identifier: Apache-2.0
"""Making VMs of vSphere and changing their devices; each effect is looked at through pyvmomi."""

import pytest
from pyVmomi import vim

from support.client import finish, said

pytestmark = pytest.mark.timeout(300)
GIB = 1 << 30


@pytest.fixture(scope="module")
def vcenter(module_vcenters):
    return module_vcenters(vm=2, pg=1, ds=2)


def a_host(api):
    """One that stands alone, so that it is known which one it is."""
    hosts = api.items("hosts", view="full")
    return next(h for h in hosts if not h["cluster"])


def create(api, name, **more):
    body = {"name": name, "host": a_host(api)["id"], **more}
    task = finish(api, api.post("/vms", body))
    assert task["result"]["ref"]["kind"] == "vm", task
    return api.read(f"/vms/{task['result']['ref']['id']}"), task


@pytest.fixture
def vm(api, request):
    made, _ = create(api, f"dev {request.node.name}"[:80], disks=[{"capacity_bytes": 2 * GIB}])
    yield made
    if api.read(f"/vms/{made['id']}")["presence"] == "present":
        finish(api, api.request("DELETE", f"/vms/{made['id']}?disks=delete&force=true"))


def again(api, vm):
    return api.read(f"/vms/{vm['id']}")


def devices(theirs, kind):
    return [d for d in theirs.config.hardware.device if isinstance(d, kind)]


# Making

def test_a_server_has_what_servers_usually_have(api, other):
    vm, task = create(api, "plain server", disks=[{"capacity_bytes": 4 * GIB}], annotation="made by a test")
    theirs = other.vm(vm["native"]["id"])
    assert vm["power_state"] == "off" and vm["firmware"] == "uefi" and vm["annotation"] == "made by a test"
    assert (vm["cpu"]["count"], vm["memory"]["bytes"]) == (1, GIB)
    assert len(vm["disks"]) == 1 and vm["disks"][0]["capacity_bytes"] == 4 * GIB
    assert vm["disks"][0]["controller"]["type"] == "scsi" and vm["disks"][0]["image"]["subformat"] == "thin"
    assert len(vm["nics"]) == 1 and vm["nics"][0]["adapter"] == "vmxnet3" and not vm["nics"][0]["connect_at_power_on"]
    assert len(vm["cdroms"]) == 1 and vm["cdroms"][0]["image"]["path"] is None
    assert devices(theirs, vim.vm.device.ParaVirtualSCSIController)
    kinds = [d["kind"] for d in task["result"]["devices"]]
    assert kinds.count("disk") == 1 and kinds.count("nic") == 1 and kinds.count("cdrom") == 1
    assert task["undo"]["operation"] == "vm.delete"
    finish(api, api.post(f"/tasks/{task['id']}/actions/undo"))
    assert "plain server" not in [v.name for v in other.vms()]


def test_a_minimal_one_has_what_is_asked_for(api, other):
    vm, _ = create(api, "minimal one", profile="minimal", firmware="bios", cpu={"count": 2, "cores_per_socket": 2},
                   memory={"bytes": 2 * GIB}, guest={"os_id": "debian11_64Guest"}, start=True)
    theirs = other.vm(vm["native"]["id"])
    assert (vm["disks"], vm["nics"], vm["cdroms"]) == ([], [], [])
    assert vm["power_state"] == "running" and vm["firmware"] == "bios"
    assert (theirs.config.hardware.numCPU, theirs.config.hardware.memoryMB) == (2, 2048)
    assert theirs.config.guestId == "debian11_64Guest"


def test_disks_adapters_and_drives_are_made_as_asked(api, other):
    networks = {n["name"]: n for n in api.items("networks", view="full")}
    distributed = next(n for n in networks.values() if n["native"]["type"] == "DistributedVirtualPortgroup" and "uplink" not in n["name"].lower())
    store = api.items("datastores", sort="name")[1]
    vm, _ = create(api, "as asked", datastore=store["id"],
                   disks=[{"capacity_bytes": GIB, "image": {"subformat": "thick_eager"}},
                          {"capacity_bytes": 2 * GIB, "controller": {"type": "sata"}, "mode": "independent_persistent"},
                          {"capacity_bytes": 3 * GIB, "controller": {"type": "scsi", "bus": 1, "unit": 5}}],
                   nics=[{"network": distributed["id"], "adapter": "e1000e", "mac": "00-50-56-0A-0B-0C"}],
                   cdroms=[{"image": {"datastore": store["id"], "path": "iso/debian.iso"}}])
    theirs = other.vm(vm["native"]["id"])
    assert [d["capacity_bytes"] // GIB for d in vm["disks"]] == [1, 2, 3]
    assert [(d["controller"]["type"], d["controller"]["bus"], d["controller"]["unit"]) for d in vm["disks"]] == \
        [("scsi", 0, 0), ("sata", 0, 0), ("scsi", 1, 5)]
    assert vm["disks"][0]["image"]["subformat"] == "thick_eager" and vm["disks"][1]["mode"] == "independent_persistent"
    assert all(d["image"]["path"].startswith(f"[{store['name']}]") for d in vm["disks"])
    nic = vm["nics"][0]
    assert nic["network"]["id"] == distributed["id"] and nic["mac"] == "00:50:56:0A:0B:0C" and nic["mac_mode"] == "static"
    assert nic["adapter"] == "e1000e" and nic["connect_at_power_on"]
    assert vm["cdroms"][0]["image"]["path"] == f"[{store['name']}] iso/debian.iso"
    assert len(devices(theirs, vim.vm.device.VirtualDisk)) == 3
    finish(api, api.request("DELETE", f"/vms/{vm['id']}?disks=delete"))


def test_a_vm_is_made_in_a_cluster_a_pool_and_a_folder(api, other):
    cluster = api.items("clusters")[0]
    vm = api.read(f"/vms/{finish(api, api.post('/vms', {'name': 'in a cluster', 'cluster': cluster['id']}))['result']['ref']['id']}")
    assert vm["cluster"]["id"] == cluster["id"]
    pool = api.items("resource-pools")[0]
    task = finish(api, api.post("/vms", {"name": "in a pool", "resource_pool": pool["id"], "native_folder": "DC0/vm"}))
    assert api.read(f"/vms/{task['result']['ref']['id']}")["resource_pool"]["id"] == pool["id"]
    finish(api, api.post("/vms", {"name": "nowhere", "cluster": cluster["id"], "native_folder": "DC0/vm/none"}), "failed")


def test_the_plan_of_a_new_vm_shows_its_devices_and_makes_nothing(api, other):
    before = len(other.vms())
    answer = api.post("/vms", {"name": "planned", "host": a_host(api)["id"], "disks": [{"capacity_bytes": GIB}]}, dry_run="true")
    assert answer.status_code == 200, said(answer)
    plan = answer.json()
    assert plan["ok"] and plan["changed"], plan
    entry = plan["plan"][0]
    call = entry["native_calls"][0]
    assert call["operation"] == "CreateVM_Task" and call["args"]["config"]["name"] == "planned"
    assert {d["kind"] for d in entry["devices"]} >= {"controller", "disk", "nic", "cdrom"}
    assert any("network" in text for text in entry["differences"])
    assert len(other.vms()) == before


@pytest.mark.parametrize("body, pointer", [
    ({"memory": {"bytes": GIB, "dynamic": True}}, "/memory/dynamic"),
    ({"secure_boot": {"on": True, "template": "MicrosoftWindows"}}, "/secure_boot/template"),
    ({"nics": [{"vlan": {"mode": "access", "id": 5}}]}, "/nics/0/vlan/mode"),
    ({"nics": [{}, {"label": "front"}]}, "/nics/1/label"),
    ({"tpm": True}, "/tpm"), ({"autostart": {"start": "always"}}, "/autostart"),
    ({"disks": [{"capacity_bytes": GIB}, {"capacity_bytes": GIB, "sharing": "vhd_set"}]}, "/disks/1/sharing"),
    ({"disks": [{"capacity_bytes": GIB, "image": {"format": "vhdx"}}]}, "/disks/0/image/format"),
    ({"disks": [{"capacity_bytes": GIB, "image": {"subformat": "differencing"}}]}, "/disks/0/image/subformat"),
    ({"disks": [{"capacity_bytes": GIB, "controller": {"type": "virtio"}}]}, "/disks/0/controller/type"),
    ({"nics": [{"adapter": "legacy"}]}, "/nics/0/adapter"), ({"controllers": [{"bus": "ide"}]}, "/controllers/0/bus"),
])
def test_what_a_new_vm_cannot_have_is_refused_at_once(api, body, pointer):
    answer = api.post("/vms", {"name": "never", "host": a_host(api)["id"], **body})
    assert answer.status_code == 422, said(answer)
    assert answer.json()["code"] == "not-supported" and answer.json()["errors"][0]["pointer"] == pointer, said(answer)


def test_what_fails_after_the_making_takes_the_vm_away_again(api, other, vcenter):
    vcenter.fault("ReconfigVM_Task", "InvalidArgument", max=1)
    try:
        task = finish(api, api.post("/vms", {"name": "half made", "host": a_host(api)["id"], "disks": [{"capacity_bytes": GIB}],
                                             "boot": {"order": ["disk"]}}), "failed")
    finally:
        vcenter.no_faults()
    assert task["error"]["provider"]["native_code"] == "InvalidArgument", task
    assert "half made" not in [v.name for v in other.vms()]
    vm, _ = create(api, "whole", disks=[{"capacity_bytes": GIB}], boot={"order": ["disk", "network"]})
    assert vm["boot"]["order"][0] == vm["disks"][0]["native"]["id"] or "disk" in vm["boot"]["order"][0]


# Disks

def test_a_disk_comes_grows_and_goes(api, other, vm):
    theirs = other.vm(vm["native"]["id"])
    task = finish(api, api.post(f"/vms/{vm['id']}/disks", {"capacity_bytes": 4 * GIB, "image": {"subformat": "dynamic"}}))
    ref = task["result"]["ref"]
    assert ref["kind"] == "disk" and task["undo"]["operation"] == "vm.disk.detach"
    disk = api.read(f"/vms/{vm['id']}/disks/{ref['id']}")
    assert disk["capacity_bytes"] == 4 * GIB and disk["image"]["subformat"] == "thin"
    assert (disk["controller"]["bus"], disk["controller"]["unit"]) == (0, 1)
    task = finish(api, api.patch(f"/vms/{vm['id']}/disks/{ref['id']}", {"capacity_bytes": 6 * GIB}))
    assert task["undo"] is None, "a disk does not shrink again"
    assert api.read(f"/disks/{ref['id']}")["capacity_bytes"] == 6 * GIB
    task = finish(api, api.patch(f"/vms/{vm['id']}/disks/{ref['id']}", {"capacity_bytes": GIB}), "failed")
    assert task["error"]["code"] == "not-supported"
    finish(api, api.patch(f"/vms/{vm['id']}/disks/{ref['id']}", {"mode": "independent_persistent"}))
    assert api.read(f"/disks/{ref['id']}")["mode"] == "independent_persistent"
    finish(api, api.request("DELETE", f"/vms/{vm['id']}/disks/{ref['id']}?file=delete"))
    assert len(again(api, vm)["disks"]) == 1 and len(devices(theirs, vim.vm.device.VirtualDisk)) == 1


def test_a_disk_is_taken_off_and_its_file_put_on_again(api, other, vm):
    disk = vm["disks"][0]
    finish(api, api.request("DELETE", f"/vms/{vm['id']}/disks/{disk['id']}"))
    assert again(api, vm)["disks"] == []
    finish(api, api.post(f"/vms/{vm['id']}/disks", {"image": {"path": disk["image"]["path"]}}))
    assert again(api, vm)["disks"][0]["image"]["path"] == disk["image"]["path"]


def test_places_that_are_taken_or_not_there_are_refused(api, vm):
    def findings(**where):
        answer = api.post(f"/vms/{vm['id']}/disks", {"capacity_bytes": GIB, "controller": where}, dry_run="true").json()
        assert not answer["ok"], answer
        return answer["findings"][0]["detail"]

    assert "taken by" in findings(type="scsi", bus=0, unit=0)
    assert "no such place" in findings(type="scsi", bus=0, unit=7)
    assert "0 to 3" in findings(type="scsi", bus=4)


def test_disks_and_adapters_are_added_while_it_runs(api, other, vm):
    finish(api, api.post(f"/vms/{vm['id']}/actions/start"))
    finish(api, api.post(f"/vms/{vm['id']}/disks", {"capacity_bytes": GIB}))
    network = next(n for n in api.items("networks", view="full") if n["native"]["type"] == "Network")
    finish(api, api.post(f"/vms/{vm['id']}/nics", {"network": network["id"]}))
    now = again(api, vm)
    assert len(now["disks"]) == 2 and len(now["nics"]) == 2 and now["nics"][1]["connected"]


def test_adding_a_disk_is_taken_back(api, vm):
    task = finish(api, api.post(f"/vms/{vm['id']}/disks", {"capacity_bytes": GIB}))
    finish(api, api.post(f"/tasks/{task['id']}/actions/undo"))
    assert len(again(api, vm)["disks"]) == 1


# Adapters

def test_an_adapter_comes_changes_its_network_and_goes(api, other, vm):
    networks = [n for n in api.items("networks", view="full", sort="name") if "uplink" not in n["name"].lower()]
    task = finish(api, api.post(f"/vms/{vm['id']}/nics", {"network": networks[0]["id"]}))
    nic = task["result"]["ref"]["id"]
    assert api.read(f"/nics/{nic}")["network"]["id"] == networks[0]["id"]
    task = finish(api, api.patch(f"/vms/{vm['id']}/nics/{nic}", {"network": networks[1]["id"], "mac": "005056112233"}))
    now = api.read(f"/nics/{nic}")
    assert now["network"]["id"] == networks[1]["id"] and now["mac"] == "00:50:56:11:22:33" and now["mac_mode"] == "static"
    finish(api, api.patch(f"/vms/{vm['id']}/nics/{nic}", {"connect_at_power_on": False}))
    assert api.read(f"/nics/{nic}")["connect_at_power_on"] is False
    finish(api, api.request("DELETE", f"/vms/{vm['id']}/nics/{nic}"))
    assert len(again(api, vm)["nics"]) == 1


def test_what_belongs_to_the_port_group_is_refused_at_once(api, vm):
    path = f"/vms/{vm['id']}/nics/{vm['nics'][0]['id']}"
    for change, pointer in (({"vlan": {"mode": "access", "id": 42}}, "/vlan/mode"), ({"security": {"dhcp_guard": True}}, "/security/dhcp_guard")):
        answer = api.patch(path, change)
        assert answer.status_code == 422 and answer.json()["errors"][0]["pointer"] == pointer, said(answer)


@pytest.mark.parametrize("path, body, pointer, why", [
    ("disks", {"capacity_bytes": GIB, "sharing": "shared_vhdx"}, "/sharing", "multi_writer"),
    ("disks", {"capacity_bytes": GIB, "mode": "unknown"}, "/mode", "no such mode"),
    ("nics", {"adapter": "synthetic"}, "/adapter", "vmxnet3"), ("controllers", {"bus": "pmem"}, "/bus", "nvme"),
    ("controllers", {"bus": "scsi", "model": "synthetic"}, "/model", "pvscsi"),
    ("controllers", {"bus": "scsi", "sharing": "cluster"}, "/sharing", "physical"),
    ("actions/clone", {"name": "x", "subformat": "sparse"}, "/subformat", "thick_lazy"),
])
def test_a_value_that_vsphere_has_not_is_refused_at_once_and_in_a_rehearsal(api, path, body, pointer, why):
    vm = api.items("vms", sort="name")[0]
    tasks = api.count("tasks")
    for how in ({}, {"dry_run": "true"}):
        answer = api.post(f"/vms/{vm['id']}/{path}", body, **how)
        assert answer.status_code == 422, said(answer)
        problem = answer.json()
        assert problem["code"] == "not-supported" and problem["errors"][0]["pointer"] == pointer, problem
        assert why in problem["detail"] and problem["detail_text"], problem
    assert api.count("tasks") == tasks


def test_a_change_to_a_value_of_another_family_is_refused_at_once(api):
    vm = next(v for v in api.items("vms", view="full") if v["disks"])
    answer = api.patch(f"/vms/{vm['id']}/disks/{vm['disks'][0]['id']}", {"sharing": "vhd_set"})
    assert answer.status_code == 422 and answer.json()["errors"][0]["pointer"] == "/sharing", said(answer)


# Drives, controllers

def test_an_image_is_put_into_a_drive_and_taken_out(api, other, vm):
    drive = vm["cdroms"][0]["id"]
    store = api.items("datastores", sort="name")[0]
    plan = api.post(f"/vms/{vm['id']}/cdroms/{drive}/actions/mount", {"image": {"datastore": store["id"], "path": "iso/a b.iso"}}, dry_run="true").json()
    assert plan["ok"] and plan["plan"][0]["native_calls"][0]["operation"] == "ReconfigVM_Task"
    finish(api, api.post(f"/vms/{vm['id']}/cdroms/{drive}/actions/mount", {"image": {"datastore": store["id"], "path": "iso/a b.iso"}}))
    cdrom = devices(other.vm(vm["native"]["id"]), vim.vm.device.VirtualCdrom)[0]
    assert cdrom.backing.fileName == f"[{store['name']}] iso/a b.iso" and cdrom.connectable.startConnected
    assert api.read(f"/cdroms/{drive}")["image"]["path"].endswith("a b.iso")
    finish(api, api.post(f"/vms/{vm['id']}/cdroms/{drive}/actions/eject"))
    assert api.read(f"/cdroms/{drive}")["image"]["path"] is None
    task = finish(api, api.post(f"/vms/{vm['id']}/cdroms/{drive}/actions/eject"))
    assert task["changed"] is False, "nothing was in it"


def test_drives_and_controllers_come_and_go(api, vm):
    task = finish(api, api.post(f"/vms/{vm['id']}/controllers", {"bus": "scsi", "model": "lsilogic_sas", "sharing": "virtual"}))
    controller = task["result"]["ref"]["id"]
    found = api.read(f"/controllers/{controller}")
    assert (found["bus"], found["number"], found["sharing"]) == ("scsi", 1, "virtual") and "lsi" in found["model"]
    disk = finish(api, api.post(f"/vms/{vm['id']}/disks", {"capacity_bytes": GIB, "controller": {"type": "scsi", "bus": 1}}))["result"]["ref"]["id"]
    task = finish(api, api.request("DELETE", f"/vms/{vm['id']}/controllers/{controller}"), "failed")
    assert "hangs on it" in task["error"]["detail"]
    finish(api, api.request("DELETE", f"/vms/{vm['id']}/disks/{disk}?file=delete"))
    finish(api, api.request("DELETE", f"/vms/{vm['id']}/controllers/{controller}"))
    task = finish(api, api.post(f"/vms/{vm['id']}/cdroms", {"controller": {"type": "ide"}}))
    drive = task["result"]["ref"]["id"]
    assert api.read(f"/cdroms/{drive}")["controller"]["type"] == "ide"
    finish(api, api.request("DELETE", f"/vms/{vm['id']}/cdroms/{drive}"))
    assert len(again(api, vm)["cdroms"]) == 1


# The guest

def test_guest_data_are_given_and_taken(api, other, vm):
    def extra():
        return {o.key: o.value for o in other.vm(vm["native"]["id"]).config.extraConfig}

    finish(api, api.post(f"/vms/{vm['id']}/actions/set_guest_data", {"data": {"role": "web & <db>", "guestinfo.site": "north"}}))
    assert extra()["guestinfo.role"] == "web & <db>" and extra()["guestinfo.site"] == "north"
    finish(api, api.post(f"/vms/{vm['id']}/actions/set_guest_data", {"data": {"role": None}}))
    assert not extra().get("guestinfo.role")
