# SPDX-License-Identifier: Apache-2.0
"""What the API shows equals what pyvmomi reads from the same vCenter, field by field.

The tables below were written from the vSphere documentation, not from the driver. A field that the API shows and no
table knows fails the test, too: so a new field cannot go untested.
"""

import datetime
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from pyVmomi import vim

from support.compare import compare
from support.vsphere import SecondClient
from support.wait import wait_equal, wait_for

MIB = 1 << 20

# Ours: nothing in a vCenter corresponds to them, or another test is about them.
OURS = {
    "id", "kind", "provider", "folder", "tags", "attributes", "notes", "presence", "missing_since", "observed_at", "stale",
    "stale_reason", "health", "health_reasons", "origin", "related", "created_at", "updated_at", "version", "activity",
    "native.identity", "native.extra", "native.state", "usage", "actions", "missing",
}

POWER = {"poweredOn": "running", "poweredOff": "off", "suspended": "suspended"}
BUS = [(vim.vm.device.VirtualIDEController, "ide"), (vim.vm.device.VirtualSCSIController, "scsi"),
       (vim.vm.device.VirtualSATAController, "sata"), (vim.vm.device.VirtualNVMEController, "nvme")]
ADAPTERS = [(vim.vm.device.VirtualVmxnet3, "vmxnet3"), (vim.vm.device.VirtualVmxnet2, "vmxnet2"),
            (vim.vm.device.VirtualE1000e, "e1000e"), (vim.vm.device.VirtualE1000, "e1000"),
            (vim.vm.device.VirtualPCNet32, "pcnet"), (vim.vm.device.VirtualSriovEthernetCard, "sriov")]
DISK_MODES = {"persistent": "dependent", "independent_persistent": "independent_persistent",
              "independent_nonpersistent": "independent_nonpersistent"}


def moid(reference):
    return reference._moId if reference is not None else None


def moids(references):
    return sorted(r._moId for r in references or [])


def time_ms(value):
    """Whole milliseconds, without the error of a floating point number."""
    if not value:
        return None
    since = value - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return since // datetime.timedelta(milliseconds=1)


def unlimited(value, unit=1):
    """vSphere's -1 is our empty."""
    return None if value is None or value < 0 else value * unit


def name_of(text):
    return unquote(text) if text is not None else None


def kind_of(device, table):
    return next((word for kind, word in table if isinstance(device, kind)), None)


# Truth: {API path: value}

VM_PROPERTIES = [
    "name", "runtime.powerState", "runtime.host", "runtime.bootTime", "runtime.consolidationNeeded", "resourcePool",
    "datastore", "network", "config.template", "config.instanceUuid", "config.uuid", "config.version", "config.firmware",
    "config.bootOptions", "config.hardware.numCPU", "config.hardware.numCoresPerSocket", "config.hardware.memoryMB",
    "config.hardware.device", "config.cpuAllocation", "config.memoryAllocation", "config.cpuHotAddEnabled",
    "config.memoryHotAddEnabled", "config.nestedHVEnabled", "config.guestId", "config.guestFullName", "config.annotation",
    "config.changeTrackingEnabled", "config.createDate", "config.keyId", "guest.hostName", "guest.ipAddress", "guest.net",
    "guest.guestFullName", "guest.toolsRunningStatus", "guest.toolsVersion", "guest.toolsVersionStatus2", "guest.guestState",
    "summary.storage.committed", "summary.storage.uncommitted", "snapshot",
]

TOOLS = {"guestToolsRunning": "running", "guestToolsNotRunning": "not_running"}


def tree(nodes, depth=1):
    for node in nodes or []:
        yield node, depth
        yield from tree(node.childSnapshotList, depth + 1)


