# SPDX-License-Identifier: Apache-2.0
"""A slow vCenter slows down only what needs it."""

import time

import pytest

from support.wait import wait_for


@pytest.fixture
def vcenter(vcenters):
    return vcenters(vm=3)


def test_reads_of_ours_do_not_wait_for_a_slow_vcenter(servers, vcenter):
    api = servers().admin()
    api.wait_provider(api.add_provider("vc", vcenter.url)["id"])
    vcenter.delay(all_ms=20000)
    vm = api.items("vms")[0]
    task = api.act("vms", vm["id"], "stop")
    began = time.monotonic()
    for _ in range(20):
        api.read("/vms")
        api.read(f"/vms/{vm['id']}")
        api.read("/providers")
    assert time.monotonic() - began < 20, "sixty reads took as long as one call of the vCenter"
    assert api.task(task["id"])["state"] in ("queued", "waiting", "running")
    vcenter.delay()


def test_a_first_sync_with_slow_calls_completes(servers, vcenter):
    vcenter.delay(all_ms=300)
    api = servers().admin()
    api.wait_provider(api.add_provider("vc", vcenter.url)["id"], timeout=120)
    assert api.count("vms") == 6


def test_slow_power_calls_run_side_by_side(servers, vcenter):
    api = servers().admin()
    api.wait_provider(api.add_provider("vc", vcenter.url)["id"])
    vcenter.delay(PowerOffVM_Task=1500)
    tasks = [api.act("vms", vm["id"], "stop")["id"] for vm in api.items("vms")]
    for task in tasks:
        assert api.wait_task(task, 120)["state"] == "succeeded"
    assert vcenter.calls()["max_in_flight"] >= 3, "six tasks of one vCenter should not run one after the other"


def test_a_call_that_never_ends_times_out_and_others_go_on(servers, vcenter, proxies):
    proxy = proxies(vcenter)
    api = servers().admin()
    api.wait_provider(api.add_provider("vc", proxy.url, )["id"])
    first, second = api.items("vms")[:2]
    proxy.rule("hang", "PowerOffVM_Task", count=1)
    hanging = api.act("vms", first["id"], "stop")["id"]
    wait_for(lambda: proxy.ledger("PowerOffVM_Task"), "the call should be under way", 20)
    api.done("vms", second["id"], "stop")
    end = api.wait_task(hanging, 180)
    assert end["state"] in ("failed", "lost", "succeeded"), end
    if end["state"] != "succeeded":
        assert end["error"]["code"] in ("provider-timeout", "outcome-unknown"), end
    assert len(proxy.ledger("PowerOffVM_Task")) <= 2, "a write of unknown outcome is never repeated"
    proxy.clear()


def test_two_tasks_for_one_vm_never_run_at_once(servers, vcenter):
    api = servers().admin()
    api.wait_provider(api.add_provider("vc", vcenter.url)["id"])
    vcenter.delay(ResetVM_Task=1500)
    vm = api.items("vms")[0]
    first = api.act("vms", vm["id"], "reset")["id"]
    second = api.act("vms", vm["id"], "stop")["id"]
    waiting = wait_for(lambda: (lambda t: t if t["state"] in ("waiting", "succeeded") else None)(api.task(second)),
                       "the second task should wait", 20)
    if waiting["state"] == "waiting":
        assert waiting["wait_reason"]["code"] == "object_busy", waiting
    assert api.wait_task(first)["state"] == "succeeded"
    assert api.wait_task(second)["state"] == "succeeded"
    one, two = api.task(first), api.task(second)
    assert one["finished_at"] <= two["started_at"], "the second began before the first had ended"
    shown = api.read(f"/vms/{vm['id']}")["power_state"]
    wait_for(lambda: api.read(f"/vms/{vm['id']}")["power_state"] == "off", "the VM should be shown as off", 30)
    assert shown == "off", "whoever sees 'succeeded' must read the new state; it was shown only later"


def test_a_start_asked_for_while_a_stop_runs_comes_after_it(servers, vcenter):
    """The VM is still running when start is asked for; that must not count as done already."""
    api = servers().admin()
    api.wait_provider(api.add_provider("vc", vcenter.url)["id"])
    vcenter.delay(PowerOffVM_Task=1500)
    vm = api.items("vms")[0]
    stop = api.act("vms", vm["id"], "stop")["id"]
    wait_for(lambda: api.task(stop)["state"] == "running", "the stop should run", 20)
    start = api.act("vms", vm["id"], "start")["id"]
    assert api.wait_task(stop)["state"] == "succeeded"
    assert api.wait_task(start)["state"] == "succeeded"
    assert api.read(f"/vms/{vm['id']}")["power_state"] == "running", "the later wish must win"


def test_fail_if_busy_is_answered_at_once(servers, vcenter):
    api = servers().admin()
    api.wait_provider(api.add_provider("vc", vcenter.url)["id"])
    vcenter.delay(ResetVM_Task=3000)
    vm = api.items("vms")[0]
    first = api.act("vms", vm["id"], "reset")["id"]
    wait_for(lambda: api.task(first)["state"] == "running", "the first should run", 20)
    answer = api.post(f"/vms/{vm['id']}/actions/stop", fail_if_busy="true")
    assert answer.status_code == 409 and answer.json()["code"] == "object-busy", answer.text
    assert api.wait_task(first)["state"] == "succeeded"
