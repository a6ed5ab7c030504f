# SPDX-License-Identifier: Apache-2.0
"""A believable estate: hosts with volumes, adapters, switches, and VMs of every sort. The same seed gives the same."""

from . import build, cimtime
from .model import Disk, Host, Nic, OFF, PAUSED, RUNNING, SAVED, Snapshot, Volume
from .power import powered_on

GB = 1 << 30
TB = 1 << 40

BUILDS = {
    "2012R2": {"os": "Microsoft Windows Server 2012 R2 Datacenter", "number": "9600", "version": "5.0", "stack": "3.0", "nt": "6.3"},
    "11": {"os": "Microsoft Windows 11 Pro", "number": "22631", "version": "11.0", "stack": "3.0", "product": 1},
    "2016": {"os": "Microsoft Windows Server 2016 Datacenter", "number": "14393", "version": "8.0", "stack": "3.0"},
    "2019": {"os": "Microsoft Windows Server 2019 Datacenter", "number": "17763", "version": "9.0", "stack": "3.0"},
    "2022": {"os": "Microsoft Windows Server 2022 Datacenter", "number": "20348", "version": "10.0", "stack": "3.0"},
    "2025": {"os": "Microsoft Windows Server 2025 Datacenter", "number": "26100", "version": "12.0", "stack": "3.0"},
}

GUESTS = (
    ("Windows Server 2022 Datacenter", "10.0.20348", 2), ("Windows Server 2019 Standard", "10.0.17763", 2),
    ("Ubuntu 24.04.1 LTS", "6.8.0", 2), ("Debian GNU/Linux 12 (bookworm)", "6.1.0", 1),
    ("Red Hat Enterprise Linux 9.4", "5.14.0", 2), ("Windows 11 Enterprise", "10.0.22631", 2),
)
ROLES = ("web", "app", "db", "dc", "file", "mail", "build", "vdi", "log", "test", "cache", "proxy")
MEMORY = (1024, 2048, 4096, 8192, 16384)
VLANS = (0, 10, 20, 30, 0, 42)


