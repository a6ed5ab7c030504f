# SPDX-License-Identifier: Apache-2.0
"""What a rehearsal of many calls skipped is skipped: state, capability, rights, guests that do not hear; over both families."""

import json
import subprocess

import pytest

from support import paths
from support.certs import served_sha256
from support.client import host_port, said
from support.operations import add_estates

@pytest.fixture(scope="module")
def estate(module_servers):
    server = module_servers("skips")
    api = server.admin()
    add_estates(api, vms=60)
    # A few of each: what a generated estate has of the rarer states is chance.
    for vm in some(api, "running", 3):
        api.done("vms", vm, "suspend")
    return server, api


@pytest.fixture
def api(estate):
    return estate[1]


def bulk(api, action, status=202, query=None, **more):
    answer = api.post("/bulk", {"action": action, **more}, **(query or {}))
    assert answer.status_code == status, said(answer)
    return answer.json()


def children(api, task):
    return api.items(f"tasks/{task['id']}/children")


def both(api, action, **what):
    """What the rehearsal says, and what was done."""
    plan = bulk(api, action, 200, {"dry_run": "true"}, **what)
    task = api.wait_task(bulk(api, action, **what)["id"], 120)
    return plan, task, children(api, task)


def agree(plan, task, parts):
    skipped = {c["subjects"][0]["id"]: c["error"]["code"] for c in parts if c["state"] == "skipped"}
    assert skipped == {f["ref"]["id"]: f["code"] for f in plan["findings"]}
    assert plan["counts"]["skipped"] == task["children"]["skipped"] == len(skipped)
    assert plan["counts"]["change"] == len([c for c in parts if c["state"] == "succeeded" and c["changed"]])
    unchanged = [c for c in parts if c["state"] == "succeeded" and not c["changed"]]
    assert plan["counts"]["unchanged"] == task["result"]["unchanged"] == len(unchanged)
    assert task["children"]["failed"] == task["children"]["canceled"] == 0, task["children"]
    assert all(c["started_at"] is None for c in parts if c["state"] == "skipped"), "nothing was tried"
    assert plan["ok"] == (task["state"] == "succeeded") == (not skipped), "only what was done whole has succeeded"
    if skipped:
        tells_why(task, parts)
    else:
        assert task["error"] is None
    return skipped


def tells_why(task, parts):
    """The numbers and the first reasons, in words and as data."""
    error, n = task["error"], task["children"]
    reasons = {c["error"]["detail"] for c in parts if c["error"]}
    assert task["state"] == "failed" and {k: error["children"][k] for k in n} == n
    assert error["reasons"] and error["reasons"][0]["detail"] in error["detail"]
    assert {r["detail"] for r in error["reasons"]} <= reasons
    assert all(r["state"] == "skipped" and r["code"] and r["ref"]["id"] for r in error["reasons"])
    if n["succeeded"]:
        assert error["code"] == "partly-done"
        assert error["detail"].startswith(f"{n['succeeded']} of {n['total']} done; {n['skipped']} skipped; the first: ")
        assert error["detail_text"]["code"] == "task.bulk-part-skipped"


def some(api, power, n=2, **more):
    found = api.items("vms", filter=f"power:{power} template:false", sort="name", **more)[:n]
    assert len(found) == n, f"the estate has too few that are {power}"
    return [v["id"] for v in found]


def test_what_is_in_no_state_for_it_is_skipped_and_what_is_as_wanted_is_done_quietly(api):
    off, running, suspended = some(api, "off"), some(api, "running", 3), some(api, "suspended", 1)
    plan, task, parts = both(api, "vm.reset", targets=off + running + suspended)
    skipped = agree(plan, task, parts)
    assert set(skipped) == {*off, *suspended} and set(skipped.values()) == {"vm-invalid-state"}
    assert task["state"] == "failed" and task["changed"], "it did what it could"
    assert (task["result"]["done"], task["result"]["failed"], task["result"]["skipped"]) == (3, 0, 3)
    assert {n["ref"]["id"] for n in task["result"]["not_done"]} == set(skipped)
    assert all(n["state"] == "skipped" and n["detail"] for n in task["result"]["not_done"])

    ended = [e for e in api.events(type="task.finished") if e["ref"]["id"] == task["id"]]
    assert [e["severity"] for e in ended] == ["warning"] and "of 6 objects failed: 3 of 6 done" in ended[0]["message"]

    plan, task, parts = both(api, "vm.start", targets=some(api, "running", 2) + some(api, "off", 1))
    agree(plan, task, parts)
    assert plan["counts"] == {"change": 1, "unchanged": 2, "skipped": 0} and task["state"] == "succeeded"

    plan, task, parts = both(api, "vm.start", targets=some(api, "running", 2))
    assert plan["changed"] is False and task["changed"] is False and task["state"] == "succeeded"


