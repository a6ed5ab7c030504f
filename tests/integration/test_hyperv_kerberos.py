# SPDX-License-Identifier: Apache-2.0
"""Kerberos with a real KDC: passwords, tickets and keytabs, over TLS and with messages encrypted by the ticket's key."""

import os

import pytest

from support.hyperv import HypervFake
from support.hyperv_probe import Probe
from support.kdc import Realm
from support.wait import wait_for

pytestmark = pytest.mark.timeout(400)

ACCOUNT, PASSWORD = "svc@POLYVISOR.TEST", "Correct-Horse-1"


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    with Realm(tmp_path_factory.mktemp("realm"), accounts={"svc": PASSWORD}, services=["HTTP/localhost"]) as made:
        yield made


def fake_of(folder, realm, **options):
    before = dict(os.environ)
    os.environ.update(realm.env)
    try:
        return HypervFake(folder, hosts=1, vms=4, keytab=str(realm.keytab), **options)
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def secure(realm, tmp_path_factory):
    with fake_of(tmp_path_factory.mktemp("https"), realm) as fake:
        yield fake


@pytest.fixture(scope="module")
def plain(realm, tmp_path_factory):
    with fake_of(tmp_path_factory.mktemp("http"), realm, http=True) as fake:
        yield fake


@pytest.fixture(autouse=True)
def as_it_was(realm):
    yield
    realm.configure()
    realm.no_tickets()


@pytest.fixture
def host(secure):
    yield secure.hosts[0]
    secure.hosts[0].settings(negotiate=True, kerberos=True, cbt="Relaxed", other_channel=False, kerberos_error=0,
                             each_request=False)


class At(Probe):
    """By name, for a service principal has no addresses."""

    def __init__(self, folder, host, realm, settings=None, username=ACCOUNT, password=PASSWORD, env=None):
        super().__init__(folder, host, {"auth": "kerberos", **(settings or {})}, username, password,
                         url=host.url.replace("127.0.0.1", "localhost"), env={**realm.env, **(env or {})})


def counts(fake):
    return dict(fake.control.counts()["logons"])


@pytest.mark.parametrize("offered", [{"negotiate": False}, {"negotiate": True}], ids=["only Kerberos", "both"])
def test_the_password_is_exchanged_for_a_ticket(tmp_path, secure, host, realm, offered):
    host.settings(**offered)
    before = counts(secure)
    probe = At(tmp_path, host, realm)
    assert probe.code == 0, probe.text
    assert probe.steps["sign_in"][1] == f"{ACCOUNT} by Kerberos"
    assert counts(secure).get("failed", 0) == before.get("failed", 0)


def test_a_host_that_offers_negotiate_alone_gets_kerberos_inside_of_it(tmp_path, host, realm):
    host.settings(kerberos=True)
    realm.ticket("svc")
    probe = At(tmp_path, host, realm, {"auth": "negotiate"}, password="not needed")
    assert probe.code == 0, probe.text
    assert probe.steps["sign_in"][1] == f"{ACCOUNT} by Kerberos"


def test_a_client_keytab_serves_instead_of_a_password(tmp_path, host, realm):
    realm.client_keytab("svc")
    probe = At(tmp_path, host, realm, password="")
    assert probe.code == 0, probe.text
    assert probe.steps["sign_in"][1].endswith("by Kerberos")


def test_without_ticket_and_realm_negotiate_means_ntlm(tmp_path, host, realm):
    probe = At(tmp_path, host, realm, {"auth": "negotiate"}, username=host.user, password=host.password)
    assert probe.code == 0, probe.text
    assert probe.steps["sign_in"][1].endswith("by NTLM")


def test_the_kernels_keyring_is_left_alone(tmp_path, host, realm):
    """Driver hosts must not touch it, whatever krb5.conf says."""
    keyring = {"KRB5CCNAME": "KEYRING:process:polyvisor"}
    probe = At(tmp_path, host, realm, {"auth": "negotiate"}, username=host.user, password=host.password, env=keyring)
    assert probe.code == 0, probe.text + probe.errors
    probe = At(tmp_path, host, realm, env=keyring)
    assert probe.code == 0, probe.text + probe.errors
    assert probe.steps["sign_in"][1].endswith("by Kerberos")


@pytest.mark.parametrize("negotiate", [False, True])
def test_messages_over_http_are_encrypted_by_the_tickets_key(tmp_path, plain, realm, negotiate):
    host = plain.hosts[0]
    host.settings(negotiate=negotiate)
    realm.ticket("svc")
    probe = At(tmp_path, host, realm, {"encryption": "message", **({"auth": "negotiate"} if negotiate else {})})
    assert probe.code == 0, probe.text
    assert probe.steps["sign_in"][1].endswith("by Kerberos")


