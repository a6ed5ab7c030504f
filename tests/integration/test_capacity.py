# SPDX-License-Identifier: Apache-2.0
"""What there is room for, and when it will be full: from what is stored of the last thirty days."""

import pytest

from support.seed_series import seed
from support.wait import wait_for

GIB = 1 << 30


def cluster(api, name):
    return next(c for c in api.read("/summary")["cluster_items"] if c["name"] == name)


@pytest.fixture(scope="module")
def estate(module_servers):
    """The demo estate with a past: of one cluster a month, of another six days, of the others nothing."""
    server = module_servers("capacity", demo=True)
    api = server.admin()
    wait_for(lambda: api.count("vms") >= 500, "the estate should be there", 120)
    names = [c["name"] for c in api.read("/summary")["cluster_items"] if c["kind"] == "cluster"]
    growing, young = names[0], names[1]
    objects = []
    for name, days in ((growing, 30), (young, 6)):
        for host in api.items("hosts", filter=f'cluster="{name}"', view="full"):
            memory = host["hardware"]["memory_bytes"]
            objects.append({"id": host["id"], "days": days,
                            "values": {"cpu.usage_pct": [40, 40, 20],
                                       "mem.usage_bytes": [memory * 0.5, memory * 0.79, memory * 0.05]}})
    mounted = {h["id"] for h in api.items("hosts", filter=f'cluster="{growing}"')}
    stores = [d for d in api.items("datastores", view="full") if mounted & {h["id"] for h in d["hosts"]}]
    for store in stores:
        objects.append({"id": store["id"], "values": {"storage.used_bytes":
                                                      [store["capacity_bytes"] * 0.6, store["capacity_bytes"] * 0.31, 0]}})
    server.stop()
    seed(server.data, objects)
    server.start()
    api = server.admin()
    wait_for(lambda: all((trend or {}).get("history_days") == 30 for trend in cluster(api, growing)["trends"].values()),
             "the past should have been read", 120)
    return api, growing, young, names, stores


def test_a_cluster_says_what_it_has_used_and_promised(estate):
    api, growing, _, names, stores = estate
    one = cluster(api, growing)
    assert one["datastores"] == len(stores)
    assert one["storage_bytes"] == sum(d["capacity_bytes"] for d in stores)
    assert one["storage_used_bytes"] == sum(d["capacity_bytes"] - d["free_bytes"] for d in stores)
    assert one["storage_provisioned_bytes"] == sum(d["provisioned_bytes"] for d in stores)
    assert len(names) == api.count("clusters")


def test_growth_gives_a_date_and_the_date_is_that_of_the_line(estate):
    api, growing, _, _, _ = estate
    one = cluster(api, growing)
    memory = one["trends"]["memory"]
    # From half to 79 % in 29 steps: one percent of the memory a day, so 80 % today and twenty days to go.
    assert memory["per_day"] == pytest.approx(one["memory_bytes"] / 100, rel=0.01)
    assert memory["days_until_full"] in (19, 20)


def test_what_stays_or_shrinks_has_no_date(estate):
    api, growing, _, _, _ = estate
    trends = cluster(api, growing)["trends"]
    assert trends["cpu"]["days_until_full"] is None and trends["cpu"]["per_day"] == 0
    assert trends["storage"]["days_until_full"] is None and trends["storage"]["per_day"] < 0


def test_less_than_a_week_says_nothing(estate):
    api, growing, young, names, _ = estate
    assert cluster(api, young)["trends"] == {"cpu": None, "memory": None, "storage": None}
    if len(names) > 2:
        assert cluster(api, names[2])["trends"] == {"cpu": None, "memory": None, "storage": None}


def test_hosts_in_no_cluster_are_counted_for_their_provider(servers):
    api = servers().admin()
    provider = api.post("/providers", {"name": "loose", "driver": "sim", "endpoint": "sim://loose",
                                       "settings": {"family": "hyperv", "vms": 20, "hosts": 3, "clusters": 0}}).json()
    wait_for(lambda: api.count("vms") == 20, "the estate should be there", 120)
    items = wait_for(lambda: [c for c in api.read("/summary")["cluster_items"] if c["storage_bytes"]], "its stores should be there", 60)
    assert [(c["kind"], c["id"], c["hosts"], c["vms"]) for c in items] == [("provider", provider["id"], 3, 20)]
    assert items[0]["storage_bytes"] == sum(d["capacity_bytes"] for d in api.items("datastores"))
