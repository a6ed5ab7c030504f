# SPDX-License-Identifier: Apache-2.0
"""Hosts in maintenance: their VMs go elsewhere, none is left there, and they come back."""

import pytest

from support.client import problem, said
from support.operations import add_estates


@pytest.fixture(scope="module")
def api(module_servers):
    api = module_servers("maintenance").admin()
    add_estates(api, vms=60)
    return api


def running(api, host):
    return {v["id"] for v in api.items("vms", filter=f"host:{host} power:{{running,paused}}")}


def action(api, host, name):
    [one] = [a for a in api.read(f"/hosts/{host}/actions")["items"] if a["name"] == name]
    return one


def busiest(api):
    hosts = api.items("hosts", filter="provider.family:vmware maintenance_mode:false", view="full")
    return max(hosts, key=lambda h: len(running(api, h["id"])))


def test_a_host_is_emptied_and_takes_vms_again(api):
    host = busiest(api)["id"]
    there = running(api, host)
    assert there
    plan = api.post(f"/hosts/{host}/actions/enter_maintenance", {}, dry_run="true").json()
    assert plan["ok"] and plan["changed"]
    assert plan["plan"][0]["before"] == {"maintenance_mode": False}
    assert plan["plan"][0]["after"] == {"maintenance_mode": True}
    moves = [c for c in plan["plan"][0]["native_calls"] if c["operation"] == "MigrateVM_Task"]
    assert len(moves) == len(there) and all(m["args"]["host"] for m in moves)
    assert running(api, host) == there, "a rehearsal moves nothing"

    task = api.done("hosts", host, "enter_maintenance", {})
    assert task["state"] == "succeeded" and task["changed"]
    assert api.read(f"/hosts/{host}")["maintenance_mode"] is True
    assert action(api, host, "host.enter_maintenance")["reason"] == "it is in maintenance mode already"
    assert api.done("hosts", host, "enter_maintenance", {})["changed"] is False
    moved = {v["id"]: v["host"]["id"] for v in api.items("vms", ids=",".join(sorted(there)[:200]))}
    assert host not in moved.values()
    assert all(api.read(f"/hosts/{h}")["maintenance_mode"] is False for h in set(moved.values()))

    assert api.done("hosts", host, "exit_maintenance")["changed"] is True
    assert api.read(f"/hosts/{host}")["maintenance_mode"] is False
    assert action(api, host, "host.exit_maintenance")["reason"] == "it is not in maintenance mode"


def test_where_no_other_host_is_left_it_is_refused_and_says_why(api):
    host = busiest(api)
    others = api.items("hosts", filter=f"cluster:{host['cluster']['id']} -id:{host['id']} maintenance_mode:false")
    for other in others:
        api.done("hosts", other["id"], "enter_maintenance", {})
    try:
        before = running(api, host["id"])
        task = api.wait_task(api.post(f"/hosts/{host['id']}/actions/enter_maintenance", {}).json()["id"])
        assert task["state"] == "failed" and "no other host" in task["error"]["detail"]
        assert running(api, host["id"]) == before
    finally:
        for other in others:
            api.done("hosts", other["id"], "exit_maintenance")


def test_a_family_without_it_says_so_before(api):
    host = api.items("hosts", filter="provider.family:hyperv")[0]["id"]
    offered = action(api, host, "host.enter_maintenance")
    assert offered["state"] == "no" and "Hyper-V" in offered["reason"]
    problem(api.post(f"/hosts/{host}/actions/enter_maintenance", {}), 422, "not-supported")


def test_vcenter_does_it(module_servers, module_vcenters):
    vcenter = module_vcenters(vm=2)
    api = module_servers("maintenance-vc").admin()
    api.wait_provider(api.add_provider("vc", vcenter.url)["id"])
    host = api.items("hosts", sort="name")[0]["id"]
    plan = api.post(f"/hosts/{host}/actions/enter_maintenance", {"evacuate_off": True}, dry_run="true")
    assert plan.status_code == 200, said(plan)
    [call] = plan.json()["plan"][0]["native_calls"]
    assert "EnterMaintenanceMode_Task" in str(call) and "evacuatePoweredOffVms" in str(call)
    assert api.done("hosts", host, "enter_maintenance", {"timeout_s": 60})["changed"] is True
    assert api.read(f"/hosts/{host}")["maintenance_mode"] is True
    assert api.done("hosts", host, "enter_maintenance", {})["changed"] is False
    assert api.done("hosts", host, "exit_maintenance")["changed"] is True
    assert api.read(f"/hosts/{host}")["maintenance_mode"] is False
