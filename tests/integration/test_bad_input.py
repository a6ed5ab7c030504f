# SPDX-License-Identifier: Apache-2.0
"""Whatever is wrong is told as a problem document with a remedy, and nothing is stored by halves."""

import json
import shutil
import socket
import ssl
import time

import pytest

from support import paths
from support.certs import Certificate
from support.client import host_port, problem, said
from support.wait import wait_for


@pytest.fixture(scope="module")
def server(module_servers):
    return module_servers()


@pytest.fixture(scope="module")
def vcenter(module_vcenters):
    return module_vcenters(vm=1, username="svc", password="right-secret")


@pytest.fixture
def api(server):
    return server.admin()


@pytest.fixture(autouse=True)
def nothing_is_left_behind(server):
    """What one test stores by mistake must not fail the next."""
    yield
    if server.process is not None and server.process.alive():
        api = server.admin()
        for provider in api.items("providers"):
            api.delete(f"/providers/{provider['id']}", force="true")


def provider_body(endpoint, **more):
    return {"name": "bad", "driver": "vapi", "endpoint": endpoint, "username": "svc", "password": "right-secret",
            "tls": {"mode": "insecure"}, **more}


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


# Providers: probe tells, nothing is stored

def probe(api, body):
    return api.post("/providers/probe", {k: v for k, v in body.items() if k != "name"})


# The step of a probe at which each trouble shows.
STEPS = {
    "provider-auth-failed": ("sign_in",), "provider-offline": ("name", "port"),
    "provider-not-recognized": ("certificate", "product"), "provider-certificate-changed": ("certificate", "product"),
}


def finding(api, body, code):
    """The step of the probe that failed; it must be the one where this trouble shows."""
    answer = probe(api, body)
    assert answer.status_code == 200, said(answer)
    document = answer.json()
    assert document["ok"] is False, said(answer)
    failed = [f for f in document["findings"] if not f["ok"]]
    assert failed and failed[0]["step"] in STEPS[code], f"step {STEPS[code]} should fail\n{said(answer)}"
    assert failed[0].get("remedy"), failed
    assert api.count("providers", filter='name="bad"') == 0, "a probe stores nothing"
    return failed[0]


def test_findings_of_a_probe_carry_the_problem_code(api, vcenter):
    entry = finding(api, provider_body(vcenter.url, password="wrong-secret"), "provider-auth-failed")
    assert entry.get("code") == "provider-auth-failed", entry


def test_a_good_probe_tells_product_certificate_and_what_works(api, vcenter):
    answer = probe(api, provider_body(vcenter.url))
    assert answer.status_code == 200, said(answer)
    document = answer.json()
    assert document["ok"] is True
    assert vcenter.sha256 in answer.text, "the fingerprint is what a person compares"
    assert vcenter.info["api_version"] in answer.text
    assert api.count("providers") == 0


def test_a_wrong_password_is_told(api, vcenter):
    finding(api, provider_body(vcenter.url, password="wrong-secret"), "provider-auth-failed")


def test_an_unreachable_host_is_told(api):
    finding(api, provider_body(f"https://127.0.0.1:{free_port()}/sdk"), "provider-offline")


def test_a_name_that_does_not_resolve_is_told(api):
    finding(api, provider_body("https://no-such-host.invalid/sdk"), "provider-offline")


def test_something_that_is_no_vcenter_is_told(api, server):
    finding(api, provider_body(server.url + "/sdk"), "provider-not-recognized")


def test_a_certificate_nobody_vouches_for_is_told_with_its_fingerprint(api, vcenter):
    entry = finding(api, provider_body(vcenter.url, tls={"mode": "ca"}), "provider-certificate-changed")
    assert vcenter.sha256 in json.dumps(entry)


def test_a_wrong_pin_is_told(api, vcenter):
    finding(api, provider_body(vcenter.url, tls={"mode": "pin", "pins": ["0" * 64]}), "provider-certificate-changed")


