# SPDX-License-Identifier: Apache-2.0
"""Operations that take their time: progress, cancelling, failing, waiting, and a server that is killed meanwhile."""

import pytest

from support.operations import GIB, Operations, problem
from support.wait import wait_for

FAMILIES = ("vmware", "hyperv")


def estate(server, family: str, **settings) -> Operations:
    api = server.admin()
    more = {"hosts": 2, "clusters": 1} if family == "vmware" else {}
    provider = api.add_provider("vc" if family == "vmware" else "hv", "sim://slow", driver="sim",
                                settings={"family": family, "vms": 30, **more, **settings})
    api.wait_provider(provider["id"])
    return Operations(api, provider)


def running(ops, task_id):
    return wait_for(lambda: next((t for t in [ops.api.task(task_id)] if t["state"] not in ("queued", "waiting")), None),
                    "the task should start", 20)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_long_copy_tells_steps_and_bytes_and_leaves_nothing_when_it_is_canceled(servers, family):
    ops = estate(servers(), family, speed=1)
    vm = ops.vm("off")
    before = ops.api.count("vms")
    task = ops.raw("POST", f"/vms/{vm['id']}/actions/clone", {"name": "half"}).json()
    now = wait_for(lambda: next((t for t in [ops.api.task(task["id"])] if t["step"] and t["bytes"]), None),
                   "the copy should tell its steps", 30)
    assert now["step"]["of"] == 3 and now["bytes"]["total"] > GIB and now["cancelable"]
    assert ops.again(vm)["activity"] == "cloning"
    assert ops.raw("POST", f"/tasks/{task['id']}/actions/cancel").status_code in (200, 202)
    ended = ops.api.wait_task(task["id"])
    assert ended["state"] == "canceled" and ended["undo"] is None
    assert ops.api.count("vms") == before and not ops.api.items("vms", filter='name="half"')
    wait_for(lambda: ops.again(vm)["activity"] == "none", "the VM should be at rest again", 10)
    problem(ops.raw("POST", f"/tasks/{task['id']}/actions/cancel"), 409, "task-not-cancelable")


@pytest.mark.parametrize("family", FAMILIES)
def test_progress_is_no_event_for_each_report(servers, family):
    ops = estate(servers(), family, speed=6)
    vm = ops.vm("off")
    task = ops.ask("POST", f"/vms/{vm['id']}/actions/clone", {"name": "whole"})
    events = ops.api.items("events", filter=f"subject_id={task['id']} type=task.updated")
    assert 1 <= len(events) <= 25, [e["changes"] for e in events]


@pytest.mark.parametrize("family", FAMILIES)
def test_what_fails_says_why_where_and_with_the_providers_code(servers, family):
    ops = estate(servers(), family, speed=200, failure_rate=1)
    vm = ops.vm("off")
    host = ops.hosts()[0]["id"]
    for method, path, body in (("POST", "/vms", {"name": "never", "host": host}),
                               ("PATCH", f"/vms/{vm['id']}", {"annotation": "never"}),
                               ("POST", f"/vms/{vm['id']}/disks", {"capacity_bytes": GIB}),
                               ("POST", f"/vms/{vm['id']}/actions/clone", {"name": "never"}),
                               ("DELETE", f"/vms/{vm['id']}", None)):
        task = ops.api.wait_task(ops.raw(method, path, body).json()["id"])
        assert task["state"] == "failed" and task["undo"] is None, task
        error = task["error"]
        assert error["provider"]["id"] == ops.provider["id"] and error["provider"]["operation"] == task["action"]
        assert error["provider"]["native_code"] and error["remedy"] is not None
    assert not ops.api.items("vms", filter='name="never"')
    now = ops.again(vm)
    assert now["presence"] == "present" and now["activity"] == "none" and len(now["disks"]) == len(vm["disks"])


def test_changes_of_one_vm_come_one_after_the_other(servers):
    ops = estate(servers(), "hyperv", speed=4)
    vm = ops.vm("off")
    first = ops.raw("PATCH", f"/vms/{vm['id']}", {"annotation": "one"}).json()
    second = ops.raw("PATCH", f"/vms/{vm['id']}", {"annotation": "two"}).json()
    problem(ops.raw("PATCH", f"/vms/{vm['id']}", {"annotation": "three"}, fail_if_busy="true"), 409, "object-busy")
    problem(ops.raw("DELETE", f"/vms/{vm['id']}/disks/{vm['disks'][0]['id']}", fail_if_busy="true"), 409, "object-busy")
    assert [ops.api.wait_task(t["id"])["state"] for t in (first, second)] == ["succeeded"] * 2
    assert ops.again(vm)["annotation"] == "two"


def test_a_place_is_not_busy_while_vms_are_made_there(servers):
    ops = estate(servers(), "hyperv", speed=2)
    host = ops.hosts()[0]["id"]
    tasks = [ops.raw("POST", "/vms", {"name": f"side{i}", "host": host}).json()["id"] for i in range(3)]
    states = wait_for(lambda: [s for s in [[ops.api.task(t)["state"] for t in tasks]] if s.count("running") >= 2],
                      "two should be made at once", 10)
    assert states
    assert [ops.api.wait_task(t)["state"] for t in tasks] == ["succeeded"] * 3


