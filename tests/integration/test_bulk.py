# SPDX-License-Identifier: Apache-2.0
"""One request for many VMs: parent and children, selectors, options, outcomes one by one."""

import pytest

from support.client import problem, said
from support.wait import wait_equal


@pytest.fixture(scope="module")
def vcenter(module_vcenters):
    return module_vcenters(vm=20)


@pytest.fixture(scope="module")
def server(module_servers, vcenter):
    server = module_servers()
    api = server.admin()
    api.wait_provider(api.add_provider("vc", vcenter.url)["id"])
    return server


@pytest.fixture
def api(server, vcenter):
    vcenter.no_faults()
    api = server.admin()
    off = api.count("vms", filter="power:off")
    if off:
        end(api, bulk(api, "vm.start", selector="power:off", confirm=True))
    return api


def bulk(api, action, **more):
    answer = api.post("/bulk", {"action": action, **more})
    assert answer.status_code == 202, said(answer)
    return answer.json()


def end(api, task):
    return api.wait_task(task["id"], 120)


def test_targets_get_a_child_task_each_and_the_parent_counts_them(api):
    vms = [v["id"] for v in api.items("vms")[:10]]
    task = end(api, bulk(api, "vm.stop", targets=vms))
    assert task["state"] == "succeeded", task
    assert task["children"]["total"] == task["children"]["succeeded"] == 10
    children = api.read(f"/tasks/{task['id']}/children", limit=100)["items"]
    assert {c["subjects"][0]["id"] for c in children} == set(vms)
    assert {c["action"] for c in children} == {"vm.stop"}
    assert {v["id"] for v in api.items("vms", filter="power:off")} == set(vms)


def test_a_selector_needs_the_expected_count_or_a_confirmation(api):
    problem(api.post("/bulk", {"action": "vm.stop", "selector": "power:running"}), 422)
    count = api.count("vms", filter="power:running")
    wrong = api.post("/bulk", {"action": "vm.stop", "selector": "power:running", "expected_count": count - 1})
    assert wrong.status_code in (409, 412, 422), said(wrong)
    problem(wrong, wrong.status_code)
    assert api.count("vms", filter="power:off") == 0
    right = bulk(api, "vm.stop", selector="power:running", expected_count=count)
    assert end(api, right)["children"]["succeeded"] == count


def test_failures_keep_their_own_message_and_the_parent_fails(api, vcenter):
    vms = api.items("vms", sort="name")[:6]
    names = [v["name"] for v in vms]
    vcenter.fault("PowerOffVM_Task", "NoPermission", name=names[2])
    task = end(api, bulk(api, "vm.stop", targets=[v["id"] for v in vms]))
    assert task["state"] == "failed"
    assert (task["children"]["failed"], task["children"]["succeeded"]) == (1, 5), task["children"]
    children = api.read(f"/tasks/{task['id']}/children", limit=100)["items"]
    failed = [c for c in children if c["state"] == "failed"]
    assert [c["subjects"][0]["name"] for c in failed] == [names[2]]
    assert failed[0]["error"]["provider"]["native_code"] == "NoPermission"
    error = task["error"]
    assert error["code"] == "partly-done" and error["detail"].startswith("5 of 6 done; 1 failed; the first: "), error
    assert error["children"]["failed"] == 1 and error["reasons"][0]["code"] == failed[0]["error"]["code"]
    assert error["reasons"][0]["ref"]["name"] == names[2]


def test_what_failed_is_told_before_what_was_left_out(api, vcenter):
    vms = api.items("vms", sort="name")[:3]
    api.done("vms", vms[0]["id"], "stop")
    vcenter.fault("ResetVM_Task", "NoPermission", name=vms[2]["name"])
    task = end(api, bulk(api, "vm.reset", targets=[v["id"] for v in vms]))
    assert task["state"] == "failed"
    assert [n["state"] for n in task["result"]["not_done"]] == [r["state"] for r in task["error"]["reasons"]] == ["failed", "skipped"]
    assert task["error"]["detail"].startswith("1 of 3 done; 1 failed, 0 canceled, 1 skipped; the first: "), task["error"]
    assert task["error"]["detail_text"]["code"] == "task.bulk-part"


def test_stopping_on_error_leaves_the_rest_undone(api, vcenter):
    vcenter.fault("PowerOffVM_Task", "NoPermission")
    vms = [v["id"] for v in api.items("vms")[:10]]
    task = end(api, bulk(api, "vm.stop", targets=vms, options={"max_parallel": 1, "on_error": "stop"}))
    assert task["state"] == "failed"
    assert task["children"]["failed"] == 1 and task["children"]["canceled"] == 9, task["children"]
    assert task["error"]["detail"].startswith("0 of 10 done; 1 failed, 9 canceled, 0 skipped; the first: "), task["error"]