def vm_truth(key, p, world):
    hardware = p.get("config.hardware.numCPU"), p.get("config.hardware.numCoresPerSocket") or 1
    cpu, memory = p.get("config.cpuAllocation"), p.get("config.memoryAllocation")
    taken = list(tree(p["snapshot"].rootSnapshotList if p.get("snapshot") else []))
    addresses = {a for net in p.get("guest.net") or [] for a in net.ipAddress or []}
    if p.get("guest.ipAddress"):
        addresses.add(p["guest.ipAddress"])
    devices = p.get("config.hardware.device") or []
    boot = p.get("config.bootOptions")
    host = moid(p.get("runtime.host"))
    return {
        "name": name_of(p["name"]),
        "native.id": key,
        "native.type": "VirtualMachine",
        "native.path": world.paths[key],
        "power_state": POWER[p["runtime.powerState"]],
        "host": host,
        "cluster": world.cluster_of_host.get(host),
        "datacenter": world.datacenter_of[key],
        "resource_pool": moid(p.get("resourcePool")),
        "datastores": moids(p.get("datastore")),
        "networks": moids(p.get("network")),
        "template": p.get("config.template"),
        "uuid": p.get("config.instanceUuid"),
        "bios_uuid": p.get("config.uuid"),
        "hardware_version": p.get("config.version"),
        "firmware": {"bios": "bios", "efi": "uefi"}.get(p.get("config.firmware")),
        "secure_boot.on": boot.efiSecureBootEnabled if boot else None,
        "tpm": any(isinstance(d, vim.vm.device.VirtualTPM) for d in devices),
        "encryption.on": p.get("config.keyId") is not None,
        "cpu.count": hardware[0],
        "cpu.cores_per_socket": hardware[1],
        "cpu.sockets": hardware[0] // hardware[1],
        "cpu.reservation_mhz": cpu.reservation if cpu else None,
        "cpu.limit_mhz": unlimited(cpu.limit) if cpu else None,
        "cpu.weight": cpu.shares.shares if cpu and cpu.shares else None,
        "cpu.hot_add": p.get("config.cpuHotAddEnabled"),
        "cpu.nested": p.get("config.nestedHVEnabled"),
        "memory.bytes": p["config.hardware.memoryMB"] * MIB,
        "memory.reservation_bytes": memory.reservation * MIB if memory and memory.reservation is not None else None,
        "memory.limit_bytes": unlimited(memory.limit, MIB) if memory else None,
        "memory.weight": memory.shares.shares if memory and memory.shares else None,
        "memory.hot_add": p.get("config.memoryHotAddEnabled"),
        "guest.os_id": p.get("config.guestId"),
        "guest.os_name": p.get("guest.guestFullName") or p.get("config.guestFullName"),
        "guest.hostname": p.get("guest.hostName") or None,
        "guest.ip_addresses": sorted(addresses),
        "guest.state": p.get("guest.guestState") or None,
        "guest.tools.state": TOOLS.get(p.get("guest.toolsRunningStatus")),
        "guest.tools.version": (lambda v: None if v == "0" else v)(p.get("guest.toolsVersion")),  # 0: none
        "annotation": p.get("config.annotation") or None,
        "change_tracking": p.get("config.changeTrackingEnabled"),
        "created_natively_at": time_ms(p.get("config.createDate")),
        "boot_time": time_ms(p.get("runtime.bootTime")),
        "consolidation_needed": p.get("runtime.consolidationNeeded"),
        "storage.used_bytes": p.get("summary.storage.committed"),
        "storage.provisioned_bytes": (p.get("summary.storage.committed") or 0) + (p.get("summary.storage.uncommitted") or 0),
        "snapshots.count": len(taken),
        "snapshots.depth": max((depth for _, depth in taken), default=0),
        "snapshots.newest_at": max((time_ms(n.createTime) for n, _ in taken), default=None),
        "snapshots.oldest_at": min((time_ms(n.createTime) for n, _ in taken), default=None),
    }


def disk_truth(device, devices):
    owner = devices.get(device.controllerKey)
    backing = device.backing
    path = backing.fileName
    thin = getattr(backing, "thinProvisioned", None)
    eager = getattr(backing, "eagerlyScrub", None)
    return {
        "label": device.deviceInfo.label if device.deviceInfo else None,
        "capacity_bytes": device.capacityInBytes or device.capacityInKB * 1024,
        "controller.type": kind_of(owner, BUS),
        "controller.bus": owner.busNumber,
        "controller.unit": device.unitNumber,
        "mode": DISK_MODES.get(backing.diskMode),
        "image.path": path,
        "image.format": "vmdk",
        "image.datastore": moid(backing.datastore),
        "image.disk_id": backing.uuid,
        "image.subformat": "thin" if thin else "thick_eager" if eager else "thick_lazy" if thin is False else None,
        "image.parent": backing.parent.fileName if getattr(backing, "parent", None) else None,
    }


