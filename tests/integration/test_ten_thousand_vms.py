# SPDX-License-Identifier: Apache-2.0
"""10,000 VMs, full load only: the simulator takes minutes to make them."""

import pytest
from pyVmomi import vim

from support.wait import wait_equal

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def vcenter(module_vcenters):
    return module_vcenters(vm=5000, host=20, standalone_host=1, ds=4, autostart=False, start_timeout=900)


@pytest.fixture(scope="module")
def server(module_servers):
    return module_servers()


@pytest.fixture(scope="module")
def api(server, vcenter):
    api = server.admin()
    made = api.add_provider("vc", vcenter.url)
    api.wait_provider(made["id"], timeout=900)
    return api


def test_all_ten_thousand_vms_have_their_names_and_states(api, vcenter, second):
    truth = {moid: v["name"] for moid, v in second(vcenter).read(vim.VirtualMachine, "name").items()}
    assert len(truth) == 10000
    shown = {v["native"]["id"]: v["name"] for v in api.items("vms", fields="native.id,name")}
    assert shown == truth


def test_every_vm_has_its_disk_and_its_adapter(api):
    lacking = [v["name"] for v in api.items("vms", view="full") if len(v["disks"]) != 1 or len(v["nics"]) != 1]
    assert lacking == []


def test_the_list_is_usable_while_it_fills(servers, vcenter):
    api = servers().admin()
    made = api.add_provider("vc", vcenter.url)
    seen = set()
    while (api.provider(made["id"]).get("sync") or {}).get("last_full_at") is None:
        seen.add(api.count("vms"))
    assert max(seen | {api.count("vms")}) <= 10000
    wait_equal(lambda: api.count("vms"), 10000, "VMs after the first sync", 900, every=1)


def test_a_second_full_sync_takes_no_more_calls_than_the_first_and_changes_nothing(api, vcenter):
    provider = api.items("providers")[0]
    versions = {v["id"]: v["version"] for v in api.items("vms", fields="id,version")}
    vcenter.reset_calls()
    api.wait_task(api.act("providers", provider["id"], "sync")["id"], 900)
    calls = vcenter.calls()["soap"]
    assert sum(calls.values()) < 200, calls
    assert {v["id"]: v["version"] for v in api.items("vms", fields="id,version")} == versions