@pytest.mark.parametrize("family", FAMILIES)
def test_a_server_that_was_killed_tells_a_true_end_of_what_was_under_way(servers, family):
    server = servers()
    ops = estate(server, family, speed=0.5)
    vm, other = ops.vm("off"), ops.vm("off", sort="-name")
    host = ops.hosts()[0]["id"]
    key = {"Idempotency-Key": "killed"}
    made = ops.raw("POST", "/vms", {"name": "survivor", "host": host}, headers=key).json()
    changed = ops.raw("PATCH", f"/vms/{vm['id']}", {"annotation": "survivor"}).json()
    gone = ops.raw("DELETE", f"/vms/{other['id']}", disks="keep").json()
    for task in (made, changed, gone):
        running(ops, task["id"])
    server.kill()
    server.start()
    ops.api = server.admin()
    # The simulation forgets its jobs with its process: none of them took effect.
    for task in (made, changed, gone):
        ended = ops.api.wait_task(task["id"], 90)
        assert ended["state"] in ("failed", "lost"), ended
        assert ended["error"]["code"] == "outcome-unknown"
    assert not ops.api.items("vms", filter='name="survivor"')
    assert ops.again(vm)["annotation"] != "survivor" and ops.again(other)["presence"] == "present"
    wait_for(lambda: all(ops.again(v)["activity"] == "none" for v in (vm, other)), "nothing is done to them", 20)
    # The same request again is answered by the same task, not by another VM.
    repeated = ops.raw("POST", "/vms", {"name": "survivor", "host": host}, headers=key)
    assert repeated.json()["id"] == made["id"] and repeated.headers["Idempotency-Replayed"] == "true"


def test_what_waits_when_the_server_is_killed_is_done_afterwards(servers):
    server = servers()
    ops = estate(server, "hyperv", speed=1)
    vm = ops.vm("off")
    ops.raw("PATCH", f"/vms/{vm['id']}", {"annotation": "first"})
    waiting = ops.raw("POST", f"/vms/{vm['id']}/disks", {"capacity_bytes": GIB, "image": {"path": "later.vhdx"}}).json()
    server.kill()
    server.start()
    ops.api = server.admin()
    ended = ops.api.wait_task(waiting["id"], 90)
    assert ended["state"] == "succeeded" and ended["result"]["ref"]["kind"] == "disk"
    assert len(ops.again(vm)["disks"]) == len(vm["disks"]) + 1


def test_a_wish_for_a_provider_that_is_paused_waits_and_says_so(servers):
    ops = estate(servers(), "hyperv", speed=100)
    ops.api.done("providers", ops.provider["id"], "pause", {"reason": "power work"})
    task = ops.raw("POST", "/vms", {"name": "patient", "host": ops.hosts()[0]["id"]}).json()
    now = wait_for(lambda: next((t for t in [ops.api.task(task["id"])] if t["state"] == "waiting"), None), "it waits", 10)
    assert now["wait_reason"]["code"] == "maintenance"
    ops.api.done("providers", ops.provider["id"], "resume")
    assert ops.api.wait_task(task["id"])["state"] == "succeeded"


def test_a_viewer_may_do_nothing_of_it(servers):
    server = servers()
    ops = estate(server, "hyperv", speed=100)
    token = server.make_token("viewer", role="viewer")
    viewer = Operations(ops.api.with_token(token), ops.provider)
    vm = ops.vm("off")
    for method, path, body in (("POST", "/vms", {"name": "no", "host": ops.hosts()[0]["id"]}),
                               ("PATCH", f"/vms/{vm['id']}", {"annotation": "no"}),
                               ("DELETE", f"/vms/{vm['id']}", None),
                               ("POST", f"/vms/{vm['id']}/keystrokes", {"text": "no"})):
        answer = viewer.raw(method, path, body)
        assert answer.status_code == 403, answer.text
        assert answer.json()["code"] == "forbidden"
    assert ops.again(vm)["presence"] == "present"


def test_the_target_of_a_move_needs_the_right_to_move_as_well(servers):
    server = servers()
    api = server.admin()
    providers = {}
    for name, seed in (("hv1", 1), ("hv2", 2)):
        providers[name] = api.add_provider(name, f"sim://{name}", driver="sim",
                                           settings={"family": "hyperv", "vms": 20, "speed": 100, "seed": seed})
        api.wait_provider(providers[name]["id"])
    ops, other = (Operations(api, providers[name]) for name in ("hv1", "hv2"))
    user = api.post("/users", {"name": "mover", "password": "a long enough pass phrase", "role": "viewer"})
    assert user.status_code == 201, user.text
    grant = api.post("/grants", {"user": "mover", "role": "vm_admin",
                                 "scope": {"type": "provider", "provider": providers["hv1"]["id"]}})
    assert grant.status_code == 201, grant.text
    mover = Operations(server.login("mover", "a long enough pass phrase"), providers["hv1"])
    vm = ops.vm("off")
    body = {"host": other.hosts()[0]["id"], "datastore": other.of("datastores")[0]["id"]}
    assert problem(mover.raw("POST", f"/vms/{vm['id']}/actions/move", body), 403, "forbidden")
    assert mover.ask("PATCH", f"/vms/{vm['id']}", {"annotation": "mine"})["changed"]
    created = mover.raw("POST", "/vms", {"name": "mine", "host": ops.hosts()[0]["id"]})
    assert created.status_code == 202, created.text
    problem(mover.raw("POST", "/vms", {"name": "not-mine", "host": other.hosts()[0]["id"]}), 403, "forbidden")