@pytest.mark.parametrize("trouble", ["name", "date", "issuer"])
def test_a_certificate_with_a_wrong_name_date_or_issuer_is_refused(api, vcenters, tmp_path, trouble):
    authority = Certificate(tmp_path, "authority", authority=True)
    stranger = Certificate(tmp_path, "stranger", authority=True)
    cert = Certificate(
        tmp_path, "server", issuer=stranger if trouble == "issuer" else authority,
        hosts=("other.example",) if trouble == "name" else ("127.0.0.1",),
        from_days=-30, to_days=-1 if trouble == "date" else 30)
    vcenter = vcenters(vm=1, cert=cert.cert_file, key=cert.key_file)
    finding(api, provider_body(vcenter.url, tls={"mode": "ca", "ca_pem": authority.pem}), "provider-certificate-changed")


def test_a_certificate_of_a_known_authority_is_accepted(api, vcenters, tmp_path):
    authority = Certificate(tmp_path, "authority", authority=True)
    cert = Certificate(tmp_path, "server", issuer=authority)
    vcenter = vcenters(vm=1, cert=cert.cert_file, key=cert.key_file)
    answer = probe(api, provider_body(vcenter.url, tls={"mode": "ca", "ca_pem": authority.pem}))
    assert answer.status_code == 200 and answer.json()["ok"] is True, said(answer)


def test_a_provider_with_a_wrong_password_is_kept_and_not_retried(api, vcenters):
    own = vcenters(vm=1, username="svc", password="right-secret")
    answer = api.post("/providers", provider_body(own.url, password="wrong-secret"))
    assert answer.status_code in (201, 202), said(answer)
    made = api.one("providers", "bad")
    try:
        api.wait_provider(made["id"], "auth_failed", 60)
        reason = api.provider(made["id"])["state_reason"]
        assert reason["code"] == "provider-auth-failed" and reason["remedy"], reason
        assert api.count("vms", filter='provider="bad"') == 0
        assert own.calls()["soap"].get("Login", 0) <= 2, "retries would lock the account"
        assert "wrong-secret" not in api.get(f"/providers/{made['id']}").text
    finally:
        api.delete(f"/providers/{made['id']}")


@pytest.mark.parametrize("body, pointer, status", [
    ({"driver": "vapi", "endpoint": "https://h/sdk"}, "/name", 422),
    ({"name": "", "driver": "vapi", "endpoint": "https://h/sdk"}, "/name", 422),
    ({"name": "x", "driver": "no-such-driver", "endpoint": "https://h/sdk"}, "/driver", 422),
    ({"name": "x", "driver": "vapi", "endpoint": "not an address"}, "/endpoint", 422),
    ({"name": "x", "driver": "vapi", "endpoint": "ftp://h/sdk"}, "/endpoint", 422),
    ({"name": "x", "driver": "vapi", "endpoint": "https://h/sdk", "tls": {"mode": "maybe"}}, "/tls/mode", 422),
    ({"name": "x", "driver": "vapi", "endpoint": "https://h/sdk", "tls": {"mode": "pin", "pins": ["xyz"]}},
     "/tls/pins/0", 422),
    ({"name": "x", "driver": "vapi", "endpoint": "https://h/sdk", "nane": 1}, "/nane", 400),
    ({"name": 7, "driver": "vapi", "endpoint": "https://h/sdk"}, "/name", 422),
    ({"name": "x" * 300, "driver": "vapi", "endpoint": "https://h/sdk"}, "/name", 422),
    ({"name": "x", "driver": "vapi", "endpoint": "https://h/sdk", "settings": {"no_such": 1}}, "/settings/no_such", 422),
])
def test_a_provider_with_a_wrong_member_is_refused_with_a_pointer(api, body, pointer, status):
    answer = api.post("/providers", body)
    document = problem(answer, answer.status_code)
    assert answer.status_code in (400, 422), said(answer)
    assert pointer in [e["pointer"] for e in document.get("errors", [])], f"{pointer} should be named\n{said(answer)}"
    assert status in (400, 422)
    assert api.count("providers") == 0


