# SPDX-License-Identifier: Apache-2.0
"""Files of a vSphere datastore, as the simulator's own disk has them."""

from urllib.parse import urlencode

import pytest

from support.client import finish

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def vcenter(module_vcenters):
    return module_vcenters(vm=2, pg=1, ds=1, host=1)


@pytest.fixture
def store(api):
    return api.items("datastores")[0]["id"]


def at(store, path):
    return f"/datastores/{store}/files?" + urlencode({"path": path})


def names(api, store, path=""):
    return {f["name"]: f for f in api.read(at(store, path))["items"]}


def test_folders_of_vms_are_listed_with_sizes_and_times(api, store):
    vm = api.items("vms", view="full")[0]
    folder, _, disk = vm["disks"][0]["image"]["path"].partition("] ")[2].partition("/")
    assert names(api, store)[folder]["type"] == "folder"
    inside = names(api, store, folder)
    assert inside[disk]["type"] == "disk" and inside[disk]["modified_at"]
    assert inside[f"{vm['name']}.vmx"]["type"] == "configuration"
    assert api.get(at(store, "no/such")).status_code == 404


def test_what_a_vm_has_stays_and_the_rest_is_moved_and_deleted(api, store):
    vm = api.items("vms", view="full")[0]
    disk = vm["disks"][0]["image"]["path"].partition("] ")[2]
    folder = disk.partition("/")[0]
    answer = api.delete(at(store, disk))
    assert answer.status_code == 409 and f"is used by {vm['name']}" in answer.text
    # Of its configuration the server's own inventory knows nothing: vSphere's does.
    for path in (f"{folder}/{vm['name']}.vmx", f"{folder}/{vm['name']}.nvram"):
        task = finish(api, api.delete(at(store, path)), "failed")
        assert f"{path} is used by {vm['name']}" in task["error"]["detail"]
    assert f"{vm['name']}.vmx" in names(api, store, folder)

    finish(api, api.post(f"/datastores/{store}/folders", {"path": "attic"}))
    finish(api, api.post(f"/datastores/{store}/folders", {"path": "attic/old"}))
    assert names(api, store, "attic")["old"]["type"] == "folder"
    task = finish(api, api.post(f"/datastores/{store}/folders", {"path": "attic"}), "failed")
    assert task["error"]["code"] == "name-taken"
    task = finish(api, api.delete(at(store, "attic")), "failed")
    assert "the folder attic is not empty" in task["error"]["detail"]
    finish(api, api.post(f"/datastores/{store}/actions/move_file", {"path": "attic/old", "to": "attic/older"}))
    assert set(names(api, store, "attic")) == {"older"}
    for path in ("attic/older", "attic"):
        finish(api, api.delete(at(store, path)))
    assert "attic" not in names(api, store)
    task = finish(api, api.delete(at(store, "attic")), "failed")
    assert "there is no file or folder attic" in task["error"]["detail"]
