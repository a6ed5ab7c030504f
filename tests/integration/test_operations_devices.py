# SPDX-License-Identifier: Apache-2.0
"""Devices, snapshots, screen and keyboard of VMs, switches, disk images: the same requests for both families."""

import pytest

from support.operations import GIB, Operations, add_estates, problem


@pytest.fixture(scope="module")
def estates(module_servers):
    server = module_servers("devices")
    api = server.admin()
    return server, api, add_estates(api)


@pytest.fixture(params=["vc", "hv1"])
def ops(request, estates):
    return Operations(estates[1], estates[2][request.param])


@pytest.fixture
def vc(estates):
    return Operations(estates[1], estates[2]["vc"])


@pytest.fixture
def hv(estates):
    return Operations(estates[1], estates[2]["hv1"])


@pytest.fixture
def vm(ops):
    vm = ops.create(f"dev-{ops.family}", start=False)
    yield vm
    ops.ask("DELETE", f"/vms/{vm['id']}", disks="delete", force="true")


# Disks

def test_a_disk_comes_grows_and_goes(ops, vm):
    task = ops.ask("POST", f"/vms/{vm['id']}/disks", {"capacity_bytes": 4 * GIB, "image": {"subformat": "dynamic"}})
    ref = task["result"]["ref"]
    assert ref["kind"] == "disk" and task["undo"]["operation"] == "vm.disk.detach"
    disk = ops.api.read(f"/vms/{vm['id']}/disks/{ref['id']}")
    assert disk["capacity_bytes"] == 4 * GIB
    assert disk["image"]["subformat"] == ("thin" if ops.family == "vmware" else "dynamic")
    assert len(ops.again(vm)["disks"]) == 2

    task = ops.ask("PATCH", f"/vms/{vm['id']}/disks/{ref['id']}", {"capacity_bytes": 6 * GIB})
    assert task["undo"] is None, "a disk does not shrink again"
    assert ops.api.read(f"/disks/{ref['id']}")["capacity_bytes"] == 6 * GIB
    task = ops.api.wait_task(ops.raw("PATCH", f"/vms/{vm['id']}/disks/{ref['id']}",
                                     {"capacity_bytes": 1 * GIB}).json()["id"])
    assert task["state"] == "failed" and task["error"]["code"] == "not-supported"

    ops.ask("DELETE", f"/vms/{vm['id']}/disks/{ref['id']}", file="delete")
    assert len(ops.again(vm)["disks"]) == 1
    problem(ops.raw("DELETE", f"/vms/{vm['id']}/disks/{ref['id']}"), 404, "not-found")


def test_a_disk_is_taken_off_and_its_file_put_on_again(ops, vm):
    disk = vm["disks"][0]
    ops.ask("DELETE", f"/vms/{vm['id']}/disks/{disk['id']}")
    images = [i for i in ops.of("disk-images") if i["path"] == disk["image"]["path"]]
    assert len(images) == 1 and images[0]["capacity_bytes"] == disk["capacity_bytes"]
    ops.ask("POST", f"/vms/{vm['id']}/disks", {"image": {"id": images[0]["id"]}})
    assert ops.again(vm)["disks"][0]["image"]["path"] == disk["image"]["path"]


def test_adding_a_disk_is_taken_back(ops, vm):
    task = ops.ask("POST", f"/vms/{vm['id']}/disks", {"capacity_bytes": GIB})
    ops.ask("POST", f"/tasks/{task['id']}/actions/undo")
    assert len(ops.again(vm)["disks"]) == 1


def test_a_place_that_is_taken_is_refused(ops, vm):
    where = vm["disks"][0]["controller"]
    plan = ops.raw("POST", f"/vms/{vm['id']}/disks", {"capacity_bytes": GIB, "controller": where},
                   dry_run="true").json()
    assert not plan["ok"] and "taken" in plan["findings"][0]["detail"]


def test_disks_are_added_to_a_running_vm(ops, vm):
    ops.ask("POST", f"/vms/{vm['id']}/actions/start")
    ops.ask("POST", f"/vms/{vm['id']}/disks", {"capacity_bytes": GIB})
    assert len(ops.again(vm)["disks"]) == 2


# Adapters

