# SPDX-License-Identifier: Apache-2.0
"""VMs are made, changed, copied, moved and deleted: the same requests for both families."""

import pytest

from support.operations import GIB, MIB, Operations, add_estates, problem
from support.wait import wait_for


@pytest.fixture(scope="module")
def estates(module_servers):
    api = module_servers("operations").admin()
    return api, add_estates(api)


@pytest.fixture(params=["vc", "hv1"])
def ops(request, estates):
    api, providers = estates
    return Operations(api, providers[request.param])


@pytest.fixture
def vc(estates):
    return Operations(estates[0], estates[1]["vc"])


@pytest.fixture
def hv(estates):
    return Operations(estates[0], estates[1]["hv1"])


# Making

def test_a_vm_is_made_as_asked_for_and_is_there_when_the_task_has_succeeded(ops):
    network = ops.of("networks")[0]
    vm = ops.create(f"made-{ops.family}", cpu={"count": 4}, memory={"bytes": 3 * GIB}, firmware="uefi",
                    secure_boot={"on": True}, annotation="made by a test",
                    disks=[{"capacity_bytes": 20 * GIB}, {"capacity_bytes": 5 * GIB, "image": {"subformat": "fixed"}}],
                    nics=[{"network": network["id"], "mac": "00-15-5d-0a-0b-0c"}])
    assert (vm["cpu"]["count"], vm["memory"]["bytes"], vm["firmware"]) == (4, 3 * GIB, "uefi")
    assert vm["secure_boot"]["on"] is True and vm["annotation"] == "made by a test"
    assert vm["power_state"] == "off"
    assert [disk["capacity_bytes"] for disk in vm["disks"]] == [20 * GIB, 5 * GIB]
    assert len({(d["controller"]["bus"], d["controller"]["unit"]) for d in vm["disks"]}) == 2
    assert vm["nics"][0]["mac"] == "00:15:5D:0A:0B:0C" and vm["nics"][0]["mac_mode"] == "static"
    assert vm["nics"][0]["network"]["id"] == network["id"]
    assert len(vm["cdroms"]) == 1, "the profile server has a CD drive"


def test_a_rehearsal_of_a_vm_lists_every_device_and_makes_nothing(ops):
    before = ops.api.count("vms")
    body = {"name": "rehearsed", "host": ops.hosts()[0]["id"], "disks": [{"capacity_bytes": 8 * GIB}]}
    plan = ops.raw("POST", "/vms", body, dry_run="true").json()
    assert plan["ok"] and plan["changed"]
    entry = plan["plan"][0]
    assert entry["operation"] == "vm.create" and entry["before"] is None
    assert entry["after"]["name"] == "rehearsed" and entry["after"]["cpu"] == {"count": 1}
    kinds = sorted({device["kind"] for device in entry["devices"]})
    assert kinds == ["cdrom", "controller", "disk", "nic"]
    assert entry["native_calls"]
    assert ops.api.count("vms") == before


def test_the_same_request_gives_the_same_devices_in_both_families_but_for_what_is_said(vc, hv):
    seen = {}
    for ops in (vc, hv):
        body = {"name": "twin", "host": ops.hosts()[0]["id"], "disks": [{"capacity_bytes": 8 * GIB}]}
        entry = ops.raw("POST", "/vms", body, dry_run="true").json()["plan"][0]
        seen[ops.family] = entry
    lists = {f: sorted((d["kind"], d.get("capacity_bytes")) for d in e["devices"] if d["kind"] != "controller")
             for f, e in seen.items()}
    assert lists["vmware"] == lists["hyperv"]
    assert seen["vmware"]["differences"], "the SATA controller of the CD drive is a difference"


def test_a_minimal_vm_has_what_was_asked_for_and_no_more(ops):
    vm = ops.create(f"minimal-{ops.family}", profile="minimal", disks=[])
    assert vm["disks"] == [] and vm["nics"] == [] and vm["cdroms"] == []


