# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the server while 200 power tasks are in flight: nothing acknowledged is lost, nothing runs twice."""

import concurrent.futures
import json
import os
import random
import signal
import time

import pytest
from pyVmomi import vim

from support.client import FINAL
from support.wait import wait_equal, wait_for

pytestmark = pytest.mark.timeout(900)

COUNT = 200


@pytest.fixture
def vcenter(vcenters):
    return vcenters(vm=COUNT // 2)


def order(server, api, vms, action):
    """Sends the actions side by side; answers {vm id: task id} of those that were acknowledged."""
    acknowledged = {}

    def one(vm):
        try:
            answer = api.with_token(api.token).post(f"/vms/{vm['id']}/actions/{action}")
        except OSError:
            return  # no answer: nothing was promised
        if answer.status_code == 202:
            acknowledged[vm["id"]] = answer.json()["id"]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(one, vms))
    return acknowledged


def final_states(api, tasks):
    def look():
        found = {t["id"]: t for t in api.items("tasks", view="full")}
        states = {task: found[task]["state"] for task in tasks if task in found}
        look.open = {t: s for t, s in states.items() if s not in FINAL}
        lost = set(tasks) - set(found)
        assert not lost, f"acknowledged tasks that the server no longer knows: {sorted(lost)[:5]} ({len(lost)})"
        return None if look.open else found

    return wait_for(look, "every acknowledged task should end", 240, every=1)


def untrue(client, native, tasks, found, action):
    """Tasks whose end does not agree with what the VM is in now."""
    wanted = {"stop": "poweredOff", "start": "poweredOn"}[action]
    bad = []
    for vm, task in tasks.items():
        now, state = client.power(client.vm(native[vm])), found[task]["state"]
        if (state == "succeeded") != (now == wanted) and state != "lost":
            bad.append(f"{native[vm]} is {now}, its task {state}: {json.dumps(found[task]['error'])}")
    return bad


def ledger(client, kind):
    """{moid: how often the vCenter did it}, from its own events."""
    counts = {}
    for event in client.events(kind):
        key = event.vm.vm._moId
        counts[key] = counts.get(key, 0) + 1
    return counts


DELAYS = {"calls that take long": {"PowerOffVM_Task": 300}, "tasks that take long": {"tasks": {"PowerOff": 1500}}}


@pytest.mark.parametrize("after_s", [0.0, 2.0])
@pytest.mark.parametrize("delay", DELAYS)
def test_200_power_tasks_survive_kill_9(servers, vcenter, second, delay, after_s):
    server = servers()
    api = server.admin()
    api.wait_provider(api.add_provider("vc", vcenter.url)["id"], timeout=120)
    vms = api.items("vms", view="full")
    assert len(vms) == COUNT
    native = {vm["id"]: vm["native"]["id"] for vm in vms}
    vcenter.delay(**DELAYS[delay])
    client = second(vcenter)
    before = ledger(client, vim.event.VmPoweredOffEvent)

    acknowledged = order(server, api, vms, "stop")
    assert len(acknowledged) == COUNT, f"only {len(acknowledged)} of {COUNT} were accepted"
    time.sleep(after_s)
    server.kill()
    server.start()

    api = server.admin()
    found = final_states(api, list(acknowledged.values()))
    after = ledger(client, vim.event.VmPoweredOffEvent)
    asked = vcenter.calls()["objects"]
    wrong = []
    for vm, task in acknowledged.items():
        moid, state = native[vm], found[task]["state"]
        times = after.get(moid, 0) - before.get(moid, 0)
        calls = asked.get(f"PowerOffVM_Task {moid}", 0)
        off = client.power(client.vm(moid)) == "poweredOff"
        if calls > 1 or times > 1:
            wrong.append(f"{moid}: the vCenter was asked {calls} times and did it {times} times ({state})")
        if state == "succeeded" and not off:
            wrong.append(f"{moid}: task succeeded, but the VM is on")
        if state in ("failed", "canceled") and (times or off):
            wrong.append(f"{moid}: task {state}, but the vCenter did it ({found[task].get('error')})")
    assert not wrong, "\n".join(wrong[:30])
    truth = {m: {"poweredOn": "running", "poweredOff": "off"}[p["runtime.powerState"]]
             for m, p in client.read(vim.VirtualMachine, "runtime.powerState").items()}
    shown = {v["native"]["id"]: v["power_state"] for v in api.items("vms", fields="native.id,power_state")}
    unseen = [moid for moid in truth if shown[moid] != truth[moid]]
    wait_equal(lambda: {v["native"]["id"]: v["power_state"] for v in api.items("vms", fields="native.id,power_state")},
               truth, "power states", 60, every=1)
    assert not unseen, f"whoever sees 'succeeded' must read the new state; {len(unseen)} VMs showed the old one at first"


