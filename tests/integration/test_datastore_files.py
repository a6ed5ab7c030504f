# SPDX-License-Identifier: Apache-2.0
"""What lies in a datastore: folders are listed as the hypervisor sees them now, files are moved and deleted, and nothing
that a VM uses is."""

from urllib.parse import urlencode

import pytest

from support.client import finish
from support.operations import add_estates
from support.wait import wait_for

HOSTILE = {
    "..": "must not have a part that is . or ..",
    "iso/../../etc": "must not have a part that is . or ..",
    "iso/./linux.iso": "must not have a part that is . or ..",
    "/iso": "must not begin or end with a slash, nor have two in a row",
    "iso/": "must not begin or end with a slash, nor have two in a row",
    "iso//linux.iso": "must not begin or end with a slash, nor have two in a row",
    "iso\\linux.iso": "must be divided by slashes, not by backslashes",
    "x" * 256: "must have no part of more than 255 bytes",
    "x/" * 700 + "x": "must have 0 to 1024 characters",
    "iso\x07": "has control characters",
}


@pytest.fixture(scope="module")
def api(module_servers):
    api = module_servers("files").admin()
    add_estates(api, vms=60)
    return api


def at(store, path):
    return f"/datastores/{store}/files?" + urlencode({"path": path})


def files(api, store, path=""):
    return api.read(at(store, path))


def names(api, store, path=""):
    return {f["name"]: f for f in files(api, store, path)["items"]}


@pytest.fixture(params=["vmware", "hyperv"])
def used(api, request):
    """A VM with a disk, its datastore, and the disk's path there."""
    for vm in api.items("vms", filter=f"provider.family:{request.param} template:false", view="full", limit="50"):
        disk = vm["disks"][0]
        path = disk["image"]["path"].replace("\\", "/")
        store = api.read(f"/datastores/{disk['image']['datastore']['id']}")
        root = f"[{store['name']}] " if path.startswith("[") else store["root_path"].replace("\\", "/").rstrip("/") + "/"
        assert path.startswith(root)
        return vm, store["id"], path[len(root):]


def test_a_folder_is_listed_with_what_its_files_are(api, used):
    vm, store, path = used
    folder = path.rpartition("/")[0]
    root = files(api, store)["items"]
    assert [f["type"] for f in root] == ["folder"] * len(root), "the root has folders alone"
    assert [f["name"].lower() for f in root] == sorted(f["name"].lower() for f in root)
    assert {"iso", folder, "_old"} <= {f["name"] for f in root}
    inside = names(api, store, folder)
    disk = inside[path.rpartition("/")[2]]
    assert disk["type"] in ("disk", "snapshot") and disk["size_bytes"] > 0 and disk["modified_at"] and disk["path"] == path
    assert {f["type"] for f in names(api, store, "iso").values()} == {"iso"}


def test_a_path_that_leads_elsewhere_is_refused(api, used):
    for path, why in HOSTILE.items():
        answer = api.get(at(used[1], path))
        assert answer.status_code in (400, 422), (path, answer.status_code)
        if answer.status_code == 422:
            assert why in answer.text and answer.json()["errors"][0]["pointer"] == "/path", path
        answer = api.post(f"/datastores/{used[1]}/folders", {"path": path or "x"})
        assert answer.status_code in (400, 422), (path, answer.status_code)
    answer = api.get(at(used[1], "no/such/folder"))
    assert answer.status_code == 404


def test_what_a_vm_uses_is_neither_moved_nor_deleted(api, used):
    vm, store, path = used
    for what in (path, path.rpartition("/")[0]):
        answer = api.delete(at(store, what))
        assert answer.status_code == 409, answer.text
        assert f"is used by {vm['name']}" in answer.text
        answer = api.post(f"/datastores/{store}/actions/move_file", {"path": what, "to": "elsewhere"})
        assert answer.status_code == 409 and vm["name"] in answer.text
    assert path.rpartition("/")[2] in names(api, store, path.rpartition("/")[0])