def nic_truth(device, guest_net):
    backing = device.backing
    network = None
    if isinstance(backing, vim.vm.device.VirtualEthernetCard.DistributedVirtualPortBackingInfo):
        network = backing.port.portgroupKey
    elif isinstance(backing, vim.vm.device.VirtualEthernetCard.NetworkBackingInfo):
        network = moid(backing.network)
    addresses = {a for net in guest_net if net.deviceConfigId == device.key for a in net.ipAddress or []}
    return {
        "label": device.deviceInfo.label if device.deviceInfo else None,
        "adapter": kind_of(device, ADAPTERS),
        "mac": device.macAddress.upper(),
        "mac_mode": {"manual": "static", "generated": "auto", "assigned": "auto"}.get(device.addressType),
        "network": network,
        "connected": device.connectable.connected if device.connectable else None,
        "connect_at_power_on": device.connectable.startConnected if device.connectable else None,
        "ip_addresses": sorted(addresses),
    }


HOST_PROPERTIES = [
    "name", "parent", "runtime.connectionState", "runtime.inMaintenanceMode", "runtime.powerState", "runtime.bootTime",
    "config.product", "summary.hardware", "hardware.numaInfo.numNodes", "datastore", "network", "config.certificate",
]


def certificate_truth(value):
    """A list of numbers, or octets: what pyvmomi makes of a byte[] depends on its version."""
    text = value if isinstance(value, bytes) else bytes(int(b) & 255 for b in value or [])
    if not text:
        return {}
    found = x509.load_pem_x509_certificate(text)
    return {
        "certificate.subject": found.subject.rfc4514_string(),
        "certificate.issuer": found.issuer.rfc4514_string(),
        "certificate.expires_at": time_ms(found.not_valid_after_utc),
        "certificate.sha256": found.fingerprint(hashes.SHA256()).hex(),
    }


def host_truth(key, p, world):
    hardware, product = p["summary.hardware"], p.get("config.product")
    serial = next((i.identifierValue for i in hardware.otherIdentifyingInfo or []
                   if i.identifierType and i.identifierType.key in ("ServiceTag", "SerialNumberTag")), None)
    return {
        "name": name_of(p["name"]),
        "native.id": key,
        "native.type": "HostSystem",
        "native.path": world.paths[key],
        "datacenter": world.datacenter_of[key],
        "cluster": world.cluster_of_host.get(key),
        "connection_state": {"connected": "connected", "disconnected": "disconnected",
                             "notResponding": "not_responding"}[p["runtime.connectionState"]],
        "maintenance_mode": p["runtime.inMaintenanceMode"],
        "power_state": {"poweredOn": "on", "poweredOff": "off", "standBy": "standby"}.get(p.get("runtime.powerState")),
        "product.name": product.name if product else None,
        "product.version": product.version if product else None,
        "product.build": product.build if product else None,
        "hardware.vendor": hardware.vendor,
        "hardware.model": hardware.model,
        "hardware.bios_uuid": hardware.uuid,
        "hardware.serial": serial,
        "hardware.cpu_model": hardware.cpuModel,
        "hardware.sockets": hardware.numCpuPkgs,
        "hardware.cores": hardware.numCpuCores,
        "hardware.threads": hardware.numCpuThreads,
        "hardware.cpu_mhz": hardware.cpuMhz,
        "hardware.memory_bytes": hardware.memorySize,
        "boot_time": time_ms(p.get("runtime.bootTime")),
        "datastores": moids(p.get("datastore")),
        "networks": moids(p.get("network")),
        **certificate_truth(p.get("config.certificate")),
    }


