# SPDX-License-Identifier: Apache-2.0
"""The Hyper-V fake refuses what a host refuses, and answers in the shapes that recorded hosts have."""

import re

import pytest

from support.hyperv import HypervFake
from support.wait import wait_for
from support.wsman import CIMV2, N, V2, W, E, WsMan, epr, instance, object_path, setting_ref, vm_ref

VSMS = "Msvm_VirtualSystemManagementService"
SERVICE = {"CreationClassName": VSMS}


@pytest.fixture(scope="module")
def fake(tmp_path_factory):
    with HypervFake(tmp_path_factory.mktemp("fake"), hosts=1, vms=30, speed=20) as running:
        yield running


@pytest.fixture
def host(fake):
    return fake.hosts[0]


@pytest.fixture
def client(host):
    return WsMan(host)


@pytest.fixture
def vm(host):
    return next(v for v in host.vms() if v.state == "off")


def raw(client, cls, method, inner, keys):
    return client.send(f"{V2}{cls}/{method}", V2 + cls, f'<p:{method}_INPUT xmlns:p="{V2}{cls}">{inner}</p:{method}_INPUT>', keys)


# Shapes of parameters

def test_an_unknown_parameter_is_a_schema_error(client, vm):
    answer = client.invoke("Msvm_ComputerSystem", "RequestStateChange", {"RequestedState": 2, "Nonsense": 1}, vm_ref(vm.id).keys)
    assert (answer.fault, answer.code) == ("w:SchemaValidationError", 0x80338041)


def test_an_array_for_a_scalar_is_a_schema_error(client, vm):
    answer = client.invoke("Msvm_ComputerSystem", "RequestStateChange", {"RequestedState": [2, 3]}, vm_ref(vm.id).keys)
    assert answer.fault == "w:SchemaValidationError"


def test_an_epr_wrapper_in_a_reference_is_a_schema_error(client, vm):
    inner = f"<a:EndpointReference>{epr(V2 + 'Msvm_ComputerSystem', vm_ref(vm.id).keys)}</a:EndpointReference>"
    answer = raw(client, VSMS, "DestroySystem", f"<p:AffectedSystem>{inner}</p:AffectedSystem>", SERVICE)
    assert answer.fault == "w:SchemaValidationError"


def test_an_element_tree_for_an_embedded_instance_is_a_schema_error(client):
    inner = '<p:SystemSettings><q:ElementName xmlns:q="x">n</q:ElementName></p:SystemSettings>'
    assert raw(client, VSMS, "DefineSystem", inner, SERVICE).fault == "w:SchemaValidationError"


def test_a_body_of_another_class_or_method_is_a_schema_error(client, vm):
    body = f'<p:Other_INPUT xmlns:p="{V2}Msvm_ComputerSystem"/>'
    uri = V2 + "Msvm_ComputerSystem"
    assert client.send(uri + "/RequestStateChange", uri, body, vm_ref(vm.id).keys).fault == "w:SchemaValidationError"
    assert client.send(uri + "/NoSuch", uri, body, vm_ref(vm.id).keys).fault == "a:ActionNotSupported"


def modified(client, vm, text):
    return client.refused(client.service(VSMS, "ModifySystemSettings", {"SystemSettings": text}))


@pytest.mark.parametrize("properties, code", [
    ({"Notes": ("string", "scalar")}, 32776),
    ({"ElementName": ("string", ["array"])}, 32776),
    ({"ElementName": ("uint16", "n")}, 32768),
    ({"AutomaticStartupActionDelay": ("string", "00000000003000.000000:000")}, 32768),
    ({"AutomaticStartupActionDelay": ("datetime", "P0DT0H30M0S")}, 32768),
    ({"AutomaticStartupAction": ("uint16", 9)}, 32773),
    ({"LowMmioGapSize": ("uint64", 134217728)}, 32773),
    ({"NoSuchProperty": ("string", "x")}, 32773),
    ({"BootOrder": ("uint16", [7])}, 32773),
], ids=lambda v: v if isinstance(v, int) else "-".join(v))
def test_wrong_instances_end_in_the_job(client, vm, properties, code):
    text = instance("Msvm_VirtualSystemSettingData", InstanceID=("string", f"Microsoft:{vm.id}"), **properties)
    assert modified(client, vm, text) == code


