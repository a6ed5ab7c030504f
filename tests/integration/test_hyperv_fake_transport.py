# SPDX-License-Identifier: Apache-2.0
"""HTTP, TLS and sign-in of the Hyper-V fake; transcripts."""

import http.client
import json
import ssl

import pytest
import requests
from requests_ntlm import HttpNtlmAuth

from support.certs import Certificate
from support.hyperv import HypervFake
from support.wsman import CIMV2, V2, WsMan

IDENTIFY = ('<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body><i:Identify '
            'xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"/></s:Body></s:Envelope>')
SOAP = {"Content-Type": "application/soap+xml;charset=UTF-8"}


@pytest.fixture(scope="module")
def fake(tmp_path_factory):
    with HypervFake(tmp_path_factory.mktemp("fake"), hosts=1, vms=6, speed=20) as running:
        yield running


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    with HypervFake(tmp_path_factory.mktemp("plain"), hosts=1, vms=6, http=True) as running:
        yield running


def connection(host):
    if host.url.startswith("https"):
        return http.client.HTTPSConnection("127.0.0.1", host.port, context=ssl._create_unverified_context(), timeout=60)
    return http.client.HTTPConnection("127.0.0.1", host.port, timeout=60)


def ask(open_connection, body=IDENTIFY, path="/wsman", verb="POST", **headers):
    open_connection.request(verb, path, body.encode() if isinstance(body, str) else body, {**SOAP, **headers})
    answer = open_connection.getresponse()
    return answer, answer.read()


def test_a_401_offers_schemes_and_has_no_body(fake):
    answer, body = ask(connection(fake.hosts[0]))
    offers = [v for k, v in answer.getheaders() if k.lower() == "www-authenticate"]
    assert (answer.status, body, offers) == (401, b"", ["Negotiate", 'Basic realm="WSMAN"'])


def test_identify_without_sign_in_hides_the_version(fake):
    answer, body = ask(connection(fake.hosts[0]), path="/wsman-anon/identify", WSMANIDENTIFY="unauthenticated")
    assert answer.status == 200 and b"OS: 0.0.0" in body


def test_only_post_to_the_right_path_with_a_length(fake):
    one = connection(fake.hosts[0])
    assert ask(one, path="/other")[0].status == 404
    assert ask(one, verb="GET", body="")[0].status == 405
    chunked = connection(fake.hosts[0])
    chunked.request("POST", "/wsman", iter([b"x"]), SOAP, encode_chunked=True)
    assert chunked.getresponse().status == 411


def test_ntlm_signs_in_the_connection(fake):
    host = fake.hosts[0]
    session = requests.Session()
    session.trust_env = False
    session.verify = False
    auth = HttpNtlmAuth(host.user, host.password, send_cbt=False)
    assert session.post(host.url, data=IDENTIFY, headers=SOAP, auth=auth).status_code == 200
    # The same connection needs no header any more; another one does.
    assert session.post(host.url, data=IDENTIFY, headers=SOAP).status_code == 200
    assert requests.post(host.url, data=IDENTIFY, headers=SOAP, verify=False).status_code == 401


@pytest.mark.parametrize("user, good", [("{}", True), ("HV01\\{}", True), (".\\{}", True), ("OTHER\\{}", False)])
def test_accounts_may_name_the_host(fake, user, good):
    host = fake.hosts[0]
    answer = WsMan(host, user=user.format(host.user)).identify()
    assert answer.status == (200 if good else 401)


def test_http_offers_no_basic_unless_unencrypted_is_allowed(plain):
    host = plain.hosts[0]
    client = WsMan(host)
    assert client.identify().status == 401
    assert "Basic" not in ask(connection(host))[0].getheader("WWW-Authenticate")
    host.settings(allow_unencrypted=True)
    try:
        assert client.identify().status == 200
        assert "Basic" in ask(connection(host))[0].getheader("WWW-Authenticate")
    finally:
        host.settings(allow_unencrypted=False)


def test_schemes_can_be_switched_off(fake):
    host = fake.hosts[0]
    host.settings(basic=False)
    try:
        assert WsMan(host).identify().status == 401
    finally:
        host.settings(basic=True)


def test_utf16_is_answered_in_utf16(fake):
    host = fake.hosts[0]
    client = WsMan(host)
    text = client.message("http://schemas.xmlsoap.org/ws/2004/09/transfer/Get", CIMV2 + "Win32_OperatingSystem")
    got = client.http.post(host.url, data=text.encode("utf-16"), headers={"Content-Type": "application/soap+xml;charset=UTF-16"})
    assert got.status_code == 200 and "Win32_OperatingSystem" in got.content.decode("utf-16")


def test_a_client_certificate_signs_in_when_it_is_mapped(fake, tmp_path):
    host = fake.hosts[0]
    known, stranger = Certificate(tmp_path, "known", authority=False), Certificate(tmp_path, "stranger")
    host.certificate(clients=[known.pem])
    header = {**SOAP, "Authorization": "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"}

    def status(cert):
        context = ssl._create_unverified_context()
        if cert:
            context.load_cert_chain(cert.cert_file, cert.key_file)
        try:
            one = http.client.HTTPSConnection("127.0.0.1", host.port, context=context, timeout=60)
            return ask(one, **header)[0].status
        except (ssl.SSLError, ConnectionError):
            return "refused"

    try:
        assert status(known) == 200
        assert status(None) == 401
        assert status(stranger) == "refused"
        assert WsMan(host).identify().status == 200
    finally:
        host.certificate()


def test_more_connections_than_the_quota_are_refused(fake):
    host = fake.hosts[0]
    host.drop()
    host.settings(connections=2)
    try:
        held = [connection(host) for _ in range(2)]
        assert [ask(c)[0].status for c in held] == [401, 401]
        assert ask(connection(host))[0].status == 503
    finally:
        host.settings(connections=300)


def test_idle_connections_are_closed(fake):
    host = fake.hosts[0]
    host.settings(connection_limit_seconds=0.6)
    try:
        one = connection(host)
        assert ask(one)[0].status == 401
        one.sock.settimeout(20)
        assert one.sock.recv(1) == b""
    finally:
        host.settings(connection_limit_seconds=120)


def test_several_hosts_behind_one_port(tmp_path):
    with HypervFake(tmp_path, hosts=3, vms=6, one_port=True) as fake:
        assert len({h.port for h in fake.hosts}) == 1
        for host in fake.hosts:
            rows = WsMan(host).enumerate("Msvm_ComputerSystem")
            assert host.name in {r["Name"] for r in rows} and len(rows) == 3


def test_a_transcript_answers_as_the_host_did_and_says_that_it_is_synthetic(tmp_path):
    transcript = tmp_path / "transcript.jsonl"
    with HypervFake(tmp_path / "one", hosts=1, vms=5, record=transcript) as fake:
        recorded = WsMan(fake.hosts[0]).enumerate("Msvm_ComputerSystem", optimized=False, count=2)
    assert json.loads(transcript.read_text().splitlines()[0])["synthetic"] is True
    with HypervFake(tmp_path / "two", hosts=1, vms=0, replay=transcript) as fake:
        client = WsMan(fake.hosts[0])
        assert client.enumerate("Msvm_ComputerSystem", optimized=False, count=2) == recorded
        assert client.enumerate_answer(V2 + "Msvm_Processor").fault == "a:DestinationUnreachable"
