# SPDX-License-Identifier: Apache-2.0
"""A server killed before it could store how far an operation is: nothing is sent that the next server does not know of."""

import contextlib
import sqlite3
import time

import pytest

from support.hyperv_api import Estate
from support.wait import wait_for

pytestmark = pytest.mark.timeout(400)

GIB = 1 << 30
GOES_ON_S = 3       # a driver that does not wait sends its next step long before


@pytest.fixture(scope="module")
def hv(module_servers, tmp_path_factory):
    hv = Estate(module_servers("killed"), tmp_path_factory.mktemp("killed"), vms=8, speed=10, settings={"outcome_wait_s": 3})
    yield hv
    hv.close()


@contextlib.contextmanager
def nothing_stored(server):
    """Another program holds the database: the server can read, and waits for its turn to write."""
    db = sqlite3.connect(server.data / "polyvisor.db", isolation_level=None, timeout=30)
    try:
        db.execute("BEGIN IMMEDIATE")
        yield
    finally:
        db.close()


def told(hv, task, word):
    """What the driver has told of its way, and the server has stored."""
    with contextlib.closing(sqlite3.connect(f"file:{hv.server.data}/polyvisor.db?mode=ro", uri=True)) as db:
        newest = db.execute("SELECT journal FROM k_task WHERE action = ? ORDER BY id DESC LIMIT 1", (task["action"],)).fetchone()
    return word in (newest[0] or "")


def killed_before(hv, task, step, method):
    """The server is killed when the step before `method` is over and nothing of that could be stored.

    `step`: a word of the journal that says that the step before is under way; its job runs for two seconds.
    Answers the task's end, and how often `method` was sent meanwhile.
    """
    before = hv.calls(method)
    wait_for(lambda: told(hv, task, step), f"{step} should be under way", 60)
    with nothing_stored(hv.server):
        began = time.monotonic()
        while hv.calls(method) == before and time.monotonic() - began < GOES_ON_S + 2:
            time.sleep(0.05)
        went_on = hv.calls(method) - before
        hv.server.kill()
    hv.control.no_faults()
    hv.server.start()
    hv.again()
    return hv.api.wait_task(task["id"], 120), went_on


CLONE = [("ExportSystemDefinition", "ImportSystemDefinition"), ("ImportSystemDefinition", "ValidatePlannedSystem"),
         ("ValidatePlannedSystem", "RealizePlannedSystem")]


@pytest.mark.parametrize(("under_way", "method"), CLONE)
def test_a_clone_sends_each_step_once(hv, under_way, method):
    name = f"clone-{method[:4].lower()}"
    hv.control.fault(under_way, job={"seconds": 20})
    counted = {m: hv.calls(m) for _, m in CLONE}
    status, task = hv.send("post", f"{hv.path(hv.off())}/actions/clone", {"name": name})
    assert status == 202, task
    task, went_on = killed_before(hv, task, "ConcreteJob", method)
    assert went_on == 0, "the driver went on with what the server had not stored"
    assert task["state"] == "succeeded", str(task["error"])
    assert {m: hv.calls(m) - n for m, n in counted.items()} == {m: 1 for _, m in CLONE}
    assert [vm.name for vm in hv.host.vms() if vm.name == name] == [name]
    assert not hv.leftovers()


@pytest.mark.parametrize(("under_way", "step", "method"), [("ConvertVirtualHardDisk", '"copy 0","', "ValidatePlannedSystem"),
                                                           ("ValidatePlannedSystem", '"validate","', "RealizePlannedSystem")])
def test_a_disk_is_copied_once(hv, under_way, step, method):
    """Nothing on the host tells a copy that is done from one that was never begun."""
    vm, name = hv.off(), f"copied-{method[:4].lower()}"
    source = f"D:\\from-{name}\\{vm['name']}\\Virtual Machines\\{vm['native']['id']}.vmcx"
    hv.do("post", f"{hv.path(vm)}/actions/export", {"path": f"D:\\from-{name}"})
    disks = len(hv.children(vm, "disks"))
    hv.control.fault(under_way, job={"seconds": 20})
    before = hv.calls("ConvertVirtualHardDisk")
    status, task = hv.send("post", "/vms/actions/import", {"host": hv.api.one("hosts", hv.host.name)["id"], "source": source,
                                                           "mode": "copy", "name": name})
    assert status == 202, task
    task, went_on = killed_before(hv, task, step, method)
    assert went_on == 0, "the driver went on with what the server had not stored"
    assert task["state"] == "succeeded", str(task["error"])
    assert hv.calls("ConvertVirtualHardDisk") - before == disks > 0
    assert not hv.leftovers()


