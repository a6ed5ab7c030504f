# SPDX-License-Identifier: Apache-2.0
"""Files on their way into datastores: piece by piece, to be continued, sent on by a task."""

import hashlib
import os
import sqlite3
import time
from urllib.parse import urlencode

import pytest

from support.client import finish, said
from support.operations import add_estates
from support.wait import wait_for

pytestmark = pytest.mark.timeout(300)
PIECE = 1 << 20


@pytest.fixture(scope="module")
def server(module_servers):
    return module_servers("upload")


@pytest.fixture(scope="module")
def api(server):
    api = server.admin()
    add_estates(api, vms=40)
    return api


def store_of(api, family="vmware"):
    return api.items("datastores", filter=f"provider.family:{family}", sort="-free_bytes")[0]["id"]


@pytest.fixture(scope="module")
def store(api):
    return store_of(api)


def begin(api, store, path, size, status=201, **more):
    answer = api.post(f"/datastores/{store}/uploads", {"path": path, "size_bytes": size, **more})
    assert answer.status_code == status, said(answer)
    if status == 201:
        assert answer.headers["Location"].endswith("/uploads/" + answer.json()["id"])
    return answer.json()


def put(api, upload, data, start, total, status=200, content_range=None):
    content_range = content_range or (f"bytes {start}-{start + len(data) - 1}/{total}" if data else f"bytes */{total}")
    answer = api.request("PUT", f"/uploads/{upload['id']}/content", data=data, headers={
        "Content-Range": content_range, "Content-Type": "application/octet-stream"})
    assert answer.status_code == status, said(answer)
    return answer.json()


def send(api, upload, data, start=0):
    now = upload
    for at in range(start, len(data), PIECE) if data else [0]:
        now = put(api, upload, data[at:at + PIECE], at, len(data))
    return now


def ended(api, upload, state="done"):
    def look():
        now = api.read(f"/uploads/{upload['id']}")
        return now if now["state"] in ("done", "failed") else None
    now = wait_for(look, "the upload has ended", 60)
    assert now["state"] == state, now
    return now


def content(api, store, path):
    answer = api.get(f"/datastores/{store}/files/content?" + urlencode({"path": path}))
    assert answer.status_code == 200, said(answer)
    return answer.content


def spool(server):
    return server.folder / "data" / "uploads" if (server.folder / "data" / "uploads").exists() else \
        next(server.folder.rglob("uploads"))


def test_what_is_uploaded_is_there_byte_for_byte(server, api, store):
    data = os.urandom(3 * PIECE + 12345)
    upload = begin(api, store, "iso/own.iso", len(data), sha256=hashlib.sha256(data).hexdigest())
    assert upload["state"] == "receiving" and upload["offset_bytes"] == 0 and upload["expires_at"]
    assert put(api, upload, data[:PIECE], 0, len(data))["offset_bytes"] == PIECE
    assert oct(os.stat(spool(server)).st_mode & 0o777) == "0o700"
    assert oct(os.stat(spool(server) / upload["id"]).st_mode & 0o777) == "0o600"
    last = send(api, upload, data, PIECE)
    assert last["state"] in ("sending", "done") and last["task"]["id"]
    assert ended(api, upload)["reason"] is None
    assert not (spool(server) / upload["id"]).exists()
    task = api.read(f"/tasks/{last['task']['id']}")
    assert task["action"] == "datastore.file.upload" and task["state"] == "succeeded"
    assert content(api, store, "iso/own.iso") == data
    listed = {f["name"]: f for f in api.read(f"/datastores/{store}/files?path=iso")["items"]}
    assert listed["own.iso"]["size_bytes"] == len(data)


def test_a_file_without_a_byte_works(api, store):
    upload = begin(api, store, "iso/empty", 0)
    assert put(api, upload, b"", 0, 0)["state"] in ("sending", "done")
    ended(api, upload)
    assert content(api, store, "iso/empty") == b""