def test_intervals_are_written_in_their_cim_form(client, host, vm):
    text = instance("Msvm_VirtualSystemSettingData", InstanceID=("string", f"Microsoft:{vm.id}"),
                    AutomaticStartupActionDelay=("datetime", "00000000003000.000000:000"))
    client.done(client.service(VSMS, "ModifySystemSettings", {"SystemSettings": text}))
    assert "<cim:Interval>P0DT0H30M0S</cim:Interval>" in client.get(
        V2 + "Msvm_VirtualSystemSettingData", {"InstanceID": f"Microsoft:{vm.id}"}).text


@pytest.mark.parametrize("path", ["Microsoft:nothing", "not a path", "{escaped}", "{epr}"])
def test_parents_are_object_paths_with_doubled_backslashes(client, host, vm, path):
    drive = vm.drives[0]
    good = object_path("Msvm_ResourceAllocationSettingData", InstanceID=drive)
    path = path.replace("{escaped}", good.replace("\\\\", "\\")).replace("{epr}", epr(V2 + "X", {"InstanceID": drive}))
    text = instance("Msvm_StorageAllocationSettingData", ResourceType=("uint16", 31),
                    ResourceSubType=("string", "Microsoft:Hyper-V:Virtual Hard Disk"), Parent=("string", path),
                    HostResource=("string", ["D:\\ISO\\debian-12.iso"]))
    answer = client.service(VSMS, "AddResourceSettings", {
        "AffectedConfiguration": setting_ref("Msvm_VirtualSystemSettingData", f"Microsoft:{vm.id}"), "ResourceSettings": text})
    assert client.refused(answer) == 32773


# Selectors, headers, envelopes

def test_selectors_have_to_be_right(client, vm):
    missing = client.get(V2 + "Msvm_VirtualSystemManagementService", {"Name": "vmms"})
    assert (missing.fault, missing.code) == ("w:InvalidSelectors", 0x8033805A)
    unknown = client.get(V2 + "Msvm_ComputerSystem", {"CreationClassName": "Msvm_ComputerSystem", "ElementName": vm.name})
    assert (unknown.fault, unknown.code) == ("w:InvalidSelectors", 0x8033805B)
    assert client.get(V2 + "Msvm_Nothing", {"A": "b"}).code == 0x80041010
    assert client.get("http://schemas.microsoft.com/wbem/wsman/1/wmi/root/nothing/X", {"A": "b"}).code == 0x8004100E


def test_a_pull_repeats_the_uri_of_its_enumeration(client):
    started = client.enumerate_answer(V2 + "Msvm_ComputerSystem", optimized=False)
    context = started.root.find(f".//{{{N}}}EnumerationContext").text
    pull = f"<n:Pull><n:EnumerationContext>{context}</n:EnumerationContext></n:Pull>"
    assert client.send(N + "/Pull", V2 + "Msvm_Processor", pull).code == 0x803381AD
    one = client.send(N + "/Pull", V2 + "Msvm_ComputerSystem", pull)
    assert len(one.rows()) == 1  # MaxElements is 1 when it is not given
    assert client.send(N + "/Release", V2 + "Msvm_ComputerSystem", pull.replace("Pull>", "Release>")).fault is None
    assert client.send(N + "/Pull", V2 + "Msvm_ComputerSystem", pull).fault == "n:InvalidEnumerationContext"


def test_answers_stay_below_the_envelope_of_the_client(client, host):
    client.envelope = 20000
    answer = client.enumerate_answer(V2 + "Msvm_VirtualSystemSettingData", count=1000)
    assert len(answer.text.encode()) <= 20000 and answer.root.find(f".//{{{W}}}EndOfSequence") is None
    assert len(client.all(answer, V2 + "Msvm_VirtualSystemSettingData", 1000)) >= len(host.vms())
    summary = client.invoke(VSMS, "GetSummaryInformation", {"RequestedInformation": [0, 1]}, SERVICE)
    assert summary.fault == "w:EncodingLimit"


def test_a_request_beyond_the_envelope_of_the_host_is_refused(client):
    answer = client.invoke("Msvm_Keyboard", "TypeText", {"asciiText": "x" * 600000}, {"DeviceID": "x"})
    assert (answer.fault, answer.code) == ("w:EncodingLimit", 0x80338049)


def test_a_negative_time_limit_is_no_time_limit(client):
    client.timeout = "PT-1S"
    assert client.get(CIMV2 + "Win32_OperatingSystem").code == 2150858767


def test_a_document_type_is_refused(client):
    text = client.message("http://schemas.xmlsoap.org/ws/2004/09/transfer/Get", CIMV2 + "Win32_OperatingSystem")
    assert client.post("<!DOCTYPE s:Envelope [<!ENTITY x 'y'>]>" + text).status == 400


