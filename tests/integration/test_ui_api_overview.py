# SPDX-License-Identifier: Apache-2.0
"""The dashboard and the tree: what they say is what the lists say, cheaply."""

import pytest

from support.client import said
from support.wait import wait_for


def test_summary_says_what_lists_say(demo):
    summary = demo.read("/summary")
    assert summary["vms"]["total"] == demo.count("vms")
    assert summary["vms"]["power_state"]["running"] == demo.count("vms", filter="power:running")
    assert len(summary["provider_items"]) == demo.count("providers")
    assert len(summary["host_items"]) == demo.count("hosts")
    clusters = [c for c in summary["cluster_items"] if c["kind"] == "cluster"]
    assert len(clusters) == demo.count("clusters")
    assert sum(p["vms"] for p in summary["provider_items"]) == summary["vms"]["total"]
    one = clusters[0]
    assert one["vms"] == demo.count("vms", filter=f"host.cluster={one['id']}") or \
        one["vms"] == demo.count("vms", filter=f"cluster={one['id']}")
    hosts = demo.items("hosts", filter=f"cluster={one['id']}", view="full")
    assert one["memory_bytes"] == sum(h["hardware"]["memory_bytes"] for h in hosts)


def test_summary_names_the_greatest_users_in_order(demo):
    def full():
        top = demo.read("/summary")["top"]
        return top if len(top["cpu"]) == 10 else None

    top = wait_for(full, "numbers of use should have come", 60)
    values = [one["value"] for one in top["cpu"]]
    assert values == sorted(values, reverse=True)
    assert all(one["name"] and one["provider"]["name"] for one in top["cpu"])


def test_summary_lists_what_failed_lately(servers):
    server = servers(demo=True)
    api = server.admin()
    wait_for(lambda: api.count("vms") >= 500, "the estate should be there", 120)
    before = api.read("/summary")
    assert before["tasks"]["failed_24h"] == len(before["recent_failures"]) == 0
    assert before["recent_changes"][0]["seq"] > before["recent_changes"][-1]["seq"]
    stale = api.get("/summary", )
    again = api.request("GET", "/summary", headers={"If-None-Match": stale.headers["ETag"]})
    assert again.status_code in (200, 304), said(again)


def walk(api, parent=None, view="hosts", depth=0):
    cursor, nodes = None, []
    while True:
        page = api.read("/tree", **({"parent": parent} if parent else {}), view=view, limit=7,
                        **({"cursor": cursor} if cursor else {}))
        nodes += page["items"]
        cursor = page["next"]
        if not cursor:
            return nodes


def test_the_tree_holds_every_vm_once_and_its_counts_are_right(demo):
    seen = []

    def go(nodes):
        for node in nodes:
            if node["kind"] == "vm":
                seen.append(node["id"])
                assert node["expands"] is False
                continue
            below = walk(demo, node["id"])
            assert node["expands"] == bool(below)
            before = len(seen)
            go(below)
            assert node["vms"] == len(seen) - before, node

    go(walk(demo))
    assert len(seen) == len(set(seen)) == demo.count("vms")


def test_the_worst_below_shows_above(demo):
    for provider in walk(demo):
        total = demo.count("vms", filter=f"provider={provider['id']} health:critical")
        if total:
            assert provider["worst_health"] == "critical"


def test_folders_are_a_second_tree(servers):
    api = servers(demo=True).admin()
    wait_for(lambda: api.count("vms") >= 500, "the estate should be there", 120)
    top = api.post("/folders", {"name": "erp"}).json()
    sub = api.post("/folders", {"name": "database", "parent": top["id"]}).json()
    vm = api.items("vms")[0]
    answer = api.patch(f"/vms/{vm['id']}", {"folder": sub["id"]})
    assert answer.status_code == 200, said(answer)

    def filed():
        node = [n for n in walk(api, view="folders") if n["id"] == top["id"]][0]
        return node if node["vms"] == 1 else None

    node = wait_for(filed, "the folder should count its VM", 30)
    assert node["expands"] and node["kind"] == "folder"
    assert [n["id"] for n in walk(api, top["id"])] == [sub["id"]]
    assert [n["id"] for n in walk(api, sub["id"])] == [vm["id"]]
    assert len([n for n in walk(api, view="folders") if n["kind"] == "vm"]) == api.count("vms") - 1


@pytest.mark.parametrize("query, status", [("parent=nonsense", 400), ("parent=cl_00000000000000000000000000", 404),
                                           ("view=x", 400), ("cursor=q", 400), ("cursor=vAAAA", 400), ("limit=0", 400)])
def test_wrong_questions_are_refused(demo, query, status):
    answer = demo.get(f"/tree?{query}")
    assert answer.status_code == status, said(answer)
