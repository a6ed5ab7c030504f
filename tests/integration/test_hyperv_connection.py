# SPDX-License-Identifier: Apache-2.0
"""Signing in to a Hyper-V host by each scheme, its certificate, its quotas, and the report of a host.

Through the driver host's own --probe: the same code as the server's, without a server around it.
"""

import json
import subprocess

import pytest

from support import paths
from support.certs import Certificate
from support.hyperv import HypervFake
from support.hyperv_probe import Probe


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    with HypervFake(tmp_path_factory.mktemp("https"), hosts=1, vms=6) as fake:
        yield fake


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    with HypervFake(tmp_path_factory.mktemp("http"), hosts=1, vms=6, http=True) as fake:
        yield fake


def logons(fake):
    return fake.control.counts()["logons"]


@pytest.fixture
def host(secure):
    yield secure.hosts[0]
    secure.control.no_faults()
    secure.hosts[0].settings(basic=False, negotiate=True, certificate=False, envelope_kb=500, vmms_running=True, lockout=0,
                             cbt="Relaxed", other_channel=False, each_request=False)


@pytest.mark.parametrize("form", ["{user}", "HV01\\{user}", ".\\{user}", "{user}@HV01"])
def test_ntlm_takes_every_form_of_a_user_name(tmp_path, host, form):
    probe = Probe(tmp_path, host, {"auth": "ntlm"}, username=form.format(user=host.user))
    assert probe.code == 0, probe.text
    assert probe.steps["sign_in"][1].endswith("by NTLM")


def test_negotiate_falls_back_to_ntlm_without_a_ticket(tmp_path, host):
    probe = Probe(tmp_path, host)
    assert probe.code == 0, probe.text
    assert probe.steps["sign_in"][1] == f"{host.user} by NTLM"


def test_basic_works_where_the_host_allows_it(tmp_path, host):
    probe = Probe(tmp_path, host, {"auth": "basic"})
    assert probe.failed() == ["sign_in"], probe.text
    assert "does not offer Basic" in probe.text
    host.settings(basic=True)
    probe = Probe(tmp_path, host, {"auth": "basic"})
    assert probe.code == 0, probe.text
    assert probe.steps["sign_in"][1].endswith("by Basic")


def test_a_client_certificate_signs_in_with_its_key_as_the_password(tmp_path, host):
    mine, other = Certificate(tmp_path, "mine"), Certificate(tmp_path, "other")
    before = host.cert_sha256
    host.certificate(keep=True, clients=[mine.cert_file.read_text()])
    assert host.cert_sha256 == before
    settings = {"auth": "certificate", "client_certificate": mine.cert_file.read_text()}
    probe = Probe(tmp_path, host, settings, password=mine.key_file.read_text())
    assert probe.code == 0, probe.text
    assert probe.steps["sign_in"][1].endswith("by certificate")
    settings["client_certificate"] = other.cert_file.read_text()
    probe = Probe(tmp_path, host, settings, password=other.key_file.read_text())
    assert probe.code != 0
    host.certificate(keep=True)


def test_a_wrong_password_counts_once_and_locks_nobody_out(tmp_path, secure, host):
    host.settings(lockout=2)
    before = logons(secure).get("failed", 0)
    probe = Probe(tmp_path, host, password="wrong")
    assert probe.failed() == ["sign_in"], probe.text
    assert logons(secure)["failed"] == before + 1
    probe = Probe(tmp_path, host)
    assert probe.code == 0, probe.text


@pytest.mark.parametrize("signed_with", ["sha256", "sha384", "sha512"])
def test_strict_hardening_is_content_with_our_channel_binding(tmp_path, host, signed_with):
    host.certificate(signed_with=signed_with)
    host.settings(cbt="Strict")
    probe = Probe(tmp_path, host, {"auth": "ntlm"})
    assert probe.code == 0, probe.text
    host.settings(other_channel=True)
    probe = Probe(tmp_path, host, {"auth": "ntlm"})
    assert probe.failed() == ["sign_in"], "somebody is between, the host notices"


def test_a_host_that_wants_every_request_signed_in_gets_that(tmp_path, host):
    host.settings(each_request=True)
    probe = Probe(tmp_path, host)
    assert probe.code == 0, probe.text


def test_a_changed_certificate_ends_the_probe_and_shows_the_new_one(tmp_path, host):
    old = host.cert_sha256
    new = host.certificate()
    probe = Probe(tmp_path, host, tls={"mode": "pin", "pins": [old]})
    assert probe.failed() == ["certificate"], probe.text
    assert list(probe.steps)[-1] == "certificate", "nothing is sent to a host that is another one"
    probe = Probe(tmp_path, host, tls={"mode": "pin", "pins": [new]})
    assert probe.code == 0, probe.text


@pytest.mark.parametrize("requests", range(5))
def test_a_connection_that_ends_during_the_sign_in_is_no_refusal(tmp_path, secure, host, requests):
    secure.control.fault(action="HTTP", skip=requests, count=1, drop="before")
    probe = Probe(tmp_path, host)
    assert probe.code == 0, probe.text