def test_a_vm_may_be_made_on_a_cluster_or_by_names(vc):
    task = vc.ask("POST", "/vms", {"name": "by-name", "cluster": f"name:{vc.of('clusters')[0]['name']}"})
    assert vc.api.read(f"/vms/{task['result']['ref']['id']}")["name"] == "by-name"


def test_a_vm_may_be_started_at_once(ops):
    assert ops.create(f"started-{ops.family}", start=True)["power_state"] == "running"


@pytest.mark.parametrize("change, pointer, code", [
    ({"host": None}, "/host", "invalid-request"),
    ({"host": "hst_00000000000000000000000000"}, "/host", "validation-failed"),
    ({"host": "name:nowhere"}, "/host", "validation-failed"),
    ({"disks": [{"capacity_bytes": 1}]}, "/disks/0/capacity_bytes", "validation-failed"),
    ({"cpu": {"count": 0}}, "/cpu/count", "validation-failed"),
    ({"cpus": {}}, "/cpus", "unknown-field"),
    ({"profile": "fancy"}, "/profile", "validation-failed"),
])
def test_a_wrong_member_is_refused_with_a_pointer(ops, change, pointer, code):
    body = {"name": "wrong", "host": ops.hosts()[0]["id"], **change}
    answer = ops.raw("POST", "/vms", body)
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["code"] == code and answer.json()["errors"][0]["pointer"] == pointer


def test_a_vm_needs_a_place(ops):
    assert "host" in problem(ops.raw("POST", "/vms", {"name": "nowhere"}), 422, "validation-failed")["detail"]


@pytest.mark.parametrize("rehearsal", [{}, {"dry_run": "true"}])
@pytest.mark.parametrize("estate, more, pointer", [
    ("vc", {"memory": {"dynamic": True}}, "/memory/dynamic"), ("vc", {"secure_boot": {"template": "x"}}, "/secure_boot/template"),
    ("vc", {"nics": [{"label": "front"}]}, "/nics/0/label"), ("hv1", {"cpu": {"cores_per_socket": 2}}, "/cpu/cores_per_socket"),
    ("hv1", {"memory": {"limit_bytes": 1 << 30}}, "/memory/limit_bytes"), ("hv1", {"guest": {"os_id": "ubuntu64Guest"}}, "/guest/os_id"),
    ("hv1", {"native_folder": "dc/vm"}, "/native_folder"),
    ("hv1", {"disks": [{"capacity_bytes": 1 << 30, "mode": "independent_persistent"}]}, "/disks/0/mode"),
])
def test_what_a_family_lacks_is_refused_at_once_by_name(estates, estate, more, pointer, rehearsal):
    ops = Operations(estates[0], estates[1][estate])
    refused = problem(ops.raw("POST", "/vms", {"name": "never", "host": ops.hosts()[0]["id"], **more}, **rehearsal), 422, "not-supported")
    assert refused["errors"][0]["pointer"] == pointer and pointer[1:].replace("/", ".") in refused["detail"]


def test_the_same_key_makes_one_vm(ops):
    body = {"name": f"once-{ops.family}", "host": ops.hosts()[0]["id"]}
    key = {"Idempotency-Key": f"create-{ops.family}"}
    first, second = (ops.raw("POST", "/vms", body, headers=key) for _ in range(2))
    assert first.json()["id"] == second.json()["id"]
    assert second.headers["Idempotency-Replayed"] == "true"
    ops.api.wait_task(first.json()["id"])
    assert len(ops.api.items("vms", filter=f'name="once-{ops.family}"')) == 1


# Changing

