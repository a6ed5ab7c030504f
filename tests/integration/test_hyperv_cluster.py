# SPDX-License-Identifier: Apache-2.0
"""Nodes of one failover cluster: added together, shown once, whoever of them is there."""

import pytest

from support.hyperv import HypervFake
from support.wait import wait_equal, wait_for
from support.wsman import WsMan
from test_cli import Cli

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
    assert group["quorum"] == "Majority" and group["failover"] == {
        "quorum_resource": "C:\\ClusterStorage\\Witness", "dynamic_quorum": True, "anti_affinity_enforced": False,
        "auto_balance": "always", "auto_balance_level": "low", "drain_on_shutdown": True}
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
        api.sync(providers[name]["id"])
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
    api.sync(second["id"])
    after = shared(api)
    assert [o["id"] for o in after] == [o["id"] for o in before]
    assert {o["provider"]["id"] for o in after} == {second["id"]} and not any(o["stale"] for o in after)
    # It comes back, and the one that has taken over is deleted.
    cluster.hosts[0].up()
    api.wait_provider(first["id"])
    api.sync(first["id"])
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
        api.sync(provider["id"])
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
    api.sync(two["id"])
    api.sync(one["id"])
    moved = wait_for(lambda: (lambda v: v if v["host"] and v["host"]["name"] == "HV02" else None)(api.read(f"/vms/{vm['id']}")),
                     "the VM is shown at the other node", 60)
    assert moved["presence"] == "present" and moved["power_state"] == "running" and moved["attributes"] == {"owner": "erp"}
    assert [v["id"] for v in api.items("vms", filter=f'name="{vm["name"]}"')] == [vm["id"]]
    assert moved["cluster"]["name"] == "HV-CLUSTER"
    assert {d["image"]["datastore"]["id"] for d in moved["disks"]} == {store["id"]}


def test_a_volume_that_another_node_keeps_can_be_used_at_each(cluster, servers):
    api = servers().admin()
    for host in cluster.hosts:
        add(api, host)
    _, store = shared(api)
    hosts = {h["name"]: h["id"] for h in api.items("hosts")}
    for name, status in (("HV01", 200), ("HV02", 200), ("HV03", 422)):
        answer = api.post("/vms?dry_run=true", {"name": "made", "host": hosts[name], "datastore": store["id"],
                                                "disks": [{"capacity_bytes": 1 << 30}]})
        assert answer.status_code == status, f"{name}: {answer.text}"


# Rules

def rules_of(api):
    return {r["native"]["id"]: r for r in api.items("cluster-rules", view="full")}


def test_roles_that_belong_apart_and_their_owners_are_rules_of_the_cluster(cluster, servers):
    api = servers().admin()
    first, second = add(api, cluster.hosts[0]), add(api, cluster.hosts[1])
    roles = [v for v in api.items("vms", view="full", filter="power_state=running") if v["ha"]["priority"]]
    one = next(v for v in roles if v["host"]["name"] == "HV01")
    two = next(v for v in roles if v["host"]["name"] == "HV02")
    assert rules_of(api) == {}
    cluster.hosts[0].roles(classes={one["name"]: ["Domain Controllers"], two["name"]: ["domain controllers", "SQL"]},
                           preferred={one["name"]: ["HV02", "HV01"]}, possible={two["name"]: ["HV01"]})
    for provider in (first, second):
        api.sync(provider["id"])
    rules = rules_of(api)
    assert sorted(rules) == [f"possible:{two['name']}", f"preferred:{one['name']}", "separate:Domain Controllers",
                             "separate:SQL"]
    apart = rules["separate:Domain Controllers"]
    assert sorted(v["id"] for v in apart["vms"]) == sorted([one["id"], two["id"]]), "each node tells of its own"
    assert apart["rule_type"] == "separate" and apart["enabled"] and apart["mandatory"] is False
    assert apart["cluster"]["name"] == "HV-CLUSTER"
    wish, must = rules[f"preferred:{one['name']}"], rules[f"possible:{two['name']}"]
    assert [h["name"] for h in wish["hosts"]] == ["HV01", "HV02"] and wish["mandatory"] is False
    assert [h["name"] for h in must["hosts"]] == ["HV01"] and must["mandatory"] is True
    wait_equal(lambda: {k: (r["state"], [v["id"] for v in r["broken_by"] or []]) for k, r in rules_of(api).items()},
               {"separate:Domain Controllers": ("kept", []), "separate:SQL": ("kept", []),
                f"preferred:{one['name']}": ("kept", []), f"possible:{two['name']}": ("violated", [two["id"]])},
               "it is looked at whether they are kept", 60)
    versions = {k: r["version"] for k, r in rules_of(api).items()}
    for provider in (first, second):
        api.sync(provider["id"])
    assert {k: r["version"] for k, r in rules_of(api).items()} == versions, "nothing has changed"
    # A role that has no class any more, and the node that keeps the records gone.
    cluster.hosts[0].roles(classes={two["name"]: ["SQL"]})
    for provider in (first, second):
        api.sync(provider["id"])
    assert [v["id"] for v in rules_of(api)["separate:Domain Controllers"]["vms"]] == [one["id"]]
    before = {k: r["id"] for k, r in rules_of(api).items()}
    cluster.hosts[0].down()
    wait_equal(lambda: api.provider(first["id"])["state"], "disconnected", "the node is away", 90)
    api.sync(second["id"])
    assert {k: r["id"] for k, r in rules_of(api).items()} == before, "another keeps them, and none is there twice"
    # Of a node that is away nothing is advised.
    plan = api.read(f"/clusters/{apart['cluster']['id']}/balance")
    assert {h["host"]["name"]: h["takes_none"] for h in plan["hosts"]}["HV01"] == "stale"
    assert plan["no_advice"] in ("one_host", "usage_missing") and plan["moves"] == [] and plan["balanced"] is None


