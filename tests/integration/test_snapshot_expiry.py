# SPDX-License-Identifier: Apache-2.0
"""Snapshots that end by themselves, and all snapshots of a VM at once: in both families, by API and command line."""

import datetime

import pytest

from support.operations import Operations, add_estates, problem
from support.wait import wait_for

from integration.test_cli import Cli


@pytest.fixture(scope="module")
def server(module_servers):
    return module_servers("expiry")


@pytest.fixture(scope="module")
def estates(server):
    api = server.admin()
    return api, add_estates(api)


@pytest.fixture(params=["vc", "hv1"])
def ops(request, estates):
    api, providers = estates
    return Operations(api, providers[request.param])


def in_(**delta) -> str:
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def take(ops, vm, name, **more) -> dict:
    task = ops.ask("POST", f"/vms/{vm['id']}/snapshots", {"name": name, **more})
    return ops.api.read(f"/vms/{vm['id']}/snapshots/{task['result']['ref']['id']}")


def snapshots(ops, vm) -> dict:
    return {s["name"]: s for s in ops.api.items(f"vms/{vm['id']}/snapshots")}


def fresh(ops, name) -> dict:
    return ops.create(f"{name}-{ops.family}")


def test_a_snapshot_is_taken_with_an_end_and_keeps_it_over_a_sync(ops):
    vm, when = fresh(ops, "kept"), in_(days=7)
    one = take(ops, vm, "with end", expires_at=when)
    two = take(ops, vm, "without")
    assert one["expires_at"] == when and one["expiry"]["next_at"] == when
    assert two["expires_at"] is None
    ops.ask("POST", f"/providers/{ops.provider['id']}/actions/sync")
    assert snapshots(ops, vm)["with end"]["expires_at"] == when
    assert [s["name"] for s in ops.api.items("snapshots", filter=f"vm:{vm['id']} expires_at<now+8d")] == ["with end"]
    assert ops.again(vm)["snapshots"]["oldest_at"] == one["taken_at"]
    assert ops.again(vm)["snapshots"]["newest_at"] == two["taken_at"]


def test_an_end_is_changed_and_taken_away_without_the_provider(ops):
    vm = fresh(ops, "changed")
    one = take(ops, vm, "one")
    path, later = f"/vms/{vm['id']}/snapshots/{one['id']}", in_(days=30)
    ops.ask("POST", f"/providers/{ops.provider['id']}/actions/pause")
    try:
        task = ops.ask("PATCH", path, {"expires_at": later})
        assert task["changed"] is True
        assert ops.api.read(path)["expires_at"] == later
        assert ops.ask("PATCH", path, {"expires_at": later})["changed"] is False
        ops.ask("PATCH", path, {"expires_at": None})
        assert ops.api.read(path)["expires_at"] is None
    finally:
        ops.ask("POST", f"/providers/{ops.provider['id']}/actions/resume")
    plan = ops.raw("PATCH", path, {"expires_at": later}, dry_run="true").json()["plan"][0]
    assert plan["before"] == {"expires_at": None} and plan["after"] == {"expires_at": later}
    assert plan["native_calls"] == []
    task = ops.ask("PATCH", path, {"name": "uno", "expires_at": later})
    assert ops.api.read(path)["name"] == "uno" and ops.api.read(path)["expires_at"] == later


def test_an_end_that_is_over_is_refused_before_anything_is_done(ops):
    vm = fresh(ops, "refused")
    answer = ops.raw("POST", f"/vms/{vm['id']}/snapshots", {"name": "late", "expires_at": in_(hours=-1)})
    assert problem(answer, 422, "validation-failed")["errors"][0]["pointer"] == "/expires_at"
    assert snapshots(ops, vm) == {}


