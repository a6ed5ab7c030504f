# SPDX-License-Identifier: Apache-2.0
"""What is easily done wrong with Hyper-V, as operations through REST: localised hosts, checkpoints' files, chains, names
that are not unique, switches that cut the connection, key protectors."""

import itertools

import pytest

from support.hyperv_api import Estate

pytestmark = pytest.mark.timeout(300)

GIB = 1 << 30
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def hv(module_servers, tmp_path_factory):
    made = Estate(module_servers("hv"), tmp_path_factory.mktemp("hv"), hosts=1, vms=4, speed=50, settings={"outcome_wait_s": 5})
    yield made
    made.close()


@pytest.fixture(autouse=True)
def nothing_is_left_behind(hv):
    yield
    hv.control.no_faults()
    assert not hv.leftovers()


def make(hv, **more):
    name = f"pit-{next(_numbers)}"
    host = hv.api.one("hosts", hv.host.name)["id"]
    hv.do("post", "/vms", {"name": name, "host": host, "memory": {"bytes": GIB}, "disks": [{"capacity_bytes": GIB}], **more})
    return hv.vm(name)


@pytest.fixture
def vm(hv):
    return make(hv)


def now(hv, vm):
    return hv.api.read(hv.path(vm))


def files(hv, text):
    return [f for f in hv.host.state()["files"] if text in f and ".vhd" in f.lower() or text in f and ".avhd" in f.lower()]


def snapshot(hv, vm, name):
    return next(s for s in hv.api.items(f"vms/{vm['id']}/snapshots") if s["name"] == name)


@pytest.mark.parametrize("oddities", [
    {"language": "de-DE", "shuffle": True, "one_item": True}, {"language": "ja-JP", "wql": False, "prefixes": "odd"},
    {"language": "de-DE", "associations": False, "wql": False, "changing_contexts": True}])
def test_operations_do_the_same_on_odd_and_localised_hosts(module_servers, tmp_path, oddities):
    hv = Estate(module_servers("hv-odd"), tmp_path / "odd", add=False, hosts=1, vms=2, speed=50)
    try:
        known = hv.host.settings()
        hv.host.settings(**{k: v for k, v in oddities.items() if k in known})
        hv.add(hv.host)
        vm = make(hv, controllers=[{"bus": "scsi"}])
        hv.do("post", f"{hv.path(vm)}/disks", {"capacity_bytes": 2 * GIB})
        hv.do("patch", hv.path(vm), {"cpu": {"count": 2}, "memory": {"bytes": 2 * GIB}, "annotation": "größer"})
        hv.do("post", f"{hv.path(vm)}/actions/start")
        hv.do("post", f"{hv.path(vm)}/snapshots", {"name": "eins"})
        hv.do("post", f"{hv.path(vm)}/actions/stop")
        hv.do("post", f"{hv.path(vm)}/snapshots/{snapshot(hv, vm, 'eins')['id']}/actions/revert")
        hv.do("delete", f"{hv.path(vm)}/snapshots/{snapshot(hv, vm, 'eins')['id']}")
        real = hv.real(vm["name"])
        assert (real.cpus, real.memory_mb, len(real.disks), real.snapshots, real.notes) == (2, 2048, 2, [], "größer")
        hv.do("delete", hv.path(vm), force="true", disks="delete")
        assert files(hv, vm["name"]) == []
    finally:
        for provider in hv.providers:
            hv.api.delete(f"/providers/{provider['id']}")
        hv.close()


def test_deleting_a_vm_takes_the_files_of_its_checkpoints_along(hv, vm):
    for name in ("one", "two"):
        hv.do("post", f"{hv.path(vm)}/snapshots", {"name": name})
    assert len(files(hv, vm["name"])) == 3
    hv.do("delete", hv.path(vm), disks="delete")
    assert files(hv, vm["name"]) == []


def test_the_path_of_a_disk_is_read_anew_when_its_checkpoint_is_merged(hv, vm):
    before = now(hv, vm)["disks"][0]["image"]["path"]
    hv.do("post", f"{hv.path(vm)}/snapshots", {"name": "one"})
    assert now(hv, vm)["disks"][0]["image"]["path"].lower().endswith(".avhdx")
    hv.do("delete", f"{hv.path(vm)}/snapshots/{snapshot(hv, vm, 'one')['id']}")
    hv.do("post", f"{hv.path(vm)}/disks", {"capacity_bytes": GIB})  # chosen by what the host has now
    assert now(hv, vm)["disks"][0]["image"]["path"] == hv.real(vm["name"]).disks[0]["path"] == before


