# SPDX-License-Identifier: Apache-2.0
"""Our own folders and tags: what lies in a folder, what is put there, many at once, and with the provider away."""

import pytest

from support.client import problem, said
from support.operations import add_estates


@pytest.fixture(scope="module")
def api(module_servers):
    api = module_servers("folders").admin()
    add_estates(api, vms=60)
    return api


@pytest.fixture(scope="module")
def tree(api):
    """top > middle > bottom, with one VM in each, and one beside them."""
    made = {}
    above = None
    for name in ("top", "middle", "bottom"):
        made[name] = api.post("/folders", {"name": name, **({"parent": above} if above else {})}).json()["id"]
        above = made[name]
    made["beside"] = api.post("/folders", {"name": "beside"}).json()["id"]
    vms = [v["id"] for v in api.items("vms", sort="name")[:4]]
    for vm, folder in zip(vms, made.values()):
        assert api.patch(f"/vms/{vm}", {"folder": folder}).status_code == 200
    return made, dict(zip(made, vms))


def found(api, text):
    return {v["id"] for v in api.items("vms", filter=text)}


def test_a_folder_finds_what_lies_in_it_and_below_it_as_the_tree_counts(api, tree):
    folders, vms = tree
    assert found(api, f"folder:{folders['top']}") == {vms["top"], vms["middle"], vms["bottom"]}
    assert found(api, f"folder:{folders['middle']}") == {vms["middle"], vms["bottom"]}
    assert found(api, "folder:middle") == {vms["middle"], vms["bottom"]}
    assert found(api, "folder:{bottom,beside}") == {vms["bottom"], vms["beside"]}
    assert found(api, "folder:{null,top}") == found(api, "-folder:beside")
    counts = {n["name"]: n["vms"] for n in api.read("/tree", view="folders")["items"] if n["kind"] == "folder"}
    assert counts == {"top": 3, "beside": 1}


def test_an_equal_sign_means_right_in_it(api, tree):
    folders, vms = tree
    assert found(api, f"folder={folders['top']}") == {vms["top"]}
    assert found(api, "folder=middle") == {vms["middle"]}
    assert vms["bottom"] in found(api, "folder!=middle")
    assert {v["id"] for v in api.items("vms", folder=folders["top"])} == {vms["top"]}


def test_everything_but_a_folder_leaves_out_what_is_below_it(api, tree):
    _, vms = tree
    rest = found(api, "-folder:top")
    assert len(rest) == api.count("vms") - 3 and vms["beside"] in rest


def bulk(api, action, params, ids=None, dry=False, **more):
    answer = api.post("/bulk", {"action": action, "params": params, **({"targets": ids} if ids else {}), **more},
                      **({"dry_run": "true"} if dry else {}))
    assert answer.status_code == (200 if dry else 202), said(answer)
    return answer.json() if dry else api.wait_task(answer.json()["id"])


def test_many_vms_go_into_a_folder_and_out_again(api, tree):
    folders, _ = tree
    ids = [v["id"] for v in api.items("vms", sort="-name")[:5]]
    plan = bulk(api, "vm.set_folder", {"folder": folders["beside"]}, ids, dry=True)
    assert plan["ok"] and plan["counts"]["change"] == 5
    assert plan["plan"][0]["after"] == {"folder": folders["beside"]}
    assert not found(api, "folder:beside") & set(ids), "a rehearsal changes nothing"
    task = bulk(api, "vm.set_folder", {"folder": folders["beside"]}, ids)
    assert task["state"] == "succeeded", task
    assert set(ids) <= found(api, "folder:beside")
    assert api.done("vms", ids[0], "set_folder", {"folder": folders["beside"]})["changed"] is False
    api.done("vms", ids[0], "set_folder", {"folder": None})
    assert ids[0] not in found(api, "folder:beside")


def test_tags_are_given_and_taken_by_filter(api):
    many = api.count("vms", filter="power:running")
    assert many > 64, "more than an ordered task may have"
    task = bulk(api, "vm.set_tags", {"add": ["env=test", "wave=1"]}, selector="power:running", expected_count=many)
    assert task["state"] == "succeeded" and task["children"]["succeeded"] == many
    assert api.count("vms", filter="tag:env=test tag:wave=1") == many
    bulk(api, "vm.set_tags", {"add": ["wave=2"], "remove": ["wave=1", "never there"]}, selector="tag:wave=1",
         expected_count=many)
    assert api.count("vms", filter="tag:wave=1") == 0
    assert api.count("vms", filter="tag:wave=2 tag:env=test") == many


def test_a_wrong_folder_or_tag_is_refused(api):
    vm = api.items("vms")[0]["id"]
    answer = api.post(f"/vms/{vm}/actions/set_folder", {"folder": "fld_00000000000000000000000000"})
    assert answer.status_code in (404, 422), said(answer)
    problem(api.post(f"/vms/{vm}/actions/set_folder", {}), 400, "invalid-request")
    task = api.wait_task(api.post(f"/vms/{vm}/actions/set_tags", {"add": ["=no key"]}).json()["id"])
    assert task["state"] == "failed" and "key=value" in task["error"]["detail"]


def test_what_is_ours_does_not_wait_for_a_provider(api):
    vm = api.items("vms", filter="provider.family:vmware")[0]
    provider = vm["provider"]["id"]
    api.done("providers", provider, "pause", {"reason": "being moved"})
    try:
        assert api.done("vms", vm["id"], "set_tags", {"add": ["while=paused"]}, timeout=60)["state"] == "succeeded"
    finally:
        api.done("providers", provider, "resume")
    assert "while=paused" in api.read(f"/vms/{vm['id']}")["tags"]


def test_it_needs_the_right_to_write_tags(api, module_servers):
    server = module_servers.all[0]
    answer = api.post("/users", {"name": "looks", "password": "looks long password 7", "role": "viewer"})
    assert answer.status_code == 201, said(answer)
    viewer = server.login("looks", "looks long password 7")
    vm = api.items("vms")[0]["id"]
    refused = problem(viewer.post(f"/vms/{vm}/actions/set_tags", {"add": ["x"]}), 403, "forbidden")
    assert "tag.write" in refused["detail"]


def test_a_folder_goes_neither_into_itself_nor_below_itself(api):
    top = api.post("/folders", {"name": "circle"}).json()["id"]
    middle = api.post("/folders", {"name": "in it", "parent": top}).json()["id"]
    low = api.post("/folders", {"name": "in that", "parent": middle}).json()["id"]
    for parent in (top, middle, low):
        said = problem(api.patch(f"/folders/{top}", {"parent": parent}), 422, "validation-failed")
        assert [e["pointer"] for e in said["errors"]] == ["/parent"], said
    assert api.read(f"/folders/{top}")["parent"] is None
    for folder in (low, middle, top):
        assert api.delete(f"/folders/{folder}").status_code == 204