def test_an_adapter_comes_changes_its_network_and_goes(ops, vm):
    networks = ops.of("networks", sort="name")
    task = ops.ask("POST", f"/vms/{vm['id']}/nics", {"network": networks[0]["id"]})
    nic = task["result"]["ref"]["id"]
    assert ops.api.read(f"/nics/{nic}")["network"]["id"] == networks[0]["id"]
    task = ops.ask("PATCH", f"/vms/{vm['id']}/nics/{nic}", {"network": networks[1]["id"]})
    assert ops.api.read(f"/nics/{nic}")["network"]["id"] == networks[1]["id"]
    assert networks[1]["id"] in [n["id"] for n in ops.again(vm)["networks"]]
    ops.ask("POST", f"/tasks/{task['id']}/actions/undo")
    assert ops.api.read(f"/nics/{nic}")["network"]["id"] == networks[0]["id"]
    ops.ask("DELETE", f"/vms/{vm['id']}/nics/{nic}")
    assert len(ops.again(vm)["nics"]) == 1


def test_vlan_and_security_belong_to_the_adapter_in_hyper_v_alone(hv, vc):
    for ops in (hv, vc):
        vm = ops.create(f"vlan-{ops.family}")
        path = f"/vms/{vm['id']}/nics/{vm['nics'][0]['id']}"
        change = {"vlan": {"mode": "access", "id": 42}, "security": {"dhcp_guard": True}}
        if ops.family == "vmware":
            refused = problem(ops.raw("PATCH", path, change), 422, "not-supported")
            assert "port group" in refused["detail"] and refused["errors"][0]["pointer"] == "/vlan/mode"
            continue
        plan = ops.raw("PATCH", path, change, dry_run="true").json()
        assert plan["ok"], plan
        ops.ask("PATCH", path, change)
        nic = ops.api.read(f"/nics/{vm['nics'][0]['id']}")
        assert nic["vlan"]["id"] == 42 and nic["security"]["dhcp_guard"] is True


# Drives, controllers

def test_an_image_is_put_into_a_drive_and_taken_out(ops, vm):
    drive = vm["cdroms"][0]["id"]
    store = ops.of("datastores")[0]
    ops.ask("POST", f"/vms/{vm['id']}/cdroms/{drive}/actions/mount",
            {"image": {"datastore": store["id"], "path": "iso/debian.iso"}})
    assert ops.api.read(f"/cdroms/{drive}")["image"]["path"].endswith("debian.iso")
    ops.ask("POST", f"/vms/{vm['id']}/cdroms/{drive}/actions/eject")
    assert ops.api.read(f"/cdroms/{drive}")["image"]["path"] is None


def test_drives_and_controllers_come_and_go(ops, vm):
    task = ops.ask("POST", f"/vms/{vm['id']}/controllers", {"bus": "scsi"})
    controller = task["result"]["ref"]["id"]
    task = ops.ask("POST", f"/vms/{vm['id']}/cdroms", {"controller": {"type": "scsi", "bus": 1}})
    drive = task["result"]["ref"]["id"]
    task = ops.api.wait_task(ops.raw("DELETE", f"/vms/{vm['id']}/controllers/{controller}").json()["id"])
    assert task["state"] == "failed" and "hangs" in task["error"]["detail"]
    ops.ask("DELETE", f"/vms/{vm['id']}/cdroms/{drive}")
    ops.ask("DELETE", f"/vms/{vm['id']}/controllers/{controller}")
    assert len(ops.again(vm)["cdroms"]) == 1


def test_what_hangs_on_a_running_vm_follows_its_family(hv, vc):
    for ops in (hv, vc):
        vm = ops.create(f"hotdrive-{ops.family}", start=True)
        answer = ops.raw("POST", f"/vms/{vm['id']}/controllers", {"bus": "scsi"})
        if ops.family == "hyperv":
            assert "Hyper-V" in problem(answer, 409, "vm-invalid-state")["detail"]
        else:
            assert ops.api.wait_task(answer.json()["id"])["state"] == "succeeded"


# Snapshots

def test_a_snapshot_is_named_described_renamed_reverted_and_deleted_with_its_children(ops, vm):
    task = ops.ask("POST", f"/vms/{vm['id']}/snapshots", {"name": "one", "snapshot_type": "standard"})
    one = task["result"]["ref"]["id"]
    ops.ask("POST", f"/vms/{vm['id']}/snapshots", {"name": "two"})
    ops.ask("PATCH", f"/vms/{vm['id']}/snapshots/{one}", {"name": "first", "description": "before the change"})
    snapshot = ops.api.read(f"/snapshots/{one}")
    assert snapshot["name"] == "first" and snapshot["description"] == "before the change"
    ops.ask("POST", f"/vms/{vm['id']}/snapshots/{one}/actions/revert")
    assert ops.api.read(f"/snapshots/{one}")["current"] is True
    ops.ask("DELETE", f"/vms/{vm['id']}/snapshots/{one}", children="true")
    assert ops.again(vm)["snapshots"]["count"] == 0


