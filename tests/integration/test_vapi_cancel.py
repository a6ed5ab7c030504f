# SPDX-License-Identifier: Apache-2.0
"""Canceling what a vCenter does: the end that is told is what pyvmomi sees."""

import json

import pytest

from support.client import problem, said
from support.wait import wait_for

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def vcenter(module_vcenters):
    return module_vcenters(vm=4)


@pytest.fixture
def other(second, vcenter):
    yield second(vcenter)
    vcenter.delay()


def ask(api, path, body=None):
    answer = api.post(path, body)
    assert answer.status_code == 202, said(answer)
    return answer.json()["id"]


def cancel(api, task):
    answer = api.post(f"/tasks/{task}/actions/cancel")
    assert answer.status_code in (200, 202), said(answer)


def end(api, task, state):
    ended = api.wait_task(task, 120)
    assert ended["state"] == state, json.dumps(ended, indent=1)
    return ended


def wait_native(api, task):
    wait_for(lambda: api.read(f"/tasks/{task}")["native"]["id"], "the vCenter's task is known")


def canceled_calls(vcenter):
    return vcenter.calls()["soap"].get("CancelTask", 0)


def a_running_vm(api):
    return next(v for v in api.items("vms", view="full", sort="name") if v["power_state"] == "running")


def a_host(api):
    return next(h for h in api.items("hosts", view="full") if not h["cluster"])


def test_a_request_that_has_left_is_accounted_for(api, other, vcenter):
    """The answer comes later than anybody would look whether it happened."""
    vm = a_running_vm(api)
    before = vcenter.calls()["soap"].get("PowerOffVM_Task", 0)
    vcenter.delay(PowerOffVM_Task=11000)
    task = ask(api, f"/vms/{vm['id']}/actions/stop")
    wait_for(lambda: vcenter.calls()["soap"].get("PowerOffVM_Task", 0) > before, "the request has left")
    cancel(api, task)
    end(api, task, "succeeded")
    assert api.read(f"/vms/{vm['id']}")["power_state"] == "off"
    assert other.power(other.vm(vm["native"]["id"])) == "poweredOff"
    problem(api.post(f"/tasks/{task}/actions/cancel"), 409, "task-not-cancelable")


@pytest.mark.nightly
def test_a_task_that_cannot_be_canceled_is_followed_to_its_end(api, other, vcenter):
    """It takes longer than a canceled call may: the core follows it, and does not call it canceled."""
    vm = a_running_vm(api)
    vcenter.delay(tasks={"PowerOff": 20000})
    task = ask(api, f"/vms/{vm['id']}/actions/stop")
    wait_native(api, task)
    cancel(api, task)
    end(api, task, "succeeded")
    assert other.power(other.vm(vm["native"]["id"])) == "poweredOff"


def test_what_is_canceled_while_it_is_made_leaves_nothing(api, other, vcenter):
    vm, before = a_running_vm(api), canceled_calls(vcenter)
    vcenter.delay(tasks={"CloneVm": 8000, "CreateVm": 8000})
    tasks = [ask(api, f"/vms/{vm['id']}/actions/clone", {"name": "called off"}),
             ask(api, "/vms", {"name": "called off, too", "host": a_host(api)["id"], "disks": [{"capacity_bytes": 1 << 30}], "start": True})]
    for task in tasks:
        wait_native(api, task)
        cancel(api, task)
    for task in tasks:
        assert end(api, task, "canceled")["undo"] is None
    assert canceled_calls(vcenter) == before + 2
    # What began later has ended: the time of the canceled ones is over, too.
    end(api, ask(api, f"/vms/{vm['id']}/actions/clone", {"name": "witness"}), "succeeded")
    names = [v.name for v in other.vms()]
    assert "witness" in names and not [n for n in names if n.startswith("called off")]
    assert not api.items("vms", filter='name:"called off"')


def test_a_cancel_that_comes_too_late_finds_the_vm_made(api, other, vcenter):
    """The vCenter refuses to cancel: what it made is there, and said to be."""
    vcenter.delay(tasks={"CreateVm": 6000})
    vcenter.fault("CancelTask", "InvalidState")
    try:
        task = ask(api, "/vms", {"name": "made all the same", "host": a_host(api)["id"]})
        wait_native(api, task)
        cancel(api, task)
        ended = end(api, task, "succeeded")
    finally:
        vcenter.no_faults()
    made = api.read(f"/vms/{ended['result']['ref']['id']}")
    assert made["name"] == "made all the same" and "made all the same" in [v.name for v in other.vms()]
    assert ended["undo"]["operation"] == "vm.delete"