def test_an_address_of_the_machine_itself_that_leaks_secrets_is_refused(api):
    problem(api.post("/providers", provider_body("https://169.254.169.254/latest")), 422)


# Requests

@pytest.mark.parametrize("text", ["{", "[1,2", '{"name": }', '{"a":1}x', "\x00", "nul", '"text"', "[]", '{"name":"\\ud800"}'])
def test_a_body_that_is_no_json_object_is_refused(api, text):
    answer = api.request("POST", "/folders", data=text.encode("utf-8", "surrogatepass"),
                         headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), said(answer)
    problem(answer, answer.status_code)


def test_json_that_is_nested_too_deeply_is_refused(api):
    deep = '{"name":' + "[" * 5000 + "]" * 5000 + "}"
    problem(api.request("POST", "/folders", data=deep, headers={"Content-Type": "application/json"}), 400)


def test_a_member_given_twice_is_refused(api):
    problem(api.request("POST", "/folders", data='{"name":"a","name":"b"}',
                        headers={"Content-Type": "application/json"}), 400)


def test_an_oversize_body_is_refused_and_the_server_goes_on(api):
    body = json.dumps({"name": "x" * (3 << 20)})
    answer = api.request("POST", "/folders", data=body, headers={"Content-Type": "application/json"})
    problem(answer, 413, "too-large")
    assert api.count("folders") == 0


def test_another_content_type_is_refused(api):
    answer = api.request("POST", "/folders", data="name=x", headers={"Content-Type": "application/x-www-form-urlencoded"})
    problem(answer, 415, "unsupported-media-type")


def test_an_unknown_member_is_refused_and_the_nearest_name_suggested(api):
    document = problem(api.post("/folders", {"name": "x", "parant": None}), 400, "unknown-field")
    assert "/parant" in json.dumps(document)
    assert api.count("folders") == 0


def test_an_unknown_path_and_a_wrong_method_are_told(api):
    problem(api.get("/no-such-thing"), 404, "not-found")
    answer = api.request("PUT", "/vms")
    problem(answer, 405, "method-not-allowed")
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("path", ["/vms/vm_00000000000000000000000000", "/vms/nonsense", "/vms/hst_00000000000000000000000000",
                                  "/providers/prv_00000000000000000000000000", "/tasks/x", "/vms/name:no%20such%20vm",
                                  "/vms/native:nobody:vm-1"])
def test_an_object_that_is_not_there_is_not_found(api, path):
    problem(api.get(path), 404, "not-found")


@pytest.mark.parametrize("query, word", [
    ("no_such_field:1", "no_such_field"), ("power_stat:running", "power_state"), ("(", "column"), ("power:", "column"),
    ("memory>=8XiB", "8XiB"), ("power:flying", "flying"), ("cpu>many", "many"), ("name~", "column"), ("a or", "column"),
    ("((((" * 200, "column"), ('"open', "column"), ("cpu:1..", "column"),
])
def test_a_malformed_filter_is_refused_with_column_or_suggestion(api, query, word):
    document = problem(api.get("/vms", filter=query), 400, "invalid-filter")
    assert word in json.dumps(document) or "column" in json.dumps(document), document


@pytest.mark.parametrize("params, code", [
    ({"limit": "0"}, None), ({"limit": "1001"}, None), ({"limit": "x"}, None), ({"limit": "-1"}, None),
    ({"cursor": "nonsense"}, None), ({"sort": "no_such_field"}, "unknown-field"), ({"fields": "id,no_such"}, "unknown-field"),
    ({"expand": "name"}, None), ({"count": "perhaps"}, None), ({"view": "huge"}, None), ({"no_such_parameter": "1"}, None),
    ({"ids": "vm_1,zzz"}, None), ({"facets": "name"}, None), ({"sums": "name"}, None),
])
def test_a_wrong_query_parameter_is_refused(api, params, code):
    answer = api.get("/vms", **params)
    problem(answer, 400, code)
    assert next(iter(params)) in answer.text or code, said(answer)