def test_a_patch_with_hardware_is_a_task_and_one_with_our_own_fields_is_not(ops):
    vm = ops.create(f"patched-{ops.family}")
    answer = ops.api.patch(f"/vms/{vm['id']}", {"cpu": {"count": 2}})
    assert answer.status_code == 202
    task = ops.api.wait_task(answer.json()["id"])
    assert task["state"] == "succeeded" and task["action"] == "vm.reconfigure" and task["changed"]
    assert ops.again(vm)["cpu"]["count"] == 2
    own = ops.api.patch(f"/vms/{vm['id']}", {"notes": "ours"})
    assert own.status_code == 200 and own.json()["notes"] == "ours"
    problem(ops.api.patch(f"/vms/{vm['id']}", {"notes": "x", "cpu": {"count": 1}}), 400, "invalid-request")


def test_a_rehearsed_change_shows_before_and_after(ops):
    vm = ops.create(f"compared-{ops.family}", memory={"bytes": 2 * GIB})
    plan = ops.api.patch(f"/vms/{vm['id']}", {"memory": {"bytes": 4 * GIB}}, dry_run="true").json()
    entry = plan["plan"][0]
    assert entry["before"] == {"memory": {"bytes": 2 * GIB}} and entry["after"] == {"memory": {"bytes": 4 * GIB}}
    assert entry["native_calls"] and ops.again(vm)["memory"]["bytes"] == 2 * GIB


def test_what_is_so_already_changes_nothing(ops):
    vm = ops.create(f"same-{ops.family}", cpu={"count": 2})
    task = ops.ask("PATCH", f"/vms/{vm['id']}", {"cpu": {"count": 2}})
    assert task["changed"] is False and task["undo"] is None


def test_a_change_can_be_taken_back(ops):
    vm = ops.create(f"undone-{ops.family}", cpu={"count": 1})
    task = ops.ask("PATCH", f"/vms/{vm['id']}", {"cpu": {"count": 3}, "annotation": "three"})
    assert task["undo"]["operation"] == "vm.reconfigure"
    back = ops.ask("POST", f"/tasks/{task['id']}/actions/undo")
    assert back["action"] == "vm.reconfigure" and ops.again(vm)["cpu"]["count"] == 1
    assert not ops.again(vm)["annotation"]


def test_a_task_that_changed_nothing_cannot_be_taken_back(ops):
    vm = ops.create(f"notundone-{ops.family}")
    task = ops.ask("PATCH", f"/vms/{vm['id']}", {"cpu": {"count": 1}})
    problem(ops.raw("POST", f"/tasks/{task['id']}/actions/undo"), 409, "conflict")


def test_a_version_that_is_old_is_refused(ops):
    vm = ops.create(f"versioned-{ops.family}")
    etag = ops.api.get(f"/vms/{vm['id']}").headers["ETag"]
    ops.ask("PATCH", f"/vms/{vm['id']}", {"cpu": {"count": 2}})
    problem(ops.api.patch(f"/vms/{vm['id']}", {"cpu": {"count": 3}}, headers={"If-Match": etag}), 412,
            "precondition-failed")


def test_a_running_vm_takes_no_change_that_needs_it_off_and_says_so(ops):
    vm = ops.create(f"running-{ops.family}", start=True)
    body = problem(ops.api.patch(f"/vms/{vm['id']}", {"secure_boot": {"on": True}}), 409, "vm-invalid-state")
    assert body["current"] == "running" and "off" in body["detail"]
    assert body["errors"][0]["pointer"] == "/secure_boot" if "errors" in body else True
    # As it is already: nothing to refuse.
    assert ops.ask("PATCH", f"/vms/{vm['id']}", {"secure_boot": {"on": False}})["changed"] is False


def test_processors_are_added_to_a_running_vm_where_that_is_switched_on(vc, hv):
    vm = vc.create("hot", cpu={"count": 1, "hot_add": True}, start=True)
    vc.ask("PATCH", f"/vms/{vm['id']}", {"cpu": {"count": 2}})
    cold = vc.create("cold", cpu={"count": 1, "hot_add": False}, start=True)
    assert "cpu.hot_add" in problem(vc.api.patch(f"/vms/{cold['id']}", {"cpu": {"count": 2}}), 409,
                                    "vm-invalid-state")["detail"]
    other = hv.create("never-hot", start=True)
    assert "Hyper-V" in problem(hv.api.patch(f"/vms/{other['id']}", {"cpu": {"count": 2}}), 409,
                                "vm-invalid-state")["detail"]


