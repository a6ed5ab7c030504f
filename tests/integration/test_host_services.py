# SPDX-License-Identifier: Apache-2.0
"""Services of hosts are started, stopped, restarted and told when to start; what keeps that from happening is said."""

import pytest

from support.client import problem, said
from support.hyperv_api import Estate
from support.wait import wait_for

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def hv(module_servers, tmp_path_factory):
    made = Estate(module_servers("hv"), tmp_path_factory.mktemp("hv"), hosts=1, vms=2, speed=50, settings={"outcome_wait_s": 2})
    yield made
    made.close()


@pytest.fixture(autouse=True)
def no_faults(request):
    yield
    if "hv" in request.fixturenames:
        request.getfixturevalue("hv").control.no_faults()


def service(hv, name):
    return next(s for s in hv.api.items("host-services", view="full") if s["name"] == name)


def path(hv, name, verb):
    return f"/host-services/{service(hv, name)['id']}/actions/{verb}"


def act(hv, name, verb, body=None):
    """The record is not older than the task."""
    task = hv.end("post", path(hv, name, verb), body or {}, timeout=120)
    return task, service(hv, name)


def effects(hv, name):
    return [e for e in hv.control.effects() if e["what"] == "service changed" and e["target"] == name]


def test_a_service_is_stopped_and_started_and_shown_as_it_is_when_the_task_ends(hv):
    task, now = act(hv, "W32Time", "stop")
    assert task["state"] == "succeeded" and task["changed"] and now["state"] == "stopped", task
    task, now = act(hv, "W32Time", "stop")
    assert task["state"] == "succeeded" and not task["changed"]
    task, now = act(hv, "W32Time", "start")
    assert task["state"] == "succeeded" and task["changed"] and now["state"] == "running", task
    assert [e["state"] for e in effects(hv, "W32Time")] == ["Stopped", "Running"]


def test_a_restart_waits_until_it_has_stopped(hv):
    hv.control.reset()
    task, now = act(hv, "W32Time", "restart")
    assert task["state"] == "succeeded" and now["state"] == "running", task
    calls = [c["method"] for c in hv.control.ledger() if c["method"] in ("StartService", "StopService")]
    assert calls == ["StopService", "StartService"]
    act(hv, "W32Time", "stop")
    hv.control.reset()
    task, now = act(hv, "W32Time", "restart")
    assert task["state"] == "succeeded" and now["state"] == "running"
    assert hv.calls("StopService") == 0, "what stands still is started"


def test_when_it_starts_is_changed_and_a_disabled_one_says_what_to_do(hv):
    act(hv, "W32Time", "stop")
    task, now = act(hv, "W32Time", "set_start", {"start_mode": "disabled"})
    assert task["state"] == "succeeded" and now["start_mode"] == "disabled" and now["state"] == "stopped", task
    task, now = act(hv, "W32Time", "start")
    assert task["state"] == "failed" and now["state"] == "stopped"
    error = task["error"]
    assert "disabled" in error["detail"] and "manual or automatic" in error["remedy"] and error["provider"]["native_code"] == "14 Service Disabled"
    task, now = act(hv, "W32Time", "set_start", {"start_mode": "automatic"})
    assert now["start_mode"] == "automatic", task
    assert act(hv, "W32Time", "set_start", {"start_mode": "automatic"})[0]["changed"] is False
    assert act(hv, "W32Time", "start")[1]["state"] == "running"
    answer = hv.api.post(path(hv, "W32Time", "set_start"), {"start_mode": "on_demand"})
    assert answer.status_code == 422 and answer.json()["errors"][0]["pointer"] == "/start_mode", said(answer)
    answer = hv.api.post(path(hv, "W32Time", "set_start"), {"start_mode": "sometimes"})
    assert answer.status_code == 422 and answer.json()["errors"][0]["pointer"] == "/start_mode"


@pytest.mark.parametrize("value, code, words, remedy", [
    (2, "provider-permission", "access is denied", "right to control"),
    (3, "conflict", "depend on it", "Stop the services that depend on it first."),
    (7, None, "did not answer in time", "event log"),
    (11, "object-busy", "is locked", "Try again"),
    (99, "provider-error", "refused (99)", None),
])
def test_what_windows_answers_is_said_with_its_number_and_what_to_do(hv, value, code, words, remedy):
    hv.control.fault("StopService", returns=value, count=1)
    task, now = act(hv, "W32Time", "stop")
    assert task["state"] == "failed" and now["state"] == "running", task
    assert words in task["error"]["detail"], task["error"]
    assert code is None or task["error"]["code"] == code, task["error"]
    assert remedy is None or remedy in task["error"]["remedy"], task["error"]
    assert value == 99 or task["error"]["provider"]["native_code"].startswith(f"{value} ")