def test_a_production_snapshot_needs_guest_tools(ops):
    running = ops.vm("running")
    task = ops.api.wait_task(ops.raw("POST", f"/vms/{running['id']}/snapshots",
                                     {"name": "prod", "snapshot_type": "production"}).json()["id"])
    if task["state"] == "succeeded":
        snapshot = ops.api.read(f"/snapshots/{task['result']['ref']['id']}")
        assert snapshot["quiesced"] is True and snapshot["memory"] is False
    else:
        assert "tools" in task["error"]["detail"]


def test_snapshots_are_exported_by_hyper_v_alone(hv, vc):
    for ops in (hv, vc):
        vm = ops.create(f"snapexp-{ops.family}")
        one = ops.ask("POST", f"/vms/{vm['id']}/snapshots", {"name": "one"})["result"]["ref"]["id"]
        answer = ops.raw("POST", f"/vms/{vm['id']}/snapshots/{one}/actions/export", {"path": "exports"})
        if ops.family == "vmware":
            assert problem(answer, 422, "not-supported")["detail"]
        else:
            assert ops.api.wait_task(answer.json()["id"])["state"] == "succeeded"


# Guest, metering

def test_keys_are_written_for_the_guest(ops):
    running = ops.vm("running")
    ops.ask("POST", f"/vms/{running['id']}/actions/set_guest_data", {"data": {"role": "web", "tier": "1"}})
    ops.ask("POST", f"/vms/{running['id']}/actions/set_guest_data", {"data": {"tier": None}})
    assert ops.again(running)["guest"]["data"] == {"role": "web"}


def test_metering_is_switched_in_hyper_v_alone(hv, vc):
    vm = hv.vm("running")
    hv.ask("POST", f"/vms/{vm['id']}/actions/enable_metrics")
    assert hv.again(vm)["metrics"]["on"] is True
    hv.ask("POST", f"/vms/{vm['id']}/actions/disable_metrics")
    assert hv.again(vm)["metrics"]["on"] is False
    problem(vc.raw("POST", f"/vms/{vc.vm('running')['id']}/actions/enable_metrics"), 422, "not-supported")


# Live

def test_the_screen_of_a_running_vm_is_a_png(ops):
    running = ops.vm("running")
    answer = ops.api.get(f"/vms/{running['id']}/screenshot")
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG\r\n\x1a\n") and answer.headers["Cache-Control"] == "no-store"
    problem(ops.api.get(f"/vms/{ops.create(f'dark-{ops.family}')['id']}/screenshot"), 409, "vm-invalid-state")


def test_keys_are_pressed(ops):
    running = ops.vm("running")
    answer = ops.api.post(f"/vms/{running['id']}/keystrokes", {"text": "root", "keys": ["enter", "ctrl+alt+f1"],
                                                               "ctrl_alt_del": True})
    assert answer.status_code == 200, answer.text
    problem(ops.api.post(f"/vms/{running['id']}/keystrokes", {"keys": ["hyper+q"]}), 422, "validation-failed")
    problem(ops.api.post(f"/vms/{running['id']}/keystrokes", {}), 422, "validation-failed")


def test_a_console_is_handed_over_and_its_ticket_is_nowhere_else(ops, estates):
    running = ops.vm("running")
    answer = ops.api.post(f"/vms/{running['id']}/console")
    assert answer.status_code == 200, answer.text
    data = answer.json()
    if ops.family == "hyperv":
        assert data["protocol"] == "rdp" and data["port"] == 2179
        assert data["preconnection_blob"] == running["native"]["id"]
    else:
        assert data["protocol"] == "webmks"
        assert data["ticket"] not in estates[0].log(100000)
        assert not [t for t in ops.api.items("tasks") if data["ticket"] in str(t)]
    assert not ops.api.items("tasks", filter="action=vm.console")


def test_live_answers_need_a_provider_that_is_there(estates):
    answer = estates[1].get("/vms/name:nobody/screenshot")
    assert answer.status_code == 404


# Switches

