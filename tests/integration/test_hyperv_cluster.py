# SPDX-License-Identifier: Apache-2.0
"""Nodes of one failover cluster: added together, shown once, whoever of them is there."""

import pytest

from support.hyperv import HypervFake
from support.wait import wait_equal, wait_for
from support.wsman import WsMan

MSCLUSTER = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/mscluster/"


@pytest.fixture
def cluster(tmp_path):
    """Two nodes, and a host that is in no cluster."""
    with HypervFake(tmp_path / "hyperv", hosts=3, vms=12, cluster=2, domain="corp.example") as fake:
        yield fake


def connection(host, **more):
    return {"name": host.name, "endpoint": host.url, "tls": {"mode": "pin", "pins": [host.cert_sha256]}, **more}


def body(host, **more):
    return {**connection(host), "driver": "wmi", "username": host.user, "password": host.password,
            "settings": {"events": False, "poll_interval_s": 10}, **more}


def add(api, host):
    answer = api.post("/providers", body(host))
    assert answer.status_code == 201, answer.text
    return api.wait_provider(answer.json()["id"])


def sync(api, provider):
    before = api.provider(provider["id"])["sync"]["last_full_at"]
    api.post(f"/providers/{provider['id']}/actions/sync")
    wait_for(lambda: api.provider(provider["id"])["sync"]["last_full_at"] != before, "another listing")


def remove(api, provider):
    wait_for(lambda: api.delete(f"/providers/{provider['id']}").status_code == 204, "its tasks are over, and it goes", 60)


def shared(api):
    """The cluster and the cluster shared volume: one of each, or the test has failed."""
    clusters = api.items("clusters", view="full")
    stores = api.items("datastores", view="full", filter="datastore_type=csv")
    assert len(clusters) == 1 and len(stores) == 1, (clusters, stores)
    assert clusters[0]["presence"] == stores[0]["presence"] == "present"
    return clusters[0], stores[0]


def hosts_of(store):
    return sorted(h["name"] for h in store["hosts"])


def test_two_nodes_show_their_cluster_and_its_volume_once(cluster, servers):
    api = servers().admin()
    for host in cluster.hosts:
        add(api, host)
    group, store = shared(api)
    assert group["name"] == "HV-CLUSTER" and group["totals"]["hosts"] == 2 and not group["related"] and not store["related"]
    assert hosts_of(store) == ["HV01", "HV02"]
    hosts = {h["name"]: h for h in api.items("hosts", view="full")}
    assert hosts["HV01"]["cluster"]["id"] == hosts["HV02"]["cluster"]["id"] == group["id"]
    assert hosts["HV03"]["cluster"] is None
    for name in ("HV01", "HV02"):
        assert store["id"] in [d["id"] for d in hosts[name]["datastores"]]
    of_both = {vm["host"]["name"] for vm in api.items("vms", view="full", filter=f'datastores="{store["id"]}"')}
    assert of_both == {"HV01", "HV02"}
    providers = {p["name"]: p for p in api.items("providers")}
    for name in ("HV01", "HV02"):
        sync(api, providers[name])
    assert [o["version"] for o in shared(api)] == [group["version"], store["version"]], "nothing has changed"


def test_the_shared_records_stay_when_the_node_that_keeps_them_goes(cluster, servers):
    api = servers().admin()
    first, second = add(api, cluster.hosts[0]), add(api, cluster.hosts[1])
    before = shared(api)
    keepers = {o["provider"]["id"] for o in before}
    assert keepers == {first["id"]}
    # It cannot be reached: the other takes over, and nothing is stale.
    cluster.hosts[0].down()
    wait_equal(lambda: api.provider(first["id"])["state"], "disconnected", "the node is away", 90)
    sync(api, second)
    after = shared(api)
    assert [o["id"] for o in after] == [o["id"] for o in before]
    assert {o["provider"]["id"] for o in after} == {second["id"]} and not any(o["stale"] for o in after)
    # It comes back, and the one that has taken over is deleted.
    cluster.hosts[0].up()
    api.wait_provider(first["id"])
    sync(api, first)
    remove(api, second)
    last = shared(api)
    assert [o["id"] for o in last] == [o["id"] for o in before]
    assert {o["provider"]["id"] for o in last} == {first["id"]} and hosts_of(last[1]) == ["HV01"]
    remove(api, first)
    assert api.items("clusters") == [] and api.items("datastores") == []


def test_a_restart_makes_no_second_records(cluster, servers):
    server = servers()
    api = server.admin()
    for host in cluster.hosts[:2]:
        add(api, host)
    before = shared(api)
    server.restart()
    api = server.admin()
    for provider in api.items("providers"):
        api.wait_provider(provider["id"])
        sync(api, provider)
    after = shared(api)
    assert [o["id"] for o in after] == [o["id"] for o in before] and hosts_of(after[1]) == ["HV01", "HV02"]


def test_a_clustered_vm_that_moves_keeps_its_id(cluster, servers):
    api = servers().admin()
    one, two = add(api, cluster.hosts[0]), add(api, cluster.hosts[1])
    _, store = shared(api)
    vm = next(v for v in api.items("vms", view="full", filter=f'datastores="{store["id"]}" power_state=running')
              if v["host"]["name"] == "HV01")
    assert api.patch(f"/vms/{vm['id']}", {"attributes": {"owner": "erp"}}).status_code == 200
    moved = WsMan(cluster.hosts[0]).invoke("MSCluster_ResourceGroup", "MoveToNewNode", {"NodeName": cluster.hosts[1].name},
                                           {"Name": vm["name"]}, MSCLUSTER)
    assert moved.returned == 0
    sync(api, two)
    sync(api, one)
    moved = wait_for(lambda: (lambda v: v if v["host"] and v["host"]["name"] == "HV02" else None)(api.read(f"/vms/{vm['id']}")),
                     "the VM is shown at the other node", 60)
    assert moved["presence"] == "present" and moved["power_state"] == "running" and moved["attributes"] == {"owner": "erp"}
    assert [v["id"] for v in api.items("vms", filter=f'name="{vm["name"]}"')] == [vm["id"]]
    assert moved["cluster"]["name"] == "HV-CLUSTER"
    assert {d["image"]["datastore"]["id"] for d in moved["disks"]} == {store["id"]}
