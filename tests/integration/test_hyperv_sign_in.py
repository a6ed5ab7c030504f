# SPDX-License-Identifier: Apache-2.0
"""Passwords that change on the host, and how often anybody signs in: counted by the host."""

import os
import signal
import threading

import pytest

from support.certs import Certificate
from support.hyperv_api import Estate
from support.wait import wait_for

pytestmark = pytest.mark.timeout(400)


def logons(hv):
    return hv.control.counts()["logons"]


def refusals(hv):
    return logons(hv).get("failed", 0)


def state(hv, provider):
    return hv.api.provider(provider["id"])["state"]


@pytest.mark.parametrize("settings", [{}, {"auth": "ntlm", "events": False}, {"auth": "basic"}], ids=["negotiate", "ntlm", "basic"])
def test_a_password_changed_in_mid_work_is_refused_once(module_servers, tmp_path, settings):
    """All connections are busy and have to sign in again: one alone finds out, and tells the others."""
    hv = Estate(module_servers("auth"), tmp_path / "f", add=False, hosts=1, vms=12, speed=50, settings=settings)
    try:
        hv.host.settings(basic=True, lockout=2)
        provider = hv.add(hv.host)
        vms = [v for v in hv.api.items("vms", view="full", filter=f"provider:{provider['id']}") if v["power_state"] == "off"]
        assert len(vms) >= 2
        hv.control.fault(action="HTTP", delay=150)
        sent, done = [], threading.Event()

        def work():
            api = hv.server.admin()
            for turn in range(4):
                for vm in vms:
                    answer = api.post(f"{hv.path(vm)}/snapshots", {"name": f"s{turn}"})
                    if answer.status_code == 202:
                        sent.append(answer.json()["id"])
                if done.is_set():
                    return

        worker = threading.Thread(target=work)
        worker.start()
        wait_for(lambda: hv.calls("CreateSnapshot") > 0, "work should be under way", 60)
        hv.host.settings(password="changed")
        hv.host.drop()
        wait_for(lambda: state(hv, provider) == "auth_failed", "the provider should say so", 120)
        done.set()
        worker.join()
        for vm in vms:  # and whatever is asked for after that
            hv.send("post", f"{hv.path(vm)}/actions/start")
            hv.send("post", f"{hv.path(vm)}/actions/sync")
        wait_for(lambda: not hv.api.items("tasks", filter="state:running"), "what was under way should end", 120)
        assert refusals(hv) == 1, [e for e in hv.control.effects() if e["what"] == "logon failed"]

        # Somebody asks: once more.
        hv.control.no_faults()
        hv.api.post(f"/providers/{provider['id']}/actions/sync")
        wait_for(lambda: refusals(hv) == 2, "who asks is heard", 60)
        wait_for(lambda: state(hv, provider) == "auth_failed", "the provider should say so", 60)

        # Neither the end of the driver's process nor that of the server is somebody asking.
        ended = hv.server.driver_hosts()
        for pid in ended:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not set(ended) & set(hv.server.driver_hosts()), "the driver's process should be gone", 60)
        hv.server.stop()
        hv.server.start()
        hv.again()
        assert state(hv, provider) == "auth_failed" and refusals(hv) == 2

        # The right password, at last (the host has locked the account meanwhile, and lets it in again).
        hv.host.settings(lockout=0, locked_until=0)
        answer = hv.api.patch(f"/providers/{provider['id']}", {"password": "changed"})
        assert answer.status_code == 200, answer.text
        wait_for(lambda: state(hv, provider) == "connected", "the new password should do", 60)
        assert refusals(hv) == 2
        hv.do("post", f"{hv.path(vms[0])}/actions/rename", {"name": "after"})
    finally:
        hv.close()