def test_a_checkpoint_is_gone_when_its_task_is_over_though_its_disks_are_still_merged(hv, vm):
    hv.do("post", f"{hv.path(vm)}/snapshots", {"name": "one"})
    hv.control.speed(0.2)  # merging takes five seconds
    try:
        hv.do("delete", f"{hv.path(vm)}/snapshots/{snapshot(hv, vm, 'one')['id']}")
        assert hv.api.items(f"vms/{vm['id']}/snapshots") == []
    finally:
        hv.control.speed(50)


def test_a_checkpoint_called_like_a_vm_is_not_taken_for_it(hv, vm):
    name = f"shared-{next(_numbers)}"
    hv.do("post", f"{hv.path(vm)}/snapshots", {"name": name})
    host = hv.api.one("hosts", hv.host.name)["id"]
    task = hv.do("post", "/vms", {"name": name, "host": host, "profile": "minimal"})
    made = hv.vm(name)
    assert task["result"]["ref"]["id"] == made["id"] != vm["id"]
    hv.do("post", f"{hv.path(made)}/actions/rename", {"name": f"{name}-b"})
    assert snapshot(hv, vm, name)["name"] == name and hv.host.vm_named(f"{name}-b") is not None
    hv.do("delete", hv.path(made))
    assert hv.real(vm["name"]).snapshots[0]["name"] == name


@pytest.mark.parametrize("parent", [str.upper, lambda path: "\\\\?\\" + path.lower()])
def test_a_chain_whose_parent_is_written_otherwise_is_the_same_chain(hv, parent):
    host = hv.api.one("hosts", hv.host.name)["id"]
    stem = f"D:\\VMs\\chain{next(_numbers)}"
    hv.do("post", "/disk-images", {"host": host, "path": f"{stem}.vhdx", "capacity_bytes": GIB})
    hv.host.add_file(f"{stem}-child.vhdx", kind=4, format=3, size=GIB, parent=parent(f"{stem}.vhdx"))
    hv.do("post", "/disk-images", {"host": host, "path": f"{stem}-other.vhdx", "capacity_bytes": GIB})
    vm = make(hv, disks=[{"image": {"path": f"{stem}-child.vhdx"}}])
    hv.do("delete", hv.path(vm))
    child = next(i for i in hv.api.items("disk-images", view="full") if i["path"].lower() == f"{stem}-child.vhdx".lower())
    hv.do("post", f"/disk-images/{child['id']}/actions/merge")
    assert [f for f in hv.host.state()["files"] if f.startswith(stem)] == [f"{stem}.vhdx", f"{stem}-other.vhdx"]


def test_an_image_that_others_stand_on_is_neither_resized_nor_merged_into_by_one_of_them(hv):
    """What differs from it would mean something else afterwards."""
    host = hv.api.one("hosts", hv.host.name)["id"]
    stem = f"D:\\VMs\\base{next(_numbers)}"

    def image(path, **more):
        hv.do("post", "/disk-images", {"host": host, "path": path, **(more or {"capacity_bytes": GIB})})
        return next(i for i in hv.api.items("disk-images", view="full") if i["path"].lower() == path.lower())

    base = image(f"{stem}.vhdx")
    used, free = (image(f"{stem}-{name}.vhdx", parent=base["id"]) for name in ("used", "free"))
    vm = make(hv, disks=[{"image": {"path": f"{stem}-used.vhdx"}}])
    hv.control.reset()
    for path, body, words in ((f"/disk-images/{base['id']}/actions/resize", {"capacity_bytes": 2 * GIB}, "stands on it"),
                              (f"/disk-images/{free['id']}/actions/merge", {}, "stands on it"),
                              (f"/disk-images/{used['id']}/actions/merge", {}, "a VM uses it")):
        assert words in hv.fails("post", path, body)["detail"]
    assert hv.calls("ResizeVirtualHardDisk") == hv.calls("MergeVirtualHardDisk") == 0
    hv.do("delete", hv.path(vm), disks="keep")
    hv.do("post", f"/disk-images/{used['id']}/actions/merge")
    assert f"{stem}-used.vhdx" not in hv.host.state()["files"]


