# SPDX-License-Identifier: Apache-2.0
"""Hyper-V hosts that change, misbehave, speak German, go away and come back: what the API shows is what is there."""

import time

import pytest

from support.hyperv import HypervFake
from support.wait import wait_equal, wait_for
from support.wsman import CIMV2, WsMan


@pytest.fixture
def fakes(tmp_path):
    """fakes(hosts=2, vms=10) starts a fresh fake; ended after the test."""
    made = []

    def start(**options):
        made.append(HypervFake(tmp_path / f"hyperv{len(made)}", **options))
        return made[-1]

    yield start
    for fake in made:
        fake.stop()


def add(api, host, wait=True, **settings):
    provider = api.add_provider(host.name, host.url, host.user, host.password,
                                {"mode": "pin", "pins": [host.cert_sha256]}, "wmi",
                                settings={"events": False, "poll_interval_s": 10, **settings})
    return api.wait_provider(provider["id"], "connected" if wait is True else wait)


def names(api, kind="vms", **more):
    return sorted(o["name"] for o in api.items(kind, **more))


def vm_of(api, name):
    found = api.items("vms", filter=f'name="{name}"')
    return api.read(f"/vms/{found[0]['id']}") if found else None


def whole_vm(api, name, timeout=60):
    """Its devices follow it in the next moment, adapters last; what there is of a device has to be right at once."""
    def look():
        vm = vm_of(api, name)
        return vm if vm and vm["nics"] else None

    return wait_for(look, f"{name} with its adapters", timeout)


# What happens outside arrives

def test_a_change_of_power_outside_arrives(fakes, servers):
    fake = fakes(vms=4)
    api = servers().admin()
    add(api, fake.hosts[0])
    vm = next(v for v in fake.hosts[0].vms() if v.state == "running")
    for state, shown in (("off", "off"), ("running", "running"), ("paused", "paused"), ("saved", "suspended")):
        fake.hosts[0].change(vm.id, state=state)
        wait_equal(lambda: vm_of(api, vm.name)["power_state"], shown, f"{state} should arrive")


def test_a_new_name_arrives(fakes, servers):
    fake = fakes(vms=3)
    api = servers().admin()
    add(api, fake.hosts[0])
    vm = fake.hosts[0].vms()[0]
    ident = vm_of(api, vm.name)["id"]
    fake.hosts[0].change(vm.id, name="Größe 大")
    wait_equal(lambda: api.read(f"/vms/{ident}")["name"], "Größe 大", "the new name should arrive")


def test_a_new_vm_arrives_whole_and_a_deleted_one_goes(fakes, servers):
    fake = fakes(vms=3)
    api = servers().admin()
    add(api, fake.hosts[0])
    host = fake.hosts[0]
    made = host.new_vm(name="fresh", generation=2, disk="D:\\VMs\\fresh\\fresh.vhdx", size=12 << 30, switch="External",
                       state="running")
    vm = whole_vm(api, "fresh")
    assert vm["native"]["id"] == made["id"] and vm["power_state"] == "running" and vm["firmware"] == "uefi"
    assert [d["capacity_bytes"] for d in vm["disks"]] == [12 << 30]
    assert [n["network"]["name"] for n in vm["nics"]] == ["External"]
    host.remove_vm("fresh")
    wait_for(lambda: vm_of(api, "fresh") is None, "the VM should be gone from the list")
    assert api.read(f"/vms/{vm['id']}")["presence"] == "gone"


def test_many_new_vms_arrive_whole(fakes, servers):
    """More than are read one by one: a listing finds them."""
    fake = fakes(vms=3)
    api = servers().admin()
    add(api, fake.hosts[0])
    for number in range(12):
        fake.hosts[0].new_vm(name=f"fresh{number}", disk=f"D:\\VMs\\fresh{number}.vhdx", size=(number + 1) << 30, switch="External")
    for number in range(12):
        vm = whole_vm(api, f"fresh{number}")
        assert [d["capacity_bytes"] for d in vm["disks"]] == [(number + 1) << 30], vm["name"]
        assert [n["network"]["name"] for n in vm["nics"]] == ["External"]


