# SPDX-License-Identifier: Apache-2.0
"""A vCenter and two Hyper-V hosts in one list: the same requests, the same words, the same shapes of answers."""

import pytest

from support.hyperv_api import Estate
from support.wait import wait_for

pytestmark = pytest.mark.timeout(400)
GIB = 1 << 30
FAMILIES = ["vmware", "hyperv"]


@pytest.fixture(scope="module")
def estate(module_servers, module_vcenters, tmp_path_factory):
    made = Estate(module_servers(), tmp_path_factory.mktemp("hv"), hosts=2, vms=12, speed=50)
    vcenter = module_vcenters(vm=8)
    made.api.wait_provider(made.api.add_provider("vc", vcenter.url)["id"])
    yield made
    made.close()


@pytest.fixture(scope="module")
def api(estate):
    return estate.api


def of_family(api, family, **filters):
    terms = [f"{k}:{v}" for k, v in filters.items()]
    return [vm for vm in api.items("vms", view="full", filter=" ".join(terms)) if vm["provider"]["family"] == family]


def a_vm(api, family, power):
    found = of_family(api, family, power=power)
    assert found, f"no {power} VM of {family}"
    return found[0]


def shape(value):
    """Names and types, without the values."""
    if isinstance(value, dict):
        return {k: shape(v) for k, v in value.items()}
    return "list" if isinstance(value, list) else "value"


def test_one_list_holds_both_families_in_the_same_words(api):
    vms = api.items("vms", view="full")
    assert {vm["provider"]["family"] for vm in vms} == set(FAMILIES)
    assert len({vm["provider"]["name"] for vm in vms}) == 3
    one, other = (next(vm for vm in vms if vm["provider"]["family"] == f) for f in FAMILIES)
    assert set(one) == set(other), "the same members, whoever made the machine"
    for part in ("cpu", "memory", "guest", "boot", "secure_boot"):
        assert set(one[part]) == set(other[part]), part


def test_one_bulk_start_for_all_that_are_off(api):
    for family in FAMILIES:
        if not of_family(api, family, power="off"):
            vm = a_vm(api, family, "running")
            assert api.done("vms", vm["id"], "stop")["state"] == "succeeded"
    off = api.items("vms", filter="power:off", fields="id")
    answer = api.post("/bulk", {"action": "vm.start", "selector": "power:off", "expected_count": len(off)})
    assert answer.status_code == 202, answer.text
    task = api.wait_task(answer.json()["id"], 180)
    children = api.read(f"/tasks/{task['id']}/children", limit=200)["items"]
    assert task["state"] == "succeeded", [(c["state"], c["error"]) for c in children if c["state"] != "succeeded"]
    assert task["children"]["succeeded"] == len(off)
    assert api.count("vms", filter="power:off") == 0


@pytest.mark.parametrize("action,state", [("suspend", "suspended"), ("start", "running"), ("stop", "off"), ("start", "running")])
def test_power_by_the_same_request(api, action, state):
    names = {}
    for family in FAMILIES:
        before = {"suspend": "running", "stop": "running"}.get(action) or ("suspended" if of_family(
            api, family, power="suspended") else "off")
        vm = a_vm(api, family, before)
        task = api.done("vms", vm["id"], action, timeout=120)
        assert task["state"] == "succeeded", task
        assert api.read(f"/vms/{vm['id']}")["power_state"] == state
        names[family] = shape({k: v for k, v in task.items() if k not in ("result", "native", "params")})
    assert set(names["vmware"]) == set(names["hyperv"])


def test_snapshots_by_the_same_request(api):
    shown = {}
    for family in FAMILIES:
        vm = a_vm(api, family, "running")
        answer = api.post(f"/vms/{vm['id']}/snapshots", {"name": "side by side", "description": "both"})
        assert answer.status_code == 202, answer.text
        task = api.wait_task(answer.json()["id"], 120)
        assert task["state"] == "succeeded", task
        found = [s for s in api.read(f"/vms/{vm['id']}/snapshots")["items"] if s["name"] == "side by side"]
        assert len(found) == 1 and found[0]["current"], found
        shown[family] = set(found[0])
        answer = api.delete(f"/vms/{vm['id']}/snapshots/{found[0]['id']}")
        assert api.wait_task(answer.json()["id"], 120)["state"] == "succeeded"
        assert not [s for s in api.read(f"/vms/{vm['id']}/snapshots")["items"] if s["name"] == "side by side"]
    assert shown["vmware"] == shown["hyperv"]