def test_what_is_due_is_deleted_once_by_the_server_and_stands_in_the_audit(ops):
    vm = fresh(ops, "due")
    take(ops, vm, "stays", expires_at=in_(days=1))
    gone = take(ops, vm, "goes", expires_at=in_(seconds=4))
    wait_for(lambda: list(snapshots(ops, vm)) == ["stays"], "it should be deleted", 90)
    tasks = ops.api.items("tasks", filter=f"action=vm.snapshot.delete subject_id={gone['id']}")
    [task] = [ops.api.wait_task(t["id"]) for t in tasks]
    assert (task["state"], task["source"], task["actor"]["type"]) == ("succeeded", "expiry", "system")
    [entry] = ops.api.items("audit", filter=f"action=vm.snapshot.delete subject={gone['id']}")
    entry = ops.api.read(f"/audit/{entry['id']}")
    assert entry["actor"]["type"] == "system" and entry["detail"] == {"source": "expiry", "task": task["id"]}


def test_a_server_that_was_away_deletes_what_was_due_meanwhile(server, estates):
    ops = Operations(estates[0], estates[1]["vc"])
    vm = ops.vm("running")
    before = set(snapshots(ops, vm))
    take(ops, vm, "due while away", expires_at=in_(seconds=2))
    server.kill()
    server.start()
    ops.api.wait_provider(ops.provider["id"])
    # A simulated estate starts anew with the server: the snapshot is gone from it, and so the server has nothing to do.
    wait_for(lambda: set(snapshots(ops, vm)) <= before, "it should not be there", 90)


def test_all_snapshots_of_a_vm_go_by_one_task(ops):
    vm = fresh(ops, "all")
    for name in ("root", "child", "grandchild"):
        take(ops, vm, name)
    first = snapshots(ops, vm)["root"]
    ops.ask("POST", f"/vms/{vm['id']}/snapshots/{first['id']}/actions/revert")
    take(ops, vm, "other branch")
    path = f"/vms/{vm['id']}/actions/delete_snapshots"
    plan = ops.raw("POST", path, dry_run="true").json()["plan"][0]
    assert plan["before"] == {"snapshots.count": 4} and plan["after"] == {"snapshots.count": 0}
    assert plan["native_calls"]
    assert len(snapshots(ops, vm)) == 4
    assert ops.ask("POST", path)["changed"] is True
    assert snapshots(ops, vm) == {}
    assert ops.again(vm)["snapshots"]["oldest_at"] is None
    assert ops.ask("POST", path)["changed"] is False, "it has none any more"


def test_in_bulk_those_without_snapshots_are_named_and_left_as_they_are(ops):
    has, has_not = fresh(ops, "has"), fresh(ops, "has-not")
    take(ops, has, "one")
    body = {"action": "vm.delete_snapshots", "targets": [has["id"], has_not["id"]]}
    plan = ops.raw("POST", "/bulk", body, dry_run="true").json()
    assert plan["counts"] == {"change": 1, "unchanged": 1, "skipped": 0} and plan["ok"]
    assert [entry["ref"]["id"] for entry in plan["plan"]] == [has["id"]]
    [same] = [f for f in plan["findings"] if f["ref"]["id"] == has_not["id"]]
    assert same["severity"] == "info" and same["detail"] == "it has no snapshots"
    task = ops.ask("POST", "/bulk", body)
    assert task["children"]["succeeded"] == 2 and task["result"]["unchanged"] == 1
    assert snapshots(ops, has) == {}


def test_the_command_line_gives_an_end_and_deletes_all(server, ops, tmp_path):
    cli, vm = Cli(server, tmp_path), fresh(ops, "cli")
    cli("vm", "snapshot", "create", vm["name"], "--name", "by hand", "--expires-at", "7d")
    [one] = snapshots(ops, vm).values()
    left = datetime.datetime.fromisoformat(one["expires_at"].replace("Z", "+00:00")) - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(days=6) < left <= datetime.timedelta(days=7)
    cli("vm", "snapshot", "update", vm["name"], "by hand", "--expires-at", "null")
    assert snapshots(ops, vm)["by hand"]["expires_at"] is None
    assert "say --yes" in cli("vm", "delete-snapshots", vm["name"], expect=2).stderr
    assert len(snapshots(ops, vm)) == 1
    cli("vm", "delete-snapshots", vm["name"], "--yes")
    assert snapshots(ops, vm) == {}
