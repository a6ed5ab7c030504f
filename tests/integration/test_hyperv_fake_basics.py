# SPDX-License-Identifier: Apache-2.0
"""The Hyper-V fake by itself: starting, signing in, enumerating, getting, filtering, state changes."""

import re

import pytest

from support.hyperv import HypervFake
from support.wait import wait_equal
from support.wsman import CIMV2, V2, WsMan


@pytest.fixture(scope="module")
def fake(tmp_path_factory):
    with HypervFake(tmp_path_factory.mktemp("fake"), hosts=2, vms=24, speed=20) as running:
        yield running


@pytest.fixture
def client(fake):
    return WsMan(fake.hosts[0])


def test_identify_names_product_and_stack(client):
    assert "Microsoft Corporation" in client.identify().text


def test_a_wrong_password_is_refused_and_counted(fake):
    answer = WsMan(fake.hosts[0], password="wrong").identify()
    assert answer.status == 401 and not answer.text
    assert fake.control.counts()["logons"]["failed"] >= 1


def test_every_vm_and_the_host_itself_are_computer_systems(fake, client):
    names = {row["Name"] for row in client.enumerate("Msvm_ComputerSystem")}
    assert names == {vm.id for vm in fake.hosts[0].vms()} | {fake.hosts[0].name}


def test_plain_and_optimised_enumerations_give_the_same_items(client):
    plain = client.enumerate("Msvm_ProcessorSettingData", optimized=False, count=7)
    assert plain == client.enumerate("Msvm_ProcessorSettingData", count=3)
    assert len(plain) > 7


def test_a_get_needs_all_keys(fake, client):
    vm = fake.hosts[0].vms()[0]
    fault = client.get(V2 + "Msvm_ComputerSystem", {"Name": vm.id})
    assert fault.fault == "a:DestinationUnreachable"
    found = client.get(V2 + "Msvm_ComputerSystem", {"CreationClassName": "Msvm_ComputerSystem", "Name": vm.id})
    assert found.rows()[0]["ElementName"] == vm.name


def test_a_singleton_needs_no_selector(client):
    assert client.get(CIMV2 + "Win32_OperatingSystem").rows()[0]["Version"] == "10.0.20348"


def test_wql_needs_the_wildcard_uri(client):
    query = "SELECT * FROM Msvm_ComputerSystem WHERE EnabledState = 2"
    assert client.query(query)
    assert client.enumerate_answer(V2 + "Msvm_ComputerSystem", query=query).fault == "n:CannotProcessFilter"


def test_associators_find_the_settings_of_a_vm(fake, client):
    vm = fake.hosts[0].vms()[0]
    rows = client.query(f"ASSOCIATORS OF {{Msvm_ComputerSystem.CreationClassName='Msvm_ComputerSystem',Name='{vm.id}'}} "
                        "WHERE AssocClass = Msvm_SettingsDefineState ResultClass = Msvm_VirtualSystemSettingData")
    assert [row["ElementName"] for row in rows] == [vm.name]


def test_a_start_goes_through_a_job(fake, client):
    vm = next(vm for vm in fake.hosts[0].vms() if vm.state == "off")
    keys = {"CreationClassName": "Msvm_ComputerSystem", "Name": vm.id}
    answer = client.invoke("Msvm_ComputerSystem", "RequestStateChange", {"RequestedState": 2}, keys)
    assert answer.returned == 4096
    job = client.finish(answer)
    assert job["JobState"] == "7" and job["PercentComplete"] == "100"
    assert fake.hosts[0].vm(vm.id).state == "running"
    again = client.invoke("Msvm_ComputerSystem", "RequestStateChange", {"RequestedState": 2}, keys)
    assert again.returned == 32775


def test_one_summary_call_shows_all_vms(fake, client):
    answer = client.invoke("Msvm_VirtualSystemManagementService", "GetSummaryInformation",
                           {"RequestedInformation": [0, 1, 4, 100, 103, 105]},
                           {"CreationClassName": "Msvm_VirtualSystemManagementService"})
    assert answer.returned == 0
    assert len(re.findall("<p:SummaryInformation ", answer.text)) == len(fake.hosts[0].vms())


def test_a_service_method_without_selectors_is_refused(client):
    answer = client.invoke("Msvm_VirtualSystemManagementService", "GetSummaryInformation", {}, {})
    assert answer.code == 0x8004102F
    answer = client.invoke("Msvm_VirtualEthernetSwitchManagementService", "DefineSystem", {}, {})
    assert answer.fault == "w:InternalError"


def test_the_guest_shuts_down(fake, client):
    vm = next(vm for vm in fake.hosts[0].vms() if vm.state == "running")
    component = client.query(f"SELECT * FROM Msvm_ShutdownComponent WHERE SystemName = '{vm.id}'")[0]
    keys = {k: component[k] for k in ("SystemCreationClassName", "SystemName", "CreationClassName", "DeviceID")}
    answer = client.invoke("Msvm_ShutdownComponent", "InitiateShutdown", {"Force": False, "Reason": "test"}, keys)
    assert answer.returned == 0
    wait_equal(lambda: fake.hosts[0].vm(vm.id).state, "off", "the VM should be off")
