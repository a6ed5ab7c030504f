# SPDX-License-Identifier: Apache-2.0
"""The answer lost for what no job of a Hyper-V host tells of: single files, keys, a VM's files that go with it."""

import pytest

pytestmark = [pytest.mark.timeout(200), pytest.mark.usefixtures("without_faults")]

GIB = 1 << 30
CTRL, ALT = 17, 18


@pytest.fixture(scope="module")
def hv(hyperv_hosts):
    return hyperv_hosts("morecuts", vms=6, settings={"outcome_wait_s": 1})


def image(hv, host_id, stem):
    path = f"D:\\VMs\\{stem}.vhdx"
    hv.do("post", "/disk-images", {"host": host_id, "path": path, "capacity_bytes": GIB})
    found = next(i for i in hv.api.items("disk-images", view="full") if i["path"].lower() == path.lower())
    return path, found


def deletes(hv, stem):
    return sum(1 for r in hv.control.ledger() if r.get("method") == "Delete" and stem in str(r.get("selectors")))


# A file


@pytest.mark.parametrize("how", ["cut", "late"])
def test_a_file_whose_deletion_never_arrived_is_there_and_the_task_says_so(hv, host_id, how):
    stem = f"stays-{how}"
    path, one = image(hv, host_id, stem)
    timed_out = {"subcode": "w:TimedOut", "code": 2150858793, "text": "The operation timed out."}
    hv.control.fault("Delete", count=1, **({"drop": "before"} if how == "cut" else {"fault": timed_out}))
    error = hv.fails("delete", f"/disk-images/{one['id']}")
    assert "still there" in error["detail"] and stem in error["detail"]
    assert path in hv.host.state()["files"] and deletes(hv, stem) == 1
    assert hv.api.read(f"/disk-images/{one['id']}")["presence"] == "present"
    hv.do("delete", f"/disk-images/{one['id']}")
    assert path not in hv.host.state()["files"]


def test_a_file_that_is_gone_though_nobody_said_so_is_gone(hv, host_id):
    path, one = image(hv, host_id, "goes")
    hv.control.fault("Delete", drop="after", count=1)
    task = hv.do("delete", f"/disk-images/{one['id']}")
    assert task["changed"] is True and path not in hv.host.state()["files"] and deletes(hv, "goes") == 1
    assert hv.api.read(f"/disk-images/{one['id']}")["presence"] == "gone"


@pytest.mark.nightly  # the server looks for half a minute
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_file_that_cannot_be_asked_for_is_decided_by_its_image(hv, host_id, when):
    """The host tells nothing of its files from the request on, but of its images."""
    stem = f"unknown-{when}"
    path, one = image(hv, host_id, stem)
    hv.control.fault("Delete", drop=when, count=1)
    hv.control.fault(action="Get", class_="CIM_DataFile", skip=2, fault={"subcode": "w:InternalError", "code": 2147749889, "text": "Generic failure"})
    task = hv.end("delete", f"/disk-images/{one['id']}", timeout=120)
    assert task["state"] == ("failed" if when == "before" else "succeeded"), task["error"]
    assert (path in hv.host.state()["files"]) == (when == "before") and deletes(hv, stem) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_vm_is_deleted_and_its_file_is_told_truly(hv, host_id, when):
    made = hv.do("post", "/vms", {"name": f"del-{when}", "host": host_id, "memory": {"bytes": GIB}, "disks": [{"capacity_bytes": GIB}]})
    vm = hv.api.read(f"/vms/{made['result']['ref']['id']}")
    path = vm["disks"][0]["image"]["path"]
    hv.control.fault("Delete", drop=when, count=1)
    task = hv.do("delete", hv.path(vm), disks="delete")
    assert hv.host.vm_named(f"del-{when}") is None
    assert (path in hv.host.state()["files"]) == (when == "before")
    assert ("still there" in str(task["result"])) == (when == "before"), task
    assert deletes(hv, f"del-{when}") == 1


# Keys


def typed(hv, vm):
    return hv.real(vm["name"]).keys


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("method, body, key", [
    ("TypeText", {"text": "secret"}, {"text": "secret"}),
    ("TypeKey", {"keys": ["enter"]}, {"TypeKey": 13}),
    ("TypeCtrlAltDel", {"ctrl_alt_del": True}, {"ctrl-alt-del": True}),
])
def test_keys_whose_answer_was_lost_are_not_typed_twice_and_nobody_claims_to_know(hv, method, body, key, when):
    vm = hv.running()
    before = len(typed(hv, vm))
    hv.control.fault(method, drop=when, count=1)
    answer = hv.api.post(f"{hv.path(vm)}/keystrokes", body)
    assert answer.status_code == 502 and answer.json()["code"] == "outcome-unknown", answer.text
    assert hv.calls(method) == 1
    assert typed(hv, vm)[before:] == ([key] if when == "after" else [])


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("method", ["PressKey", "TypeKey", "ReleaseKey"])
def test_no_key_stays_down_whatever_answer_was_lost(hv, method, when):
    vm = hv.running()
    before = len(typed(hv, vm))
    hv.control.fault(method, drop=when, count=1)
    answer = hv.api.post(f"{hv.path(vm)}/keystrokes", {"keys": ["ctrl+alt+f2"]})
    assert answer.status_code in ((200, 204) if method == "ReleaseKey" else (502,)), answer.text
    down = set()
    for key in typed(hv, vm)[before:]:
        down |= {key["PressKey"]} if "PressKey" in key else set()
        down -= {key.get("ReleaseKey")}
    assert not down
    assert sum("TypeKey" in key for key in typed(hv, vm)[before:]) <= 1, "nothing is typed twice"
