# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the server while VMs are made, copied, moved and deleted: each task ends truly, nothing is done twice."""

import json
from collections import Counter

import pytest

from support.client import FINAL, said
from support.wait import wait_for

pytestmark = pytest.mark.timeout(300)
EACH = 3

# The call's answer, or the task itself, takes so long that the server dies in the midst of it.
DELAYS = {
    "calls that take long": dict.fromkeys(("CreateVM_Task", "CloneVM_Task", "RelocateVM_Task", "Destroy_Task"), 800),
    "tasks that take long": {"tasks": dict.fromkeys(("CreateVm", "CloneVm", "RelocateVm", "PowerOff", "Destroy"), 1500)},
}


def order(api, vms, hosts, made):
    """{task: (what, VM or name)} of everything that was acknowledged."""
    sent = {}

    def send(what, which, method, path, body=None):
        answer = api.request(method, path, **({"json": body} if body else {}))
        assert answer.status_code == 202, said(answer)
        sent[answer.json()["id"]] = what, which

    for n in range(EACH):
        if made == "create":
            send("create", f"made {n}", "POST", "/vms", {"name": f"made {n}", "host": hosts[0]["id"], "start": n == 0})
        else:
            send("clone", f"copy {n}", "POST", f"/vms/{vms[n]['id']}/actions/clone", {"name": f"copy {n}"})
        mine = vms[EACH + n]
        there = next(h for h in hosts if h["cluster"] == mine["cluster"] and h["id"] != mine["host"]["id"])
        send("move", (mine["native"]["id"], there["native"]["id"]), "POST", f"/vms/{mine['id']}/actions/move", {"host": there["id"]})
        mine = vms[2 * EACH + n]
        send("delete", mine["native"]["id"], "DELETE", f"/vms/{mine['id']}?force=true&disks=delete")
    return sent


# Not both at once: vcsim ends with a panic when it copies a VM while another has no name yet.
@pytest.mark.parametrize("made", ("create", "clone"))
@pytest.mark.parametrize("delay", DELAYS)
def test_what_was_acknowledged_ends_truly_and_is_done_once(servers, vcenters, second, delay, made):
    vcenter = vcenters(vm=3 * EACH, host=2, standalone_host=1)
    server = servers()
    api = server.admin()
    api.wait_provider(api.add_provider("vc", vcenter.url)["id"])
    vms = [v for v in api.items("vms", view="full", sort="name") if v["cluster"]]
    hosts = sorted(api.items("hosts", view="full"), key=lambda h: bool(h["cluster"]))
    client = second(vcenter)
    vcenter.delay(**DELAYS[delay])
    vcenter.reset_calls()

    sent = order(api, vms, hosts, made)
    wait_for(lambda: sum(vcenter.calls()["soap"].get(m, 0) for m in DELAYS["calls that take long"]) >= EACH,
             "the vCenter should have been asked for some of it", 60)
    server.kill()
    server.start()
    api = server.admin()

    def ended():
        found = {t["id"]: t for t in api.items("tasks", view="full")}
        assert set(sent) <= set(found), "acknowledged tasks are lost"
        return found if all(found[t]["state"] in FINAL for t in sent) else None

    found = wait_for(ended, "every acknowledged task should end", 120, every=0.5)
    vcenter.delay()
    names = Counter(v.name for v in client.vms())
    there = {v._moId for v in client.vms()}
    asked = vcenter.calls()["objects"]
    wrong = []
    for task, (what, which) in sent.items():
        state = found[task]["state"]
        done = {"create": lambda: names[which] == 1, "clone": lambda: names[which] == 1,
                "move": lambda: client.get(client.vm(which[0]), "runtime.host")._moId == which[1],
                "delete": lambda: which not in there}[what]()
        if state == "lost" and what in ("create", "clone"):
            continue  # the answer was cut off, and the name alone does not say who made it
        if (state == "succeeded") != done:
            wrong.append(f"{what} {which}: {state}, done {done}: {json.dumps(found[task]['error'])}")
        if what in ("move", "delete"):
            moid = which[0] if what == "move" else which
            calls = asked.get(f"{'RelocateVM_Task' if what == 'move' else 'Destroy_Task'} {moid}", 0)
            if calls > 1:
                wrong.append(f"{what} {which}: the vCenter was asked {calls} times")
    wrong += [f"{name} exists {n} times" for name, n in names.items() if n > 1]
    first = next((found[t] for t, who in sent.items() if who == ("create", "made 0")), None)
    if first and first["state"] == "succeeded" and names["made 0"] == 1:
        vm = next(v for v in client.vms() if v.name == "made 0")
        warnings = (first["result"] or {}).get("warnings")
        if client.power(vm) != "poweredOn" and not warnings and (first["result"] or {}).get("devices"):
            wrong.append("made 0 was to be started after it was made")
    assert not wrong, "\n".join(wrong)