def test_pieces_that_do_not_fit_are_refused_and_repeated_ones_acknowledged(api, store):
    data = os.urandom(1000)
    upload = begin(api, store, "iso/odd", 1000)
    wrong = put(api, upload, data[500:600], 500, 1000, 409)
    assert wrong["offset_bytes"] == 0 and "begins at byte 0" in wrong["detail"]
    put(api, upload, data[:400], 0, 1000)
    assert put(api, upload, data[:400], 0, 1000)["offset_bytes"] == 400, "what is here is acknowledged again"
    assert put(api, upload, data[300:700], 300, 1000)["offset_bytes"] == 700, "of one that overlaps the rest is taken"
    put(api, upload, data[700:900], 700, 999, 422)
    for bad in ("bytes 700-650/1000", "bytes 700-1000/1000", "bytes 700-", "items 1-2/3", "bytes 700-701/1000"):
        put(api, upload, data[700:900], 700, 1000, 400, bad)
    answer = api.request("PUT", f"/uploads/{upload['id']}/content", data=b"{}", headers={
        "Content-Range": "bytes 700-701/1000", "Content-Type": "application/json"})
    assert answer.status_code == 415
    put(api, upload, b"x" * ((8 << 20) + 1), 700, 1000, 413, "bytes 700-8389308/1000")
    put(api, upload, data[700:], 700, 1000)
    ended(api, upload)
    assert content(api, store, "iso/odd") == data


def test_another_hash_fails_the_upload(server, api, store):
    upload = begin(api, store, "iso/hashed", 5, sha256="0" * 64)
    refused = put(api, upload, b"hello", 0, 5, 422)
    assert "another SHA-256" in refused["detail"]
    now = api.read(f"/uploads/{upload['id']}")
    assert now["state"] == "failed" and "another SHA-256" in now["reason"]
    assert not (spool(server) / upload["id"]).exists()
    assert api.post(f"/uploads/{upload['id']}/actions/retry").status_code == 409
    assert begin(api, store, "iso/hashed", 5, 422, sha256="x" * 64)["errors"][0]["pointer"] == "/sha256"


def test_what_cannot_be_is_refused_at_once(api, store):
    upload = begin(api, store, "iso/taken", 3)
    send(api, upload, b"one")
    ended(api, upload)
    taken = begin(api, store, "iso/taken", 3, 409)
    assert taken["code"] == "name-taken" and taken["errors"][0]["pointer"] == "/path"
    assert begin(api, store, "no/folder/x", 3, 422)["errors"][0]["pointer"] == "/path"
    finish(api, api.post(f"/datastores/{store}/folders", {"path": "drawer"}))
    assert "drawer is a folder" in begin(api, store, "drawer", 3, 422)["detail"]
    for path in ("../x", "/x", "a//b"):
        assert begin(api, store, path, 3, 422)["errors"][0]["pointer"] == "/path", path
    free = api.read(f"/datastores/{store}")["free_bytes"]
    assert begin(api, store, "iso/huge", free + 1, 507)["errors"][0]["pointer"] == "/size_bytes"
    changed = api.patch("/settings", {"uploads": {"spool_gib": 1}})
    assert changed.status_code == 200, said(changed)
    assert "at most 1 GiB" in begin(api, store, "iso/large", (1 << 30) + 1, 507)["detail"]
    api.patch("/settings", {"uploads": {"spool_gib": 100}})
    refused = begin(api, store_of(api, "hyperv"), "iso/x", 3, 422)
    assert refused["code"] == "not-supported" and "WS-Management carries no contents of files" in refused["detail"]


def test_a_file_is_replaced_only_when_asked_and_never_a_vms(api, store):
    upload = begin(api, store, "iso/twice", 3)
    send(api, upload, b"one")
    ended(api, upload)
    again = begin(api, store, "iso/twice", 5, overwrite=True)
    send(api, again, b"other")
    ended(api, again)
    assert content(api, store, "iso/twice") == b"other"
    vm = api.items("vms", filter="provider.family:vmware template:false", view="full", limit="50")[0]
    image = vm["disks"][0]["image"]
    refused = begin(api, image["datastore"]["id"], image["path"].partition("] ")[2], 3, 409, overwrite=True)
    assert f"is used by {vm['name']}" in refused["detail"]


def test_a_simulation_that_is_full_says_so_and_what_failed_is_sent_again(api, store):
    size = 40 << 20
    first = begin(api, store, "iso/forty", size)
    data = os.urandom(PIECE) * 40
    for at in range(0, size, 8 << 20):
        put(api, first, data[at:at + (8 << 20)], at, size)
    ended(api, first)
    second = begin(api, store, "iso/more", size)
    for at in range(0, size, 8 << 20):
        put(api, second, data[at:at + (8 << 20)], at, size)
    assert "64 MiB" in ended(api, second, "failed")["reason"]
    gone = api.delete(f"/datastores/{store}/files?path=iso/forty")
    assert gone.status_code == 202
    wait_for(lambda: "forty" not in {f["name"] for f in api.read(f"/datastores/{store}/files?path=iso")["items"]}, "it is gone")
    retried = api.post(f"/uploads/{second['id']}/actions/retry")
    assert retried.status_code == 200 and retried.json()["state"] in ("sending", "done"), said(retried)
    ended(api, second)
    assert hashlib.sha256(content(api, store, "iso/more")).digest() == hashlib.sha256(data).digest()
    api.delete(f"/datastores/{store}/files?path=iso/more")


