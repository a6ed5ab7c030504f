# SPDX-License-Identifier: Apache-2.0
"""The vCenter goes away and comes back; all its references and logins are new."""

from support.wait import wait_equal, wait_for


def start(servers, vcenter):
    api = servers().admin()
    provider = api.wait_provider(api.add_provider("vc", vcenter.url)["id"])
    return api, provider


def test_a_vcenter_that_is_away_makes_data_stale_but_readable(servers, vcenters):
    vcenter = vcenters(vm=2)
    api, provider = start(servers, vcenter)
    before = {v["id"]: (v["name"], v["power_state"]) for v in api.items("vms")}
    vcenter.stop()
    api.wait_provider(provider["id"], "disconnected", 90)
    reason = api.provider(provider["id"])["state_reason"]
    assert reason["code"] == "provider-offline" and reason["remedy"], reason
    vms = api.items("vms", view="full")
    assert {v["id"]: (v["name"], v["power_state"]) for v in vms} == before
    assert all(v["stale"] for v in vms)
    assert all(v["presence"] == "present" for v in vms), "unreachable is not missing"


def test_it_comes_back_with_the_same_ids(servers, vcenters, second):
    vcenter = vcenters(vm=2)
    api, provider = start(servers, vcenter)
    before = {v["native"]["id"]: v["id"] for v in api.items("vms")}
    vcenter.restart()
    wait_for(lambda: api.provider(provider["id"])["state"] != "connected" or
             vcenter.calls()["soap"].get("Login"), "the restart should be noticed", 90)
    api.wait_provider(provider["id"], "connected", 120)
    # The simulator may give a restarted VM another one's reference: the reference decides which record it is.
    names = {ours: second(vcenter).vm(native).name for native, ours in before.items()}
    wait_equal(lambda: {v["id"]: v["name"] for v in api.items("vms")}, names, "ids and names", 60)
    wait_for(lambda: not any(v["stale"] for v in api.items("vms", view="full")), "fresh again", 60)


def test_a_task_for_a_provider_that_is_away_waits_and_says_why_then_runs(servers, vcenters):
    vcenter = vcenters(vm=2)
    api, provider = start(servers, vcenter)
    vm = api.one("vms", "DC0_H0_VM0")
    vcenter.stop()
    api.wait_provider(provider["id"], "disconnected", 90)
    task = api.act("vms", vm["id"], "stop")
    waiting = wait_for(lambda: (lambda t: t if t["state"] == "waiting" else None)(api.task(task["id"])),
                       "the task should wait", 30)
    assert waiting["wait_reason"]["code"] == "provider_offline", waiting
    vcenter.start()
    end = api.wait_task(task["id"], 150)
    assert end["state"] == "succeeded", end
    assert api.read(f"/vms/{vm['id']}")["power_state"] == "off"
    calls = {k: n for k, n in vcenter.calls()["objects"].items() if k.startswith("PowerOff")}
    assert list(calls.values()) == [1], calls


def test_a_task_whose_vcenter_restarts_meanwhile_ends_true(servers, vcenters, second):
    vcenter = vcenters(vm=2)
    api, provider = start(servers, vcenter)
    vm = api.one("vms", "DC0_H0_VM0")
    vcenter.delay(PowerOffVM_Task=60000)
    task = api.act("vms", vm["id"], "stop")
    wait_for(lambda: vcenter.calls()["soap"].get("PowerOffVM_Task"), "the call should be under way", 30)
    vcenter.restart()
    end = api.wait_task(task["id"], 180)
    now = second(vcenter).power(second(vcenter).vm(vm["native"]["id"]))
    if end["state"] == "succeeded":
        assert now == "poweredOff", end
    else:
        assert end["state"] in ("failed", "lost"), end
        assert end["error"]["code"], end
    wait_equal(lambda: api.read(f"/vms/{vm['id']}")["power_state"],
               {"poweredOn": "running", "poweredOff": "off"}[now], "the VM's state", 60)
