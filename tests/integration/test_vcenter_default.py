# SPDX-License-Identifier: Apache-2.0
"""The simulator's default vCenter: one datacenter, a cluster of three hosts, a standalone host, four VMs."""

import pytest
import requests
from pyVmomi import vim

from support.client import problem, said
from support.wait import wait_for


@pytest.fixture(scope="module")
def vcenter(module_vcenters):
    return module_vcenters()


@pytest.fixture(scope="module")
def server(module_servers):
    return module_servers()


@pytest.fixture(scope="module")
def provider(server, vcenter):
    api = server.admin()
    made = api.add_provider("vc1", vcenter.url, tls={"mode": "pin", "pins": [vcenter.sha256]})
    return api.wait_provider(made["id"])


@pytest.fixture
def api(server, provider):
    return server.admin()


def test_a_provider_tells_product_family_and_state(api, provider, vcenter):
    assert provider["family"] == "vmware"
    assert provider["driver"] == "vapi"
    assert provider["state"] == "connected"
    assert provider["simulated"] is False
    assert provider["product"]["api_version"] == vcenter.info["api_version"]
    assert provider["id"].startswith("prv_")
    assert "password" not in provider, "a secret must never be read out"


@pytest.mark.parametrize("kind, count", [
    ("vms", 4), ("hosts", 4), ("clusters", 1), ("datacenters", 1), ("datastores", 1), ("resource-pools", 2),
])
def test_counts_of_the_default_model(api, kind, count):
    assert api.count(kind) == count


def test_networks_and_switches_are_there(api, second, vcenter):
    truth = second(vcenter)
    networks = {n for n in (truth.get(o, "name") for o in truth.objects(vim.Network))}
    assert {n["name"] for n in api.items("networks")} == networks
    assert api.count("switches") >= 1


def test_a_vm_is_shown_with_its_relations(api):
    vm = api.one("vms", "DC0_C0_RP0_VM0")
    assert vm["id"].startswith("vm_")
    assert vm["kind"] == "vm"
    assert vm["power_state"] == "running"
    assert vm["provider"]["name"] == "vc1" and vm["provider"]["family"] == "vmware"
    assert vm["cluster"]["name"] == "DC0_C0"
    assert vm["host"]["name"].startswith("DC0_C0_H")
    assert vm["datacenter"]["name"] == "DC0"
    assert [d["name"] for d in vm["datastores"]] == ["LocalDS_0"]
    assert vm["native"]["id"].startswith("vm-")
    assert vm["presence"] == "present" and vm["stale"] is False
    assert vm["cpu"]["count"] == 1 and vm["memory"]["bytes"] == 32 << 20
    assert len(vm["disks"]) == 1 and len(vm["nics"]) == 1


def test_the_native_id_and_the_name_can_be_used_instead_of_the_id(api):
    vm = api.one("vms", "DC0_H0_VM0")
    native = api.read(f"/vms/native:vc1:{vm['native']['id']}")
    assert native["id"] == vm["id"]
    assert api.read("/vms/name:DC0_H0_VM0")["id"] == vm["id"]


@pytest.mark.parametrize("action, state", [
    ("stop", "off"), ("start", "running"), ("suspend", "suspended"), ("resume", "running"), ("reset", "running"),
    ("shutdown", "off"), ("start", "running"),
])
def test_power_actions_are_tasks_and_the_new_state_is_read_at_once(api, second, vcenter, action, state):
    vm = api.one("vms", "DC0_H0_VM1")
    if action == "shutdown":
        second(vcenter).set_guest(second(vcenter).vm(vm["native"]["id"]), toolsRunningStatus="guestToolsRunning")
        wait_for(lambda: api.read(f"/vms/{vm['id']}")["guest"]["tools"]["state"] == "running",
                 "running tools should be shown", 30)
    task = api.done("vms", vm["id"], action)
    assert task["action"] == f"vm.{action}"
    assert api.read(f"/vms/{vm['id']}")["power_state"] == state, "who sees 'succeeded' must read the new state"
    words = {"off": "poweredOff", "running": "poweredOn", "suspended": "suspended"}
    assert second(vcenter).power(second(vcenter).vm(vm["native"]["id"])) == words[state]


def test_asking_for_the_present_state_changes_nothing_and_succeeds(api, vcenter):
    vm = api.one("vms", "DC0_H0_VM0")
    vcenter.reset_calls()
    task = api.done("vms", vm["id"], "start")
    assert task["changed"] is False
    assert not [k for k in vcenter.calls()["objects"] if k.startswith("PowerOn")]


def test_an_action_the_state_does_not_allow_is_refused_with_what_is_allowed(api):
    vm = api.one("vms", "DC0_C0_RP0_VM1")
    api.done("vms", vm["id"], "stop")
    document = problem(api.post(f"/vms/{vm['id']}/actions/reset"), 409, "vm-invalid-state")
    assert document["current"] == "off"
    assert "start" in document["allowed_actions"]
    api.done("vms", vm["id"], "start")