@pytest.mark.parametrize("when, done", [("before", False), ("after", True)])
def test_a_cut_connection_is_looked_at_and_nothing_sent_twice(hv, when, done):
    hv.control.reset()
    hv.control.fault("StopService", drop=when, count=1)
    task, now = act(hv, "W32Time", "stop")
    assert (task["state"] == "succeeded") == done and now["state"] == ("stopped" if done else "running"), task
    assert hv.calls("StopService") == 1
    act(hv, "W32Time", "start")


def test_what_the_host_needs_is_stopped_by_force_alone_and_our_own_way_never(hv):
    reasons = {a["name"]: a for a in hv.api.items(f"host-services/{service(hv, 'vmms')['id']}/actions")}
    assert "needs force" in reasons["host.service.stop"]["reason"] and reasons["host.service.stop"]["allowed_now"]
    answer = hv.api.post(path(hv, "vmms", "stop"), {})
    assert answer.status_code == 409 and answer.json()["errors"][0]["pointer"] == "/force", said(answer)
    assert "needs this service" in answer.json()["detail"] and effects(hv, "vmms") == []
    for verb in ("stop", "restart"):
        task, now = act(hv, "WinRM", verb, {"force": True})
        assert task["state"] == "failed" and now["state"] == "running"
        assert "managed through this service" in task["error"]["detail"] and "at the host itself" in task["error"]["remedy"]
    task, _ = act(hv, "WinRM", "set_start", {"start_mode": "disabled"})
    assert task["state"] == "failed" and effects(hv, "WinRM") == []
    task, now = act(hv, "vmms", "stop", {"force": True})
    assert task["state"] == "succeeded" and now["state"] == "stopped", task
    task, now = act(hv, "vmms", "start")
    assert task["state"] == "succeeded" and now["state"] == "running", task
    wait_for(lambda: hv.api.items("vms"), "the VMs are there again", 60)


def test_a_rehearsal_names_the_call_and_changes_nothing(hv):
    plan = hv.api.post(path(hv, "W32Time", "stop") + "?dry_run=true", {}).json()["plan"][0]
    assert plan["before"] == {"state": "running"} and plan["after"] == {"state": "stopped"}
    assert plan["native_calls"][0]["operation"].endswith("StopService")
    assert service(hv, "W32Time")["state"] == "running"


def test_bulk_and_rights(hv, request):
    both = [service(hv, n)["id"] for n in ("W32Time", "MSiSCSI")]
    task = hv.end("post", "/bulk", {"action": "host.service.restart", "targets": both}, timeout=120)
    assert task["state"] == "succeeded", task
    assert {service(hv, n)["state"] for n in ("W32Time", "MSiSCSI")} == {"running"}
    assert hv.api.post("/users", {"name": "op", "password": "long-enough-password-7", "role": "operator"}).status_code == 201
    who = hv.server.login("op", "long-enough-password-7")
    problem(who.post(path(hv, "W32Time", "stop"), {}), 403, "forbidden")


@pytest.mark.parametrize("family, start, none", [("vmware", "on_demand", "disabled"), ("hyperv", "disabled", "on_demand")])
def test_simulated_hosts_do_it_as_their_family_does(servers, family, start, none):
    api = servers(demo=True).admin()
    found = next(s for s in api.items("host-services", filter=f"provider.family:{family} required:false", view="full") if s["state"] == "running")
    at = f"/host-services/{found['id']}"

    def do(verb, **body):
        answer = api.post(f"{at}/actions/{verb}", body)
        assert answer.status_code in (200, 202), said(answer)
        assert api.wait_task(answer.json()["id"])["state"] == "succeeded"
        return api.read(at)

    assert do("stop")["state"] == "stopped" and do("restart")["state"] == "running"
    assert do("set_start", start_mode=start)["start_mode"] == start
    assert api.post(f"{at}/actions/set_start", {"start_mode": none}).status_code == 422
    others = [s for s in api.items("host-services", filter=f"provider.family:{family} name:{found['name']}", view="full") if s["id"] != found["id"]]
    assert all(s["start_mode"] == found["start_mode"] for s in others), "of this host alone"
