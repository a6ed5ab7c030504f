# SPDX-License-Identifier: Apache-2.0
"""Misbehaviour of the Hyper-V fake on demand: faults, delays, cuts, lost jobs, hosts that go away, other certificates."""

import pytest
import requests

from support.certs import served_sha256
from support.hyperv import HypervFake
from support.wait import wait_equal
from support.wsman import CIMV2, V2, WsMan, setting_ref, vm_ref

VSMS = "Msvm_VirtualSystemManagementService"


@pytest.fixture
def fake(tmp_path):
    with HypervFake(tmp_path, hosts=2, vms=20, speed=20) as running:
        yield running


@pytest.fixture
def host(fake):
    return fake.hosts[0]


@pytest.fixture
def client(host):
    return WsMan(host)


def off(host):
    return next(v for v in host.vms() if v.state == "off")


def start(client, vm):
    return client.invoke("Msvm_ComputerSystem", "RequestStateChange", {"RequestedState": 2}, vm_ref(vm.id).keys)


def test_a_fault_is_given_as_often_as_asked_and_where_asked(fake, host, client):
    rule = fake.control.fault("RequestStateChange", host=host.name, count=1, fault={
        "subcode": "w:AccessDenied", "code": "0x80041003", "text": "Access is denied.", "provider": True})
    vm = off(host)
    answer = start(client, vm)
    assert (answer.fault, answer.code) == ("w:AccessDenied", 0x80041003)
    client.done(start(client, vm))
    assert fake.control.hits(rule) == 1


def test_a_delay_beyond_the_time_limit_is_a_time_out_and_the_effect_happens_all_the_same(fake, host, client):
    fake.control.fault("RequestStateChange", delay=600, count=1)
    client.timeout = "PT0.3S"
    vm = off(host)
    assert start(client, vm).code == 0x80338029
    wait_equal(lambda: host.vm(vm.id).state, "running", "the start goes on in the host")


@pytest.mark.parametrize("when, state", [("before", "off"), ("after", "running")])
def test_a_connection_drops_before_or_after_the_effect(fake, host, client, when, state):
    fake.control.fault("RequestStateChange", drop=when, count=1)
    vm = off(host)
    with pytest.raises(requests.ConnectionError):
        start(client, vm)
    wait_equal(lambda: host.vm(vm.id).state, state, "the effect")
    causes = [e["cause"] for e in fake.control.effects(what="state", target=vm.id)]
    assert causes == ([] if when == "before" else ["Msvm_ComputerSystem.RequestStateChange"] * 2)


def test_a_job_ends_with_an_exception_and_errors(fake, host, client):
    fake.control.fault("RequestStateChange", count=1, job={"code": 32768, "message": "It failed.", "errors": ["First.", "Then."]})
    vm = off(host)
    answer = start(client, vm)
    job = client.finish(answer)
    assert (job["JobState"], job["ErrorCode"], job["ErrorDescription"]) == ("10", "32768", "It failed.")
    assert "First." in str(client.invoke("Msvm_ConcreteJob", "GetErrorEx", {}, answer.job[1]).out["Errors"])
    assert host.vm(vm.id).state == "off"


@pytest.mark.parametrize("job, state, code, power", [
    ({"no_effect": True}, "7", "0", "off"), ({"state": 7, "code": 32768, "message": "No."}, "7", "32768", "running"),
    ({"state": 32768, "code": 0}, "32768", "0", "running")], ids=["nothing done", "completed with a code", "warnings"])
def test_a_job_completes_otherwise_than_it_should(fake, host, client, job, state, code, power):
    fake.control.fault("RequestStateChange", count=1, job=job)
    vm = off(host)
    row = client.finish(start(client, vm))
    assert (row["JobState"], row["ErrorCode"]) == (state, code)
    assert host.vm(vm.id).state == power


def test_a_provider_that_does_not_load(host, client):
    host.settings(provider_failure=True)
    assert client.enumerate_answer(V2 + "Msvm_ComputerSystem").code == 0x80041013
    assert client.enumerate("Win32_OperatingSystem", space=CIMV2)


