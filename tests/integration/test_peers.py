# SPDX-License-Identifier: Apache-2.0
"""The peers themselves: a simulator or proxy that does not do what it is told would make every other test worthless."""

import http.client
import time

import pytest
from pyVmomi import vim

from support.certs import served_sha256
from support.vsphere import SecondClient


@pytest.fixture(scope="module")
def vcenter(module_vcenters):
    return module_vcenters()


@pytest.fixture
def proxy(proxies, vcenter):
    return proxies(vcenter)


def test_vcsim_counts_calls_per_method_and_per_object(vcenter):
    with SecondClient(vcenter.url) as client:
        vm = client.vms()[0]
        vcenter.reset_calls()
        client.power_off(vm)
        client.power_on(vm)
        calls = vcenter.calls()
    assert calls["soap"]["PowerOffVM_Task"] == 1
    assert calls["objects"] == {f"PowerOffVM_Task {vm._moId}": 1, f"PowerOnVM_Task {vm._moId}": 1}
    assert calls["bytes_out"] > 0


def test_vcsim_answers_the_fault_it_was_told_as_often_as_it_was_told(vcenter):
    with SecondClient(vcenter.url) as client:
        vm = client.vms()[0]
        vcenter.fault("PowerOffVM_Task", "NoPermission", max=1)
        with pytest.raises(vim.fault.NoPermission):
            vm.PowerOffVM_Task()
        client.power_off(vm)
        client.power_on(vm)
        vcenter.no_faults()


def test_vcsim_delays_only_the_method_it_was_told(vcenter):
    with SecondClient(vcenter.url) as client:
        vm = client.vms()[0]
        vcenter.delay(PowerOffVM_Task=700)
        began = time.monotonic()
        client.power(vm)
        middle = time.monotonic()
        client.power_off(vm)
        end = time.monotonic()
        vcenter.delay()
        client.power_on(vm)
    assert end - middle >= 0.7 > middle - began


def test_vcsim_can_let_a_task_run_long_while_its_call_answers_at_once(vcenter):
    with SecondClient(vcenter.url) as client:
        vm = client.vms()[0]
        vcenter.delay(tasks={"PowerOff": 700})
        began = time.monotonic()
        task = vm.PowerOffVM_Task()
        answered = time.monotonic()
        assert client.power(vm) == "poweredOn", "the VM can be read while its task runs"
        client.wait(task)
        end = time.monotonic()
        vcenter.delay()
        client.power_on(vm)
    assert end - began >= 0.7 > answered - began


def test_vcsim_comes_back_on_the_same_port_and_leaves_no_files(vcenters):
    vcenter = vcenters(vm=1)
    url = vcenter.url
    vcenter.restart()
    assert vcenter.url == url
    folders = [p for p in vcenter.folder.iterdir() if p.is_dir()]
    vcenter.stop()
    assert folders and not any(list(p.iterdir()) for p in folders)


def test_a_login_can_run_out_and_be_terminated(vcenters):
    vcenter = vcenters(vm=1)
    with SecondClient(vcenter.url) as admin, SecondClient(vcenter.url) as other:
        assert admin.terminate_others() == 1
        with pytest.raises(vim.fault.NotAuthenticated):
            other.si.CurrentTime()
        admin.set_login_timeout(1)
        with SecondClient(vcenter.url) as short:
            time.sleep(2.5)
            with pytest.raises(vim.fault.NotAuthenticated):
                short.si.CurrentTime()


def test_the_second_client_reads_events_and_snapshots(vcenter):
    with SecondClient(vcenter.url) as client:
        vm = client.vms()[1]
        before = len([e for e in client.events(vim.event.VmPoweredOffEvent) if e.vm.vm._moId == vm._moId])
        client.power_off(vm)
        after = len([e for e in client.events(vim.event.VmPoweredOffEvent) if e.vm.vm._moId == vm._moId])
        assert after == before + 1
        assert client.snapshot(vm, "one") is not None
        client.power_on(vm)


FAULTS = [
    ("status", http.client.HTTPException, False), ("cut_before", ConnectionError, False),
    ("cut_after", ConnectionError, True), ("cut_middle", Exception, True), ("truncate", Exception, True),
    ("garble", Exception, True),
]


@pytest.mark.parametrize("action, error, forwarded", FAULTS, ids=[f[0] for f in FAULTS])
def test_the_proxy_misbehaves_once_for_the_method_it_was_told(proxy, action, error, forwarded):
    client = SecondClient(proxy.url)
    vm = client.vms()[0]
    rule = proxy.rule(action, "PowerO.*_Task", count=1)
    call = vm.PowerOffVM_Task if client.power(vm) == "poweredOn" else vm.PowerOnVM_Task
    with pytest.raises(error):
        call()
    assert proxy.hits(rule) == 1
    entry = next(e for e in proxy.ledger() if e["rule"] == rule)
    assert entry["forwarded"] is forwarded and entry["object"] == vm._moId
    assert client.power(vm)  # the next one passes


def test_the_proxy_refuses_drops_and_changes_its_certificate(proxy):
    assert served_sha256("127.0.0.1", proxy.port) == proxy.sha256
    proxy.certificate("second")
    assert served_sha256("127.0.0.1", proxy.port) == proxy.certificates["second"].sha256
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        SecondClient(proxy.url)
    proxy.refuse(False)
    with SecondClient(proxy.url) as client:
        assert client.vms()


def test_a_large_answer_passes_the_proxy_unchanged(proxy, vcenter):
    properties = ("name", "config.hardware", "config.extraConfig", "guest.net", "datastore")
    with SecondClient(proxy.url) as one, SecondClient(vcenter.url) as two:
        assert str(one.read(vim.VirtualMachine, *properties)) == str(two.read(vim.VirtualMachine, *properties))
