# SPDX-License-Identifier: Apache-2.0
"""The server serves the built browser page: packed forms, caching, history addresses, security headers."""

import gzip
import json
import subprocess

import pytest
import requests

from support import paths

HTML = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture(scope="module")
def page(tmp_path_factory, module_servers):
    """A small built page, and a server that serves it."""
    web = tmp_path_factory.mktemp("web")
    (web / "assets").mkdir()
    (web / "index.html").write_text("<!doctype html><title>page</title>")
    (web / "assets" / "app-Ab12_-9z.js").write_text("export default 1;\n" * 200)
    (web / "assets" / "app-Ab12_-9z.js.gz").write_bytes(gzip.compress(b"export default 1;\n" * 200))
    return module_servers("page", args=["--web", str(web)])


def get(server, path, **headers):
    return requests.get(server.url + path, headers=headers, verify=server.cert_file, timeout=60)


def test_page_and_its_addresses_are_index_html(page):
    for path in ("/", "/vms", "/vms/vm_0123/hardware", "/setup"):
        answer = get(page, path, **HTML)
        assert answer.status_code == 200, path
        assert "<title>page</title>" in answer.text
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_api_addresses_stay_the_apis(page):
    for path in ("/api/v1/nothing", "/api", "/agent/v1", "/console/x", "/missing.js", "/metrics/no"):
        answer = get(page, path, **HTML)
        assert answer.status_code == 404, path
        assert answer.json()["code"] == "not-found"
    assert get(page, "/healthz").text.strip() == "ok"
    assert get(page, "/metrics").status_code == 401


def test_hashed_file_is_immutable_and_packed(page):
    answer = get(page, "/assets/app-Ab12_-9z.js", **{"Accept-Encoding": "gzip, br"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.text.startswith("export default")
    plain = get(page, "/assets/app-Ab12_-9z.js", **{"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert plain.text == answer.text


def test_unchanged_page_is_304(page):
    etag = get(page, "/").headers["ETag"]
    answer = get(page, "/vms", **{"If-None-Match": etag})
    assert answer.status_code == 304
    assert answer.content == b""


def test_security_headers(page):
    headers = get(page, "/").headers
    policy = {part.split()[0]: part.split()[1:] for part in headers["Content-Security-Policy"].split("; ")}
    assert policy["default-src"] == ["'self'"]
    assert policy["object-src"] == ["'none'"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert policy["base-uri"] == ["'none'"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "max-age" in headers["Strict-Transport-Security"]


def test_without_a_page_people_are_told_so(servers):
    server = servers(args=["--web", "none"])
    answer = get(server, "/", **HTML)
    assert answer.status_code == 404
    assert "not installed here" in answer.text
    assert get(server, "/").json()["code"] == "not-found"
    assert get(server, "/api/v1/version").status_code == 200


def test_wrong_folder_is_told_at_start(tmp_path):
    argv = [paths.program("polyvisord"), "--data", tmp_path / "data", "--listen", "127.0.0.1:0", "--web", tmp_path]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert f"there is no index.html in {tmp_path}" in ended.stderr


def test_api_description_needs_no_server(page):
    printed = subprocess.run([paths.program("polyvisord"), "--print-openapi"], capture_output=True, check=True, timeout=60)
    assert json.loads(printed.stdout) == get(page, "/api/v1/openapi.json").json()
