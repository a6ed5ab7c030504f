# SPDX-License-Identifier: Apache-2.0
"""Screen, keyboard and console of VMs of vSphere, and VMs that go elsewhere, are copied and come back from files."""

import struct

import pytest
from pyVmomi import vim

from support.client import finish, said
from support.wait import wait_for

pytestmark = pytest.mark.timeout(300)
GIB = 1 << 30


@pytest.fixture(scope="module")
def vcenter(module_vcenters):
    return module_vcenters(vm=4, pg=1, ds=2, host=2)


def running(api):
    return next(v for v in api.items("vms", view="full", sort="name") if v["power_state"] == "running")


def in_cluster(api, **more):
    return next(v for v in api.items("vms", view="full", sort="-name") if v["cluster"] and all(v[k] == w for k, w in more.items()))


def again(api, vm):
    return api.read(f"/vms/{vm['id']}")


def a_host(api):
    return next(h for h in api.items("hosts", view="full") if not h["cluster"])


# Screen and keyboard

def test_a_screenshot_is_a_picture_and_leaves_no_file(api, other):
    vm = running(api)
    answer = api.get(f"/vms/{vm['id']}/screenshot")
    assert answer.status_code == 200, said(answer)
    assert answer.headers["Content-Type"] == "image/png" and answer.content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", answer.content[16:24]) == (64, 48)
    for store in other.objects(vim.Datastore):
        task = store.browser.SearchDatastore_Task(f"[{store.name}]", vim.host.DatastoreBrowser.SearchSpec(matchPattern=["*.png"]))
        # While it runs the simulator names the browser as what it is about, which pyvmomi refuses to read.
        info = wait_for(lambda: task.info if task.info.state not in ("running", "queued") else None, "the files of a datastore", 60, ignore=(TypeError,))
        assert not info.result.file, "the picture's file was left behind"


def test_text_and_keys_are_typed(api, vcenter):
    vm = running(api)
    before = len(vcenter.keys())
    answer = api.post(f"/vms/{vm['id']}/keystrokes", {"text": "aB1!", "keys": ["ctrl+alt+f2", "enter"], "ctrl_alt_del": True})
    assert answer.status_code == 200, said(answer)
    keys = [(k["usage"], "".join(c for c, on in zip("CSAG", (k["ctrl"], k["shift"], k["alt"], k["gui"]), strict=True) if on))
            for k in vcenter.keys()[before:]]
    assert keys == [(0x04, ""), (0x05, "S"), (0x1E, ""), (0x1E, "S"), (0x3B, "CA"), (0x28, ""), (0x4C, "CA")]
    answer = api.post(f"/vms/{vm['id']}/keystrokes", {"keys": ["hyperspace"]})
    assert answer.status_code == 422, said(answer)
    assert len(vcenter.keys()) == before + 7, "nothing of a request that is refused is typed"


def test_a_console_is_handed_over(api, vcenter):
    vm = running(api)
    answer = api.post(f"/vms/{vm['id']}/console", {})
    assert answer.status_code == 200, said(answer)
    console = answer.json()
    assert console["protocol"] == "webmks" and console["url"] == f"wss://esx.example:443/ticket/{console['ticket']}"
    console = api.post(f"/vms/{vm['id']}/console", {"protocol": "vmrc"}).json()
    assert console["protocol"] == "vmrc" and console["port"] == vcenter.port
    assert console["url"] == f"vmrc://clone:{console['ticket']}@{console['host']}:{console['port']}/?moid={vm['native']['id']}"
    answer = api.post(f"/vms/{vm['id']}/console", {"protocol": "rdp"})
    assert answer.status_code == 422 and answer.json()["code"] == "not-supported", said(answer)


# Going elsewhere