def adapters_truth(p):
    """{name: fields} of physical adapters of both sorts."""
    found = {}
    of_switch = {key: sw.name for sw in p.get("config.network.vswitch") or [] for key in sw.pnic or []}
    for nic in p.get("config.network.pnic") or []:
        found[nic.device] = {
            "name": nic.device, "adapter_type": "nic", "driver": nic.driver, "pci": nic.pci, "mac": nic.mac.upper(),
            "link_up": nic.linkSpeed is not None, "model": None, "wwn": None, "iqn": None,
            "speed_bps": nic.linkSpeed.speedMb * 1000000 if nic.linkSpeed else None,
            "full_duplex": nic.linkSpeed.duplex if nic.linkSpeed else None, "switch": of_switch.get(nic.key)}
    for hba in p.get("config.storageDevice.hostBusAdapter") or []:
        found[hba.device] = {
            "name": hba.device, "adapter_type": kind_of(hba, HBAS), "driver": hba.driver, "pci": hba.pci, "model": hba.model,
            "link_up": {"online": True, "offline": False}.get(hba.status), "mac": None, "wwn": None, "iqn": None,
            "speed_bps": None, "full_duplex": None, "switch": None}
    return found


HBAS = [(vim.host.FibreChannelHba, "fc"), (vim.host.InternetScsiHba, "iscsi"), (vim.host.SerialAttachedHba, "sas"),
        (vim.host.ParallelScsiHba, "scsi"), (vim.host.BlockHba, "block")]


# Shown when the host has them, with sources that are lists or need more than one call: named here, compared elsewhere.
HOST_MORE = {"hardware.numa_nodes", "addresses", "management_ip", "cpu_features", "switches", "virtualization.nested",
             "virtualization.iommu", "virtualization.tpm", "native.tags", "limits.live_migrations",
             "limits.storage_migrations"}

DATASTORE_PROPERTIES = ["name", "summary", "host", "info"]
DATASTORE_TYPES = {"VMFS": "vmfs", "NFS": "nfs", "NFS41": "nfs41", "vsan": "vsan", "VVOL": "vvol", "OTHER": "other"}


def datastore_truth(key, p, world):
    summary = p["summary"]
    return {
        "name": name_of(p["name"]),
        "native.id": key,
        "native.type": "Datastore",
        "native.path": world.paths[key],
        "datacenter": world.datacenter_of[key],
        "datastore_type": DATASTORE_TYPES.get(summary.type, "other"),
        "capacity_bytes": summary.capacity,
        "accessible": summary.accessible,
        "shared": summary.multipleHostAccess,
        "maintenance": (summary.maintenanceMode or "normal") != "normal",
        "root_path": summary.url,
        "hosts": sorted(moid(mount.key) for mount in p.get("host") or []),
    }


# free and provisioned space change between two looks; support per primitive has a test of its own.
DATASTORE_MORE = {"free_bytes", "provisioned_bytes", "supports.thin", "supports.reflink", "supports.offload.full_copy",
                  "supports.offload.block_zero", "supports.offload.ats", "supports.offload.unmap", "native.tags"}


def network_truth(key, p, world):
    native = p["_type"]
    return {
        "name": name_of(p["name"]),
        "native.id": key,
        "native.type": native,
        "native.path": world.paths[key],
        "datacenter": world.datacenter_of[key],
        "network_type": {"Network": "standard", "DistributedVirtualPortgroup": "distributed",
                         "OpaqueNetwork": "opaque"}[native],
        "hosts": moids(p.get("host")),
        "accessible": p["summary"].accessible if p.get("summary") else None,
        "switch": world.switch_of_network.get(key),
    }


NETWORK_MORE = {"vlan.mode", "vlan.id", "vlan.allowed", "native.tags"}


def snapshot_truth(node, parent, current):
    return {
        "name": name_of(node.name),
        "description": node.description or None,
        "native.id": moid(node.snapshot),
        "parent": parent,
        "taken_at": time_ms(node.createTime),
        "quiesced": node.quiesced,
        "current": moid(node.snapshot) == current,
        "power_state": POWER[node.state],
        "memory": node.state == "poweredOn",
    }


