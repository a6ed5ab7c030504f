# SPDX-License-Identifier: Apache-2.0
"""1,000 VMs that somebody else keeps changing: everything arrives, in order, with who did it."""

import time

import pytest
from pyVmomi import vim

from support.wait import wait_equal, wait_for

pytestmark = pytest.mark.timeout(600)

# The simulator works through all its VMs for each change that it tells: on a busy machine that takes minutes.
SOON = 240


@pytest.fixture(scope="module")
def vcenter(module_vcenters):
    return module_vcenters(vm=500, standalone_host=1, host=8)


@pytest.fixture(scope="module")
def server(module_servers):
    return module_servers()


@pytest.fixture(scope="module")
def api(server, vcenter):
    api = server.admin()
    # The simulator sometimes forgets to tell that a VM was destroyed; the poll finds out.
    added = api.add_provider("vc", vcenter.url, settings={"poll_interval_s": 20})
    api.wait_provider(added["id"], timeout=180)
    return api


@pytest.fixture
def other(second, vcenter):
    return second(vcenter)


def by_moid(api, moid):
    return api.read(f"/vms/native:vc:{moid}")


def test_all_thousand_vms_are_there(api):
    assert api.count("vms") == 1000


def test_power_changes_of_another_client_arrive_as_external_events(api, other):
    since = api.last_seq()
    vms = other.vms()[:20]
    for vm in vms:
        other.power_off(vm)
    off = {vm._moId for vm in vms}
    wait_equal(lambda: {v["native"]["id"] for v in api.items("vms", filter="power:off", fields="native.id")}, off,
               "VMs that are off", SOON)
    wait_for(lambda: len(power_events(api, since)) >= 20, "an event for each of 20 changes", SOON)
    for event in power_events(api, since):
        assert event["actor"]["type"] == "external", event
        change = next(c for c in event["changes"] if c["field"] == "power_state")
        assert (change["from"], change["to"]) == ("running", "off"), event


def power_events(api, since):
    return [e for e in api.events(since, view="full") if e["type"] == "vm.updated"
            and any(c["field"] == "power_state" for c in e["changes"] or [])]


def test_a_rename_keeps_the_id(api, other):
    vm = other.vms()[30]
    before = by_moid(api, vm._moId)
    other.rename(vm, "renamed by somebody else")
    after = wait_for(lambda: (lambda v: v if v["name"] == "renamed by somebody else" else None)(by_moid(api, vm._moId)),
                     "the new name", SOON)
    assert after["id"] == before["id"]
    assert after["version"] > before["version"]
    assert [v["id"] for v in api.items("vms", filter='name="renamed by somebody else"')] == [before["id"]]
    assert api.items("vms", filter=f'name="{before["name"]}"') == []


def test_names_with_signs_that_vsphere_escapes_are_shown_as_typed(api, other):
    vm = other.vms()[31]
    other.rename(vm, "web%2fdb%25 ä&<x>")
    wait_equal(lambda: by_moid(api, vm._moId)["name"], "web/db% ä&<x>", "the decoded name", SOON)


def test_created_and_destroyed_vms_come_and_go(api, other):
    since = api.last_seq()
    made = [other.create_vm(f"made-{n}", cpus=2, memory_mb=128) for n in range(5)]
    wait_equal(lambda: api.count("vms", filter="name~made-*"), 5, "new VMs", SOON)
    one = by_moid(api, made[0]._moId)
    assert one["cpu"]["count"] == 2 and one["memory"]["bytes"] == 128 << 20 and one["power_state"] == "off"
    for vm in made:
        other.destroy(vm)
    wait_equal(lambda: api.count("vms", filter="name~made-*"), 0, "VMs that were destroyed", SOON)
    assert api.read(f"/vms/{one['id']}")["presence"] == "gone"
    kinds = [e["type"] for e in api.events(since) if (e.get("ref") or {}).get("id") == one["id"]]
    assert kinds[0] == "vm.created" and "vm.gone" in kinds, kinds
    assert api.count("vms") == 1000


def test_a_changed_configuration_arrives(api, other):
    vm = other.vms()[40]
    other.wait(vm.ReconfigVM_Task(vim.vm.ConfigSpec(numCPUs=4, memoryMB=256, annotation="from outside")))
    wait_for(lambda: by_moid(api, vm._moId)["cpu"]["count"] == 4, "four processors", SOON)
    now = by_moid(api, vm._moId)
    assert now["memory"]["bytes"] == 256 << 20
    assert now["annotation"] == "from outside"


def test_guest_data_arrives_and_can_be_searched(api, other):
    vm = other.vms()[41]
    other.set_guest(vm, ipAddress="10.77.1.2", hostName="erp-db.example")
    found = wait_for(lambda: api.items("vms", filter="ip:10.77.1.2"), "the guest's address", SOON)
    assert [v["native"]["id"] for v in api.items("vms", filter="ip:10.77.1.2", view="full")] == [vm._moId]
    hits = api.read("/search", q="erp-db")["items"]
    assert found[0]["id"] in str(hits)


def test_a_hundred_changes_in_a_row_leave_the_same_state_on_both_sides(api, other, server):
    vms = other.vms()[100:150]
    tasks = [vm.PowerOffVM_Task() for vm in vms]
    for task in tasks:
        other.wait(task)
    tasks = [vm.PowerOnVM_Task() for vm in vms[::2]]
    for task in tasks:
        other.wait(task)

    truth = {moid: {"poweredOn": "running", "poweredOff": "off"}[values["runtime.powerState"]]
             for moid, values in other.read(vim.VirtualMachine, "runtime.powerState").items()}
    wait_equal(lambda: {v["native"]["id"]: v["power_state"] for v in api.items("vms", fields="native.id,power_state")},
               truth, "power states", 180, every=1)


def test_event_numbers_rise_strictly_and_each_change_is_told_once(api):
    events = api.events(0, view="full")
    seqs = [e["seq"] for e in events]
    assert seqs == sorted(set(seqs))
    versions = {}
    for event in events:
        if event["type"] == "vm.updated" and event.get("object_version"):
            key = event["ref"]["id"], event["object_version"]
            assert key not in versions, f"{key} was told twice: events {versions[key]} and {event['seq']}"
            versions[key] = event["seq"]


def test_an_unchanged_full_sync_writes_nothing(api, other):
    provider = api.items("providers")[0]
    # Changes come in order: when this one is there, nothing of the tests before is still on its way.
    last = other.vms()[60]
    other.rename(last, "the last change")
    wait_for(lambda: by_moid(api, last._moId)["name"] == "the last change", "the last change", 180)
    wait_for(lambda: api.last_seq() == settle(api), "events should come to rest", 90)
    versions = {v["id"]: v["version"] for v in api.items("vms", fields="id,version")}
    since = api.last_seq()
    api.wait_task(api.act("providers", provider["id"], "sync")["id"], 180)
    assert {v["id"]: v["version"] for v in api.items("vms", fields="id,version")} == versions
    inventory = [e for e in api.events(since) if e["type"].split(".")[0] in ("vm", "host", "datastore", "network")]
    assert inventory == []


def settle(api):
    first = api.last_seq()
    time.sleep(6)  # an update of 1,000 VMs takes the simulator more than a second
    return first