def test_what_the_family_cannot_do_is_refused_before_it_is_a_task(hv):
    vm = hv.create("generation")
    body = problem(hv.api.patch(f"/vms/{vm['id']}", {"firmware": "bios"}), 422, "not-supported")
    assert body["errors"][0]["pointer"] == "/firmware"


def test_a_vm_is_renamed(ops):
    vm = ops.create(f"oldname-{ops.family}")
    ops.ask("POST", f"/vms/{vm['id']}/actions/rename", {"name": f"newname-{ops.family}"})
    assert ops.again(vm)["name"] == f"newname-{ops.family}"


def test_autostart_and_notes_are_fields_of_both_families(ops):
    vm = ops.create(f"auto-{ops.family}")
    ops.ask("PATCH", f"/vms/{vm['id']}", {"autostart": {"start": "always", "stop": "shutdown", "delay_s": 30},
                                          "annotation": "important"})
    now = ops.again(vm)
    assert now["autostart"]["start"] == "always" and now["autostart"]["stop"] == "shutdown"
    assert now["autostart"]["on"] is True and now["annotation"] == "important"


def test_a_task_shows_on_its_vm(ops, servers):
    api = servers("slow").admin()
    provider = api.add_provider("slow", "sim://slow", driver="sim",
                                       settings={"family": ops.family, "vms": 40, "speed": 0.5})
    api.wait_provider(provider["id"])
    slow = Operations(api, {**provider, "name": "vc" if ops.family == "vmware" else "hv"})
    vm = slow.vm("off")
    answer = slow.raw("PATCH", f"/vms/{vm['id']}", {"annotation": "slow"})
    wait_for(lambda: slow.again(vm)["activity"] == "reconfiguring", "the VM should show what is done to it", 10)
    task = api.wait_task(answer.json()["id"])
    assert task["state"] == "succeeded"
    assert slow.again(vm)["activity"] == "none"


# Copies and places

def test_a_vm_is_cloned_with_addresses_of_its_own(ops):
    vm = ops.create(f"origin-{ops.family}", disks=[{"capacity_bytes": 3 * GIB}])
    task = ops.ask("POST", f"/vms/{vm['id']}/actions/clone", {"name": f"copy-{ops.family}"})
    copy = ops.api.read(f"/vms/{task['result']['ref']['id']}")
    assert copy["id"] != vm["id"] and copy["uuid"] != vm["uuid"] and copy["name"] == f"copy-{ops.family}"
    assert [d["capacity_bytes"] for d in copy["disks"]] == [3 * GIB]
    assert copy["disks"][0]["image"]["path"] != vm["disks"][0]["image"]["path"]
    assert copy["nics"][0]["mac"] != vm["nics"][0]["mac"]
    assert task["undo"]["operation"] == "vm.delete" and task["undo"]["ref"]["id"] == copy["id"]


def test_a_linked_clone_needs_a_snapshot(ops):
    vm = ops.create(f"linked-{ops.family}")
    task = ops.api.wait_task(ops.raw("POST", f"/vms/{vm['id']}/actions/clone",
                                     {"name": "child", "linked": True}).json()["id"])
    assert task["state"] == "failed" and "snapshot" in task["error"]["detail"]
    assert task["error"]["provider"]["operation"] == "vm.clone"
    assert task["error"]["provider"]["id"] == ops.provider["id"]
    ops.ask("POST", f"/vms/{vm['id']}/snapshots", {"name": "base"})
    task = ops.ask("POST", f"/vms/{vm['id']}/actions/clone", {"name": f"child-{ops.family}", "linked": True})
    copy = ops.api.read(f"/vms/{task['result']['ref']['id']}")
    disk = ops.api.read(f"/disks/{copy['disks'][0]['id']}")
    assert disk["image"]["parent"] == vm["disks"][0]["image"]["path"]