def test_modes_of_enumeration(client, host):
    for mode, tag in (("EnumerateEPR", "EndpointReference"), ("EnumerateObjectAndEPR", "Item")):
        answer = client.enumerate_answer(V2 + "Msvm_ComputerSystem", inner=f"<w:EnumerationMode>{mode}</w:EnumerationMode>")
        items = list(answer.root.find(f".//{{{W}}}Items"))
        assert len(items) == len(host.vms()) + 1 and {i.tag.rpartition("}")[2] for i in items} == {tag}
    deep = client.enumerate("CIM_ResourceAllocationSettingData")
    assert len(deep) > 10 * len(host.vms())
    shallow = client.all(client.enumerate_answer(
        V2 + "CIM_ResourceAllocationSettingData", inner="<b:PolymorphismMode>None</b:PolymorphismMode>"), V2)
    assert shallow == []


def test_the_association_dialect_finds_what_wql_finds(client, vm):
    inner = (f"<b:AssociatedInstances><b:Object>{epr(V2 + 'Msvm_ComputerSystem', vm_ref(vm.id).keys)}</b:Object>"
             "<b:AssociationClassName>Msvm_SettingsDefineState</b:AssociationClassName>"
             "<b:ResultClassName>Msvm_VirtualSystemSettingData</b:ResultClassName></b:AssociatedInstances>")
    dialect = "http://schemas.dmtf.org/wbem/wsman/1/cimbinding/associationFilter"
    body = (f'<n:Enumerate><w:OptimizeEnumeration/><w:MaxElements>50</w:MaxElements><w:Filter Dialect="{dialect}">{inner}'
            "</w:Filter></n:Enumerate>")
    answer = client.send(N + "/Enumerate", V2 + "*", body)
    assert [r["InstanceID"] for r in answer.rows()] == [f"Microsoft:{vm.id}"]
    links = client.send(N + "/Enumerate", V2 + "*", body.replace("AssociatedInstances", "AssociationInstances").replace(
        "<b:AssociationClassName>Msvm_SettingsDefineState</b:AssociationClassName>", "").replace(
        "Msvm_VirtualSystemSettingData", "Msvm_SettingsDefineState"))
    assert links.rows()[0]["SettingData"] == {"InstanceID": f"Microsoft:{vm.id}"}


def test_wql_knows_conditions_and_refuses_nonsense(client, host):
    names = sorted(v.name for v in host.vms() if v.state == "running" and v.name.startswith("web"))
    rows = client.query("SELECT * FROM Msvm_ComputerSystem WHERE EnabledState = 2 AND ElementName LIKE 'web%'")
    assert sorted(r["ElementName"] for r in rows) == names
    assert client.query("SELECT * FROM Msvm_ComputerSystem WHERE NOT (Name <> 'HV01')")[0]["Name"] == "HV01"
    assert client.query("SELECT * FROM Msvm_ComputerSystem WHERE OnTimeInMilliseconds IS NULL")
    for text in ("DELETE FROM Msvm_ComputerSystem", "SELECT * FROM Msvm_ComputerSystem WHERE Nope = 1",
                 "SELECT * FROM Msvm_ComputerSystem WHERE"):
        assert client.enumerate_answer(V2 + "*", query=text).fault == "n:CannotProcessFilter"
    columns = client.enumerate_answer(V2 + "*", query="SELECT Name FROM Msvm_ComputerSystem")
    assert columns.root.find(f".//{{{W}}}XmlFragment") is not None


# Shapes that recorded hosts have

def test_properties_come_in_alphabetical_order_without_empty_arrays(client, host):
    answer = client.get(V2 + "Msvm_ComputerSystem", {"CreationClassName": "Msvm_ComputerSystem", "Name": host.name})
    names = [e.tag.rpartition("}")[2] for e in answer.content]
    assert names == sorted(names, key=str.lower)
    assert "AvailableRequestedStates" not in names and "Dedicated" not in names
    row = answer.rows()[0]
    for name in ("InstallDate", "OnTimeInMilliseconds", "ProcessID", "EnhancedSessionModeState", "TimeOfLastStateChange"):
        assert row[name] is None, name
    assert (row["RequestedState"], row["StatusDescriptions"], row["Status"]) == ("12", "OK", "OK")


def test_a_vm_that_never_replicated_says_1601(client, vm):
    answer = client.get(V2 + "Msvm_ComputerSystem", vm_ref(vm.id).keys)
    row = answer.rows()[0]
    assert row["LastReplicationTime"] == "1601-01-01T00:00:00Z"
    assert (row["EnabledState"], row["EnabledDefault"], row["RequestedState"]) == ("3", "3", "5")
    assert (row["ProcessID"], row["OnTimeInMilliseconds"]) == (None, "0")