def test_files_are_moved_and_deleted(api, used):
    _, store, _ = used
    old, other = [f for f in files(api, store, "_old")["items"]][:2]
    move = {"path": old["path"], "to": "iso/moved.vhdx"}
    assert finish(api, api.post(f"/datastores/{store}/actions/move_file", move))["state"] == "succeeded"
    assert names(api, store, "iso")["moved.vhdx"]["size_bytes"] == old["size_bytes"]
    assert old["name"] not in names(api, store, "_old")
    again = finish(api, api.post(f"/datastores/{store}/actions/move_file", move), "failed")
    assert "there is no file or folder" in again["error"]["detail"]
    taken = finish(api, api.post(f"/datastores/{store}/actions/move_file", {**move, "path": other["path"]}), "failed")
    assert "there is iso/moved.vhdx already" in taken["error"]["detail"]
    full = finish(api, api.delete(at(store, "_old")), "failed")
    assert "is not empty" in full["error"]["detail"]
    assert finish(api, api.delete(at(store, "iso/moved.vhdx")))["state"] == "succeeded"
    assert "moved.vhdx" not in names(api, store, "iso")


def test_folders_are_made_where_the_hypervisor_can(api):
    store = api.items("datastores", filter="provider.family:vmware")[0]["id"]
    finish(api, api.post(f"/datastores/{store}/folders", {"path": "attic"}))
    assert names(api, store)["attic"]["type"] == "folder" and files(api, store, "attic")["items"] == []
    finish(api, api.delete(at(store, "attic")))
    assert "attic" not in names(api, store)
    store = api.items("datastores", filter="provider.family:hyperv")[0]["id"]
    answer = api.post(f"/datastores/{store}/folders", {"path": "attic"})
    assert answer.status_code == 422 and "WMI has nothing that makes a folder" in answer.text


def test_the_disks_of_hyperv_are_images_and_some_nobody_uses(api):
    images = api.items("disk-images", filter="provider.family:hyperv", view="full")
    assert len(images) > 60
    used = [i for i in images if i["used_by"]]
    assert used and all(i["capacity_bytes"] and i["datastore"] for i in images)
    based = [i for i in images if i["parent"]]
    assert {i["parent"]["id"] for i in based} <= {i["id"] for i in images}
    broken = [i for i in images if i["check"]["result"] == "chain_broken"]
    assert broken and not broken[0]["used_by"]
    orphan = next(i for i in images if "restore-test" in i["name"])
    assert api.done("disk-images", orphan["id"], "check")["state"] == "succeeded"
    assert api.read(f"/disk-images/{orphan['id']}")["check"]["result"] == "ok"
    assert api.done("disk-images", broken[0]["id"], "check")["state"] == "succeeded"
    assert api.read(f"/disk-images/{broken[0]['id']}")["check"]["result"] == "chain_broken"
    assert finish(api, api.delete(f"/disk-images/{orphan['id']}"))["state"] == "succeeded"
    assert orphan["id"] not in {i["id"] for i in api.items("disk-images")}


def images_of(api, vm):
    return {i["name"]: i for i in api.items("disk-images", view="full") if vm["id"] in {u["id"] for u in i["used_by"]}}


def test_a_checkpoint_makes_a_chain_of_two_and_what_nobody_uses_is_found_by_a_filter(api):
    vm = next(v for v in api.items("vms", filter="provider.family:hyperv power:off template:false", view="full")
              if not v["snapshots"]["count"] and v["snapshots"].get("list") in (None, []))
    [*before] = images_of(api, vm).values()
    assert before and not any(i["parent"] for i in before)
    finish(api, api.post(f"/vms/{vm['id']}/snapshots", {"name": "before"}))
    wait_for(lambda: len(images_of(api, vm)) == 2 * len(before), "the new files", 60)
    children = [i for i in images_of(api, vm).values() if i["parent"]]
    assert {i["parent"]["id"] for i in children} == {i["id"] for i in before}
    assert {i["subformat"] for i in children} == {"differencing"}
    orphans = {i["id"] for i in api.items("disk-images", filter="used_by:null")}
    assert orphans and not orphans & {i["id"] for i in before}
    assert orphans == {i["id"] for i in api.items("disk-images", view="full") if not i["used_by"]}
    answer = api.delete(f"/disk-images/{before[0]['id']}")
    assert answer.status_code == 202 or answer.status_code == 409
    if answer.status_code == 202:
        assert "uses the image" in finish(api, answer, "failed")["error"]["detail"]