# Adding all nodes in one go

def test_the_probe_names_the_other_nodes(cluster, servers):
    api = servers().admin()
    wanted = body(cluster.hosts[0])
    del wanted["name"]
    findings = {f["step"]: f for f in api.post("/providers/probe", wanted).json()["findings"]}
    assert findings["cluster"]["ok"] and findings["cluster"]["data"]["name"] == "HV-CLUSTER"
    one, two = findings["cluster"]["data"]["nodes"]
    assert one == {"name": "HV01", "state": "up", "this": True}
    assert two["name"] == "HV02" and two["state"] == "up" and two["this"] is False
    port = cluster.hosts[0].url.split(":")[2].split("/")[0]
    assert two["endpoint"] == f"https://hv02.corp.example:{port}/wsman"
    wanted = body(cluster.hosts[2])
    del wanted["name"]
    assert "cluster" not in [f["step"] for f in api.post("/providers/probe", wanted).json()["findings"]]


def test_all_nodes_are_added_with_one_request(cluster, servers):
    api = servers().admin()
    wanted = body(cluster.hosts[0], members=[connection(cluster.hosts[1])])
    dry = api.post("/providers?dry_run=true", wanted)
    assert dry.status_code == 200 and api.items("providers") == []
    made = api.post("/providers", wanted)
    assert made.status_code == 201, made.text
    providers = {p["name"]: p for p in api.items("providers")}
    assert set(providers) == {"HV01", "HV02"} and made.json()["id"] == providers["HV01"]["id"]
    for provider in providers.values():
        api.wait_provider(provider["id"])
    group, store = shared(api)
    assert hosts_of(store) == ["HV01", "HV02"]
    assert providers["HV02"]["username"] == cluster.hosts[0].user and "password" not in providers["HV02"]


@pytest.mark.parametrize("members, pointer", [
    (["HV01"], "/members/0"), (["HV02", "hv02"], "/members/1"), (["HV02", "taken"], "/members/1")])
def test_of_several_all_are_added_or_none(cluster, servers, members, pointer):
    api = servers().admin()
    assert api.post("/providers", body(cluster.hosts[2], name="taken")).status_code == 201
    wanted = body(cluster.hosts[0], members=[{**connection(cluster.hosts[1]), "name": n} for n in members])
    answer = api.post("/providers", wanted)
    assert answer.status_code == 409, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert [p["name"] for p in api.items("providers")] == ["taken"]


def test_the_command_adds_the_nodes_that_the_probe_names(tmp_path, cluster, servers):
    server = servers()
    api = server.admin()
    host = cluster.hosts[0]
    cli = Cli(server, tmp_path)
    cli("provider", "add", "HV01", "--driver", "wmi", "--endpoint", host.url, "--username", host.user, "--tls-mode", "insecure",
        "--set", "events=false", "--members", "--no-wait", POLYVISOR_PROVIDER_PASSWORD=host.password)
    providers = {p["name"]: p for p in api.items("providers", view="full")}
    assert set(providers) == {"HV01", "HV02"}
    assert providers["HV02"]["endpoint"].startswith("https://hv02.corp.example:")
    assert providers["HV02"]["settings"] == providers["HV01"]["settings"] == {"events": False}