def test_a_stopped_vmms_is_named_with_its_remedy(tmp_path, host):
    host.settings(vmms_running=False)
    probe = Probe(tmp_path, host)
    assert "service" in probe.failed(), probe.text
    assert "Start-Service -Name vmms" in probe.text


def test_low_quotas_are_named_with_a_script(tmp_path, host):
    host.settings(envelope_kb=100)
    probe = Probe(tmp_path, host)
    assert probe.failed() == ["quotas"], probe.text
    assert "MaxEnvelopeSizekb 500" in probe.text


def test_messages_are_encrypted_over_plain_http(tmp_path, plain):
    host = plain.hosts[0]
    probe = Probe(tmp_path, host, {"encryption": "message"})
    assert probe.code == 0, probe.text
    assert probe.steps["sign_in"][1].endswith("by NTLM")


def test_unencrypted_messages_need_a_yes_on_both_sides(tmp_path, plain):
    host = plain.hosts[0]
    probe = Probe(tmp_path, host)
    assert probe.code != 0 and "protects nothing" in probe.errors
    probe = Probe(tmp_path, host, {"allow_unencrypted": True})
    assert probe.failed() == ["sign_in"], probe.text
    host.settings(allow_unencrypted=True)
    probe = Probe(tmp_path, host, {"allow_unencrypted": True})
    assert probe.code == 0, probe.text
    assert "not encrypted" in probe.steps["certificate"][1]
    host.settings(allow_unencrypted=False)


def values(node):
    """All texts of a report, keys left out."""
    if isinstance(node, dict):
        for value in node.values():
            yield from values(value)
    elif isinstance(node, list):
        for value in node:
            yield from values(value)
    elif isinstance(node, str):
        yield node


def test_a_report_tells_classes_counts_and_features(tmp_path, host):
    probe = Probe(tmp_path, host, report=["--samples", "2"])
    assert probe.code == 0, probe.text
    report = probe.report
    assert report["format"] == "polyvisor-hyperv-report/1" and report["masked"] is False
    systems = report["namespaces"]["root/virtualization/v2"]["Msvm_ComputerSystem"]
    assert systems["count"] == 7 and len(systems["instances"]) == 2
    assert systems["instances"][0]["properties"]["CreationClassName"] == "Msvm_ComputerSystem"
    assert isinstance(systems["instances"][0]["properties"]["OperationalStatus"], list)
    assert report["features"]["wql"] is True and report["features"]["mechanism"] == "NTLM"
    assert report["quotas"]["MaxEnvelopeSizekb"] == 500
    answer = report["methods"]["GetSummaryInformation"]["answer"]["properties"]
    assert len(answer["SummaryInformation"]) == 6


def test_a_masked_report_names_no_machine_and_keeps_its_relations(tmp_path, host):
    probe = Probe(tmp_path, host, report=["--mask", "--samples", "1000"])
    assert probe.code == 0, probe.text
    texts = set(values(probe.report))
    names = {vm.name for vm in host.vms()} | {host.name, host.user}
    guids = {vm.id for vm in host.vms()}
    for text in texts:
        for name in names | guids:
            assert name not in text, f"{name} in {text}"
    virtual = probe.report["namespaces"]["root/virtualization/v2"]
    systems = {i["properties"]["Name"] for i in virtual["Msvm_ComputerSystem"]["instances"]}
    owners = {i["properties"]["VirtualSystemIdentifier"] for i in virtual["Msvm_VirtualSystemSettingData"]["instances"]
              if i["properties"]["VirtualSystemType"] == "Microsoft:Hyper-V:System:Realized"}
    assert owners and owners <= systems, "the same thing has the same pseudonym everywhere"


def test_the_api_probes_with_a_certificate_and_hands_on_scripts(tmp_path, servers, host):
    api = servers().admin()
    mine = Certificate(tmp_path, "mine")
    host.certificate(keep=True, clients=[mine.cert_file.read_text()])
    body = {"driver": "wmi", "endpoint": host.url, "username": "cert", "password": mine.key_file.read_text(),
            "tls": {"mode": "pin", "pins": [host.cert_sha256]},
            "settings": {"auth": "certificate", "client_certificate": mine.cert_file.read_text()}}
    findings = api.post("/providers/probe", body).json()["findings"]
    assert [f["step"] for f in findings if not f["ok"]] == [], findings
    host.certificate(keep=True)
    body["endpoint"] = "https://127.0.0.1:1"
    findings = api.post("/providers/probe", body).json()["findings"]
    assert findings[-1]["step"] == "port" and findings[-1]["code"] == "provider-offline"
    assert "New-Item -Path WSMan:" in findings[-1]["data"]["script"]


def test_the_driver_keeps_the_rules_of_drivers(tmp_path, host):
    config = {"endpoint": host.url, "username": host.user, "tls": {"mode": "pin", "pins": [host.cert_sha256]}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "secrets.json").write_text(json.dumps({"password": host.password}))
    done = subprocess.run([paths.program("polyvisor-driverhost"), "--conformance", "wmi", "--config",
                           tmp_path / "config.json", "--secrets", tmp_path / "secrets.json"],
                          capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert done.stdout.rstrip().endswith(" 0 failed")
