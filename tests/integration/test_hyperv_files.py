# SPDX-License-Identifier: Apache-2.0
"""Files of a Hyper-V host's datastores, by its CIM_DataFile and Win32_Directory."""

import datetime
from urllib.parse import urlencode

import pytest

from support.wait import wait_for

pytestmark = [pytest.mark.timeout(200), pytest.mark.usefixtures("without_faults")]

STAMP = 1_760_000_000.5


@pytest.fixture(scope="module")
def hv(hyperv_hosts):
    return hyperv_hosts("files", vms=6, settings={"outcome_wait_s": 1})


@pytest.fixture(scope="module")
def store(hv):
    return next(s for s in hv.api.items("datastores", view="full") if s["root_path"] == "D:\\")["id"]


def at(store, path):
    return f"/datastores/{store}/files?" + urlencode({"path": path})


def names(hv, store, path=""):
    return {f["name"]: f for f in hv.api.read(at(store, path))["items"]}


def move(hv, store, path, to, how="do"):
    return getattr(hv, how)("post", f"/datastores/{store}/actions/move_file", {"path": path, "to": to})


def files(hv):
    return {path.lower() for path in hv.host.state()["files"]}


def calls(hv, *methods):
    return [r["method"] for r in hv.control.ledger() if r.get("method") in methods]


def disk_of(hv):
    """Where a VM that is off has its disk: nothing holds it open."""
    vm = hv.off()
    path = vm["disks"][0]["image"]["path"]
    assert path.startswith("D:\\")
    return vm, path[3:].replace("\\", "/")


def test_folders_are_listed_with_sizes_and_times(hv, store):
    hv.host.add_file("D:\\Lists\\Deep er\\it's 100%_.iso", kind=0, used=(5 << 30) + 1, stamp=STAMP)
    hv.host.add_file("D:\\Lists\\noending", kind=0, used=0, stamp=STAMP)
    hv.host.add_file("D:\\top.iso", kind=0, used=7, stamp=STAMP)
    root = names(hv, store)
    assert root["lists"]["type"] == "folder" and root["lists"]["size_bytes"] is None and root["lists"]["modified_at"]
    assert root["top.iso"]["size_bytes"] == 7 and "noending" not in root
    assert set(names(hv, store, "Lists")) == {"deep er", "noending"}
    [one] = names(hv, store, "Lists/Deep er").values()
    assert one["name"] == "it's 100%_.iso" and one["type"] == "iso" and one["size_bytes"] == (5 << 30) + 1
    assert datetime.datetime.fromisoformat(one["modified_at"]).timestamp() == STAMP
    assert names(hv, store, "Lists")["noending"]["size_bytes"] == 0


def test_what_is_no_folder_is_said(hv, store):
    hv.host.add_file("D:\\file.iso", kind=0)
    for path in ("no/such", "file.iso"):
        answer = hv.api.get(at(store, path))
        assert answer.status_code == 404 and "there is no folder" in answer.text, answer.text
    for path in ("C:", "x:stream", "VMs.", "VMS~1"):
        assert hv.api.get(at(store, path)).status_code in (400, 422), path


def test_files_and_folders_are_moved_and_deleted(hv, store):
    hv.host.add_file("D:\\Old\\a.vhdx", used=123)
    hv.host.add_file("D:\\New\\b.iso", kind=0)
    move(hv, store, "Old/a.vhdx", "New/c.vhdx")
    assert names(hv, store, "New")["c.vhdx"]["size_bytes"] == 123 and names(hv, store, "Old") == {}
    assert "there is no file or folder" in move(hv, store, "Old/a.vhdx", "New/d.vhdx", "fails")["detail"]
    assert move(hv, store, "New/b.iso", "New/c.vhdx", "fails")["code"] == "name-taken"
    assert "there is no folder Nowhere" in move(hv, store, "New/b.iso", "Nowhere/b.iso", "fails")["detail"]
    assert "into itself" in move(hv, store, "New", "New/er", "fails")["detail"]
    assert "is not empty" in hv.fails("delete", at(store, "New"))["detail"]
    move(hv, store, "New", "Newer")
    assert set(names(hv, store, "Newer")) == {"b.iso", "c.vhdx"}
    for path in ("Newer/b.iso", "Newer/c.vhdx", "Newer", "Old"):
        hv.plan("delete", at(store, path))
        assert hv.do("delete", at(store, path))["changed"] is True
    assert not {"new", "newer", "old"} & set(names(hv, store)) and "d:\\newer\\b.iso" not in files(hv)


