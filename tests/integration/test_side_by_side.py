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


def test_what_one_family_cannot_do_is_said_with_the_reason(api):
    vm = a_vm(api, "vmware", "running")
    answer = api.post(f"/vms/{vm['id']}/actions/pause")
    assert answer.status_code == 422 and answer.json()["code"] == "not-supported", answer.text
    assert "suspend" in answer.json()["detail"]
    vm = a_vm(api, "hyperv", "running")
    assert api.done("vms", vm["id"], "pause", timeout=60)["state"] == "succeeded"
    assert api.done("vms", vm["id"], "resume", timeout=60)["state"] == "succeeded"