def test_a_share_that_several_hosts_use_is_one_datastore(cluster, servers):
    """Also of hosts that are in no cluster; a name without a domain is that of the hosts' domain."""
    api = servers().admin()
    for host, path in zip(cluster.hosts, ("\\\\filer\\VMs\\one.vhdx", "\\\\FILER\\vms\\two.vhdx", "\\\\filer\\VMs\\three.vhdx")):
        host.new_vm(name=f"on-share-{host.name}", disk=path, size=1 << 30)
    first, second, third = (add(api, host) for host in cluster.hosts)

    def share():
        stores = api.items("datastores", view="full", filter="datastore_type=smb")
        assert len(stores) == 1, stores
        return stores[0]

    store = share()
    assert hosts_of(store) == ["HV01", "HV02", "HV03"] and store["shared"] is True and not store["related"]
    users = api.items("vms", filter=f'datastores="{store["id"]}"')
    assert sorted(v["name"] for v in users) == ["on-share-HV01", "on-share-HV02", "on-share-HV03"]
    listing = api.get(f"/datastores/{store['id']}/files")
    assert listing.status_code == 422 and "WMI shows no files of a share" in listing.text, listing.text
    # The one that keeps it goes: another takes over.
    remove(api, first)
    wait_equal(lambda: (share()["id"], hosts_of(share())), (store["id"], ["HV02", "HV03"]), "another host keeps it", 60)
    # Nobody uses it any more.
    for host, provider in zip(cluster.hosts[1:], (second, third)):
        host.remove_vm(f"on-share-{host.name}")
        api.sync(provider["id"])
    wait_equal(lambda: api.items("datastores", filter="datastore_type=smb"), [], "nobody uses it", 60)


# Files on a shared volume


def test_what_a_vm_of_another_node_stands_on_is_not_deleted_or_changed(cluster, servers):
    """The nodes know nothing of each other's disks; the server does."""
    api = servers().admin()
    first, second = (cluster.hosts[n] for n in (0, 1))
    volume = "C:\\ClusterStorage\\Volume1"
    base, child = f"{volume}\\golden.vhdx", f"{volume}\\linked.vhdx"
    for host in (first, second):  # one file, seen by both
        host.add_file(base, size=1 << 30)
    first.new_vm(name="golden", generation=2, disk=base, size=1 << 30)
    second.new_vm(name="linked", generation=2, disk=child, size=1 << 30)
    second.remove_file(child)
    second.add_file(child, kind=4, size=1 << 30, parent=base)
    providers = [add(api, host) for host in (first, second)]

    def image(path, host):
        return next((i for i in api.items("disk-images", view="full") if i["path"].lower() == path.lower()
                     and i["provider"]["name"] == host.name), None)

    wait_for(lambda: (image(child, second) or {}).get("parent") and image(base, second), "the chain at the other node", 60)
    golden = api.one("vms", "golden")
    disk = golden["disks"][0]["id"]
    mine = wait_for(lambda: image(base, first), "the image", 60)
    for answer in (api.delete(f"/vms/{golden['id']}", disks="delete"), api.delete(f"/vms/{golden['id']}/disks/{disk}", file="delete"),
                   api.delete(f"/disk-images/{mine['id']}"), api.delete(f"/disk-images/{mine['id']}", dry_run="true"),
                   api.post(f"/disk-images/{mine['id']}/actions/resize", {"capacity_bytes": 2 << 30})):
        assert answer.status_code == 409 and "in use by linked" in answer.json()["detail"] and answer.json()["remedy"], answer.text
    # ... nor by the name of a file, of which the first node alone knows nothing.
    for store in {mine["datastore"]["id"], image(child, second)["datastore"]["id"]}:
        listed = {f["name"] for f in api.read(f"/datastores/{store}/files")["items"]}
        assert {"golden.vhdx", "linked.vhdx"} <= listed
        for name in ("golden.vhdx", "LINKED.vhdx"):
            answer = api.delete(f"/datastores/{store}/files?path={name}")
            assert answer.status_code == 409 and "is used by" in answer.json()["detail"], answer.text
    assert base in first.state()["files"] and first.vm_named("golden")
    # The file may stay; and when nobody stands on it any more it may go.
    task = api.delete(f"/vms/{golden['id']}", disks="keep").json()
    assert api.wait_task(task["id"])["state"] == "succeeded"
    second.remove_vm("linked")
    second.remove_file(child)
    api.sync(providers[1]["id"])
    wait_for(lambda: not api.items("vms", filter="name=linked"), "the other VM is gone", 60)
    task = api.delete(f"/disk-images/{mine['id']}").json()
    assert api.wait_task(task["id"])["state"] == "succeeded", task
    assert base not in first.state()["files"]
