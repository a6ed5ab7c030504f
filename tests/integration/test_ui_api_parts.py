# SPDX-License-Identifier: Apache-2.0
"""The dashboard for who may read a part of the estate, and what several places share."""

import pytest

from support.client import said
from support.operations import add_estates


@pytest.fixture(scope="module")
def api_server(module_servers):
    server = module_servers("parts")
    add_estates(server.admin(), vms=20)
    return server


@pytest.fixture
def api(api_server):
    return api_server.admin()


@pytest.mark.parametrize("permissions,sees,not_seen", [
    (["host.read"], "hosts", "vms"), (["vm.read"], "vms", "hosts"), (["datastore.read"], "datastores", "vms"),
])
def test_who_may_read_a_part_sees_the_summary_of_that_part(api_server, api, permissions, sees, not_seen):
    name = "only-" + permissions[0].replace(".", "-")
    secret = f"{name} long password 7"
    assert api.post("/roles", {"name": name, "permissions": permissions}).status_code == 201
    assert api.post("/users", {"name": name, "password": secret}).status_code == 201
    assert api.post("/grants", {"user": name, "role": name, "scope": {"type": "everything"}}).status_code == 201
    summary = api_server.login(name, secret).read("/summary")
    assert summary[sees]["total"] == api.count(sees) > 0
    assert summary[not_seen]["total"] == 0
    assert bool(summary["host_items"]) == (sees == "hosts")


def test_who_may_read_nothing_is_refused_the_summary(api_server, api):
    secret = "reads nothing long password 7"
    assert api.post("/users", {"name": "reads-nothing", "password": secret}).status_code == 201
    answer = api_server.login("reads-nothing", secret).get("/summary")
    assert answer.status_code == 403 and "vm.read" in answer.json()["detail"], said(answer)


def test_a_datastore_of_several_clusters_is_told_as_shared(api):
    for place in api.read("/summary")["cluster_items"]:
        if place["kind"] != "cluster" or not place["storage_bytes"]:
            continue
        mine = {h["id"] for h in api.items("hosts", filter=f"cluster={place['id']}")}
        stores = [d for d in api.items("datastores", view="full") if mine & {h["id"] for h in d["hosts"]}]
        shared = [d for d in stores if {h["id"] for h in d["hosts"]} - mine]
        assert place["storage_shared_bytes"] == sum(d["capacity_bytes"] for d in shared)