def test_a_vm_is_made_with_each_of_its_parts_once(hv):
    hv.control.fault("CreateVirtualHardDisk", job={"seconds": 20})
    host = hv.api.one("hosts", hv.host.name)["id"]
    disks = [{"capacity_bytes": GIB}, {"capacity_bytes": 2 * GIB}]
    counted = {m: hv.calls(m) for m in ("DefineSystem", "CreateVirtualHardDisk")}
    status, task = hv.send("post", "/vms", {"name": "parts", "host": host, "memory": {"bytes": GIB}, "disks": disks})
    assert status == 202, task
    task, went_on = killed_before(hv, task, "StorageJob", "AddResourceSettings")
    assert went_on == 0, "the driver went on with what the server had not stored"
    assert task["state"] == "succeeded", str(task["error"])
    assert {m: hv.calls(m) - n for m, n in counted.items()} == {"DefineSystem": 1, "CreateVirtualHardDisk": 2}
    wait_for(lambda: {d["capacity_bytes"] for d in hv.children(hv.vm("parts"), "disks")} == {GIB, 2 * GIB},
             "both disks should be there with their sizes", 60)


def killed_on_the_way(hv, method, send):
    """The server is killed when the request is noted and on its way, and it never has an effect."""
    hv.control.fault(method, delay=5000, drop="before", count=1)
    before = hv.calls(method)
    status, task = send()
    assert status == 202, task
    wait_for(lambda: hv.calls(method) > before, f"{method} should be on its way", 60)
    hv.server.kill()
    hv.control.no_faults()
    hv.server.start()
    hv.again()
    return hv.api.wait_task(task["id"], 120)


@pytest.mark.parametrize("method", ["ModifySystemSettings", "ModifyResourceSettings", "RealizePlannedSystem"])
def test_what_may_be_done_twice_and_never_arrived_is_done_after_the_restart(hv, method):
    vm, name = hv.off(), f"again-{method[:9].lower()}"
    task = killed_on_the_way(hv, method, lambda: hv.send("post", f"{hv.path(vm)}/actions/clone", {"name": name}))
    assert task["state"] == "succeeded", str(task["error"])
    assert [vm.name for vm in hv.host.vms() if vm.name == name] == [name]
    assert not hv.leftovers()


def test_a_deletion_that_never_arrived_is_done_after_the_restart(hv):
    host = hv.api.one("hosts", hv.host.name)["id"]
    hv.do("post", "/vms", {"name": "going", "host": host, "memory": {"bytes": GIB}, "disks": [{"capacity_bytes": GIB}]})
    vm = hv.vm("going")
    hv.do("post", f"{hv.path(vm)}/snapshots", {"name": "before"})
    snapshot = hv.api.items("snapshots", filter=f"vm:{vm['id']}")[0]
    task = killed_on_the_way(hv, "DestroySnapshot", lambda: hv.send("delete", f"{hv.path(vm)}/snapshots/{snapshot['id']}"))
    assert task["state"] == "succeeded", str(task["error"])
    assert not hv.real("going").snapshots
    task = killed_on_the_way(hv, "DestroySystem", lambda: hv.send("delete", hv.path(vm)))
    assert task["state"] == "succeeded", str(task["error"])
    assert hv.host.vm_named("going") is None


def test_what_must_not_be_done_twice_and_never_arrived_fails_and_says_so(hv):
    task = killed_on_the_way(hv, "ImportSystemDefinition",
                             lambda: hv.send("post", f"{hv.path(hv.off())}/actions/clone", {"name": "once"}))
    assert task["state"] == "failed" and "nothing is to be seen of it" in task["error"]["detail"], str(task)
    assert hv.host.vm_named("once") is None and not hv.leftovers()