def test_kill_9_again_and_again_at_random_moments(servers, vcenter, second):
    server = servers()
    api = server.admin()
    api.wait_provider(api.add_provider("vc", vcenter.url)["id"], timeout=120)
    vms = api.items("vms", view="full")[:60]
    native = {vm["id"]: vm["native"]["id"] for vm in vms}
    vcenter.delay(PowerOffVM_Task=300, PowerOnVM_Task=300)
    moments = random.Random(7)
    for turn, action in enumerate(("stop", "start", "stop")):
        vcenter.reset_calls()
        tasks = order(server, api, vms, action)
        for _ in range(2):
            time.sleep(moments.uniform(0.1, 1.5))
            server.kill()
            server.start()
        api = server.admin()
        found = final_states(api, list(tasks.values()))
        twice = {k: n for k, n in vcenter.calls()["objects"].items() if n > 1}
        assert not twice, f"turn {turn}: asked more than once: {twice}"
        bad = untrue(second(vcenter), native, tasks, found, action)
        assert not bad, f"turn {turn}: {len(bad)} of {len(tasks)} tasks do not say what happened\n" + "\n".join(bad[:8])


def test_a_driver_host_killed_during_tasks_leaves_no_task_untrue(servers, vcenter, second):
    server = servers()
    api = server.admin()
    api.wait_provider(api.add_provider("vc", vcenter.url)["id"], timeout=120)
    vms = api.items("vms", view="full")[:40]
    vcenter.delay(PowerOffVM_Task=500)
    tasks = order(server, api, vms, "stop")
    hosts = server.driver_hosts()
    assert hosts, "drivers run in processes of their own"
    for pid in hosts:
        os.kill(pid, signal.SIGKILL)
    found = final_states(api, list(tasks.values()))
    assert not {k: n for k, n in vcenter.calls()["objects"].items() if n > 1}
    states = [found[t]["state"] for t in tasks.values()]
    assert set(states) <= {"succeeded", "lost", "failed"}, states
    bad = untrue(second(vcenter), {vm["id"]: vm["native"]["id"] for vm in vms}, tasks, found, "stop")
    assert not bad, "\n".join(bad[:8])
    api.wait_provider(api.items("providers")[0]["id"], "connected", 60)
    assert server.process.alive()


def test_a_crash_loop_of_the_driver_is_parked_and_the_server_goes_on(servers, vcenter):
    server = servers()
    api = server.admin()
    provider = api.wait_provider(api.add_provider("vc", vcenter.url)["id"], timeout=120)
    killed = set()

    def parked():
        for pid in server.driver_hosts():
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        # Left alone, the provider is opened again after pauses that grow to a minute; what is set anew, at once.
        if len(killed) < 5:
            assert api.patch(f"/providers/{provider['id']}", {"password": vcenter.password}).status_code == 200
        return (api.provider(provider["id"]).get("state_reason") or {}).get("code") == "driver-parked"

    wait_for(parked, "repeated crashes should park the driver", 240, every=0.2)
    assert server.driver_hosts() == []
    assert api.count("vms") == COUNT, "reads go on"
    api.act("providers", provider["id"], "sync")
    api.wait_provider(provider["id"], "connected", 60)