def test_vsphere_has_no_pause_and_says_so(api):
    vm = api.one("vms", "DC0_H0_VM0")
    problem(api.post(f"/vms/{vm['id']}/actions/pause"), 422, "not-supported")


def test_a_fault_of_the_vcenter_ends_the_task_with_its_own_code(api, vcenter):
    vm = api.one("vms", "DC0_H0_VM0")
    vcenter.fault("PowerOffVM_Task", "NoPermission", max=1)
    try:
        task = api.wait_task(api.act("vms", vm["id"], "stop")["id"])
    finally:
        vcenter.no_faults()
    assert task["state"] == "failed", task
    assert task["error"]["code"] == "provider-permission"
    assert task["error"]["provider"]["native_code"] == "NoPermission"
    assert api.read(f"/vms/{vm['id']}")["power_state"] == "running"


def test_snapshots_of_another_client_appear_as_a_tree(api, second, vcenter):
    vm = api.one("vms", "DC0_H0_VM0")
    truth = second(vcenter)
    native = truth.vm(vm["native"]["id"])
    truth.snapshot(native, "before", "first")
    truth.snapshot(native, "after", "second")
    wait_for(lambda: len(api.read(f"/vms/{vm['id']}/snapshots")["items"]) == 2, "two snapshots should be shown")
    found = {s["name"]: s for s in api.read(f"/vms/{vm['id']}/snapshots")["items"]}
    assert found["before"]["description"] == "first"
    assert found["before"]["parent"] is None
    assert found["after"]["parent"]["id"] == found["before"]["id"]
    assert found["after"]["current"] is True and found["before"]["current"] is False
    wait_for(lambda: api.read(f"/vms/{vm['id']}")["snapshots"]["count"] == 2, "the VM should count them")


def test_tags_of_the_vcenter_are_shown(api, vcenter):
    host = vcenter.url.removesuffix("/sdk")
    rest = requests.Session()
    rest.trust_env = False
    rest.verify = False
    key = rest.post(f"{host}/rest/com/vmware/cis/session", auth=("user", "pass")).json()["value"]
    rest.headers["vmware-api-session-id"] = key
    category = rest.post(f"{host}/rest/com/vmware/cis/tagging/category", json={"create_spec": {
        "name": "env", "description": "", "cardinality": "SINGLE", "associable_types": []}}).json()["value"]
    tag = rest.post(f"{host}/rest/com/vmware/cis/tagging/tag", json={"create_spec": {
        "name": "prod", "description": "", "category_id": category}}).json()["value"]
    vm = api.one("vms", "DC0_H0_VM0")
    done = rest.post(f"{host}/rest/com/vmware/cis/tagging/tag-association/id:{tag}?~action=attach", json={
        "object_id": {"id": vm["native"]["id"], "type": "VirtualMachine"}})
    assert done.ok, done.text
    answer = api.post(f"/providers/{vm['provider']['id']}/actions/sync")
    assert answer.status_code in (200, 202), said(answer)
    wait_for(lambda: "env=prod" in (api.read(f"/vms/{vm['id']}")["native"].get("tags") or []),
             "the tag should be shown as category=name")


def test_ids_do_not_change_with_a_full_sync_or_a_restart(server, api, provider):
    before = {v["native"]["id"]: v["id"] for v in api.items("vms", fields="id,native.id")}
    versions = {v["id"]: v["version"] for v in api.items("vms", fields="id,version")}
    task = api.act("providers", provider["id"], "sync")
    api.wait_task(task["id"])
    assert {v["native"]["id"]: v["id"] for v in api.items("vms", fields="id,native.id")} == before
    assert {v["id"]: v["version"] for v in api.items("vms", fields="id,version")} == versions, \
        "a sync without changes must not bump versions"
    server.restart()
    api.wait_provider(provider["id"])
    assert {v["native"]["id"]: v["id"] for v in api.items("vms", fields="id,native.id")} == before


def test_one_login_is_used_however_many_requests_run(api, second, vcenter):
    truth = second(vcenter)
    mine = truth.own_login()
    ours = [s for s in truth.logins() if s.key != mine and "python" not in (s.userAgent or "").lower()]
    assert len(ours) == 1, f"one login per provider expected: {[(s.userAgent, s.key) for s in ours]}"


def test_deleting_a_provider_takes_its_objects_and_its_login_away(api, provider, second, vcenter):
    answer = api.delete(f"/providers/{provider['id']}")
    assert answer.status_code in (200, 202, 204), said(answer)
    wait_for(lambda: api.count("vms") == 0, "the VMs should go with their provider")
    assert api.get(f"/providers/{provider['id']}").status_code == 404
    truth = second(vcenter)
    wait_for(lambda: not [s for s in truth.logins() if "python" not in (s.userAgent or "").lower()],
             "the login at the vCenter should be given back")
