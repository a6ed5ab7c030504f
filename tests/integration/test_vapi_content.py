# SPDX-License-Identifier: Apache-2.0
"""Bytes of files of a vSphere datastore, against the simulator's own web server."""

import hashlib
import os
import re
from urllib.parse import quote, urlencode

import pytest
import requests

from support.wait import wait_for

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def vcenter(module_vcenters):
    return module_vcenters(vm=2, pg=1, ds=1, host=1)


@pytest.fixture(scope="module")
def server_of(module_servers, vcenter):
    # What was freed is not kept, so that memory says something.
    return module_servers("content", env={"ASAN_OPTIONS": "quarantine_size_mb=1:exitcode=99"})


@pytest.fixture(scope="module")
def api(server_of, vcenter):
    api = server_of.admin()
    api.wait_provider(api.add_provider("vc", vcenter.url)["id"])
    return api


@pytest.fixture
def store(api):
    return api.items("datastores")[0]


def content(store, path):
    return f"/datastores/{store['id']}/files/content?" + urlencode({"path": path})


def direct(vcenter, store, path):
    """What the simulator's web server has there, asked without Polyvisor."""
    base = re.match(r"https?://[^/]+", vcenter.url).group()
    return f"{base}/folder/{quote(path)}?" + urlencode({"dcPath": "DC0", "dsName": store["name"]})


def session():
    s = requests.Session()
    s.trust_env = False
    s.verify = False
    return s


def test_a_file_comes_as_the_simulator_has_it(api, vcenter, store):
    data = os.urandom(3_000_017)
    path = "DC0_H0_VM0/über all & #1 100%.bin"
    put = session().put(direct(vcenter, store, path), data=data)
    assert put.status_code in (200, 201), put.text
    answer = api.get(content(store, path))
    assert answer.status_code == 200, answer.text[:300]
    assert answer.content == data
    part = api.request("GET", content(store, path), headers={"Range": "bytes=1000000-2000000"})
    assert part.status_code == 206 and part.content == data[1000000:2000001]
    missing = api.get(content(store, "DC0_H0_VM0/no.iso"))
    assert missing.status_code == 404 and "DC0_H0_VM0/no.iso" in missing.text


def upload(api, store, path, data, **more):
    begun = api.post(f"/datastores/{store['id']}/uploads", {"path": path, "size_bytes": len(data), **more})
    assert begun.status_code == 201, begun.text
    now = begun.json()
    for at in range(0, len(data), 8 << 20) if data else [0]:
        piece = data[at:at + (8 << 20)]
        where = f"{at}-{at + len(piece) - 1}" if piece else "*"
        answer = api.request("PUT", f"/uploads/{now['id']}/content", data=piece, headers={
            "Content-Range": f"bytes {where}/{len(data)}", "Content-Type": "application/octet-stream"})
        assert answer.status_code == 200, answer.text
        now = answer.json()
    return wait_for(lambda: (u := api.read(f"/uploads/{now['id']}"))["state"] in ("done", "failed") and u, "it has ended", 60)


def test_what_is_uploaded_is_in_the_simulator(api, vcenter, store):
    path = "DC0_H0_VM0/neu & alt 100%.iso"
    data = os.urandom(9_000_001)
    assert upload(api, store, path, data)["state"] == "done"
    assert session().get(direct(vcenter, store, path)).content == data
    assert api.get(content(store, path)).content == data
    refused = api.post(f"/datastores/{store['id']}/uploads", {"path": path, "size_bytes": 3})
    assert refused.status_code == 409 and refused.json()["code"] == "name-taken"
    assert upload(api, store, path, b"new", overwrite=True)["state"] == "done"
    assert session().get(direct(vcenter, store, path)).content == b"new"
    assert upload(api, store, "DC0_H0_VM0/nothing", b"")["state"] == "done"
    assert session().get(direct(vcenter, store, "DC0_H0_VM0/nothing")).content == b""


def test_200_mib_go_both_ways_and_none_of_it_stays_in_memory(api, vcenter, store, server_of):
    piece = os.urandom(8 << 20)
    data = piece * 25
    before = server_of.rss()
    assert upload(api, store, "DC0_H0_VM0/large", data)["state"] == "done"
    answer = api.request("GET", content(store, "DC0_H0_VM0/large"), stream=True)
    taken = hashlib.sha256()
    for part in answer.iter_content(1 << 20):
        taken.update(part)
    assert taken.digest() == hashlib.sha256(data).digest()
    assert server_of.rss() - before < 120 << 20
