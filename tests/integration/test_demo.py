# SPDX-License-Identifier: Apache-2.0
"""The demonstration: a believable mixed estate, plainly marked, that can be worked with and removed."""

import collections
import re

import pytest

from support.client import said
from support.wait import wait_for


@pytest.fixture(scope="module")
def server(module_servers):
    return module_servers(demo=True)


@pytest.fixture(scope="module")
def api(server):
    api = server.admin()
    wait_for(lambda: api.count("vms") >= 500, "500 VMs", 60)
    return api


def test_two_vcenters_six_hyperv_hosts_and_500_vms(api):
    assert api.count("vms") == 500
    families = collections.Counter(p["family"] for p in api.items("providers"))
    assert families == {"vmware": 2, "hyperv": 6}
    vms = collections.Counter(v["provider"]["family"] for v in api.items("vms"))
    assert vms["vmware"] > 100 and vms["hyperv"] > 100


def test_everything_is_marked_as_simulated(api):
    assert all(p["simulated"] is True for p in api.items("providers"))
    for kind in ("vms", "hosts", "datastores", "networks"):
        assert all(o["provider"]["simulated"] is True for o in api.items(kind)), kind


def test_the_estate_is_believable(api):
    vms = api.items("vms", view="full")
    assert len({v["name"] for v in vms}) > 450
    states = collections.Counter(v["power_state"] for v in vms)
    assert states["running"] > states["off"] > 0
    for vm in vms:
        assert vm["cpu"]["count"] >= 1 and vm["memory"]["bytes"] >= 256 << 20, vm["name"]
        assert vm["host"] and vm["disks"] and vm["nics"], vm["name"]
        if vm["provider"]["family"] == "hyperv":
            assert vm["resource_pool"] is None and vm["datacenter"] is None, "Hyper-V has neither"
        else:
            assert vm["datacenter"] is not None
    hosts = api.items("hosts", view="full")
    for host in hosts:
        assert host["hardware"]["memory_bytes"] >= 16 << 30 and host["hardware"]["cores"] >= 4
    assert sum(v["memory"]["bytes"] for v in vms if v["power_state"] == "running") < \
        2 * sum(h["hardware"]["memory_bytes"] for h in hosts)


def test_references_lead_somewhere(api):
    known = {k: {o["id"] for o in api.items(k, fields="id")} for k in ("hosts", "clusters", "datastores", "networks")}
    for vm in api.items("vms", view="full"):
        assert vm["host"]["id"] in known["hosts"]
        assert vm["cluster"] is None or vm["cluster"]["id"] in known["clusters"]
        assert all(d["id"] in known["datastores"] for d in vm["datastores"])
        assert all(n["id"] in known["networks"] for n in vm["networks"])


def test_it_changes_by_itself(api):
    since = api.last_seq()
    wait_for(lambda: [e for e in api.events(since) if e["type"] == "vm.updated"], "a change within a while", 120)


@pytest.mark.parametrize("family", ["vmware", "hyperv"])
def test_vms_of_both_families_are_switched_by_the_same_words(api, family):
    vm = api.items("vms", filter=f"power:running provider.family:{family}")[0]["id"]
    for action, state in (("stop", "off"), ("start", "running"), ("suspend", "suspended"), ("start", "running")):
        end = api.wait_task(api.act("vms", vm, action)["id"], 120)
        if end["state"] == "failed":  # the simulation fails now and then, as the real world does
            assert end["error"]["code"].startswith(("provider", "insufficient")), end
            return
        assert end["state"] == "succeeded", end
        assert api.read(f"/vms/{vm}")["power_state"] == state


def test_pause_is_possible_on_one_family_and_explained_on_the_other(api):
    for family, state in (("hyperv", "yes"), ("vmware", "no")):
        vm = api.items("vms", filter=f"power:running provider.family:{family}")[0]
        actions = api.read(f"/vms/{vm['id']}/actions")
        actions = actions["items"] if isinstance(actions, dict) else actions
        pause = next(a for a in actions if a["name"] == "vm.pause")
        assert pause["state"] == state, pause
        if state == "no":
            assert pause["reason"], "no button without a reason"


def test_snapshots_can_be_taken_and_deleted(api):
    vm = api.items("vms", filter="power:running provider.family:hyperv")[1]["id"]
    answer = api.post(f"/vms/{vm}/snapshots", {"name": "before the change"}, headers={"Prefer": "wait=60"})
    assert answer.status_code in (200, 202), said(answer)
    end = api.wait_task(answer.json()["id"], 120)
    if end["state"] != "succeeded":
        assert end["error"]["code"], end
        return
    taken = [s for s in api.items(f"vms/{vm}/snapshots") if s["name"] == "before the change"]
    assert len(taken) == 1
    gone = api.delete(f"/vms/{vm}/snapshots/{taken[0]['id']}")
    assert gone.status_code == 202, said(gone)
    assert api.wait_task(gone.json()["id"], 120)["state"] in ("succeeded", "failed")


def test_summary_counts_what_lists_count(api):
    summary = api.read("/summary")
    text = str(summary)
    assert str(api.count("vms")) in text and str(api.count("hosts")) in text, summary


def test_the_same_seed_gives_the_same_estate_after_a_restart(server, api):
    def names(api):
        """Somebody in the estate gives new names at times: web-1 becomes web-1-v2."""
        return {v["id"]: re.sub(r"-v\d+$", "", v["name"]) for v in api.items("vms", fields="id,name")}
    before = names(api)
    server.restart()
    again = server.admin()
    wait_for(lambda: again.count("vms") == 500, "500 VMs", 60)
    assert names(again) == before
    assert again.count("providers") == 8, "a restart must not add the demonstration twice"