def test_items_are_typed_by_their_class_and_carry_no_language(client):
    answer = client.enumerate_answer(V2 + "Msvm_ExternalEthernetPort")
    opening = re.search(r"<p:Msvm_ExternalEthernetPort [^>]*>", answer.text).group()
    assert 'xsi:type="p:Msvm_ExternalEthernetPort_Type"' in opening and "xml:lang" not in opening
    row = answer.rows()[0]
    assert re.fullmatch(r"Microsoft:\{[0-9A-F-]{36}\}", row["DeviceID"]) and row["PortType"] == "53"


def test_a_job_names_what_it_created_apart_from_what_it_touched(client, host, vm):
    answer = client.done(client.service("Msvm_VirtualSystemSnapshotService", "CreateSnapshot", {
        "AffectedSystem": vm_ref(vm.id), "SnapshotSettings": "", "SnapshotType": 2}))
    rows = [r for r in client.enumerate("Msvm_AffectedJobElement")
            if r["AffectingElement"] == {"InstanceID": answer.job[1]["InstanceID"]}]
    assert {r["ElementEffects"] for r in rows} == {"0", "5"}
    created = next(r for r in rows if r["ElementEffects"] == "5")
    assert created["AffectedElement"]["InstanceID"].startswith("Microsoft:")


# Localised hosts

@pytest.mark.parametrize("language, shown", [("de-DE", "Virtueller Computer"), ("ja-JP", "仮想マシン")])
def test_captions_follow_the_host_and_descriptions_of_vms_do_not(client, host, vm, language, shown):
    host.settings(language=language)
    try:
        answer = client.get(V2 + "Msvm_ComputerSystem", vm_ref(vm.id).keys)
        row = answer.rows()[0]
        assert (row["Caption"], row["Description"]) == (shown, "Microsoft Virtual Machine")
        assert answer.root.get("{http://www.w3.org/XML/1998/namespace}lang") == language
        itself = client.get(V2 + "Msvm_ComputerSystem", {"CreationClassName": "Msvm_ComputerSystem", "Name": host.name})
        assert itself.rows()[0]["Description"] != "Microsoft Hosting Computer System"
    finally:
        host.settings(language="en-US")


# Events

def test_a_subscription_tells_of_changes_by_long_polls(client, host):
    vm = next(v for v in host.vms() if v.state == "running")
    query = ("SELECT * FROM __InstanceModificationEvent WITHIN 1 WHERE TargetInstance ISA 'Msvm_ComputerSystem' "
             "AND TargetInstance.EnabledState &lt;&gt; PreviousInstance.EnabledState")
    body = (f'<e:Subscribe><e:Delivery Mode="http://schemas.dmtf.org/wbem/wsman/1/wsman/Pull"/><e:Expires>PT60S</e:Expires>'
            f'<w:Filter Dialect="http://schemas.microsoft.com/wbem/wsman/1/WQL">{query}</w:Filter></e:Subscribe>')
    answer = client.send(E + "/Subscribe", V2 + "*", body)
    assert answer.fault is None, answer.text
    context = answer.root.find(f".//{{{N}}}EnumerationContext").text
    manager = answer.root.find(f".//{{{E}}}Identifier").text
    pull = (f"<n:Pull><n:EnumerationContext>{context}</n:EnumerationContext><n:MaxElements>10</n:MaxElements></n:Pull>")
    endless = client.send(E + "/Subscribe", V2 + "*", body.replace("<e:Expires>PT60S</e:Expires>", ""))
    assert endless.fault is None and client.enumerate("Msvm_ComputerSystem", optimized=False)
    client.send(E + "/Unsubscribe", V2 + "*", "<e:Unsubscribe/>",
                header=f"<e:Identifier>{endless.root.find(f'.//{{{E}}}Identifier').text}</e:Identifier>")
    client.timeout = "PT0.2S"
    assert client.send(N + "/Pull", V2 + "*", pull).code == 0x80338029
    client.timeout = "PT10S"
    host.change(vm.id, state="paused")
    event = wait_for(lambda: client.send(N + "/Pull", V2 + "*", pull), "an event should come")
    assert "__InstanceModificationEvent" in event.text and vm.id in event.text and "PreviousInstance" in event.text
    host.change(vm.id, state="running")
    done = client.send(E + "/Unsubscribe", V2 + "*", "<e:Unsubscribe/>", header=f"<e:Identifier>{manager}</e:Identifier>")
    assert done.fault is None and host.state()["subscriptions"] == 0