def test_a_running_vm_moves_to_another_host(vc):
    vm = vc.create("mover", start=True)
    target = next(h for h in vc.hosts() if h["id"] != vm["host"]["id"])
    task = vc.ask("POST", f"/vms/{vm['id']}/actions/move", {"host": target["id"]})
    assert vc.again(vm)["host"]["id"] == target["id"] and vc.again(vm)["power_state"] == "running"
    assert task["action"] == "vm.move"


def test_a_vm_moves_to_another_datastore(ops):
    vm = ops.create(f"stored-{ops.family}")
    here = vm["disks"][0]["image"]["datastore"]["id"]
    target = next(d for d in ops.of("datastores") if d["id"] != here)
    ops.ask("POST", f"/vms/{vm['id']}/actions/move", {"datastore": target["id"]})
    assert ops.again(vm)["disks"][0]["image"]["datastore"]["id"] == target["id"]


def test_a_vm_moves_to_another_provider_and_keeps_its_id_and_tags(hv, estates):
    api, providers = estates
    vm = hv.create("traveller", start=True)
    assert api.patch(f"/vms/{vm['id']}", {"tags": ["app=erp"]}).status_code == 200
    target = Operations(api, providers["hv2"])
    task = hv.ask("POST", f"/vms/{vm['id']}/actions/move", {"host": target.hosts()[0]["id"],
                                                              "datastore": target.of("datastores")[0]["id"]})
    now = api.read(f"/vms/{vm['id']}")
    assert now["provider"]["id"] == providers["hv2"]["id"] and now["tags"] == ["app=erp"]
    assert now["presence"] == "present" and now["power_state"] == "running", task


def test_a_vm_does_not_move_to_another_family(hv, vc):
    vm = hv.create("stays")
    answer = hv.raw("POST", f"/vms/{vm['id']}/actions/move", {"host": vc.hosts()[0]["id"]})
    assert "conversion" in problem(answer, 422, "not-supported")["detail"]


def test_objects_of_another_provider_are_refused(hv, vc):
    vm = hv.create("own-network")
    answer = hv.raw("POST", f"/vms/{vm['id']}/nics", {"network": vc.of("networks")[0]["id"]})
    assert problem(answer, 422, "validation-failed")["errors"][0]["pointer"] == "/network"


def test_a_template_is_made_and_unmade_in_vsphere_alone(vc, hv):
    vm = vc.create("golden")
    vc.ask("POST", f"/vms/{vm['id']}/actions/template", {"template": True})
    assert vc.again(vm)["template"] is True
    problem(vc.raw("POST", f"/vms/{vm['id']}/actions/start"), 409, "vm-invalid-state")
    vc.ask("POST", f"/vms/{vm['id']}/actions/template", {"template": False})
    other = hv.create("no-template")
    assert "templates" in problem(hv.raw("POST", f"/vms/{other['id']}/actions/template", {"template": True}), 422,
                                  "not-supported")["detail"]


def test_a_vm_is_exported_and_imported(ops):
    vm = ops.create(f"exported-{ops.family}")
    task = ops.ask("POST", f"/vms/{vm['id']}/actions/export", {"path": "exports/one",
                                                               "datastore": ops.of("datastores")[0]["id"]})
    assert task["bytes"]["total"] > 0
    task = ops.ask("POST", "/vms/actions/import", {"host": ops.hosts()[0]["id"], "source": "exports/one/web.vmx",
                                                   "name": f"imported-{ops.family}"})
    assert ops.api.read(f"/vms/{task['result']['ref']['id']}")["name"] == f"imported-{ops.family}"


# Deleting

