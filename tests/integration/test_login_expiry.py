# SPDX-License-Identifier: Apache-2.0
"""The vCenter's login runs out or is ended by somebody: nothing is lost, and only one new login is made."""

import time

import pytest

from support.wait import wait_for

IDLE_S = 3


def logins_of_ours(client):
    mine = client.own_login()
    return [s for s in client.logins() if s.key != mine]


@pytest.fixture
def vcenter(vcenters):
    return vcenters(vm=3)


def test_an_idle_login_that_ran_out_is_renewed_and_changes_go_on_arriving(servers, vcenter, second):
    keeper = second(vcenter)
    keeper.set_login_timeout(IDLE_S)
    api = servers().admin()
    provider = api.wait_provider(api.add_provider("vc", vcenter.url)["id"])
    time.sleep(IDLE_S * 3)  # the change feed may keep the login alive, or it may not: both are allowed

    changer = second(vcenter)
    vm = changer.vms()[0]
    changer.power_off(vm)
    wait_for(lambda: api.read(f"/vms/native:vc:{vm._moId}")["power_state"] == "off", "the change should arrive", 60)
    assert api.provider(provider["id"])["state"] == "connected"
    assert api.count("vms") == 6
    assert not [v for v in api.items("vms", view="full") if v["presence"] != "present"], "nothing may become missing"


def test_an_action_with_a_login_that_ran_out_succeeds(servers, vcenter, second, proxies):
    proxy = proxies(vcenter)
    second(vcenter).set_login_timeout(IDLE_S)
    api = servers().admin()
    api.wait_provider(api.add_provider("vc", proxy.url, tls={"mode": "pin", "pins": [proxy.sha256]})["id"])
    vm = api.one("vms", "DC0_H0_VM0")
    for state, action in (("off", "stop"), ("running", "start")):
        time.sleep(IDLE_S + 1.5)
        api.done("vms", vm["id"], action)
        assert api.read(f"/vms/{vm['id']}")["power_state"] == state


def test_a_terminated_login_is_renewed_once_and_no_change_is_missed(servers, vcenter, second):
    api = servers().admin()
    provider = api.wait_provider(api.add_provider("vc", vcenter.url)["id"])
    client = second(vcenter)
    vm = client.vms()[0]
    vcenter.reset_calls()
    assert client.terminate_others() >= 1
    client.power_off(vm)  # while nobody of ours listens
    wait_for(lambda: api.read(f"/vms/native:vc:{vm._moId}")["power_state"] == "off", "the change should arrive", 60)
    wait_for(lambda: api.provider(provider["id"])["state"] == "connected", "connected again", 30)
    assert vcenter.calls()["soap"]["Login"] == 1, "one new login is enough"
    assert len(logins_of_ours(client)) == 1
    assert not [v for v in api.items("vms", view="full") if v["presence"] != "present"]


def test_a_login_terminated_while_tasks_run_loses_no_task(servers, vcenter, second):
    api = servers().admin()
    api.wait_provider(api.add_provider("vc", vcenter.url)["id"])
    vcenter.delay(PowerOffVM_Task=500)
    vms = api.items("vms")
    tasks = [api.act("vms", vm["id"], "stop")["id"] for vm in vms]
    client = second(vcenter)
    client.terminate_others()
    ends = [api.wait_task(task, 120) for task in tasks]
    assert [t["state"] for t in ends] == ["succeeded"] * len(vms), ends
    assert {v["power_state"] for v in api.items("vms")} == {"off"}
    twice = {k: n for k, n in vcenter.calls()["objects"].items() if k.startswith("PowerOff") and n > 2}
    assert not twice, "a power call may be repeated once after a refused login, not more"


def test_a_changed_password_stops_retries_until_it_is_corrected(servers, vcenters):
    vcenter = vcenters(username="svc", password="first-secret")
    api = servers().admin()
    provider = api.wait_provider(
        api.add_provider("vc", vcenter.url, username="svc", password="first-secret")["id"])
    vcenter.flags["password"] = "second-secret"
    vcenter.restart()
    api.wait_provider(provider["id"], "auth_failed", 90)
    vcenter.reset_calls()
    time.sleep(5)
    assert vcenter.calls()["soap"].get("Login", 0) == 0, "further tries would lock the account"
    vm = api.items("vms", view="full")[0]
    assert vm["stale"] is True and vm["presence"] == "present" and vm["name"], "what is known stays readable"
    reason = api.provider(provider["id"])["state_reason"]
    assert reason["code"] == "provider-auth-failed" and reason["remedy"], reason
    answer = api.patch(f"/providers/{provider['id']}", {"password": "second-secret"})
    assert answer.status_code == 200, answer.text
    api.wait_provider(provider["id"], "connected", 60)
    wait_for(lambda: not api.items("vms", view="full")[0]["stale"], "fresh again", 60)
