# SPDX-License-Identifier: Apache-2.0
"""Bytes of files of a vSphere datastore, against the simulator's own web server."""

import os
import re
from urllib.parse import quote, urlencode

import pytest
import requests

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def vcenter(module_vcenters):
    return module_vcenters(vm=2, pg=1, ds=1, host=1)


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