class World:
    """What needs more than the object's own properties: parents, paths."""

    def __init__(self, client):
        kinds = [vim.Datacenter, vim.Folder, vim.ComputeResource, vim.HostSystem, vim.Datastore, vim.Network,
                 vim.VirtualMachine, vim.DistributedVirtualSwitch, vim.ResourcePool]
        rows = {}
        for kind in kinds:
            rows.update({key: (kind, p) for key, p in client.read(kind, "name", "parent").items()})
        self.paths, self.datacenter_of = {}, {}
        for key in rows:
            names, at, datacenter = [], key, None
            while at in rows:
                kind, p = rows[at]
                names.append(name_of(p["name"]))
                if kind is vim.Datacenter:
                    datacenter = at
                at = moid(p.get("parent"))
            self.paths[key] = "/" + "/".join(reversed(names))
            self.datacenter_of[key] = datacenter
        clusters = set(client.read(vim.ClusterComputeResource, "name"))
        self.cluster_of_host = {key: moid(p.get("parent")) for key, (kind, p) in rows.items()
                                if kind is vim.HostSystem and moid(p.get("parent")) in clusters}
        groups = client.read(vim.dvs.DistributedVirtualPortgroup, "config.distributedVirtualSwitch")
        self.switch_of_network = {key: moid(p.get("config.distributedVirtualSwitch")) for key, p in groups.items()}


# The API's side: the same flat form, references as native ids, times as milliseconds

REFERENCES = ("host", "cluster", "datacenter", "resource_pool", "datastores", "networks", "hosts", "switch", "switches",
              "network", "parent", "image.datastore")
TIMES = ("created_natively_at", "boot_time", "certificate.expires_at", "snapshots.newest_at", "snapshots.oldest_at", "taken_at")
SKIP = ("disks", "nics", "controllers", "cdroms", "snapshots.current")


def flatten(document, prefix=""):
    for key, value in document.items():
        path = prefix + key
        if path in OURS or path in SKIP:
            continue
        if isinstance(value, dict) and path not in REFERENCES:
            yield from flatten(value, path + ".")
        else:
            yield path, value