# Rates of the fake: each further disk and adapter does as much more (hyperv_fake/hostdata.py)
DISK = {"disk.read_bps": 3_000_000, "disk.write_bps": 1_000_000, "disk.read_iops": 400, "disk.write_iops": 150}
NIC = {"net.rx_bps": 250_000, "net.tx_bps": 90_000, "net.drops_ps": 50}


def usage_of(api, name):
    """Names are paths."""
    flat = {}

    def note(value, path):
        if not isinstance(value, dict):
            flat[path] = value
        else:
            for word, inner in value.items():
                note(inner, f"{path}.{word}".lstrip("."))

    note(api.read(f"/vms/{vm_of(api, name)['id']}", fields="name,usage").get("usage") or {}, "")
    return flat


def test_what_disks_and_adapters_do_is_told_as_rates(fakes, servers):
    fake = fakes(vms=10)
    host = fake.hosts[0]
    api = servers().admin()
    provider = add(api, host)
    running = [v for v in host.vms() if v.state == "running"]
    snapped = next(v for v in running if any(d["kind"] == "disk" for d in v.disks))
    host.new_checkpoint(snapped.id, "another file from now on")
    api.sync(provider["id"])  # the first reading makes no rates, two do

    def told():
        api.sync(provider["id"])
        shown = {v.name: usage_of(api, v.name) for v in running}
        return all(("net.rx_bps" in shown[v.name] or not v.nics) and
                   ("disk.read_bps" in shown[v.name] or not any(d["kind"] == "disk" for d in v.disks)) for v in running)

    wait_for(told, "rates of running VMs", 60)
    assert len(running) >= 3
    for vm in running:
        disks, nics = sum(d["kind"] == "disk" for d in vm.disks), len(vm.nics)
        shown = usage_of(api, vm.name)
        for rates, parts in ((DISK, disks), (NIC, nics)):
            for name, rate in rates.items():
                wanted = rate * parts * (parts + 1) // 2
                assert parts == 0 or abs(shown[name] - wanted) <= max(2, wanted // 20), (vm.name, name, shown)
    # What does not run does nothing.
    host.change(running[0].id, state="off")
    wait_equal(lambda: vm_of(api, running[0].name)["power_state"], "off", "it is turned off")
    api.sync(provider["id"])
    assert not {*DISK, *NIC, "cpu.usage_pct", "mem.usage_bytes"} & set(usage_of(api, running[0].name))


def test_a_new_checkpoint_arrives(fakes, servers):
    fake = fakes(vms=3)
    api = servers().admin()
    provider = add(api, fake.hosts[0])
    vm = next(v for v in fake.hosts[0].vms() if not v.snapshots)
    made = fake.hosts[0].new_checkpoint(vm.id, "before the update")
    api.sync(provider["id"])
    shown = vm_of(api, vm.name)
    assert shown["snapshots"]["count"] == 1 and shown["snapshots"]["depth"] == 1
    found = api.items(f"vms/{shown['id']}/snapshots")
    assert [(s["name"], s["current"]) for s in found] == [("before the update", True)]
    assert made in found[0]["native"]["id"]
    assert shown["disks"][0]["image"]["path"].endswith(".avhdx")


def test_switches_made_and_removed_outside_arrive(fakes, servers):
    fake = fakes(vms=2)
    api = servers().admin()
    provider = add(api, fake.hosts[0])
    fake.hosts[0].new_switch("Lab", "internal")
    api.sync(provider["id"])
    assert "Lab" in names(api, "switches") and "Lab" in names(api, "networks")
    fake.hosts[0].remove_switch("Lab")
    api.sync(provider["id"])
    assert "Lab" not in names(api, "switches") and "Lab" not in names(api, "networks")


def test_what_happened_while_the_server_was_down_is_found(fakes, servers):
    fake = fakes(vms=6)
    server = servers()
    api = server.admin()
    provider = add(api, fake.hosts[0])
    server.stop()
    gone, changed = fake.hosts[0].vms()[:2]
    fake.hosts[0].remove_vm(gone.id)
    fake.hosts[0].change(changed.id, name="changed")
    since = time.time()
    server.start()
    api = server.admin()
    api.wait_listed(provider["id"], since)
    assert vm_of(api, "changed") is not None
    assert api.items("vms", filter=f'name="{gone.name}"')[0]["presence"] == "missing"


# Events

def test_events_bring_a_change_before_the_poll(fakes, servers):
    fake = fakes(vms=3)
    api = servers().admin()
    provider = add(api, fake.hosts[0], events=True, poll_interval_s=3600)
    wait_equal(lambda: api.provider(provider["id"])["sync"]["mode"], "push", "the host grants events")
    vm = next(v for v in fake.hosts[0].vms() if v.state == "running")
    fake.hosts[0].change(vm.id, state="off")
    wait_equal(lambda: vm_of(api, vm.name)["power_state"], "off", "the change should arrive")


def test_a_host_without_events_is_polled_and_says_so(fakes, servers):
    fake = fakes(vms=3)
    fake.hosts[0].settings(subscriptions=False)
    api = servers().admin()
    provider = add(api, fake.hosts[0], events=True)
    found = {c["name"]: c for c in api.read(f"/providers/{provider['id']}/capabilities")["items"]}
    assert found["inventory.push"]["state"] == "limited" and found["inventory.push"]["reason"]
    assert api.provider(provider["id"])["sync"]["mode"] == "poll"
    vm = next(v for v in fake.hosts[0].vms() if v.state == "running")
    fake.hosts[0].change(vm.id, state="off")
    wait_equal(lambda: vm_of(api, vm.name)["power_state"], "off", "the change should arrive")


def test_polling_finds_what_events_do_not_tell(fakes, servers):
    fake = fakes(vms=3)
    api = servers().admin()
    provider = add(api, fake.hosts[0], events=True)
    wait_equal(lambda: api.provider(provider["id"])["sync"]["mode"], "push", "the host grants events")
    # The subscription lives, and nothing ever comes of it.
    rule = fake.control.fault(action="Pull", class_=r"\*", delay=1000,
                              fault={"subcode": "w:TimedOut", "code": "ERROR_WSMAN_OPERATION_TIMEDOUT"})
    wait_for(lambda: fake.control.hits(rule) > 0, "events are asked for", 60)
    vm = next(v for v in fake.hosts[0].vms() if v.state == "running")
    fake.hosts[0].change(vm.id, state="off")
    wait_equal(lambda: vm_of(api, vm.name)["power_state"], "off", "the change is found", 90)
    assert api.provider(provider["id"])["sync"]["mode"] == "push"


# Hosts as they are

ODDITIES = {
    "German": {"language": "de-DE"},
    "Japanese": {"language": "ja-JP"},
    "no filters": {"wql": False},
    "odd prefixes": {"prefixes": "odd"},
    "one item a pull": {"one_item": True},
    "changing contexts": {"changing_contexts": True, "one_item": True},
    "no optimised enumeration": {"optimized": False},
    "shuffled": {"shuffle": True},
    "small envelopes": {"envelope_kb": 32},
    "forbidden characters": {"summary_bad_text": True},
    "namespace in references": {"cim_namespace": True},
}
VOLATILE = {"label", "id", "provider", "created_at", "updated_at", "observed_at", "version", "usage", "boot_time", "as_of",
            "certificate"}  # each fake has its own


def bare(value):
    """Without what two servers never share: ids, times of ours, names of providers."""
    if isinstance(value, dict):
        ours = VOLATILE if "kind" in value or "name" in value else VOLATILE - {"id"}
        return {k: bare(v) for k, v in value.items() if k not in ours}
    if isinstance(value, list):
        # References come in the order of ids, which are ours.
        return sorted((bare(v) for v in value), key=str)
    return value


@pytest.fixture(scope="module")
def plain(tmp_path_factory, module_servers):
    """What the API shows of a host without oddities."""
    with HypervFake(tmp_path_factory.mktemp("plain"), vms=24, domain="corp.example") as fake:
        api = module_servers("plain").admin()
        add(api, fake.hosts[0])
        wait_for(lambda: all(d["capacity_bytes"] for d in api.items("disks")), "the sizes of all disks", 60)
        return seen_of(api)


def seen_of(api):
    found = {}
    for kind in ("vms", "hosts", "switches", "networks", "datastores", "disks", "nics", "cdroms", "controllers"):
        documents = api.items(kind, view="full")
        found[kind] = sorted((bare(d) for d in documents), key=lambda d: (str(d["native"]["id"]), str(d.get("vm"))))
    return found


@pytest.mark.parametrize("oddity", sorted(ODDITIES))
def test_an_odd_host_shows_the_same(fakes, servers, plain, oddity):
    fake = fakes(vms=24, domain="corp.example")
    fake.hosts[0].settings(**ODDITIES[oddity])
    api = servers().admin()
    provider = add(api, fake.hosts[0])
    assert provider["state"] == "connected", provider["state_reason"]
    wait_for(lambda: all(d["capacity_bytes"] for d in api.items("disks")), "the sizes of all disks", 60)
    seen = seen_of(api)
    for kind, documents in plain.items():
        assert [d["native"]["id"] for d in seen[kind]] == [d["native"]["id"] for d in documents], kind
        for mine, theirs in zip(seen[kind], documents):
            different = {k: (mine[k], theirs[k]) for k in theirs if mine.get(k) != theirs[k] and not about_time(k)}
            assert not different, f"{kind} {theirs['native']['id']}"


def about_time(key):
    """Two fakes start at different moments."""
    return key in ("created_natively_at", "snapshots", "free_bytes")


@pytest.mark.parametrize("code, power, activity", [
    (32781, "running", "none"), (32782, "off", "none"), (32783, "running", "shutting_down"), (32784, "suspended", "none"),
    (32785, "paused", "none"), (32792, "running", "suspending")])
def test_critical_states_keep_the_state_and_say_why(fakes, servers, code, power, activity):
    fake = fakes(vms=1)
    fake.hosts[0].change(fake.hosts[0].vms()[0].id, critical=code)
    api = servers().admin()
    add(api, fake.hosts[0])
    vm = api.items("vms", view="full")[0]
    assert (vm["power_state"], vm["activity"]) == (power, activity)
    assert vm["health"] == "critical" and vm["health_reasons"] == ["storage_unreachable"]
    assert vm["native"]["state"] == str(code)


@pytest.mark.parametrize("change, reason", [
    ({"heartbeat": 13}, "heartbeat_lost"), ({"heartbeat": 6}, "heartbeat_error"),
    ({"status": [3], "status_text": ["Degraded"]}, "degraded"),
    ({"replication": {"mode": 1, "state": 8, "health": 3, "last": 0}}, "replication_critical")])
def test_what_is_wrong_with_a_vm_is_told(fakes, servers, change, reason):
    fake = fakes(vms=3)
    api = servers().admin()
    add(api, fake.hosts[0])
    vm = next(v for v in fake.hosts[0].vms() if v.state == "running")
    fake.hosts[0].change(vm.id, **change)
    wait_for(lambda: reason in vm_of(api, vm.name)["health_reasons"], f"{reason} should be told")
    assert vm_of(api, vm.name)["health"] == "warning"


def test_merging_disks_shows_as_consolidating(fakes, servers):
    fake = fakes(vms=3)
    api = servers().admin()
    add(api, fake.hosts[0])
    vm = fake.hosts[0].vms()[0]
    fake.hosts[0].change(vm.id, merging=1)
    wait_equal(lambda: vm_of(api, vm.name)["activity"], "consolidating", "the merge should show")
    fake.hosts[0].change(vm.id, merging=0)
    wait_equal(lambda: vm_of(api, vm.name)["activity"], "none", "the merge is over")


def test_planned_systems_are_no_vms(fakes, servers):
    fake = fakes(vms=2)
    host = fake.hosts[0]
    client = WsMan(host)
    vm = next(v for v in host.vms() if v.state == "off") if any(v.state == "off" for v in host.vms()) else host.vms()[0]
    host.change(vm.id, state="off")
    export = client.service("Msvm_VirtualSystemManagementService", "ExportSystemDefinition", {
        "ComputerSystem": vm_reference(vm.id), "ExportDirectory": "D:\\Export", "ExportSettingData": ""})
    client.done(export)
    definition = next(p for p in files_of(client) if p.lower().endswith(".vmcx"))
    client.done(client.service("Msvm_VirtualSystemManagementService", "ImportSystemDefinition", {
        "SystemDefinitionFile": definition, "SnapshotFolder": "", "GenerateNewSystemIdentifier": True}))
    assert len(host.state()["planned"]) == 1
    api = servers().admin()
    add(api, host)
    assert names(api) == sorted(v.name for v in host.vms())


def vm_reference(ident):
    from support.wsman import vm_ref
    return vm_ref(ident)


def files_of(client):
    return [r["Name"] for r in client.query("SELECT * FROM CIM_DataFile WHERE Drive = 'D:'", CIMV2)]


# Away and back

def test_a_host_that_goes_down_makes_stale_and_comes_back(fakes, servers):
    fake = fakes(vms=3)
    api = servers().admin()
    provider = add(api, fake.hosts[0])
    before = names(api)
    fake.hosts[0].down()
    wait_for(lambda: all(v["stale"] for v in api.items("vms")), "everything should become stale", 60)
    assert api.provider(provider["id"])["state"] == "disconnected"
    assert names(api) == before and all(v["presence"] == "present" for v in api.items("vms"))
    vm = next(v for v in fake.hosts[0].vms() if v.state == "running")
    actions = {a["name"]: a for a in api.read(f"/vms/{vm_of(api, vm.name)['id']}/actions")["items"]}
    assert not actions["vm.stop"]["allowed_now"] and "cannot be reached" in actions["vm.stop"]["reason"]
    assert actions["object.sync"]["allowed_now"]
    fake.hosts[0].change(vm.id, state="off")
    fake.hosts[0].up()
    wait_for(lambda: not any(v["stale"] for v in api.items("vms")), "everything should be fresh again", 90)
    assert vm_of(api, vm.name)["power_state"] == "off"


def test_a_stopped_management_service_takes_nothing_away(fakes, servers):
    fake = fakes(vms=4)
    api = servers().admin()
    provider = add(api, fake.hosts[0])
    before = names(api)
    fake.hosts[0].settings(vmms_running=False)
    api.post(f"/providers/{provider['id']}/actions/sync")
    wait_equal(lambda: api.provider(provider["id"])["state"], "degraded", "the host is degraded", 60)
    assert "vmms" in str(api.provider(provider["id"])["state_reason"])
    assert names(api) == before and all(v["presence"] == "present" for v in api.items("vms"))
    host = api.items("hosts", view="full")[0]
    assert host["health"] == "critical" and host["health_reasons"] == ["vmms_stopped"]
    fake.hosts[0].settings(vmms_running=True)
    api.post(f"/providers/{provider['id']}/actions/sync")
    wait_equal(lambda: api.provider(provider["id"])["state"], "connected", "the host is well again", 60)


def test_an_account_that_may_see_nothing_takes_nothing_away(fakes, servers):
    fake = fakes(vms=4)
    api = servers().admin()
    provider = add(api, fake.hosts[0])
    before = names(api)
    fake.hosts[0].settings(visible=False)
    api.post(f"/providers/{provider['id']}/actions/sync")
    wait_equal(lambda: api.provider(provider["id"])["state"], "degraded", "the host is degraded", 60)
    assert names(api) == before and all(v["presence"] == "present" for v in api.items("vms"))


@pytest.mark.parametrize("cls", ["Msvm_VirtualSystemSettingData", "Msvm_StorageAllocationSettingData"])
def test_a_class_that_is_refused_makes_the_listing_partial(fakes, servers, cls):
    fake = fakes(vms=4)
    api = servers().admin()
    provider = add(api, fake.hosts[0])
    before = names(api)
    fake.control.fault(class_=cls, action="Enumerate", fault={"code": "WBEM_E_ACCESS_DENIED"})
    api.post(f"/providers/{provider['id']}/actions/sync")
    wait_equal(lambda: api.provider(provider["id"])["state"], "degraded", "part of it cannot be read", 60)
    assert cls in str(api.provider(provider["id"])["state_reason"])
    assert names(api) == before and all(v["presence"] == "present" for v in api.items("vms"))


# How much is asked

def until_files(fake, host):
    """All requests, and the number of those before the first about a file."""
    ledger = fake.control.ledger(host=host.name)
    return next(((ledger, n) for n, e in enumerate(ledger) if e["class"] == "Msvm_ImageManagementService" and e["method"]), None)


def test_the_number_of_requests_does_not_depend_on_the_number_of_vms(fakes, servers):
    fake = fakes(hosts=3, vms_per_host=4)
    for number in range(100, 140):
        fake.hosts[1].new_vm(number=number)
    for number in range(100, 180):
        fake.hosts[2].new_vm(number=number)
    api = servers().admin()
    asked = []
    for host in fake.hosts:
        provider = add(api, host)
        # Files are looked up one by one, after the listing.
        ledger, first = wait_for(lambda: until_files(fake, host), "the first file is looked up")
        asked.append(sum(not e["action"].endswith("Pull") for e in ledger[:first]))
        assert 0 < provider["sync"]["requests_last_full"] <= first
        assert sum(e["method"] == "GetSummaryInformation" for e in ledger[:first]) == 1
    assert len(fake.hosts[2].vms()) == 84
    assert asked[0] == asked[1] == asked[2], asked
    assert asked[0] <= 60


def test_a_poll_asks_twice_and_no_more(fakes, servers):
    fake = fakes(vms=12)
    api = servers().admin()
    add(api, fake.hosts[0])
    wait_for(lambda: all(d["capacity_bytes"] for d in api.items("disks")), "the sizes of all disks", 60)
    # What belongs to the listing has ended when a poll comes after it.
    fake.control.reset()
    wait_for(lambda: any(e.get("method") == "GetSummaryInformation" for e in fake.control.ledger()), "a poll")
    fake.control.reset()
    wait_for(lambda: len(fake.control.ledger()) >= 4, "two polls", 30)
    for entry in fake.control.ledger():
        assert entry.get("method") == "GetSummaryInformation" or "Msvm_ComputerSystem" in str(entry), entry


# Clusters

def test_a_failover_cluster_with_its_roles_and_volumes(fakes, servers):
    fake = fakes(hosts=3, vms=12, cluster=2, domain="corp.example")
    api = servers().admin()
    for host in fake.hosts:
        add(api, host)
    clusters = api.items("clusters", view="full")
    assert {c["name"] for c in clusters} == {"HV-CLUSTER"}
    assert {c["native"]["id"] for c in clusters} == {"hv-cluster.corp.example"}
    assert all(c["cluster_type"] == "failover" and c["totals"]["hosts"] == 2 and c["quorum"] == "Majority" for c in clusters)
    hosts = {h["name"]: h for h in api.items("hosts", view="full")}
    assert hosts["HV01"]["cluster"]["name"] == hosts["HV02"]["cluster"]["name"] == "HV-CLUSTER"
    assert hosts["HV03"]["cluster"] is None
    for host in fake.hosts:
        for vm in host.vms():
            shown = vm_of(api, vm.name)
            shared = any("ClusterStorage" in str(d["path"]) for d in vm.disks)
            assert shown["ha"]["priority"] == ("medium" if shared else None), vm.name
            if shared:
                assert {d["image"]["datastore"]["name"] for d in shown["disks"]} == {"CSV1 (Volume1)"}
    stores = [d for d in api.items("datastores", view="full") if d["datastore_type"] == "csv"]
    assert len(stores) == 1, "the nodes share it"
    assert all(d["capacity_bytes"] == 16 << 40 and d["free_bytes"] == 9 << 40 and d["shared"] for d in stores)