def test_a_secret_is_never_read_out_or_logged(api, server, vcenter):
    made = api.add_provider("bad", vcenter.url, username="svc", password="right-secret")
    try:
        api.wait_provider(made["id"])
        assert "right-secret" not in api.get(f"/providers/{made['id']}").text
        assert "right-secret" not in json.dumps(api.events(0, view="full"))
        assert "right-secret" not in json.dumps(api.items("audit", view="full"))
        assert "right-secret" not in (server.folder / "polyvisord.log").read_text(errors="replace")
        for path in server.data.rglob("*"):
            if path.is_file():
                assert b"right-secret" not in path.read_bytes(), f"{path} holds the password in clear"
    finally:
        api.delete(f"/providers/{made['id']}")


# Raw bytes: what no library would send

def raw(server, data: bytes) -> bytes:
    host, port = host_port(server.url)
    context = ssl.create_default_context(cafile=str(server.cert_file))
    with socket.create_connection((host, port), timeout=60) as plain, context.wrap_socket(plain, server_hostname=host) as tls:
        tls.sendall(data)
        tls.settimeout(20)
        parts = []
        try:
            while part := tls.recv(65536):
                parts.append(part)
        except (OSError, ssl.SSLError):
            pass
        return b"".join(parts)


HEAD = b"Host: 127.0.0.1\r\n"


@pytest.mark.raw_http
@pytest.mark.parametrize("data", [
    b"GET /healthz HTTP/1.1\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n" + HEAD + HEAD + b"\r\n",
    b"POST /api/v1/folders HTTP/1.1\r\n" + HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    b"POST /api/v1/folders HTTP/1.1\r\n" + HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /api/v1/folders HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n" + HEAD + b"Bad Name: x\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n" + HEAD + b"X: a\x00b\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n" + HEAD + b"X: a\r\n b\r\n\r\n",
    b"GET /../etc/passwd HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"GET //healthz HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"GET /a%00b HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"GET /api/v1/vms/a%2fb HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"get /healthz HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"BREW /healthz HTTP/1.1\r\n" + HEAD + b"\r\n",
])
def test_a_request_that_invites_smuggling_is_refused_and_the_connection_closed(server, data):
    smuggled = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    answer = raw(server, data + smuggled)
    assert not answer.startswith(b"HTTP/1.1 2"), answer[:300]
    assert answer.count(b"HTTP/1.1 ") <= 1, f"the rest was answered, too:\n{answer[:600]!r}"


# Plugins

def test_a_plugin_of_a_wrong_version_gives_a_clear_error_and_the_server_goes_on(servers, tmp_path):
    """A file that is no driver stands beside the good ones."""
    folder = tmp_path / "drivers"
    shutil.copytree(paths.DRIVERS, folder)
    (folder / "broken.so").write_bytes(b"\x7fELF this is no shared object")
    server = servers(config=f"rate_per_s = 0\ndriver_dir = {folder}\n")
    api = server.admin()
    drivers = {d["name"]: d for d in api.read("/drivers")["items"]}
    assert drivers["vapi"]["state"] == "loaded" and drivers["vapi"]["error"] is None
    broken = drivers["broken"]
    assert broken["state"] != "loaded" and broken["error"] and broken["remedy"], broken
    document = problem(api.post("/providers", {"name": "b", "driver": "broken", "endpoint": "x"}), 422)
    assert document["code"] in ("driver-broken", "validation-failed"), document
    assert server.process.alive()


def test_100_half_open_handshakes_cost_no_cpu(server):
    host, port = host_port(server.url)
    sockets = []
    try:
        for _ in range(100):
            sock = socket.create_connection((host, port), timeout=60)
            sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00")  # the first bytes of a ClientHello
            sockets.append(sock)
        wait_for(lambda: server.admin().get("/healthz").status_code == 200, "others are served", 20)
        before = server.cpu()
        time.sleep(5)
        used = server.cpu() - before
        assert used < 0.5, f"{used:.2f} s of CPU within 5 s for connections that do nothing"
    finally:
        for sock in sockets:
            sock.close()
