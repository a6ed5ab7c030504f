# SPDX-License-Identifier: Apache-2.0
"""How often a vCenter is asked: the same number of times for 10 VMs and for 600, and never for a read of ours."""

import time

import pytest

from support.wait import wait_for

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def server(module_servers):
    return module_servers()


def calls_of_one_sync(server, vcenter, name):
    """Calls of a full sync that somebody asked for, without the change feed that runs beside it."""
    api = server.admin()
    provider = api.wait_provider(api.add_provider(name, vcenter.url)["id"], timeout=120)
    settle(vcenter)
    vcenter.reset_calls()
    api.wait_task(api.act("providers", provider["id"], "sync")["id"], 120)
    settle(vcenter)  # the change feed is set up anew after a full sync
    counts = vcenter.calls()
    soap = {k: n for k, n in counts["soap"].items() if k not in ("WaitForUpdatesEx", "CurrentTime", "SessionIsActive")}
    rest = {k: n for k, n in counts["rest"].items()}
    return provider, soap, rest


def settle(vcenter):
    """Waits until nothing but an idle change feed is going on."""
    def quiet():
        before = vcenter.calls()["soap"]
        time.sleep(2)
        after = vcenter.calls()["soap"]
        changed = {k for k in after if after[k] != before.get(k, 0)} - {"WaitForUpdatesEx", "CurrentTime"}
        return not changed

    wait_for(quiet, "the first sync should come to rest", 60)


def test_a_sync_of_600_vms_takes_as_many_calls_as_one_of_10(server, module_vcenters):
    small = module_vcenters(vm=5)
    large = module_vcenters(vm=300)
    _, few, few_rest = calls_of_one_sync(server, small, "small")
    _, many, many_rest = calls_of_one_sync(server, large, "large")
    # Only pages of one and the same read may be more.
    pages = ("ContinueRetrievePropertiesEx", "WaitForUpdatesEx")
    assert {k: n for k, n in few.items() if k not in pages} == {k: n for k, n in many.items() if k not in pages}, \
        f"small {few}, large {many}"
    assert many.get("ContinueRetrievePropertiesEx", 0) - few.get("ContinueRetrievePropertiesEx", 0) <= 12, many
    assert sum(few_rest.values()) == sum(many_rest.values()), (few_rest, many_rest)


def test_reading_our_api_asks_the_vcenter_nothing(server, module_vcenters):
    vcenter = module_vcenters(vm=10)
    api = server.admin()
    api.wait_provider(api.add_provider("reads", vcenter.url)["id"], timeout=120)
    settle(vcenter)
    vcenter.reset_calls()
    vms = api.items("vms", filter='provider="reads"', view="full")
    for vm in vms:
        api.read(f"/vms/{vm['id']}")
        api.read(f"/vms/{vm['id']}/snapshots")
        api.read(f"/vms/{vm['id']}/actions")
    for kind in ("hosts", "clusters", "datacenters", "datastores", "networks", "switches", "resource-pools", "tasks",
                 "events", "providers", "folders", "tags"):
        api.items(kind)
    for path in ("/summary", "/tree", "/health", "/search?q=VM"):
        api.read(path)
    assert api.get("/metrics").status_code == 200
    asked = vcenter.calls()
    soap = {k: n for k, n in asked["soap"].items() if k not in ("WaitForUpdatesEx", "CurrentTime")}
    assert soap == {}, f"reads of ours made calls: {soap}"
    assert asked["rest"] == {}, asked["rest"]


def test_power_tasks_cost_few_calls_and_one_shared_wait(server, module_vcenters):
    vcenter = module_vcenters(vm=10)
    api = server.admin()
    api.wait_provider(api.add_provider("power", vcenter.url)["id"], timeout=120)
    settle(vcenter)
    vcenter.reset_calls()
    vms = api.items("vms", filter='provider="power"')
    tasks = [api.act("vms", vm["id"], "stop")["id"] for vm in vms]
    for task in tasks:
        assert api.wait_task(task)["state"] == "succeeded"
    soap = vcenter.calls()["soap"]
    assert soap["PowerOffVM_Task"] == len(vms)
    rest = {k: n for k, n in soap.items() if k not in ("PowerOffVM_Task", "WaitForUpdatesEx", "CurrentTime")}
    assert sum(rest.values()) <= 5 * len(vms) + 10, f"besides one call each for {len(vms)} tasks: {rest}"


def test_an_idle_provider_costs_nearly_nothing(server, module_vcenters):
    vcenter = module_vcenters(vm=10)
    api = server.admin()
    api.wait_provider(api.add_provider("idle", vcenter.url)["id"], timeout=120)
    settle(vcenter)
    vcenter.reset_calls()
    time.sleep(10)
    assert vcenter.soap_total() <= 5, vcenter.calls()["soap"]


def test_asking_for_one_object_is_one_targeted_sync(server, module_vcenters):
    vcenter = module_vcenters(vm=10)
    api = server.admin()
    api.wait_provider(api.add_provider("one", vcenter.url)["id"], timeout=120)
    settle(vcenter)
    vm = api.items("vms", filter='provider="one"')[0]
    vcenter.reset_calls()
    api.wait_task(api.act("vms", vm["id"], "sync")["id"])
    soap = {k: n for k, n in vcenter.calls()["soap"].items() if k not in ("WaitForUpdatesEx", "CurrentTime")}
    assert 1 <= sum(soap.values()) <= 5, soap