def test_what_a_vm_uses_stays(hv, store):
    vm, path = disk_of(hv)
    before = files(hv)
    for used in (path, path.upper(), path.rpartition("/")[0]):
        for answer in (hv.refused("delete", at(store, used)), move(hv, store, used, "elsewhere", "refused")):
            assert f"is used by {vm['name']}" in answer["detail"], answer
    # Of the configuration the server's own inventory knows nothing: the host's settings do.
    settings = hv.real(vm["name"]).settings
    where = settings["ConfigurationDataRoot"] + "\\" + settings["ConfigurationFile"]
    assert where.startswith("D:\\")
    for file in (where, where.replace(".vmcx", ".vmrs")):
        hv.host.add_file(file, kind=0)
        for answer in (hv.fails("delete", at(store, file[3:].replace("\\", "/").upper())),
                       move(hv, store, file[3:].replace("\\", "/"), "elsewhere", "fails")):
            assert f"is used by {vm['name']}" in answer["detail"], answer
        hv.host.remove_file(file)
    assert files(hv) == before and not calls(hv, "Delete", "Rename")


def test_refusals_of_the_host_are_told(hv, store):
    hv.host.add_file("D:\\held.iso", kind=0)
    hv.control.fault("Delete", returns=15, count=1)
    assert "the file is in use" in hv.fails("delete", at(store, "held.iso"))["detail"]
    hv.control.fault("Rename", returns=2, count=1)
    assert "access is denied" in move(hv, store, "held.iso", "x.iso", "fails")["detail"]
    assert "d:\\held.iso" in files(hv)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_is_looked_for_and_nothing_is_sent_twice(hv, store, when):
    hv.host.add_file(f"D:\\{when}.iso", kind=0)
    hv.control.fault("Rename", drop=when, count=1)
    hv.control.fault("Delete", drop=when, count=1)
    task = move(hv, store, f"{when}.iso", f"{when}2.iso", "end")
    assert task["state"] == ("failed" if when == "before" else "succeeded"), task
    assert (f"d:\\{when}2.iso" in files(hv)) == (when == "after")
    path = f"{when}2.iso" if when == "after" else f"{when}.iso"
    assert hv.end("delete", at(store, path))["state"] == task["state"]
    assert (f"d:\\{path}" in files(hv)) == (when == "before")
    assert calls(hv, "Rename", "Delete") == ["Rename", "Delete"]


def test_a_restarted_server_looks_for_what_was_sent(hv, store):
    hv.host.add_file("D:\\kept.iso", kind=0)
    hv.control.fault("Rename", delay=4000, count=1)
    status, task = hv.send("post", f"/datastores/{store}/actions/move_file", {"path": "kept.iso", "to": "kept2.iso"})
    assert status == 202, task
    wait_for(lambda: calls(hv, "Rename"), "the request")
    hv.server.kill()
    wait_for(lambda: "d:\\kept2.iso" in files(hv), "the host to do it")
    hv.server.start()
    hv.again()
    task = hv.api.wait_task(task["id"], 60)
    assert task["state"] == "succeeded" and task["changed"] is True, task
    assert calls(hv, "Rename") == ["Rename"] and "d:\\kept.iso" not in files(hv)


def test_a_host_that_refuses_filters_is_not_asked_for_all_its_files(hv, store):
    """Keeps its refusal for good, hence the last one."""
    hv.host.settings(wql=False)
    answer = hv.api.get(at(store, ""))
    assert answer.status_code == 422 and "the host refuses filters" in answer.text, answer.text