def host(estate, index) -> Host:
    made = Host(estate, index, f"{estate.prefix}{index + 1:02d}")
    made.domain = estate.domain
    for letter, label, size, share in (("C", "System", 480 * GB, 5), ("D", "VMs", 8 * TB, 4)):
        made.volumes.append(Volume(letter, label, size, size * share // 10, made.guid().lower()))
    for number in range(3):
        made.nics.append(Nic(
            made.guid(), f"Ethernet {number + 1}", f"A0369F{index & 0xFF:02X}{index >> 8 & 0xFF:02X}{number:02X}",
            (25_000_000_000, 25_000_000_000, 1_000_000_000)[number], 4 + number,
            f"Intel(R) Ethernet Network Adapter E810-XXV-2 #{number + 1}",
            f"10.{index >> 8 & 0xFF}.{index & 0xFF}.{10 + number}"))
    made.nics[2].up = False
    build.switch(made, "External", "external", made.nics[0], "Uplink to the core")
    build.switch(made, "Internal", "internal")
    build.switch(made, "Private", "private")
    for name, size in (("debian-12.iso", 660 << 20), ("ws2022.iso", 5 * GB)):
        made.add_file(Disk(f"D:\\ISO\\{name}", kind=0, format=0, size=size, used=size))
    return made


def vm(made: Host, number: int):
    """The number-th VM of a host. What it is follows from its number alone."""
    at = number + made.index * 7
    os_name, os_version, generation = GUESTS[at % len(GUESTS)]
    role = ROLES[at % len(ROLES)]
    created = made.booted - 86400 * 30 + number * 3600
    one = build.new_vm(made, f"{role}-{made.index + 1:02d}-{number + 1:03d}", generation, created=created)
    made.vms[one.id] = one
    one.vssd.over["Notes"] = [f"{role} server, owner team {at % 5 + 1}"] if at % 3 == 0 else [""]
    root = f"D:\\VMs\\{one.name}"
    one.vssd.over["ConfigurationDataRoot"] = root
    one.vssd.over["AutomaticStartupAction"] = (2, 3, 4)[at % 3]
    one.vssd.over["AutomaticShutdownAction"] = (3, 2, 4)[at % 3]
    cpu, memory = one.of("processor")[0], one.of("memory")[0]
    cpu.over["VirtualQuantity"] = (1, 2, 4, 8)[at % 4]
    size = MEMORY[at % len(MEMORY)]
    memory.over["VirtualQuantity"] = size
    if at % 4 == 1:
        memory.over.update({"DynamicMemoryEnabled": True, "Reservation": size // 2, "Limit": size * 2})
    else:
        memory.over.update({"Reservation": size, "Limit": size})
    if generation == 2:
        controller = build.scsi_controller(one)
        if "Windows" not in os_name:
            one.vssd.over["SecureBootTemplateId"] = "272E7447-90A4-4563-A4B9-8E4AB00526CE"
    else:
        controller = one.of("ide")[0]
    disks = 2 if at % 5 == 0 else 1
    for slot in range(disks):
        path = f"{root}\\Virtual Hard Disks\\{one.name}-{slot}.vhdx"
        made.add_file(Disk(path, 3, 3, (60 + 40 * slot) * GB, (8 + at % 20) * GB, ident=made.guid()))
        build.medium(one, "disk", build.drive(one, "disk_drive", controller, slot), path)
    bay = build.drive(one, "dvd_drive", one.of("ide")[1] if generation == 1 else controller, 0 if generation == 1 else 8)
    if at % 6 == 0:
        build.medium(one, "iso", bay, "D:\\ISO\\debian-12.iso")
    switches = list(made.switches.values())
    for position in range(2 if at % 7 == 0 else 1):
        adapter = build.nic(one, "Network Adapter" if position == 0 else f"Network Adapter {position + 1}",
                            static=at % 9 == 0)
        target = switches[0] if position == 0 else switches[1]
        port = build.allocation(one, adapter, None if at % 23 == 22 else target)
        vlan = VLANS[at % len(VLANS)]
        if vlan and position == 0:
            build.feature(one, port, "vlan", made, OperationMode=1, AccessVlanId=vlan)
    build.refresh_boot(one)
    one.guest = {"os": os_name, "version": os_version, "fqdn": f"{one.name}.{made.domain}",
                 "address": f"10.{made.index & 0xFF}.{number >> 8}.{number & 0xFF}"}
    one.load = (at * 13) % 71
    if at % 8 == 3:
        checkpoints(one, 1 + at % 3)
    if at % 11 == 4:
        replicated(one)
    state = (RUNNING, RUNNING, OFF, RUNNING, RUNNING, SAVED, RUNNING, OFF, PAUSED, RUNNING)[at % 10]
    if state in (RUNNING, PAUSED):
        powered_on(one, made.booted + 60 + number)
        one.state = state
    elif state == SAVED:
        one.state = SAVED
        one.vssd.over["IsSaved"] = True
    one.changed = made.booted + 60 + number
    return one


def checkpoints(one, count):
    """A small tree: a chain, and for three a fork at the first."""
    made = one.host
    parent = None
    first = None
    for number in range(count):
        above = first if number == 2 else parent
        parent = snapshot(one, f"{one.name} - ({number + 1})", above, one.created + 86400 * (number + 1))
        first = first or parent
    one.applied = parent.id
    one.vssd.over["Parent"] = build.setting_path(made, parent.vssd)


def snapshot(one, name, parent, created) -> Snapshot:
    """A checkpoint of the settings as they are, with a differencing disk above each virtual disk."""
    made = one.host
    ident = made.guid()
    vssd = one.vssd.copy()
    vssd.over.update({
        "InstanceID": f"Microsoft:{ident}", "ElementName": name, "VirtualSystemType": "Microsoft:Hyper-V:Snapshot:Realized",
        "CreationTime": cimtime.cim(created), "ConfigurationID": ident, "ConfigurationFile": f"Snapshots\\{ident}.vmcx",
        "Caption": "Virtual Machine Settings", "Description": "Checkpoint settings for the virtual machine.",
        "Parent": build.setting_path(made, parent.vssd) if parent else None})
    made_snapshot = Snapshot(one, ident, vssd, [], [], parent.id if parent else None, created,
                             one.state in (RUNNING, PAUSED, SAVED))
    vssd.obj = made_snapshot
    made_snapshot.res = build.rename_ids(one.res, one.id, ident, made_snapshot)
    made_snapshot.features = build.rename_ids(one.features, one.id, ident, made_snapshot)
    one.snapshots[ident] = made_snapshot
    difference(one)
    return made_snapshot


def difference(one):
    """Every virtual disk goes on in a new differencing disk."""
    made = one.host
    for setting in one.of("disk"):
        path = setting.get("HostResource", [""])[0]
        below = made.file(path)
        stem = path.rsplit(".", 1)[0]
        if "_" in stem and len(stem.rsplit("_", 1)[1]) == 36:
            stem = stem.rsplit("_", 1)[0]
        above = Disk(f"{stem}_{made.guid()}.avhd" + ("x" if path.lower().endswith("x") else ""), 4, 3,
                     below.size if below else 0, 4 << 20, path, ident=made.guid())
        above.parent_ident = below.ident if below else ""
        made.add_file(above)
        setting.over["HostResource"] = [above.path]


def replicated(one):
    one.replication = {"mode": 1, "state": 3, "health": 1, "last": cimtime.now() - 300}