def test_an_import_in_place_keeps_the_id_of_the_vm(hv, vm):
    guid = vm["native"]["id"]
    hv.do("post", f"{hv.path(vm)}/actions/export", {"path": "D:\\Out"})
    hv.do("delete", hv.path(vm), disks="delete")
    host = hv.api.one("hosts", hv.host.name)["id"]
    task = hv.do("post", "/vms/actions/import", {"host": host, "mode": "register",
                                                 "source": f"D:\\Out\\{vm['name']}\\Virtual Machines\\{guid}.vmcx"})
    assert hv.real(vm["name"]).id == guid
    back = hv.vm(vm["name"])
    assert task["result"]["ref"]["id"] == back["id"] and back["native"]["id"] == guid
    hv.do("post", f"{hv.path(back)}/actions/start")
    hv.do("delete", hv.path(back), force="true", disks="delete")


def test_making_an_external_switch_cuts_the_connection_and_is_found(hv):
    host = hv.api.one("hosts", hv.host.name)["id"]
    port = "Intel(R) Ethernet Network Adapter E810-XXV-2 #2"
    hv.host.settings(switch_cut=True)
    hv.control.reset()
    try:
        task = hv.do("post", "/switches", {"name": "cutting", "host": host, "switch_type": "external", "uplinks": [port]}, timeout=120)
    finally:
        hv.host.settings(switch_cut=False)
    made = [s for s in hv.host.state()["switches"].values() if s["name"] == "cutting"]
    assert len(made) == 1 and made[0]["kind"] == "external" and hv.calls("DefineSystem") == 1
    hv.do("delete", f"/switches/{task['result']['ref']['id']}")


# Virtual TPM


def test_a_tpm_without_a_key_protector_is_refused_with_the_command_that_makes_one(hv, vm):
    hv.control.reset()
    error = hv.fails("patch", hv.path(vm), {"tpm": True})
    assert "key protector" in error["detail"] and "Set-VMKeyProtector" in error["remedy"]
    host = hv.api.one("hosts", hv.host.name)["id"]
    error = hv.fails("post", "/vms", {"name": "never-made", "host": host, "tpm": True})
    assert "key protector" in error["detail"] and "Set-VMKeyProtector" in error["remedy"]
    assert hv.calls("ModifySecuritySettings") == hv.calls("DefineSystem") == 0
    hv.host.change(vm["native"]["id"], key_protector=[1] * 64)
    hv.plan("patch", hv.path(vm), {"tpm": True})
    hv.do("patch", hv.path(vm), {"tpm": True})
    assert now(hv, vm)["tpm"] is True
    assert hv.do("patch", hv.path(vm), {"tpm": True})["changed"] is False
    hv.do("patch", hv.path(vm), {"tpm": False})
    assert now(hv, vm)["tpm"] is False


# Adapters beyond their defaults


@pytest.mark.parametrize("body", [
    {"security": {"mac_spoofing": True}}, {"security": {"dhcp_guard": True, "router_guard": True}},
    {"bandwidth": {"limit_bps": 50_000_000, "reservation_bps": 10_000_000}}, {"vlan": {"mode": "trunk", "id": 7, "allowed": "1-3,4094"}},
    {"vlan": {"mode": "access", "id": 4094}}])
def test_what_an_adapter_may_do_is_written_reported_and_taken_back(hv, vm, body):
    nic = now(hv, vm)["nics"][0]
    shown = hv.api.read(f"/nics/{nic['id']}")
    plan = hv.plan("patch", f"{hv.path(vm)}/nics/{nic['id']}", body)
    assert plan["changed"] is True and hv.api.read(f"/nics/{nic['id']}") == shown
    assert hv.do("patch", f"{hv.path(vm)}/nics/{nic['id']}", body)["changed"] is True
    after = hv.api.read(f"/nics/{nic['id']}")
    for part, values in body.items():
        assert {k: after[part][k] for k in values} == values
    assert hv.do("patch", f"{hv.path(vm)}/nics/{nic['id']}", body)["changed"] is False, "the same again is nothing to do"
    back = {part: {k: shown[part][k] for k in values} for part, values in body.items()}
    if "vlan" in back:
        back = {"vlan": {"mode": shown["vlan"]["mode"]}}
    hv.do("patch", f"{hv.path(vm)}/nics/{nic['id']}", back)
    again = hv.api.read(f"/nics/{nic['id']}")
    assert {part: again[part] for part in body} == {part: shown[part] for part in body}