def test_max_parallel_is_kept(api, vcenter):
    vcenter.delay(PowerOffVM_Task=200)
    try:
        vms = [v["id"] for v in api.items("vms")[:8]]
        bulk_task = bulk(api, "vm.stop", targets=vms, options={"max_parallel": 2})
        most = 0
        while api.task(bulk_task["id"])["state"] in ("queued", "waiting", "running"):
            running = api.read(f"/tasks/{bulk_task['id']}/children", filter="state:running", limit=100)["items"]
            most = max(most, len(running))
        assert 1 <= most <= 2
    finally:
        vcenter.delay()


def test_canceling_the_parent_cancels_what_has_not_begun(api, vcenter):
    vcenter.delay(PowerOffVM_Task=1000)
    try:
        vms = [v["id"] for v in api.items("vms")[:20]]
        task = bulk(api, "vm.stop", targets=vms, options={"max_parallel": 2})
        answer = api.post(f"/tasks/{task['id']}/actions/cancel")
        assert answer.status_code in (200, 202), said(answer)
        assert answer.json()["state"] in ("canceling", "canceled"), said(answer)
        task = end(api, task)
    finally:
        vcenter.delay()
    assert task["state"] == "canceled" and task["error"] is None, task
    assert task["result"]["canceled"] == task["children"]["canceled"] and task["result"]["not_done"]
    assert task["children"]["canceled"] >= 10, task["children"]
    off = task["children"]["succeeded"]
    wait_equal(lambda: api.count("vms", filter="power:off"), off, "VMs that are off")


def test_a_part_that_is_canceled_by_itself_leaves_the_whole_failed_with_the_numbers(api, vcenter):
    vcenter.delay(PowerOffVM_Task=1000)
    try:
        vms = [v["id"] for v in api.items("vms")[:4]]
        task = bulk(api, "vm.stop", targets=vms, options={"max_parallel": 1})
        last = api.read(f"/tasks/{task['id']}/children", sort="-created_at", filter="-state:running", limit=1)["items"][0]
        assert api.post(f"/tasks/{last['id']}/actions/cancel").status_code == 202
        task = end(api, task)
    finally:
        vcenter.delay()
    assert (task["state"], task["children"]["canceled"]) == ("failed", 1), task
    assert task["error"]["code"] == "partly-done" and task["error"]["detail"] == "3 of 4 done; 1 canceled", task["error"]


@pytest.mark.parametrize("body, status", [
    ({"action": "vm.fly", "targets": ["x"]}, 422), ({"targets": ["x"]}, 422), ({"action": "vm.stop"}, 422),
    ({"action": "vm.stop", "targets": []}, 422), ({"action": "vm.stop", "targets": ["vm_1"], "selector": "a"}, 422),
    ({"action": "vm.stop", "targets": ["x"], "options": {"max_parallel": 0}}, 422),
    ({"action": "vm.stop", "targets": ["x"], "optoins": {}}, 400),
    ({"action": "vm.stop", "selector": "((", "confirm": True}, 400),
])
def test_a_wrong_bulk_request_is_refused_whole(api, body, status):
    tasks = api.count("tasks")
    answer = api.post("/bulk", body)
    assert answer.status_code in (status, 400, 422), said(answer)
    problem(answer, answer.status_code)
    assert api.count("tasks") == tasks


def test_a_target_that_does_not_exist_is_skipped_alone(api):
    vm = api.items("vms")[0]["id"]
    task = end(api, bulk(api, "vm.stop", targets=[vm, "vm_00000000000000000000000000"]))
    assert (task["children"]["skipped"], task["children"]["succeeded"]) == (1, 1), task["children"]
    skipped = [c for c in api.read(f"/tasks/{task['id']}/children")["items"] if c["state"] == "skipped"]
    assert skipped[0]["error"]["code"] == "not-found", skipped
    assert task["result"]["not_done"][0]["code"] == "not-found", task["result"]
    assert task["state"] == "failed" and task["error"]["detail"].startswith("1 of 2 done; 1 skipped"), task["error"]


def test_text_that_is_no_id_refuses_the_whole_request(api):
    vm = api.items("vms")[0]["id"]
    document = problem(api.post("/bulk", {"action": "vm.stop", "targets": [vm, "hst_1"]}), 422)
    assert document["errors"][0]["pointer"] == "/targets/1"
    assert api.count("vms", filter="power:off") == 0


def test_a_dry_run_of_a_bulk_request_lists_every_object(api):
    answer = api.post("/bulk", {"action": "vm.stop", "selector": "power:running", "confirm": True}, dry_run="true")
    assert answer.status_code == 200, said(answer)
    plan = answer.json()["plan"]
    assert len(plan) == api.count("vms", filter="power:running")
    assert api.count("vms", filter="power:off") == 0
