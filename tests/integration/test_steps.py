# SPDX-License-Identifier: Apache-2.0
"""Several changes of one VM are one task: in order, checked as a whole before, up to the first that fails; in both families."""

import pytest

from support.client import said
from support.operations import GIB, MIB, Operations, add_estates

FAMILIES = {"vmware": {"hosts": 2, "clusters": 1}, "hyperv": {}}


@pytest.fixture(scope="module")
def estates(module_servers):
    api = module_servers("steps").admin()
    return api, add_estates(api)


@pytest.fixture(params=["vc", "hv1"])
def ops(request, estates):
    return Operations(estates[0], estates[1][request.param])


def ask(ops, vm, *steps, status=202, **params):
    body = {"steps": [{"action": action, "target": target, **({"params": given} if given else {}), **more}
                      for action, target, given, more in steps]}
    answer = ops.api.post(f"/vms/{vm['id']}/steps", body, **params)
    assert answer.status_code == status, said(answer)
    return answer.json()


def step(action, target, given=None, **more):
    return action, target["id"], given, more


def parts(ops, task):
    return sorted(ops.api.items(f"tasks/{task['id']}/children"), key=lambda c: c["id"])


def test_processors_memory_and_devices_change_in_one_task_in_their_order(ops):
    vm = ops.create(f"stepwise-{ops.family}", nics=[{"network": ops.of("networks")[0]["id"]}])
    task = ask(ops, vm,
               step("vm.reconfigure", vm, {"cpu": {"count": 3}, "memory": {"bytes": 768 * MIB}}, if_version=vm["version"]),
               step("vm.nic.detach", vm["nics"][0]),
               step("vm.disk.attach", vm, {"capacity_bytes": 2 * GIB}),
               step("vm.reconfigure", vm, {"annotation": "in four steps"}))
    assert task["action"] == "vm.reconfigure" and task["subjects"][0]["id"] == vm["id"] and task["children"]["total"] == 4
    task = ops.api.wait_task(task["id"])
    assert task["state"] == "succeeded" and task["changed"], task
    now = ops.again(vm)
    assert (now["cpu"]["count"], now["memory"]["bytes"], now["annotation"]) == (3, 768 * MIB, "in four steps")
    assert len(now["disks"]) == 2 and now["nics"] == []
    children = parts(ops, task)
    assert [c["action"] for c in children] == ["vm.reconfigure", "vm.nic.detach", "vm.disk.attach", "vm.reconfigure"]
    ends = [c["finished_at"] for c in children]
    begins = [c["started_at"] for c in children]
    assert all(begun >= ended for ended, begun in zip(ends, begins[1:])), (begins, ends)
    assert [c["undo"] is not None for c in (ops.api.task(c["id"]) for c in children)][0]
    found = ops.api.items("tasks", filter=f"subject_id={vm['id']}")
    assert task["id"] in {t["id"] for t in found}, "it stands among the tasks of the VM"


def test_a_step_that_cannot_be_done_refuses_the_whole_and_is_named(ops):
    vm = ops.vm("off")
    tasks = ops.api.count("tasks")
    refused = ask(ops, vm, step("vm.reconfigure", vm, {"cpu": {"count": 2}}), step("vm.reset", vm), status=409)
    assert refused["code"] == "vm-invalid-state" and refused["errors"][0]["pointer"] == "/steps/1"
    refused = ask(ops, vm, step("vm.reconfigure", vm, {"cpu": {"count": "two"}}), status=400)
    assert refused["errors"][0]["pointer"] == "/steps/0/params/cpu/count"
    other = ops.vm("running")
    refused = ask(ops, vm, step("vm.start", other), status=422)
    assert refused["errors"][0]["pointer"] == "/steps/0", refused
    refused = ask(ops, vm, step("vm.reconfigure", vm, {"cpu": {"count": 2}}, if_version=vm["version"] + 7), status=412)
    assert refused["code"] == "precondition-failed" and refused["errors"][0]["pointer"] == "/steps/0"
    for body in ({"steps": []}, {}, {"steps": [{"action": "vm.fly", "target": vm["id"]}]},
                 {"steps": [{"action": "vm.create", "target": vm["id"], "params": {"name": "x"}}]}):
        answer = ops.api.post(f"/vms/{vm['id']}/steps", body)
        assert answer.status_code in (400, 422) and answer.json()["errors"][0]["pointer"].startswith("/steps"), said(answer)
    assert ops.api.count("tasks") == tasks
    assert ops.again(vm)["cpu"] == vm["cpu"]


def test_a_rehearsal_of_steps_shows_each_and_does_nothing(ops):
    vm = ops.vm("off")
    plan = ask(ops, vm, step("vm.reconfigure", vm, {"cpu": {"count": vm["cpu"]["count"] + 1}}),
               step("vm.reconfigure", vm, {"cpu": {"count": vm["cpu"]["count"]}}), status=200, dry_run="true")
    assert plan["counts"] == {"change": 1, "unchanged": 1, "skipped": 0} and plan["plan"][0]["operation"] == "vm.reconfigure"
    assert ops.again(vm)["version"] == vm["version"]


@pytest.mark.parametrize("family", FAMILIES)
def test_what_fails_ends_the_task_and_it_says_what_was_done_and_what_was_not(servers, family):
    api = servers().admin()
    name = "vc" if family == "vmware" else "hv"
    provider = api.add_provider(name, f"sim://{name}", driver="sim",
                                settings={"family": family, "vms": 40, "speed": 200, "failure_rate": 1, **FAMILIES[family]})
    api.wait_provider(provider["id"])
    ops = Operations(api, provider)
    vm = ops.vm("off")
    same = {"cpu": {"count": vm["cpu"]["count"]}}
    task = ask(ops, vm, step("vm.reconfigure", vm, same), step("vm.reconfigure", vm, {"annotation": "never"}),
               step("vm.disk.attach", vm, {"capacity_bytes": GIB}))
    task = ops.api.wait_task(task["id"])
    assert task["state"] == "failed" and "step 2 of 3" in task["error"]["detail"], task["error"]
    assert task["error"]["provider"]["native_code"] or task["error"]["code"] != "conflict"
    assert [c["state"] for c in parts(ops, task)] == ["succeeded", "failed", "canceled"]
    assert (task["result"]["done"], task["result"]["failed"], task["result"]["canceled"]) == (1, 1, 1)
    assert [(n["operation"], n["state"]) for n in task["result"]["not_done"]] == [("vm.reconfigure", "failed"), ("vm.disk.attach", "canceled")]
