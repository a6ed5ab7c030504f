# SPDX-License-Identifier: Apache-2.0
"""Bytes of files of datastores: whole and in parts, to be continued, cut where something breaks."""

import os
import signal
from urllib.parse import urlencode

import pytest
import requests

from support.operations import add_estates
from support.wait import wait_for

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def server(module_servers):
    return module_servers("download")


@pytest.fixture(scope="module")
def api(server):
    api = server.admin()
    add_estates(api, vms=60)
    return api


def content(store, path):
    return f"/datastores/{store}/files/content?" + urlencode({"path": path})


def listed(api, store, folder):
    return api.read(f"/datastores/{store}/files?" + urlencode({"path": folder}))["items"]


@pytest.fixture(scope="module")
def store(api):
    return api.items("datastores", filter="provider.family:vmware")[0]["id"]


@pytest.fixture(scope="module")
def log(api, store):
    """A file of some hundred kilobytes."""
    for folder in listed(api, store, ""):
        for f in listed(api, store, folder["path"]):
            if f["type"] == "log":
                return f
    raise AssertionError("no VM has a log")


def iso(api, store):
    return max(listed(api, store, "iso"), key=lambda f: f["size_bytes"])


def test_a_file_comes_whole_and_says_what_it_is(api, store, log):
    answer = api.get(content(store, log["path"]), headers=None)
    assert answer.status_code == 200, answer.text[:300]
    assert len(answer.content) == log["size_bytes"] == int(answer.headers["Content-Length"])
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''vmware.log"
    assert "Content-Encoding" not in answer.headers
    assert len(set(answer.content)) == 256, "it has content"
    again = api.get(content(store, log["path"]))
    assert again.content == answer.content and again.headers["ETag"] == answer.headers["ETag"]
    head = api.request("HEAD", content(store, log["path"]))
    assert head.status_code == 200 and head.content == b""
    assert head.headers["Content-Length"] == str(log["size_bytes"]) and head.headers["ETag"] == answer.headers["ETag"]


def test_parts_fit_together(api, store, log):
    whole = api.get(content(store, log["path"]))
    size, tag = log["size_bytes"], whole.headers["ETag"]
    for spec, start, end in (("bytes=0-0", 0, 1), ("bytes=100-", 100, size), ("bytes=-7", size - 7, size),
                             (f"bytes={size - 1}-{size + 50}", size - 1, size), ("bytes=70001-140002", 70001, 140003)):
        part = api.request("GET", content(store, log["path"]), headers={"Range": spec, "If-Range": tag})
        assert part.status_code == 206, spec
        assert part.headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
        assert part.content == whole.content[start:end], spec
    changed = api.request("GET", content(store, log["path"]), headers={"Range": "bytes=5-", "If-Range": '"old"'})
    assert changed.status_code == 200 and changed.content == whole.content
    for odd in ("bytes=1-2,4-5", "lines=1-2", "bytes=9-3", "bytes=x-"):
        assert api.request("GET", content(store, log["path"]), headers={"Range": odd}).status_code == 200, odd
    beyond = api.request("GET", content(store, log["path"]), headers={"Range": f"bytes={size}-"})
    assert beyond.status_code == 416 and beyond.headers["Content-Range"] == f"bytes */{size}"
    assert beyond.json()["code"] == "range-not-satisfiable"


def test_what_is_not_there_or_no_file_is_refused_in_words(api, store, log):
    missing = api.get(content(store, "no/such/file.iso"))
    assert missing.status_code == 404 and missing.json()["code"] == "not-found"
    folder = api.get(content(store, "iso"))
    assert folder.status_code == 422 and "iso is a folder" in folder.text
    for path in ("../secret", "/iso", "iso//x", ""):
        assert api.get(content(store, path)).status_code in (400, 422), path
    assert api.get(f"/datastores/{store}/files/content").status_code in (400, 422)
    hyperv = api.items("datastores", filter="provider.family:hyperv")[0]["id"]
    refused = api.get(content(hyperv, "iso/x.iso"))
    assert refused.status_code == 422 and refused.json()["code"] == "not-supported"
    assert "WS-Management carries no contents of files" in refused.text


def test_who_may_not_read_the_datastore_does_not_find_it(server, api, store, log):
    role = api.post("/roles", {"name": "only-vms", "permissions": ["vm.read"]})
    assert role.status_code == 201, role.text
    assert api.post("/users", {"name": "wendy", "password": "Blue-Kettle-77-Lane"}).status_code == 201
    granted = api.post("/grants", {"user": "wendy", "role": "only-vms", "scope": {"type": "everything"}})
    assert granted.status_code == 201, granted.text
    other = api.with_token(server.make_token("wendy", "wendy", "Blue-Kettle-77-Lane"))
    assert other.get(content(store, log["path"])).status_code in (403, 404)


def test_a_download_is_in_the_audit(api, store, log):
    assert api.get(content(store, log["path"])).status_code == 200
    records = api.items("audit", filter="action:datastore.file.download", sort="-created_at", limit=20)
    assert any(r["outcome"] == "allowed" and store in r["subject"] for r in records)


def test_a_large_file_flows_while_others_are_served_and_memory_stays(server, api, store):
    """Two readers who take a little and then nothing hold no thread, and nothing of the file is kept."""
    big = iso(api, store)
    assert big["size_bytes"] > 1 << 30
    slow = [api.request("GET", content(store, big["path"]), stream=True) for _ in range(2)]
    starts = [next(s.iter_content(100000)) for s in slow]
    assert starts[0] == starts[1]
    before = server.rss()
    third = api.request("GET", content(store, big["path"]), stream=True)
    taken = 0
    for piece in third.iter_content(1 << 20):
        taken += len(piece)
        if taken > 450 << 20:
            break
    grown = server.rss() - before
    third.close()
    assert grown < 350 << 20, "sanitizers keep up to 256 MiB of what was freed; much more went through"
    assert api.get("/system/about").status_code in (200, 404)
    assert len(api.items("vms")) > 0
    for s in slow:
        s.close()
    # Whoever goes away ends the driver's call: all places are free again.
    def free():
        many = [api.request("GET", content(store, big["path"]), stream=True) for _ in range(16)]
        codes = [m.status_code for m in many]
        for m in many:
            m.close()
        return codes == [200] * 16
    wait_for(free, "all places for downloads are free again", 60)


def test_too_many_at_once_are_told_to_wait(api, store):
    big = iso(api, store)
    held = []
    try:
        for _ in range(17):
            held.append(api.request("GET", content(store, big["path"]), stream=True))
        refused = [h for h in held if h.status_code != 200]
        assert refused and all(h.status_code == 503 and int(h.headers["Retry-After"]) > 0 for h in refused)
    finally:
        for h in held:
            h.close()


def test_a_driver_that_dies_cuts_the_answer(servers):
    server = servers("dying")
    api = server.admin()
    add_estates(api, vms=20)
    store = api.items("datastores", filter="provider.family:vmware")[0]["id"]
    big = iso(api, store)
    answer = api.request("GET", content(store, big["path"]), stream=True)
    pieces = answer.iter_content(65536)
    next(pieces)
    for pid in server.driver_hosts():
        os.kill(pid, signal.SIGKILL)
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        for _ in pieces:
            pass
    log = next(f for folder in listed_when_back(api, store) for f in listed(api, store, folder["path"])
               if f["type"] == "log")
    assert len(api.get(content(store, log["path"])).content) == log["size_bytes"]


def listed_when_back(api, store):
    def look():
        answer = api.get(f"/datastores/{store}/files")
        return answer.json()["items"] if answer.status_code == 200 else None
    return wait_for(look, "the driver is back", 60)