def test_what_the_driver_cannot_do_is_skipped_with_its_reason(api):
    mine = [api.items("vms", filter=f"power:running provider:{p} template:false", sort="name")[5]["id"] for p in ("vc", "hv1")]
    plan, task, parts = both(api, "vm.pause", targets=mine)
    assert agree(plan, task, parts) == {mine[0]: "not-supported"}
    assert api.read(f"/vms/{mine[1]}")["power_state"] == "paused"
    assert api.read(f"/vms/{mine[0]}")["power_state"] == "running"


def test_guests_that_do_not_hear_are_skipped(api):
    deaf = [v for v in api.items("vms", filter="power:running guest.tools.state:{not_running,not_installed} template:false", sort="name")]
    hears = api.items("vms", filter="power:running guest.tools.state:running template:false", sort="name")
    assert deaf and hears
    plan, task, parts = both(api, "vm.reboot", targets=[deaf[0]["id"], hears[0]["id"]])
    assert list(agree(plan, task, parts)) == [deaf[0]["id"]]
    detail = next(c["error"]["detail"] for c in parts if c["state"] == "skipped")
    assert "tools" in detail


def test_a_selection_by_filter_skips_the_same(api):
    selector = "template:false power:{paused,suspended,off}"
    count = api.count("vms", filter=selector)
    plan, task, parts = both(api, "vm.resume", selector=selector, expected_count=count)
    agree(plan, task, parts)
    assert plan["count"] == task["children"]["total"] == count
    assert task["children"]["skipped"] == api.count("vms", filter="template:false power:off")
    assert api.count("vms", filter="template:false power:{paused,suspended}") == 0


def test_when_nothing_can_be_done_the_task_fails_and_says_why(api):
    off = some(api, "off", 2)
    _, task, parts = both(api, "vm.reset", targets=off)
    assert task["state"] == "failed" and task["changed"] is False
    assert task["error"]["code"] == "vm-invalid-state" and "none of the 2" in task["error"]["detail"]
    tells_why(task, parts)
    assert len(task["error"]["reasons"]) == 1, "the same sentence about two is one reason"
    assert {c["state"] for c in parts} == {"skipped"}


def test_what_one_may_not_do_is_skipped_and_not_even_named_if_not_seen(estate):
    server, api = estate
    secret = "a third long secret 99"
    assert api.post("/users", {"name": "steward", "password": secret}).status_code == 201
    seen, unseen = some(api, "running", 4)[:2], some(api, "running", 4)[2:]
    for vm, role in ((seen[0], "operator"), (seen[1], "viewer")):
        api.patch(f"/vms/{vm}", {"tags": [f"for={role}"]})
        grant = api.post("/grants", {"user": "steward", "role": role, "scope": {"type": "selector", "selector": f"tag:for={role}"}})
        assert grant.status_code == 201, said(grant)
    member = server.login("steward", secret)
    plan, task, parts = both(member, "vm.stop", targets=[*seen, unseen[0]])
    assert agree(plan, task, parts) == {seen[1]: "forbidden", unseen[0]: "not-found"}
    assert {r["code"] for r in task["error"]["reasons"]} == {"forbidden", "not-found"}
    hidden = next(c for c in parts if c["error"] and c["error"]["code"] == "not-found")
    assert not hidden["subjects"][0]["name"]
    assert api.read(f"/vms/{seen[1]}")["power_state"] == "running"