def test_settings_by_the_same_request(api):
    plans = {}
    for family in FAMILIES:
        vm = a_vm(api, family, "running")
        assert api.done("vms", vm["id"], "stop", timeout=120)["state"] == "succeeded"
        change = {"cpu": {"count": 3}, "memory": {"bytes": 3 * GIB}, "annotation": "by one request"}
        plan = api.request("PATCH", f"/vms/{vm['id']}?dry_run=true", json=change)
        assert plan.status_code == 200, plan.text
        entry = plan.json()["plan"][0]
        assert entry["after"]["cpu"]["count"] == 3 and entry["after"]["memory"]["bytes"] == 3 * GIB
        plans[family] = set(entry)
        answer = api.request("PATCH", f"/vms/{vm['id']}", json=change)
        assert answer.status_code == 202, answer.text
        task = api.wait_task(answer.json()["id"], 120)
        assert task["state"] == "succeeded", task
        now = wait_for(lambda: (lambda v: v if v["cpu"]["count"] == 3 else None)(api.read(f"/vms/{vm['id']}")), "three CPUs")
        assert now["memory"]["bytes"] == 3 * GIB and now["annotation"] == "by one request"
    assert plans["vmware"] == plans["hyperv"]


def devices_shape(task):
    """Which members the devices of a result have, by kind."""
    found = {}
    for device in task["result"].get("devices", []):
        found.setdefault(device["kind"], set()).update(device)
    return found


def done(api, answer, timeout=120):
    assert answer.status_code == 202, answer.text
    task = api.wait_task(answer.json()["id"], timeout)
    assert task["state"] == "succeeded", task
    return task


def outline(task):
    """What an answer is made of, beside what only happened to be said (warnings, differences)."""
    result = {k: shape(v) for k, v in task["result"].items() if k not in ("devices", "differences", "warnings")}
    return set(task), result, bool(task["undo"])


@pytest.fixture(scope="module")
def made(api):
    """One new VM of each family, by one request but for the place; its task."""
    found = {}
    for family in FAMILIES:
        host = next(h for h in api.items("hosts", view="full") if h["provider"]["family"] == family and not h["cluster"])
        body = {"name": f"made side by side {family}", "host": host["id"], "cpu": {"count": 2}, "memory": {"bytes": 2 * GIB},
                "disks": [{"capacity_bytes": 8 * GIB}], "annotation": "by one request"}
        plan = api.post("/vms", body, dry_run="true")
        assert plan.status_code == 200 and plan.json()["ok"], plan.text
        task = done(api, api.post("/vms", body))
        found[family] = task, api.read(f"/vms/{task['result']['ref']['id']}"), plan.json()
    yield found
    for family in FAMILIES:
        done(api, api.delete(f"/vms/{found[family][1]['id']}", disks="delete", force="true"))


def test_a_vm_is_made_by_the_same_request(made):
    one, other = (made[f] for f in FAMILIES)
    for _, vm, _ in (one, other):
        assert (vm["cpu"]["count"], vm["memory"]["bytes"], vm["firmware"], vm["power_state"]) == (2, 2 * GIB, "uefi", "off")
        assert (len(vm["disks"]), len(vm["nics"]), len(vm["cdroms"])) == (1, 1, 1) and vm["annotation"] == "by one request"
        assert vm["disks"][0]["capacity_bytes"] == 8 * GIB and vm["disks"][0]["controller"]["type"] == "scsi"
        assert vm["secure_boot"]["on"] is False and vm["cdroms"][0]["image"]["path"] is None
    assert outline(one[0]) == outline(other[0])
    for kind in ("disk", "nic", "cdrom", "controller"):
        a, b = devices_shape(one[0])[kind], devices_shape(other[0])[kind]
        assert {"kind", "label", "native_id"} <= a & b, (kind, a, b)
    assert set(one[2]) == set(other[2])
    assert {d["kind"] for d in one[2]["plan"][0]["devices"]} >= {"disk", "nic", "cdrom"} <= {d["kind"] for d in other[2]["plan"][0]["devices"]}


