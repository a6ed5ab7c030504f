# SPDX-License-Identifier: Apache-2.0
"""What every route owes its caller, whatever it is about: nothing that was misspelled or only to be looked at is done."""

import pytest

from support.client import problem, said
from support.operations import add_estates

NOBODY = "0" * 26


@pytest.fixture(scope="module")
def api(module_servers):
    api = module_servers("conventions").admin()
    add_estates(api, vms=12)
    return api


@pytest.fixture(scope="module")
def writes(api):
    """(method, path, names of the query) of every write that the API description knows."""
    found = []
    for path, methods in api.read("/openapi.json")["paths"].items():
        for method, about in methods.items():
            if method in ("post", "put", "patch", "delete"):
                names = {p["name"] for p in about.get("parameters", []) if p["in"] == "query"}
                found.append((method.upper(), path.removeprefix("/api/v1"), names))
    assert len(found) > 80
    return found


def test_what_has_no_preview_is_not_done_instead_of_one(api, writes):
    without = [(method, path) for method, path, names in writes if "dry_run" not in names]
    assert ("DELETE", "/users/{id}") in without and ("POST", "/tasks/{id}/actions/cancel") in without
    for method, path in without:
        answer = api.request(method, path.replace("{id}", NOBODY).replace("{name}", "x"), json={}, params={"dry_run": "true"})
        document = problem(answer, 400)
        assert document["errors"][0]["pointer"] == "dry_run", (method, path, document)
    assert api.read("/me")["user"]["name"] == "admin", "it was not signed out, either"


def test_a_misspelled_parameter_of_a_write_is_refused_and_nothing_is_done(api, writes):
    off = api.items("vms", filter="power:off template:false")[0]
    document = problem(api.post(f"/vms/{off['id']}/actions/start", dryrun="true"), 400, "unknown-field")
    assert document["errors"][0]["pointer"] == "dryrun"
    assert api.count("tasks", filter=f"subject_id={off['id']}") == 0
    for method, path, _ in writes:
        answer = api.request(method, path.replace("{id}", NOBODY).replace("{name}", "x"), json={}, params={"dryrun": "true"})
        assert problem(answer, 400)["errors"][0]["pointer"] == "dryrun", (method, path)
    for method, path, names in writes:
        answer = api.request(method, path.replace("{id}", NOBODY).replace("{name}", "x"), json={}, params={"fail_if_busy": "maybe"})
        code = problem(answer, answer.status_code)["code"]
        assert (code == "unknown-field") == ("fail_if_busy" not in names), (method, path, answer.text)
    assert problem(api.get(f"/vms/{off['id']}", feilds="name"), 400)["errors"][0]["pointer"] == "feilds"


def test_users_and_tokens_are_changed_in_the_version_that_was_read(api):
    user = api.post("/users", {"name": "versioned", "password": "a long secret 1234"}).json()
    read = api.get(f"/users/{user['id']}").headers["ETag"]
    changed = api.patch(f"/users/{user['id']}", {"full_name": "First"}, headers={"If-Match": read})
    assert changed.status_code == 200 and changed.headers["ETag"] != read, said(changed)
    late = problem(api.patch(f"/users/{user['id']}", {"full_name": "Second"}, headers={"If-Match": read}), 412, "precondition-failed")
    assert late["detail"] == f"it is at version {changed.json()['version']} by now"
    problem(api.delete(f"/users/{user['id']}", headers={"If-Match": read}), 412)
    assert api.read(f"/users/{user['id']}")["full_name"] == "First"
    assert api.delete(f"/users/{user['id']}", headers={"If-Match": changed.headers["ETag"]}).status_code == 204

    token = api.post("/tokens", {"name": "versioned"}).json()["id"]
    problem(api.delete(f"/tokens/{token}", headers={"If-Match": '"token-99"'}), 412)
    assert api.delete(f"/tokens/{token}", headers={"If-Match": api.get(f"/tokens/{token}").headers["ETag"]}).status_code == 204


@pytest.mark.parametrize("path", ["tasks/tsk_{}/children", "vms/vm_{}/snapshots", "vms/vm_{}/disks", "vms/vm_{}/events", "vms/vm_{}/tasks",
                                  "hosts/hst_{}/events"])
def test_what_belongs_to_an_object_that_is_not_there_is_not_found(api, path):
    problem(api.get("/" + path.format(NOBODY)), 404, "not-found")


@pytest.mark.parametrize("query", [{"sort": "notes"}, {"facets": "notes"}])
def test_a_field_that_is_there_and_cannot_be_used_so_is_not_suggested_for_itself(api, query):
    assert "did you mean" not in problem(api.get("/vms", **query), 400)["detail"]