def test_what_changes_after_acceptance_is_decided_by_the_child(api):
    """Another task brings it into the wanted state first: the child finds nothing to do."""
    vm = some(api, "off", 1)[0]
    first = api.post(f"/vms/{vm}/actions/start").json()
    task = api.wait_task(bulk(api, "vm.start", targets=[vm])["id"], 120)
    assert task["state"] == "succeeded" and task["children"]["skipped"] == 0
    assert api.wait_task(first["id"])["state"] == "succeeded"


def test_skipped_is_a_state_that_lists_and_waiters_know(api):
    off = some(api, "off", 1)[0]
    task = api.wait_task(bulk(api, "vm.reset", targets=[off, some(api, "running", 1)[0]])["id"], 120)
    found = api.items("tasks", filter=f"parent={task['id']} state:skipped")
    assert [c["subjects"][0]["id"] for c in found] == [off] and found[0]["finished_at"]
    assert api.task(found[0]["id"])["cancelable"] is False


def test_the_command_line_tells_what_was_skipped(estate, tmp_path):
    server, api = estate
    off, running = some(api, "off", 1)[0], some(api, "running", 1)[0]
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "POLYVISOR_URL": server.url, "POLYVISOR_TOKEN": server.token,
           "POLYVISOR_FINGERPRINT": served_sha256(*host_port(server.url))}
    done = subprocess.run([str(paths.program("polyvisor")), "vm", "reset", off, running, "--yes"], capture_output=True, text=True,
                          timeout=120, env=env)
    assert done.returncode == 7, (done.stdout, done.stderr)
    first, *rest = done.stderr.splitlines()
    assert first == "polyvisor: Reset: 1 of 2 done; 1 skipped:", done.stderr
    assert len(rest) == 1 and ": skipped, " in rest[0] and "which is off" in rest[0]
    assert "succeeded" not in done.stdout + done.stderr

    plan = subprocess.run([str(paths.program("polyvisor")), "vm", "reset", off, running, "--dry-run"], capture_output=True, text=True,
                          timeout=120, env=env)
    assert plan.returncode == 7 and "1 of 2 would be done" in plan.stdout, (plan.stdout, plan.stderr)
    assert "would skip " in plan.stdout and "which is off" in plan.stdout, plan.stdout

    done = subprocess.run([str(paths.program("polyvisor")), "vm", "reset", off, running, "--yes", "-o", "json"], capture_output=True,
                          text=True, timeout=120, env=env)
    assert done.returncode == 7 and json.loads(done.stdout)["state"] == "failed"
    assert json.loads(done.stderr)["code"] == "partly-done"

    done = subprocess.run([str(paths.program("polyvisor")), "vm", "reset", *some(api, "off", 2), "--yes"], capture_output=True,
                          text=True, timeout=120, env=env)
    assert done.returncode == 1 and done.stderr.startswith("polyvisor: Reset: 0 of 2 done; 2 skipped:\n"), done.stderr


def number(api, name):
    return next(int(line.split()[1]) for line in api.get("/metrics").text.splitlines() if line.startswith(name + " "))


def test_the_numbers_of_failed_tasks_count_what_failed_and_not_what_was_left_out(api):
    before = number(api, "polyvisor_tasks_failed_total")
    task = api.wait_task(bulk(api, "vm.reset", targets=[*some(api, "off", 1), *some(api, "running", 1)])["id"], 120)
    assert task["state"] == "failed" and task["children"]["skipped"] == 1
    assert number(api, "polyvisor_tasks_failed_total") == before
    assert task["error_code"] == "partly-done" and task["id"] in {t["id"] for t in api.items("tasks", filter="error_code=partly-done")}
    [rule] = api.items("alert-rules", filter="builtin=task-failed")
    none = api.wait_task(bulk(api, "vm.reset", targets=some(api, "off", 1))["id"], 120)
    found = {o["id"] for o in api.post(f"/alert-rules/{rule['id']}/actions/test").json()["items"]}
    assert task["id"] not in found, "no alert for what was left out"
    assert none["id"] in found, "one where nothing at all was done"