def test_a_vm_is_deleted_and_its_disks_stay_when_asked(ops):
    vm = ops.create(f"doomed-{ops.family}")
    path = vm["disks"][0]["image"]["path"]
    plan = ops.raw("DELETE", f"/vms/{vm['id']}", disks="keep", dry_run="true").json()
    assert plan["plan"][0]["before"]["name"] == vm["name"] and plan["plan"][0]["after"] is None
    ops.ask("DELETE", f"/vms/{vm['id']}", disks="keep")
    assert ops.again(vm)["presence"] == "gone"
    assert [i for i in ops.of("disk-images") if i["path"] == path]


def test_disks_go_with_their_vm_when_asked(ops):
    vm = ops.create(f"wiped-{ops.family}")
    ops.ask("DELETE", f"/vms/{vm['id']}", disks="delete")
    assert not [i for i in ops.of("disk-images") if i["path"] == vm["disks"][0]["image"]["path"]]


def test_a_running_vm_is_deleted_by_force_alone(ops):
    vm = ops.create(f"forced-{ops.family}", start=True)
    body = problem(ops.raw("DELETE", f"/vms/{vm['id']}"), 409, "vm-invalid-state")
    assert "force" in body["remedy"]
    ops.ask("DELETE", f"/vms/{vm['id']}", force="true")
    assert ops.again(vm)["presence"] == "gone"


# What is possible

def test_actions_say_what_is_possible_now_and_why_not(ops):
    vm = ops.create(f"asked-{ops.family}", start=True)
    actions = {a["name"]: a for a in ops.api.read(f"/vms/{vm['id']}/actions")["items"]}
    assert actions["vm.reconfigure"]["allowed_now"]
    blocked = {b["pointer"]: b["reason"] for b in actions["vm.reconfigure"]["blocked_params"]}
    assert "/tpm" in blocked and "off" in blocked["/tpm"]
    # Whoever shows the reasons in another language finds a code beside each.
    assert [b for b in actions["vm.reconfigure"]["blocked_params"] if not b.get("reason_text", {}).get("code")] == []
    assert [a["name"] for a in actions.values() if a["reason"] and "reason_text" not in a] == []
    assert actions["vm.delete"]["allowed_now"] and "force" in actions["vm.delete"]["reason"]
    if ops.family == "hyperv":
        assert actions["vm.template"]["state"] == "no" and actions["vm.template"]["reason"]
        assert "/firmware" in blocked
    else:
        assert actions["vm.pause"]["state"] == "no"


def test_places_say_what_can_be_made_there(ops):
    actions = {a["name"] for a in ops.api.read(f"/hosts/{ops.hosts()[0]['id']}/actions")["items"]}
    assert {"vm.create", "vm.import", "switch.create", "disk.create"} <= actions


def test_every_operation_is_a_capability_with_a_reason_where_it_is_missing(ops):
    items = {c["name"]: c for c in ops.api.read(f"/providers/{ops.provider['id']}/capabilities")["items"]}
    for name in ("vm.create", "vm.delete", "vm.clone", "vm.move", "vm.disk.attach", "switch.create", "disk.create"):
        assert items[name]["state"] == "yes", items[name]
    assert all(c["reason"] for c in items.values() if c["state"] == "no")


# Many at once

def test_one_change_for_many_vms(ops):
    vms = [ops.create(f"many{i}-{ops.family}") for i in range(3)]
    answer = ops.raw("POST", "/bulk", {"action": "vm.reconfigure", "targets": [vm["id"] for vm in vms],
                                       "params": {"memory": {"bytes": 512 * MIB}}})
    task = ops.api.wait_task(answer.json()["id"])
    assert task["state"] == "succeeded" and task["children"]["succeeded"] == 3
    assert all(ops.again(vm)["memory"]["bytes"] == 512 * MIB for vm in vms)


def test_creating_is_not_for_many(ops):
    problem(ops.raw("POST", "/bulk", {"action": "vm.create", "targets": [ops.vm()["id"]], "params": {"name": "x"}}),
            422, "validation-failed")