def test_a_host_that_wants_every_request_signed_in_gets_that(tmp_path, host, realm):
    host.settings(each_request=True)
    probe = At(tmp_path, host, realm)
    assert probe.code == 0, probe.text


@pytest.mark.parametrize("signed_with", ["sha256", "sha384"])
def test_strict_hardening_is_content_with_our_channel_binding(tmp_path, secure, host, realm, signed_with):
    host.certificate(signed_with=signed_with)
    host.settings(cbt="Strict")
    assert At(tmp_path, host, realm).code == 0
    host.settings(other_channel=True)
    probe = At(tmp_path, host, realm)
    assert probe.failed() == ["sign_in"], "somebody is between, the host notices"


# What goes wrong


def test_a_wrong_password_is_told_by_the_realm_once(tmp_path, secure, host, realm):
    before = counts(secure)
    probe = At(tmp_path, host, realm, password="wrong")
    assert probe.failed() == ["sign_in"], probe.text
    assert "wrong password" in probe.text and ACCOUNT in probe.text and "KDC_ERR_PREAUTH_FAILED" in probe.text
    assert "Check the password" in probe.text
    assert counts(secure) == before, "the host has heard nothing of it"


def test_an_unknown_account_is_told_how_to_write_it(tmp_path, host, realm):
    probe = At(tmp_path, host, realm, username="nobody@POLYVISOR.TEST")
    assert probe.failed() == ["sign_in"]
    assert "the realm knows no such account" in probe.text and "user@REALM" in probe.text


def test_an_unknown_service_name_is_told(tmp_path, host, realm):
    realm.admin("delprinc -force HTTP/localhost")
    try:
        probe = At(tmp_path, host, realm)
        assert probe.failed() == ["sign_in"]
        assert "neither the service HTTP nor WSMAN" in probe.text and "setspn -L" in probe.text
        # A host that has registered only the other name.
        realm.admin("addprinc -randkey WSMAN/localhost")
        realm.admin(f"ktadd -k {realm.keytab} WSMAN/localhost")
        probe = At(tmp_path, host, realm)
        assert probe.code == 0, probe.text
    finally:
        realm.admin("addprinc -randkey HTTP/localhost")
        realm.admin(f"ktadd -k {realm.keytab} HTTP/localhost")


def test_a_silent_realm_is_no_refusal_of_the_account(tmp_path, host, realm):
    realm.configure(port=1)
    probe = At(tmp_path, host, realm)
    assert probe.failed() == ["sign_in"]
    assert "no domain controller answers" in probe.text and "port 88" in probe.text
    assert "provider-offline" in probe.text or "KDC_UNREACH" in probe.text


def test_an_unknown_realm_is_told(tmp_path, host, realm):
    probe = At(tmp_path, host, realm, username="svc@NOWHERE.TEST")
    assert probe.failed() == ["sign_in"]
    assert "no domain controller" in probe.text and "krb5.conf" in probe.text


@pytest.mark.parametrize("code, words", [(37, "the clocks differ too much"), (41, "belongs to another account")])
def test_what_the_host_says_against_the_ticket_is_told(tmp_path, host, realm, code, words):
    host.settings(kerberos_error=code)
    probe = At(tmp_path, host, realm)
    assert probe.failed() == ["sign_in"]
    assert words in probe.text, probe.text


def test_a_host_without_kerberos_says_so(tmp_path, host, realm):
    host.settings(kerberos=False, negotiate=False)
    probe = At(tmp_path, host, realm)
    assert probe.failed() == ["sign_in"]
    assert "does not offer Kerberos" in probe.text


def test_the_server_works_with_kerberos(tmp_path, servers, secure, host, realm):
    server = servers("kerberos", env=realm.env)
    api = server.admin()
    provider = api.add_provider("krb", host.url.replace("127.0.0.1", "localhost"), ACCOUNT, PASSWORD, driver="wmi",
                                tls={"mode": "pin", "pins": [host.cert_sha256]},
                                settings={"auth": "kerberos", "poll_interval_s": 10})
    api.wait_provider(provider["id"], timeout=60)
    vm = next(v for v in api.items("vms") if v["power_state"] == "off")
    task = api.wait_task(api.post(f"/vms/{vm['id']}/actions/start").json()["id"], 60)
    assert task["state"] == "succeeded", task
    realm.admin(f"cpw -pw other {ACCOUNT}")
    try:
        host.drop()
        api.post(f"/providers/{provider['id']}/actions/sync")
        wait_for(lambda: api.provider(provider["id"])["state"] == "auth_failed", "the realm's refusal", 60)
        assert "wrong password" in str(api.provider(provider["id"]))
    finally:
        realm.admin(f"cpw -pw {PASSWORD} {ACCOUNT}")