@pytest.mark.parametrize("device, body", [("disks", {"capacity_bytes": GIB}), ("nics", {}), ("cdroms", {})])
def test_devices_come_and_go_by_the_same_request(api, made, device, body):
    seen, outlines = {}, {}
    for family in FAMILIES:
        vm = made[family][1]
        if device == "nics":
            network = next(n for n in api.items("networks", view="full") if n["provider"]["id"] == vm["provider"]["id"]
                           and "uplink" not in n["name"].lower())
            body = {"network": network["id"]}
        plan = api.post(f"/vms/{vm['id']}/{device}", body, dry_run="true").json()
        assert plan["ok"] and plan["plan"][0]["native_calls"], plan
        task = done(api, api.post(f"/vms/{vm['id']}/{device}", body))
        outlines[family] = outline(task)
        ref = task["result"]["ref"]
        seen[family] = api.read(f"/{device}/{ref['id']}")
        gone = done(api, api.delete(f"/vms/{vm['id']}/{device}/{ref['id']}"))
        assert gone["changed"] is True and len(api.read(f"/vms/{vm['id']}")[device]) == 1
    one, other = (seen[f] for f in FAMILIES)
    assert set(one) == set(other) and outlines["vmware"] == outlines["hyperv"]
    if device == "nics":
        assert one["connected"] == other["connected"] or one["connect_at_power_on"], (one, other)


def test_an_image_goes_in_and_out_by_the_same_request(api, estate, made):
    outlines = {}
    for host in estate.fake.hosts:
        host.add_file("D:\\ISO\\debian.iso", kind=0)
    for family, path in (("vmware", "ISO/debian.iso"), ("hyperv", "D:\\ISO\\debian.iso")):
        vm = made[family][1]
        drive = vm["cdroms"][0]["id"]
        image = {"path": path}
        mount = f"/vms/{vm['id']}/cdroms/{drive}/actions"
        into = done(api, api.post(f"{mount}/mount", {"image": image}))
        assert api.read(f"/cdroms/{drive}")["image"]["path"].endswith("debian.iso")
        out = done(api, api.post(f"{mount}/eject"))
        assert api.read(f"/cdroms/{drive}")["image"]["path"] is None
        again = api.wait_task(api.post(f"{mount}/eject").json()["id"], 60)
        assert (again["state"], again["changed"]) == ("succeeded", False), again
        outlines[family] = set(into), set(out), into["changed"], out["changed"]
    assert outlines["vmware"] == outlines["hyperv"]


def test_a_copy_by_the_same_request(api, made):
    outlines = {}
    for family in FAMILIES:
        vm = made[family][1]
        name = f"copy of {family}"
        task = done(api, api.post(f"/vms/{vm['id']}/actions/clone", {"name": name}), 180)
        copy = api.read(f"/vms/{task['result']['ref']['id']}")
        assert copy["name"] == name and copy["id"] != vm["id"] and copy["uuid"] != vm["uuid"]
        assert (copy["cpu"]["count"], len(copy["disks"]), copy["power_state"]) == (2, 1, "off")
        outlines[family] = outline(task)
        done(api, api.delete(f"/vms/{copy['id']}", disks="delete"))
    assert outlines["vmware"] == outlines["hyperv"]


@pytest.mark.parametrize("family, body, pointer", [
    ("vmware", {"memory": {"dynamic": True}}, "/memory/dynamic"), ("vmware", {"secure_boot": {"template": "MicrosoftWindows"}}, "/secure_boot/template"),
    ("vmware", {"snapshots": {"automatic": True}}, "/snapshots/automatic"),
    ("hyperv", {"cpu": {"cores_per_socket": 2}}, "/cpu/cores_per_socket"), ("hyperv", {"cpu": {"hot_add": True}}, "/cpu/hot_add"),
    ("hyperv", {"memory": {"reservation_bytes": GIB}}, "/memory/reservation_bytes"), ("hyperv", {"autostart": {"order": 3}}, "/autostart/order"),
    ("hyperv", {"guest": {"os_id": "ubuntu64Guest"}}, "/guest/os_id"),
])
def test_what_only_the_other_family_has_is_refused_at_once(api, made, family, body, pointer):
    answer = api.patch(f"/vms/{made[family][1]['id']}", body)
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["code"] == "not-supported" and problem["errors"][0]["pointer"] == pointer, problem


def test_what_one_family_cannot_do_is_said_with_the_reason(api):
    vm = a_vm(api, "vmware", "running")
    answer = api.post(f"/vms/{vm['id']}/actions/pause")
    assert answer.status_code == 422 and answer.json()["code"] == "not-supported", answer.text
    assert "suspend" in answer.json()["detail"]
    vm = a_vm(api, "hyperv", "running")
    assert api.done("vms", vm["id"], "pause", timeout=60)["state"] == "succeeded"
    assert api.done("vms", vm["id"], "resume", timeout=60)["state"] == "succeeded"