def test_a_switch_comes_changes_and_goes(ops):
    body = {"name": f"lab-{ops.family}", "host": ops.hosts()[0]["id"],
            "switch_type": "standard" if ops.family == "vmware" else "private"}
    plan = ops.raw("POST", "/switches", body, dry_run="true").json()
    assert plan["ok"] and plan["plan"][0]["after"]["name"] == body["name"]
    task = ops.ask("POST", "/switches", body)
    switch = task["result"]["ref"]["id"]
    assert ops.api.read(f"/switches/{switch}")["switch_type"] == body["switch_type"]
    task = ops.ask("PATCH", f"/switches/{switch}", {"annotation": "for tests"})
    assert ops.api.read(f"/switches/{switch}")["annotation"] == "for tests" and task["action"] == "switch.update"
    assert ops.api.patch(f"/switches/{switch}", {"notes": "ours"}).status_code == 200
    ops.ask("DELETE", f"/switches/{switch}")
    assert ops.api.read(f"/switches/{switch}")["presence"] == "gone"


def test_a_switch_in_use_is_not_deleted(ops):
    switch = ops.of("switches")[0]
    task = ops.api.wait_task(ops.raw("DELETE", f"/switches/{switch['id']}").json()["id"])
    assert task["state"] == "failed" and "attached" in task["error"]["detail"]


def test_an_external_switch_needs_an_adapter(hv):
    body = {"name": "outside", "host": hv.hosts()[0]["id"], "switch_type": "external"}
    plan = hv.raw("POST", "/switches", body, dry_run="true").json()
    assert not plan["ok"] and "adapter" in plan["findings"][0]["detail"]


# Disk images

def test_a_disk_image_is_made_inspected_resized_compacted_converted_and_deleted(ops):
    store = ops.of("datastores")[0]
    suffix = "vmdk" if ops.family == "vmware" else "vhdx"
    task = ops.ask("POST", "/disk-images", {"datastore": store["id"], "path": f"pool/one.{suffix}",
                                            "capacity_bytes": 2 * GIB, "subformat": "dynamic"})
    image = task["result"]["ref"]["id"]
    now = ops.api.read(f"/disk-images/{image}")
    assert now["capacity_bytes"] == 2 * GIB and now["datastore"]["id"] == store["id"]
    plan = ops.raw("POST", "/disk-images", {"datastore": store["id"], "path": f"pool/one.{suffix}",
                                            "capacity_bytes": GIB}, dry_run="true").json()
    assert not plan["ok"] and plan["findings"][0]["id"] == "name-taken"

    assert ops.ask("POST", f"/disk-images/{image}/actions/inspect")["result"]["data"]["capacity_bytes"] == 2 * GIB
    ops.ask("POST", f"/disk-images/{image}/actions/resize", {"capacity_bytes": 3 * GIB})
    assert ops.api.read(f"/disk-images/{image}")["capacity_bytes"] == 3 * GIB
    ops.ask("POST", f"/disk-images/{image}/actions/compact")
    task = ops.ask("POST", f"/disk-images/{image}/actions/convert", {"path": f"pool/two.{suffix}", "subformat": "fixed"})
    assert ops.api.read(f"/disk-images/{task['result']['ref']['id']}")["name"] == f"two.{suffix}"
    ops.ask("DELETE", f"/disk-images/{image}")
    assert ops.api.read(f"/disk-images/{image}")["presence"] == "gone"


def test_a_chain_is_checked_and_merged_by_hyper_v(hv):
    store = hv.of("datastores")[0]
    made = hv.ask("POST", "/disk-images", {"datastore": store["id"], "path": "chain/base.vhdx", "capacity_bytes": GIB})
    base = made["result"]["ref"]["id"]
    made = hv.ask("POST", "/disk-images", {"datastore": store["id"], "path": "chain/child.vhdx", "parent": base})
    child = made["result"]["ref"]["id"]
    assert hv.api.read(f"/disk-images/{child}")["parent"]["id"] == base
    assert hv.api.read(f"/disk-images/{child}")["chain_depth"] == 1
    hv.ask("POST", f"/disk-images/{child}/actions/check")
    assert hv.api.read(f"/disk-images/{child}")["check"]["result"] == "ok"
    task = hv.api.wait_task(hv.raw("DELETE", f"/disk-images/{base}").json()["id"])
    assert task["state"] == "failed" and "build on" in task["error"]["detail"]
    hv.ask("POST", f"/disk-images/{child}/actions/merge")
    assert hv.api.read(f"/disk-images/{child}")["presence"] == "gone"