def test_a_host_reboots(host, client):
    vm = off(host)
    answer = client.done(start(client, vm))
    host.change(vm.id, notes="before")
    host.reboot()
    client.http.close()  # a connection that the reboot cut may look alive for a moment
    assert client.get(*answer.job).fault == "a:DestinationUnreachable"
    assert {v.state for v in host.vms()} <= {"running", "off", "saved"} and host.state()["jobs"] == {}


def test_a_job_vanishes_while_it_is_followed(fake, host, client):
    fake.control.fault("RequestStateChange", count=1, job={"vanish": True})
    vm = off(host)
    uri, keys = start(client, vm).job
    wait_equal(lambda: host.vm(vm.id).state, "running", "the start")
    assert client.get(uri, keys).fault == "a:DestinationUnreachable"


def test_a_return_value_without_effect(fake, host, client):
    fake.control.fault("RequestStateChange", returns=32775, count=1)
    vm = off(host)
    assert start(client, vm).returned == 32775 and host.vm(vm.id).state == "off"


def test_a_job_can_be_cancelled_or_not(fake, host, client):
    fake.control.fault("CreateVirtualHardDisk", job={"seconds": 2000})
    from support.wsman import instance
    answer = client.service("Msvm_ImageManagementService", "CreateVirtualHardDisk", {"VirtualDiskSettingData": instance(
        "Msvm_VirtualHardDiskSettingData", Path=("string", "D:\\slow.vhdx"), Type=("uint16", 3), Format=("uint16", 3),
        MaxInternalSize=("uint64", 1 << 30))})
    assert client.invoke("Msvm_StorageJob", "RequestStateChange", {"RequestedState": 4}, answer.job[1]).returned == 0
    assert client.get(*answer.job).rows()[0]["JobState"] == "8"
    assert "D:\\slow.vhdx" not in host.state()["files"]
    fake.control.fault("RequestStateChange", class_="Msvm_ComputerSystem", job={"seconds": 40})
    state = start(client, off(host))
    refused = client.invoke("Msvm_ConcreteJob", "RequestStateChange", {"RequestedState": 4}, state.job[1])
    assert refused.returned == 4097


def test_writes_during_a_transition_are_refused(fake, host, client):
    fake.control.fault("RequestStateChange", job={"seconds": 30})
    vm = off(host)
    answer = start(client, vm)
    assert host.vm(vm.id).state == "starting"
    assert start(client, vm).returned == 32775
    client.done(answer)


def test_a_cut_answer_and_a_plain_status(fake, host, client):
    fake.control.fault(action="Get", cut=200, count=1)
    with pytest.raises(requests.RequestException):
        client.get(CIMV2 + "Win32_OperatingSystem")
    fake.control.fault(action="HTTP", status=503, count=1)
    assert client.identify().status == 503
    fake.control.fault(action="HTTP", status=401, count=1)
    assert client.identify().status == 401
    assert client.identify().status == 200


def test_a_host_without_wql_one_with_odd_prefixes_and_one_that_gives_single_items(host, client):
    expected = client.enumerate("Msvm_ComputerSystem")
    host.settings(wql=False)
    assert client.enumerate_answer(V2 + "*", query="SELECT * FROM Msvm_ComputerSystem").fault == "n:CannotProcessFilter"
    host.settings(wql=True, prefixes="odd", one_item=True, changing_contexts=True)
    odd = client.enumerate_answer(V2 + "Msvm_ComputerSystem")
    assert "soap:Envelope" in odd.text and len(odd.rows()) == 1
    names = sorted(r["Name"] for r in client.enumerate("Msvm_ComputerSystem"))
    assert names == sorted(r["Name"] for r in expected)


def test_a_stopped_service_leaves_empty_lists(host, client):
    host.settings(vmms_running=False)
    assert client.enumerate(VSMS) == [] and len(client.enumerate("Msvm_ComputerSystem")) == 1
    service = client.query("SELECT * FROM Win32_Service WHERE Name = 'vmms'", CIMV2)
    assert service[0]["State"] == "Stopped"
    assert client.service(VSMS, "GetSummaryInformation", {}).fault == "a:DestinationUnreachable"


def test_a_host_goes_down_and_comes_back_on_its_port(host, client):
    assert client.identify().status == 200
    host.down()
    with pytest.raises(requests.ConnectionError):
        client.identify()
    host.up()
    assert client.identify().status == 200