def api_time(text):
    return time_ms(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")))


class Shown:
    def __init__(self, api):
        self.api = api
        self.native = {}
        for kind in ("datacenters", "clusters", "hosts", "resource-pools", "datastores", "networks", "switches", "vms"):
            self.native.update({o["id"]: o["native"]["id"] for o in api.items(kind, fields="id,native.id")})

    def reference(self, value):
        if value is None:
            return None
        if isinstance(value, list):
            return sorted(self.native.get(v["id"], v["id"]) for v in value)
        return self.native.get(value["id"], value["id"])

    def flat(self, document):
        found = {}
        for path, value in flatten(document):
            if path in REFERENCES:
                value = self.reference(value)
            elif path in TIMES and value is not None:
                value = api_time(value)
            elif isinstance(value, list) and all(isinstance(v, str) for v in value):
                value = sorted(value)
            found[path] = value
        return found


def report(lines):
    assert not lines, f"{len(lines)} differences:\n" + "\n".join(lines[:60])


# The estate: one vCenter with some of everything

@pytest.fixture(scope="module")
def vcenter(module_vcenters):
    return module_vcenters(dc=2, cluster=1, host=2, standalone_host=1, vm=4, pg=2, ds=2, pool=1, nsx=1)


@pytest.fixture(scope="module")
def client(vcenter):
    with SecondClient(vcenter.url) as client:
        dress(client)
        yield client


def dress(client):
    """Some VMs with what the simulator does not give by itself."""
    vms = client.vms()
    spec = vim.vm.ConfigSpec(numCPUs=4, numCoresPerSocket=2, memoryMB=256, annotation="Ä note\nof two lines",
                             cpuHotAddEnabled=True, memoryHotAddEnabled=True, nestedHVEnabled=True)
    client.wait(vms[0].ReconfigVM_Task(spec))
    allocation = vim.ResourceAllocationInfo(reservation=100, limit=2000,
                                            shares=vim.SharesInfo(shares=1234, level="custom"))
    client.wait(vms[1].ReconfigVM_Task(vim.vm.ConfigSpec(
        cpuAllocation=allocation, memoryAllocation=allocation, firmware="efi", changeTrackingEnabled=True,
        bootOptions=vim.vm.BootOptions(efiSecureBootEnabled=True))))
    client.set_guest(vms[2], ipAddress="10.9.8.7", hostName="guest.example", toolsRunningStatus="guestToolsRunning")
    client.power_off(vms[3])
    client.rename(vms[3], "with%2fslash & <sign>")
    first = client.snapshot(vms[4], "one", "first of three")
    assert first is not None
    client.snapshot(vms[4], "two", "")
    client.snapshot(vms[4], "three", "newest")
    client.power_off(vms[5])
    vms[5].MarkAsTemplate()
    client.wait(vms[6].SuspendVM_Task())


@pytest.fixture(scope="module")
def api(module_servers, vcenter, client):
    api = module_servers().admin()
    api.wait_provider(api.add_provider("vc", vcenter.url)["id"])
    return api


@pytest.fixture(scope="module")
def world(client):
    return World(client)


@pytest.fixture(scope="module")
def shown(api):
    return Shown(api)


def test_every_field_of_every_vm(api, client, world, shown):
    lines = []
    truth = client.read(vim.VirtualMachine, *VM_PROPERTIES)
    found = {v["native"]["id"]: v for v in api.items("vms", view="full")}
    assert set(found) == set(truth)
    for key, properties in truth.items():
        flat = shown.flat(found[key])
        compare(f"vm {found[key]['name']}", vm_truth(key, properties, world), flat,
                {"native.tags", "boot.order", "guest.os_family", "guest.tools.version_state", "autostart.on",
                 "autostart.delay_s", "ha.priority", "question", "other_devices", "snapshots.bytes",
                 "cpu.threads_per_core", "memory.dynamic"}, lines)
    report(lines)


def test_a_single_vm_reads_as_in_the_list(api):
    for vm in api.items("vms", view="full"):
        single = api.read(f"/vms/{vm['id']}")
        volatile = ("observed_at", "usage")
        assert {k: v for k, v in single.items() if k not in volatile} == \
            {k: v for k, v in vm.items() if k not in volatile}


def test_every_field_of_every_disk_and_adapter(api, client, shown):
    lines = []
    truth = client.read(vim.VirtualMachine, "name", "config.hardware.device", "guest.net")
    found = {v["native"]["id"]: v for v in api.items("vms", view="full")}
    for key, p in truth.items():
        devices = {d.key: d for d in p["config.hardware.device"]}
        compare_devices(lines, p["name"], "disks", shown, found[key],
                        {d.key: disk_truth(d, devices) for d in devices.values()
                         if isinstance(d, vim.vm.device.VirtualDisk)},
                        {"boot", "sharing", "native.extra", "native.id", "qos.iops_limit", "image.subformat"})
        compare_devices(lines, p["name"], "nics", shown, found[key],
                        {d.key: nic_truth(d, p.get("guest.net") or []) for d in devices.values()
                         if isinstance(d, vim.vm.device.VirtualEthernetCard)},
                        {"native.extra", "native.id", "vlan.mode", "vlan.id"})
    report(lines)


def compare_devices(lines, vm, member, shown, document, truth, more):
    have = {device["native"]["id"]: shown.flat(device) for device in document[member]}
    if set(have) != {str(key) for key in truth}:
        lines.append(f"vm {vm}: {member}: vCenter has keys {sorted(truth)}, API shows {sorted(have)}")
        return
    for key, expected in truth.items():
        flat = {k: v for k, v in have[str(key)].items() if k not in ("vm", "owner")}
        compare(f"vm {vm} {member} {key}", expected, flat, more | {"vm"}, lines)


def test_every_field_of_every_host(api, client, world, shown):
    lines = []
    truth = client.read(vim.HostSystem, *HOST_PROPERTIES)
    found = {h["native"]["id"]: h for h in api.items("hosts", view="full")}
    assert set(found) == set(truth)
    for key, properties in truth.items():
        compare(f"host {found[key]['name']}", host_truth(key, properties, world), shown.flat(found[key]), HOST_MORE, lines)
    report(lines)


def parts(api, kind):
    """{native id of the host: {native id: document}}"""
    hosts = {h["id"]: h["native"]["id"] for h in api.items("hosts")}
    found = {}
    for part in api.items(kind, view="full"):
        found.setdefault(hosts[part["host"]["id"]], {})[part["native"]["id"]] = part
    return found


def test_every_physical_adapter_of_every_host(api, client):
    found = parts(api, "host-adapters")
    truth = client.read(vim.HostSystem, "name", "config.network.pnic", "config.network.vswitch",
                        "config.storageDevice.hostBusAdapter")
    assert set(found) == set(truth)
    for key, properties in truth.items():
        wanted = adapters_truth(properties)
        assert len(wanted) > 4
        assert {n: {**{f: d[f] for f in wanted[n]}, "switch": d["switch"] and d["switch"]["name"]}
                for n, d in found[key].items()} == wanted


def test_every_service_of_every_host(api, client):
    found = parts(api, "host-services")
    truth = client.read(vim.HostSystem, "name", "config.service")
    assert set(found) == set(truth)
    for key, properties in truth.items():
        wanted = {s.key: (s.key, s.label, "running" if s.running else "stopped",
                          {"on": "automatic", "off": "manual", "automatic": "on_demand"}[s.policy], s.required)
                  for s in properties["config.service"].service}
        assert len(wanted) > 5
        assert {n: (d["name"], d["label"], d["state"], d["start_mode"], d["required"])
                for n, d in found[key].items()} == wanted
        listed = api.read(f"/hosts/native:vc:{key}/host-services", limit=100)["items"]
        assert {s["name"] for s in listed} == set(wanted)


def test_every_field_of_every_datastore(api, client, world, shown):
    lines = []
    truth = client.read(vim.Datastore, *DATASTORE_PROPERTIES)
    found = {d["native"]["id"]: d for d in api.items("datastores", view="full")}
    assert set(found) == set(truth)
    for key, properties in truth.items():
        compare(f"datastore {found[key]['name']}", datastore_truth(key, properties, world), shown.flat(found[key]),
                DATASTORE_MORE, lines)
        free = found[key]["free_bytes"]
        assert free is not None and 0 <= free <= found[key]["capacity_bytes"]
        offload = found[key]["supports"]["offload"]
        assert set(offload.values()) <= {"yes", "no", "unknown"}, offload
    report(lines)


def test_every_field_of_every_network(api, client, world, shown):
    lines = []
    truth = client.read(vim.Network, "name", "host", "summary")
    for reference in client.objects(vim.Network):
        truth[reference._moId]["_type"] = type(reference)._wsdlName
    found = {n["native"]["id"]: n for n in api.items("networks", view="full")}
    assert set(found) == set(truth)
    for key, properties in truth.items():
        compare(f"network {found[key]['name']}", network_truth(key, properties, world), shown.flat(found[key]),
                NETWORK_MORE, lines)
    report(lines)


def test_every_field_of_every_snapshot(api, client, shown):
    lines = []
    truth = client.read(vim.VirtualMachine, "name", "snapshot")
    for key, p in truth.items():
        listed = api.read(f"/vms/native:vc:{key}/snapshots", limit=1000)["items"]
        tree_of = p.get("snapshot")
        expected = {}

        def walk(nodes, parent):
            for node in nodes or []:
                expected[moid(node.snapshot)] = snapshot_truth(node, parent, moid(tree_of.currentSnapshot))
                walk(node.childSnapshotList, moid(node.snapshot))

        walk(tree_of.rootSnapshotList if tree_of else [], None)
        names = {s["id"]: s["native"]["id"] for s in listed}
        assert set(names.values()) == set(expected), f"snapshots of {p['name']}"
        for snapshot in listed:
            flat = shown.flat(snapshot)
            flat["parent"] = names.get(flat.get("parent"), flat.get("parent"))
            flat.pop("vm", None)
            compare(f"snapshot {p['name']}/{snapshot['name']}", expected[snapshot["native"]["id"]], flat,
                    {"snapshot_type", "size_bytes", "native.type", "native.extra", "vm"}, lines)
    report(lines)


def test_a_change_is_shown_in_the_same_field(api, client):
    vm = client.vms()[7]
    client.wait(vm.ReconfigVM_Task(vim.vm.ConfigSpec(numCPUs=8, memoryMB=512, annotation="changed")))
    wait_equal(lambda: (lambda v: (v["cpu"]["count"], v["memory"]["bytes"], v["annotation"]))(
        api.read(f"/vms/native:vc:{vm._moId}")), (8, 512 * MIB, "changed"), "count, memory, annotation", 60)


def test_an_event_of_the_vcenter_is_kept_with_its_native_type(api, client):
    since = api.last_seq()
    vm = client.vms()[7]
    client.power_off(vm)
    event = wait_for(lambda: next((e for e in api.events(since, view="full")
                                   if (e.get("native") or {}).get("type") == "VmPoweredOffEvent"), None),
                     "the vCenter's own event", 60)
    assert event["native"]["id"], event
