# SPDX-License-Identifier: Apache-2.0
"""Several datacenters in folders, several clusters, names that exist more than once, two vCenters."""

import pytest
from pyVmomi import vim

from support.client import problem, said


@pytest.fixture(scope="module")
def vcenter(module_vcenters):
    return module_vcenters(dc=3, folder=1, cluster=2, host=2, standalone_host=2, ds=2, vm=3, pool=1, pg=2)


@pytest.fixture(scope="module")
def api(module_servers, vcenter):
    api = module_servers().admin()
    api.wait_provider(api.add_provider("vc1", vcenter.url)["id"])
    return api


def test_every_object_of_every_datacenter_is_there(api, second, vcenter):
    truth = second(vcenter)
    for kind, native in (("datacenters", vim.Datacenter), ("clusters", vim.ClusterComputeResource),
                         ("hosts", vim.HostSystem), ("vms", vim.VirtualMachine), ("datastores", vim.Datastore),
                         ("networks", vim.Network), ("resource-pools", vim.ResourcePool)):
        expected = {o._moId for o in truth.objects(native)}
        found = {o["native"]["id"] for o in api.items(kind, view="full")}
        assert found == expected, f"{kind}: missing {sorted(expected - found)}, too many {sorted(found - expected)}"
    assert api.count("datacenters") == 3


def test_each_vm_is_in_its_own_datacenter(api, second, vcenter):
    truth = second(vcenter)
    expected = {}
    for datacenter in truth.objects(vim.Datacenter):
        view = truth.content.viewManager.CreateContainerView(datacenter.vmFolder, [vim.VirtualMachine], True)
        expected.update({vm._moId: datacenter.name for vm in view.view})
    shown = {v["native"]["id"]: v["datacenter"]["name"] for v in api.items("vms", fields="native.id,datacenter")}
    assert shown == expected


def test_native_paths_name_folders_and_datacenter(api):
    for vm in api.items("vms", view="full"):
        assert vm["native"]["path"].startswith("/"), vm["native"]
        assert vm["datacenter"]["name"] in vm["native"]["path"].split("/"), vm["native"]


def test_the_tree_leads_from_the_provider_to_every_vm(api):
    seen, queue, steps = set(), [None], 0
    while queue:
        steps += 1
        assert steps < 500, "the tree does not end"
        parent = queue.pop()
        for node in api.read("/tree", parent=parent)["items"]:
            if node["kind"] == "vm":
                seen.add(node["id"])
            if node["expands"]:
                queue.append(node["id"])
    assert seen == {v["id"] for v in api.items("vms", fields="id")}


def test_filters_by_datacenter_cluster_and_host_agree(api):
    total = 0
    for datacenter in api.items("datacenters"):
        vms = api.items("vms", filter=f'datacenter="{datacenter["name"]}"')
        assert {v["datacenter"]["name"] for v in vms} == {datacenter["name"]}
        total += len(vms)
    assert total == api.count("vms")
    by_host = sum(api.count("vms", filter=f'host="{host["id"]}"') for host in api.items("hosts"))
    assert by_host == total


def test_a_name_that_exists_twice_is_ambiguous_not_guessed(api):
    names = [n["name"] for n in api.items("networks")]
    double = next(n for n in names if names.count(n) > 1)
    document = problem(api.get(f"/networks/name:{double}"), 409, "ambiguous-name")
    assert len(document["candidates"]) == names.count(double)


def test_a_second_vcenter_with_equal_ids_stays_apart(api, vcenters):
    other = vcenters(vm=1)
    before = api.count("vms")
    made = api.add_provider("vc2", other.url)
    provider = api.wait_provider(made["id"])
    expected = 2  # one in the cluster, one on the standalone host
    assert api.count("vms", filter='provider="vc2"') == expected
    assert api.count("vms") == before + expected
    answer = api.delete(f"/providers/{provider['id']}")
    assert answer.status_code in (200, 202, 204), said(answer)


def test_a_provider_name_is_taken_only_once(api, vcenter):
    answer = api.post("/providers", {"name": "vc1", "driver": "vapi", "endpoint": vcenter.url, "username": "user",
                                     "password": "pass", "tls": {"mode": "insecure"}})
    problem(answer, 409, "name-taken")
    assert api.count("providers") == 1