def test_only_who_began_it_sees_it(server, api, store):
    upload = begin(api, store, "iso/mine", 10)
    password = "Blue-Kettle-77-Lane"
    assert api.post("/users", {"name": "otto", "password": password}).status_code == 201
    granted = api.post("/grants", {"user": "otto", "role": "infra_admin", "scope": {"type": "everything"}})
    if granted.status_code != 201:
        names = [r["name"] for r in api.items("roles")]
        granted = api.post("/grants", {"user": "otto", "role": next(n for n in names if "infra" in n),
                                       "scope": {"type": "everything"}})
    assert granted.status_code == 201, said(granted)
    otto = api.with_token(server.make_token("otto", "otto", password))
    assert upload["id"] not in [u["id"] for u in otto.items("uploads")]
    assert otto.get(f"/uploads/{upload['id']}").status_code == 404
    put(otto, upload, b"0123456789", 0, 10, 404)
    assert otto.delete(f"/uploads/{upload['id']}").status_code == 404
    own = begin(otto, store, "iso/ottos", 4)
    assert [u["id"] for u in otto.items("uploads")] == [own["id"]]
    assert own["id"] in [u["id"] for u in api.items("uploads")], "administrators see all"
    assert api.delete(f"/uploads/{own['id']}").status_code == 204
    assert otto.get(f"/uploads/{own['id']}").status_code == 404
    assert api.post("/users", {"name": "rita", "password": password}).status_code == 201
    rita = api.with_token(server.make_token("rita", "rita", password))
    assert rita.post(f"/datastores/{store}/uploads", {"path": "iso/ritas", "size_bytes": 4}).status_code in (403, 404)


def test_giving_up_leaves_nothing(server, api, store):
    upload = begin(api, store, "iso/never", 2000)
    put(api, upload, b"x" * 1000, 0, 2000)
    assert (spool(server) / upload["id"]).exists()
    assert api.delete(f"/uploads/{upload['id']}").status_code == 204
    assert not (spool(server) / upload["id"]).exists()
    assert api.get(f"/uploads/{upload['id']}").status_code == 404
    upload = begin(api, store, "iso/called-off", 10)
    send(api, upload, b"0123456789")
    assert api.delete(f"/uploads/{upload['id']}").status_code == 204
    assert not (spool(server) / upload["id"]).exists()


def test_everything_goes_on_after_the_server_was_killed(servers):
    server = servers("killed")
    api = server.admin()
    add_estates(api, vms=20)
    store = store_of(api)
    data = os.urandom(2 * PIECE)
    half = begin(api, store, "iso/half", len(data))
    put(api, half, data[:PIECE], 0, len(data))
    whole = begin(api, store, "iso/whole", len(data))
    send(api, whole, data)
    orphan = spool(server) / "up_00000000000000000000000001"
    orphan.write_bytes(b"of nobody")
    server.kill()
    server.start()
    api = server.admin()
    assert not orphan.exists()
    assert api.read(f"/uploads/{half['id']}")["offset_bytes"] == PIECE
    for p in api.items("providers"):
        api.wait_provider(p["id"])
    ended(api, whole)
    send(api, half, data, PIECE)
    ended(api, half)
    assert content(api, store, "iso/half") == data


def test_what_has_had_its_time_goes(servers):
    server = servers("expiring")
    api = server.admin()
    add_estates(api, vms=20)
    store = store_of(api)
    old, young = (begin(api, store, f"iso/{name}", 10) for name in ("old", "young"))
    for upload in (old, young):
        put(api, upload, b"01234", 0, 10)
    server.stop()
    # Its last byte came a day ago.
    db = sqlite3.connect(next(server.folder.rglob("polyvisor.db")))
    table, = (n for n, in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'") if "upload" in n)
    done = db.execute(f"UPDATE {table} SET expires_at = ? WHERE path = 'iso/old'", (int(time.time() * 1000) - 1000,))
    assert done.rowcount == 1
    db.commit()
    db.close()
    server.start()
    api = server.admin()
    wait_for(lambda: api.get(f"/uploads/{old['id']}").status_code == 404, "it is given up")
    assert not (spool(server) / old["id"]).exists()
    assert api.read(f"/uploads/{young['id']}")["offset_bytes"] == 5
    assert (spool(server) / young["id"]).exists()