def test_the_certificate_changes_and_expires(host):
    before = host.cert_sha256
    assert served_sha256("127.0.0.1", host.port) == before
    assert host.certificate(expired=True) != before
    assert served_sha256("127.0.0.1", host.port) == host.cert_sha256


def test_failed_sign_ins_lock_the_account(fake, host):
    host.settings(lockout=3)
    for _ in range(3):
        assert WsMan(host, password="wrong").identify().status == 401
    assert WsMan(host).identify().status == 401
    host.settings(locked_until=0, failed_logons=0)
    assert WsMan(host).identify().status == 200
    assert fake.control.counts()["logons"]["failed"] == 4


def test_what_somebody_does_at_the_host_is_seen(host, client):
    made = host.new_vm(name="by hand", generation=2, disk="D:\\hand.vhdx", switch="External", state="running")
    host.new_checkpoint(made["id"], "before the change")
    host.change(made["id"], name="renamed by hand")
    row = client.get(V2 + "Msvm_ComputerSystem", vm_ref(made["id"]).keys).rows()[0]
    assert (row["ElementName"], row["EnabledState"]) == ("renamed by hand", "2")
    assert client.get(V2 + "Msvm_VirtualSystemSettingData", setting_ref(
        "x", "Microsoft:" + host.vm(made["id"]).snapshots[0]["id"]).keys).rows()[0]["ElementName"] == "before the change"
    host.remove_vm(made["id"])
    assert client.get(V2 + "Msvm_ComputerSystem", vm_ref(made["id"]).keys).fault == "a:DestinationUnreachable"


def test_the_ledger_knows_every_request_and_can_be_reset(fake, host, client):
    fake.control.reset()
    client.enumerate("Msvm_ComputerSystem")
    client.get(V2 + "Msvm_ComputerSystem", {"CreationClassName": "Msvm_ComputerSystem", "Name": host.name})
    client.service(VSMS, "GetSummaryInformation", {"RequestedInformation": [0]})
    rows = fake.control.ledger(host=host.name)
    assert [(r["action"], r["class"], r["method"]) for r in rows] == [
        ("Enumerate", "Msvm_ComputerSystem", None), ("Get", "Msvm_ComputerSystem", None),
        ("Invoke", VSMS, "GetSummaryInformation")]
    assert rows[1]["selectors"]["Name"] == host.name and rows[0]["bytes_in"] > 500
    assert fake.control.counts()["by"][f"{VSMS}.GetSummaryInformation"] == 1
    fake.control.reset()
    assert fake.control.ledger() == []


def test_texts_of_a_guest_may_break_xml(host, client):
    host.settings(summary_bad_text=True)
    got = client.http.post(client.url, data=client.message(
        f"{V2}{VSMS}/GetSummaryInformation", V2 + VSMS, f'<p:GetSummaryInformation_INPUT xmlns:p="{V2}{VSMS}">'
        "<p:RequestedInformation>3</p:RequestedInformation></p:GetSummaryInformation_INPUT>",
        {"CreationClassName": VSMS}).encode(), headers={"Content-Type": "application/soap+xml;charset=UTF-8"})
    assert b"\x0b" in got.content


def test_a_cluster_shows_roles_and_moves_them(tmp_path):
    with HypervFake(tmp_path / "cluster", hosts=3, vms=12, cluster=2, speed=20) as fake:
        client = WsMan(fake.hosts[0])
        space = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/mscluster/"
        groups = [g for g in client.enumerate("MSCluster_ResourceGroup", space=space) if g["GroupType"] == "111"]
        assert len(groups) == 4 and len(client.enumerate("MSCluster_Node", space=space)) == 2
        group = next(g for g in groups if g["OwnerNode"] == fake.hosts[0].name and g["State"] == "0")
        moved = client.invoke("MSCluster_ResourceGroup", "MoveToNewNode", {"NodeName": fake.hosts[1].name},
                              {"Name": group["Name"]}, space)
        assert moved.returned == 0 and fake.hosts[1].vm(group["Name"]).state
        outside = WsMan(fake.hosts[2]).enumerate_answer(space + "MSCluster_Cluster")
        assert outside.code == 0x8004100E