def test_a_running_vm_moves_to_another_host_of_its_cluster(api, other):
    vm = in_cluster(api, power_state="running")
    there = next(h for h in api.items("hosts", view="full") if h["cluster"] and h["id"] != vm["host"]["id"])
    plan = api.post(f"/vms/{vm['id']}/actions/move", {"host": there["id"]}, dry_run="true").json()
    assert plan["ok"] and plan["plan"][0]["native_calls"][0]["operation"] == "RelocateVM_Task"
    finish(api, api.post(f"/vms/{vm['id']}/actions/move", {"host": there["id"]}))
    now = again(api, vm)
    assert now["host"]["id"] == there["id"] and now["id"] == vm["id"] and now["power_state"] == "running"


def test_its_files_move_to_another_datastore(api, other):
    vm = in_cluster(api)
    stores = api.items("datastores", sort="name")
    was = vm["disks"][0]["image"]["datastore"]["id"]
    to = next(s for s in stores if s["id"] != was)
    finish(api, api.post(f"/vms/{vm['id']}/actions/move", {"datastore": to["id"]}))
    theirs = other.vm(vm["native"]["id"])
    assert [d.name for d in theirs.datastore] == [to["name"]]


def test_a_move_to_nowhere_and_one_in_the_wrong_state_are_refused(api):
    vm = in_cluster(api, power_state="running")
    plan = api.post(f"/vms/{vm['id']}/actions/move", {}, dry_run="true").json()
    assert not plan["ok"] and "say where to" in plan["findings"][0]["detail"]
    store = api.items("datastores")[0]
    plan = api.post(f"/vms/{vm['id']}/actions/move", {"datastore": store["id"], "live": False}, dry_run="true").json()
    assert not plan["ok"] and "it runs" in plan["findings"][0]["detail"]
    answer = api.post(f"/vms/{vm['id']}/actions/move", {"datastore": store["id"], "path": "x"})
    assert answer.status_code == 422 and answer.json()["errors"][0]["pointer"] == "/path", said(answer)


# Copies

def test_a_clone_takes_other_networks_and_keeps_addresses_as_asked(api, other):
    vm = in_cluster(api)
    network = next(n for n in api.items("networks", view="full") if n["native"]["type"] == "DistributedVirtualPortgroup"
                   and "uplink" not in n["name"].lower())
    task = finish(api, api.post(f"/vms/{vm['id']}/actions/clone", {"name": "elsewhere", "mac": "keep", "networks": [{"nic": "*", "network": network["id"]}],
                                                                  "datastore": api.items("datastores", sort="name")[1]["id"]}))
    made = api.read(f"/vms/{task['result']['ref']['id']}")
    assert made["name"] == "elsewhere" and made["nics"][0]["network"]["id"] == network["id"]
    assert {d["kind"] for d in task["result"]["devices"]} >= {"disk", "nic", "controller"}
    assert task["undo"]["operation"] == "vm.delete"
    finish(api, api.post(f"/tasks/{task['id']}/actions/undo"))
    plan = api.post(f"/vms/{vm['id']}/actions/clone", {"name": "x", "networks": [{"nic": "no such", "network": network["id"]}]}, dry_run="true").json()
    assert not plan["ok"] and "label" in plan["findings"][0]["detail"]


def test_files_are_to_be_registered_where_they_lie(api, other):
    """A rehearsal alone: the simulator waits for itself when a VM is registered while somebody follows its changes."""
    vm = in_cluster(api)
    host, vmx = a_host(api), other.vm(vm["native"]["id"]).config.files.vmPathName
    plan = api.post("/vms/actions/import", {"host": host["id"], "source": vmx, "name": "again"}, dry_run="true").json()
    call = plan["plan"][0]["native_calls"][0]
    assert call["operation"] == "RegisterVM_Task" and (call["args"]["path"], call["args"]["name"]) == (vmx, "again")
    answer = api.post("/vms/actions/import", {"host": host["id"], "source": vmx, "mode": "copy"}, dry_run="true")
    assert answer.status_code == 422 and answer.json()["errors"][0]["pointer"] == "/mode", said(answer)
