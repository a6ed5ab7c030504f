# SPDX-License-Identifier: Apache-2.0
"""A standalone ESXi host instead of a vCenter."""

import pytest

from support.wait import wait_for


@pytest.fixture(scope="module")
def esxi(module_vcenters):
    return module_vcenters(esx=True, vm=3)


@pytest.fixture(scope="module")
def api(module_servers, esxi):
    api = module_servers().admin()
    api.wait_provider(api.add_provider("esx1", esxi.url)["id"])
    return api


def test_one_host_and_its_vms_are_shown(api):
    assert api.count("hosts") == 1
    assert api.count("vms") == 3
    assert api.count("clusters") == 0
    host = api.items("hosts")[0]
    for vm in api.items("vms", view="full"):
        assert vm["host"]["id"] == host["id"]
        assert vm["cluster"] is None
        assert len(vm["disks"]) == 1


def test_the_product_is_told_apart_from_a_vcenter(api):
    provider = api.items("providers")[0]
    product = api.provider(provider["id"])["product"]["name"]
    assert "ESX" in product, product


def test_power_works_without_a_vcenter(api):
    vm = api.items("vms")[0]
    api.done("vms", vm["id"], "stop")
    assert api.read(f"/vms/{vm['id']}")["power_state"] == "off"
    api.done("vms", vm["id"], "start")
    assert api.read(f"/vms/{vm['id']}")["power_state"] == "running"


def test_changes_made_on_the_host_arrive(api, second, esxi):
    client = second(esxi)
    vm = client.vms()[1]
    client.power_off(vm)
    wait_for(lambda: api.read(f"/vms/native:esx1:{vm._moId}")["power_state"] == "off", "the change should arrive")


def test_nothing_is_asked_of_the_automation_api_that_esxi_lacks(api, esxi):
    rest = [path for path in esxi.calls()["rest"] if "/rest/" in path or "/api/" in path]
    assert not rest, f"ESXi has no Automation API, yet it was asked: {rest}"