def test_a_host_whose_certificate_changed_is_told_nothing_until_somebody_accepts_it(servers, tmp_path):
    hv = Estate(servers("changed"), tmp_path / "f", hosts=1, vms=3, speed=50)
    try:
        provider, vm = hv.providers[0], hv.off()
        new = hv.host.certificate()
        hv.control.reset()
        status, task = hv.send("post", f"{hv.path(vm)}/actions/start")
        assert status == 202, task
        wait_for(lambda: state(hv, provider) == "cert_changed", "the changed certificate", 60)
        assert "not the one that was pinned" in hv.api.provider(provider["id"])["state_reason"]["detail"]
        assert not hv.control.ledger(), "neither a password nor a request reaches a host that may be another one"
        wait_for(lambda: hv.api.task(task["id"])["state"] in ("queued", "waiting"), "the task should wait", 60)
        assert hv.real(vm["name"]).state == "off"
        assert hv.api.patch(f"/providers/{provider['id']}", {"tls": {"mode": "pin", "pins": [new]}}).status_code == 200
        hv.api.wait_provider(provider["id"], timeout=60)
        assert hv.api.wait_task(task["id"], 60)["state"] == "succeeded" and hv.calls("RequestStateChange") == 1
    finally:
        hv.close()


def test_a_pull_of_events_that_waits_holds_up_nobody(servers, tmp_path):
    """On a host where every request signs in: who waits for an event does not keep the others from signing in."""
    hv = Estate(servers("pull"), tmp_path / "f", add=False, hosts=1, vms=4, speed=50, settings={"auth": "ntlm", "poll_interval_s": 60})
    try:
        hv.host.settings(each_request=True)
        hv.add(hv.host)
        vm = hv.off()

        def pulls():
            return sum(1 for row in hv.control.ledger() if row.get("action") == "Pull")

        hv.control.fault(action="Pull", delay=120000)
        wait_for(lambda: pulls() > 1, "events should be waited for", 120)
        before = pulls()
        for n in range(4):
            hv.do("post", f"{hv.path(vm)}/actions/rename", {"name": f"meanwhile{n}"}, timeout=120)
        assert pulls() - before < 4, "an operation waits for the end of a pull"
    finally:
        hv.close()


@pytest.mark.parametrize("scheme", ["NTLM, encrypted messages", "NTLM without filters", "Basic", "certificate"])
def test_the_server_works_with_every_scheme(servers, tmp_path, scheme):
    """Inventory, an operation with jobs and a large answer, over connections that have to sign in anew on the way."""
    plain = scheme == "NTLM, encrypted messages"
    hv = Estate(servers("scheme"), tmp_path / "f", add=False, hosts=1, vms=12, speed=50, http=plain)
    try:
        settings, secret, tls = {"auth": "ntlm"}, hv.host.password, {"mode": "pin", "pins": [hv.host.cert_sha256]}
        if plain:
            settings, tls = {"auth": "ntlm", "encryption": "message"}, None
        elif scheme == "NTLM without filters":
            hv.host.settings(wql=False, associations=False, each_request=True)
        elif scheme == "Basic":
            hv.host.settings(basic=True, negotiate=False)
            settings = {"auth": "basic"}
        elif scheme == "certificate":
            mine = Certificate(tmp_path, "mine")
            hv.host.certificate(keep=True, clients=[mine.cert_file.read_text()])
            settings, secret = {"auth": "certificate", "client_certificate": mine.cert_file.read_text()}, mine.key_file.read_text()
        provider = hv.api.add_provider("one", hv.host.url, hv.host.user, secret, driver="wmi", tls=tls,
                                       settings={"poll_interval_s": 10, **settings})
        hv.api.wait_provider(provider["id"], timeout=60)
        assert len(hv.api.items("vms")) == 12
        vm = hv.off()
        hv.do("post", f"{hv.path(vm)}/disks", {"capacity_bytes": 1 << 30})
        hv.host.drop()
        hv.do("post", f"{hv.path(vm)}/actions/start")
        assert hv.api.get(f"{hv.path(vm)}/screenshot", width=80, height=60).content.startswith(b"\x89PNG")
        assert hv.host.vm(vm["native"]["id"]).state == "running" and refusals(hv) == 0
    finally:
        hv.close()
