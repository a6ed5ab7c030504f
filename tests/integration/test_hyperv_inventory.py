# SPDX-License-Identifier: Apache-2.0
"""What the API shows of a Hyper-V host equals what a plain WS-Man client reads there, field by field.

The tables below were written from Microsoft's class pages, not from the driver. A field that the API shows and no table
knows fails the test, too: so a new field cannot go untested.
"""

import datetime
import json
import re
import ssl
from xml.etree import ElementTree

import pytest
from cryptography import x509

from support.compare import compare
from support.hyperv import HypervFake
from support.wait import wait_equal, wait_for
from support.wsman import CIMV2, WsMan

MIB = 1 << 20
GUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"

# Ours: nothing on a host corresponds to them.
OURS = {
    "id", "kind", "provider", "folder", "tags", "attributes", "notes", "presence", "missing_since", "observed_at", "stale",
    "stale_reason", "origin", "related", "created_at", "updated_at", "version", "usage", "actions", "missing",
    "native.tags", "native.extra", "native.identity", "native.path", "question",
}
REFERENCES = {"host", "hosts", "cluster", "datacenter", "resource_pool", "datastore", "datastores", "network", "networks",
              "switch", "switches", "image.datastore", "parent", "used_by", "vm"}
CHILDREN = {"disks", "nics", "cdroms", "controllers", "snapshots_list"}

STATES = {2: ("running", "none"), 3: ("off", "none"), 4: ("running", "shutting_down"), 6: ("suspended", "none"),
          9: ("paused", "none"), 10: ("off", "starting"), 11: ("running", "resetting"),
          32773: ("running", "suspending"), 32776: ("running", "pausing"), 32777: ("paused", "resuming"),
          32779: ("suspended", "none"), 32780: ("running", "suspending")}
CRITICAL = {32781: ("running", "none"), 32782: ("off", "none"), 32783: ("running", "shutting_down"),
            32784: ("suspended", "none"), 32785: ("paused", "none"), 32786: ("off", "starting"),
            32787: ("running", "resetting"), 32788: ("running", "suspending"), 32789: ("running", "pausing"),
            32790: ("paused", "resuming"), 32791: ("suspended", "none"), 32792: ("running", "suspending")}
HEARTBEATS = {"2": "ok", "6": "error", "12": "no_contact", "13": "lost_communication"}
REPLICATION = [None, "ready_for_replication", "waiting_for_initial_replication", "replicating", "synced", "recovered", "committed",
               "suspended", "critical", "waiting_for_resynchronization", "resynchronizing", "resynchronization_suspended",
               "failover_in_progress"]
SERVICES = {"Heartbeat": "heartbeat", "Shutdown": "shutdown", "TimeSync": "time_sync", "Vss": "backup",
            "KvpExchange": "data_exchange", "GuestServiceInterface": "guest_files"}
TEMPLATES = {"1734C6E8-3154-4DDA-BA5F-A874CC483422": "MicrosoftWindows",
             "272E7447-90A4-4563-A4B9-8E4AB00526CE": "MicrosoftUEFICertificateAuthority"}


def guids(text):
    return [g.upper() for g in re.findall(GUID, text or "")]


def many(value):
    return [] if value is None else value if isinstance(value, list) else [value]


def number(value):
    return None if value is None else int(value)


def yes(value):
    return str(value).lower() == "true"


def time_ms(text):
    """DMTF or ISO time to whole milliseconds since 1970."""
    if not text or text.startswith("0000"):
        return None
    if re.match(r"\d{14}\.\d{6}[+-]\d{3}$", text):
        zone = datetime.timezone(datetime.timedelta(minutes=int(text[21:])))
        when = datetime.datetime.strptime(text[:21], "%Y%m%d%H%M%S.%f").replace(tzinfo=zone)
    else:
        when = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (when - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) // datetime.timedelta(milliseconds=1)


def path_id(path):
    """InstanceID (or Name) in an object path."""
    found = re.search(r'(?:InstanceID|Name|DeviceID)="((?:[^"\\]|\\.)*)"$', path or "")
    return found.group(1).replace("\\\\", "\\") if found else None


class Row(dict):
    """What the host left out is nothing."""

    def __missing__(self, key):
        return None


class Reader(WsMan):
    def enumerate(self, cls, **more):
        return [Row(r) for r in super().enumerate(cls, **more)]


class Truth:
    """Everything of one host, read class by class."""

    def __init__(self, host):
        self.client = Reader(host)
        self.host_id = host.fqdn.lower()
        rows = self.client.enumerate
        self.os = self.client.enumerate("Win32_OperatingSystem", space=CIMV2)[0]
        self.box = self.client.enumerate("Win32_ComputerSystem", space=CIMV2)[0]
        self.product = self.client.enumerate("Win32_ComputerSystemProduct", space=CIMV2)[0]
        self.bios = self.client.enumerate("Win32_BIOS", space=CIMV2)[0]
        self.cpus = self.client.enumerate("Win32_Processor", space=CIMV2)
        self.addresses = self.client.enumerate("Win32_NetworkAdapterConfiguration", space=CIMV2)
        self.volumes = [v for v in self.client.enumerate("Win32_Volume", space=CIMV2)
                        if v["DriveType"] == "3" and v["FileSystem"] and not v["Name"].startswith("\\\\?\\")]
        self.mhz = int(self.cpus[0]["MaxClockSpeed"])
        self.numa = rows("Msvm_NumaNode")
        self.migration = rows("Msvm_VirtualSystemMigrationServiceSettingData")[0]
        self.systems = {r["Name"]: r for r in rows("Msvm_ComputerSystem") if re.fullmatch(GUID, r["Name"])}
        everything = rows("Msvm_VirtualSystemSettingData")
        self.settings = {r["VirtualSystemIdentifier"].upper(): r for r in everything
                         if r["VirtualSystemType"].endswith("System:Realized")}
        self.snapshots = {}
        for row in everything:
            if row["VirtualSystemType"].endswith("Snapshot:Realized"):
                self.snapshots.setdefault(row["VirtualSystemIdentifier"].upper(), []).append(row)
        self.by_owner = {}
        for cls in ("Msvm_ProcessorSettingData", "Msvm_MemorySettingData", "Msvm_ResourceAllocationSettingData",
                    "Msvm_StorageAllocationSettingData", "Msvm_SyntheticEthernetPortSettingData",
                    "Msvm_EmulatedEthernetPortSettingData", "Msvm_EthernetPortAllocationSettingData",
                    "Msvm_EthernetSwitchPortVlanSettingData", "Msvm_EthernetSwitchPortSecuritySettingData",
                    "Msvm_EthernetSwitchPortBandwidthSettingData", "Msvm_SecuritySettingData", "Msvm_SerialPortSettingData",
                    "Msvm_GuestNetworkAdapterConfiguration", "Msvm_HeartbeatComponentSettingData",
                    "Msvm_ShutdownComponentSettingData", "Msvm_TimeSyncComponentSettingData",
                    "Msvm_VssComponentSettingData", "Msvm_KvpExchangeComponentSettingData",
                    "Msvm_GuestServiceInterfaceComponentSettingData"):
            for row in rows(cls):
                owner = guids(row["InstanceID"])
                if owner:
                    self.by_owner.setdefault((cls, owner[0]), []).append(row)
        self.kvp = {r["SystemName"].upper(): r for r in rows("Msvm_KvpExchangeComponent")}
        self.switches = {r["Name"].upper(): r for r in rows("Msvm_VirtualEthernetSwitch")}
        self.switch_settings = {r["VirtualSystemIdentifier"].upper(): r
                                for r in rows("Msvm_VirtualEthernetSwitchSettingData")}
        self.uplinks = {r["DeviceID"]: r for r in rows("Msvm_ExternalEthernetPort")}
        answer = self.client.service("Msvm_VirtualSystemManagementService", "GetSummaryInformation", {
            "RequestedInformation": [0, 1, 4, 11, 100, 101, 103, 104, 105, 106, 109, 110, 114, 115, 116, 121]})
        self.summaries = {}
        for child in answer.content:
            if child.tag.endswith("}SummaryInformation"):
                row = {c.tag.rpartition("}")[2]: c.text for c in child}
                self.summaries[row["Name"]] = row

    def of(self, cls, owner):
        return sorted(self.by_owner.get((cls, owner), []), key=lambda r: r["InstanceID"].lower())

    # Places

    def store(self, path):
        for volume in sorted(self.volumes, key=lambda v: -len(v["Name"])):
            if (path or "").lower().startswith(volume["Name"].lower()):
                return volume["DeviceID"].lower()
        return None

    def vlan(self, owner, port):
        for row in self.of("Msvm_EthernetSwitchPortVlanSettingData", owner):
            if row["InstanceID"].lower().startswith(port["InstanceID"].lower() + "\\"):
                return row
        return None

    def feature(self, cls, owner, port):
        return next((r for r in self.of(cls, owner)
                     if port and r["InstanceID"].lower().startswith(port["InstanceID"].lower() + "\\")), {})

    def network(self, owner, port):
        target = path_id((many(port["HostResource"]) or [""])[0]) if port else None
        if not target or target.upper() not in self.switches:
            return None
        vlan = self.vlan(owner, port)
        access = number((vlan or {}).get("AccessVlanId")) if vlan and vlan["OperationMode"] == "1" else 0
        return target.upper() + (f".{access}" if access else "")

    def networks(self):
        found = set(self.switches)
        for ident in self.settings:
            for port in self.of("Msvm_EthernetPortAllocationSettingData", ident):
                found.add(self.network(ident, port))
        return found - {None}


def items_of(row, name):
    found = {}
    for text in many((row or {}).get(name)):
        values = {p.get("NAME"): p.findtext("VALUE") for p in ElementTree.fromstring(text).iter("PROPERTY")}
        found[values["Name"]] = values.get("Data")
    return found


def drives_of(truth, ident, *types):
    return [r for r in truth.of("Msvm_ResourceAllocationSettingData", ident) if int(r["ResourceType"]) in types]


def medium_of(truth, ident, drive):
    return next((m for m in truth.of("Msvm_StorageAllocationSettingData", ident)
                 if (path_id(m["Parent"]) or "").lower() == drive["InstanceID"].lower()), None)


def file_of(medium):
    return (many((medium or {}).get("HostResource")) or [None])[0]


def seat_of(truth, ident, drive):
    controllers = drives_of(truth, ident, 5, 6)
    mine = next(c for c in controllers if c["InstanceID"].lower() == path_id(drive["Parent"]).lower())
    same = [c for c in controllers if c["ResourceType"] == mine["ResourceType"]]
    return {"controller.type": {"5": "ide", "6": "scsi"}[mine["ResourceType"]], "controller.bus": same.index(mine),
            "controller.unit": int(drive["AddressOnParent"])}


def controllers_truth(truth, ident):
    found, counts = {}, {"5": 0, "6": 0}
    for row in drives_of(truth, ident, 5, 6):
        found[row["InstanceID"]] = {
            "native.id": row["InstanceID"], "label": row["ElementName"], "number": counts[row["ResourceType"]],
            "bus": {"5": "ide", "6": "scsi"}[row["ResourceType"]],
            "model": {"5": "emulated", "6": "synthetic"}[row["ResourceType"]]}
        counts[row["ResourceType"]] += 1
    return found


def disks_truth(truth, ident, files):
    found = {}
    for row in drives_of(truth, ident, 17):
        path = file_of(medium_of(truth, ident, row))
        file = files.get(path, {})
        found[row["InstanceID"]] = {
            "native.id": row["InstanceID"], "label": row["ElementName"], **seat_of(truth, ident, row), "mode": "dependent",
            "sharing": "none", "image.path": path, "image.datastore": truth.store(path), "image.format": "vhdx",
            "capacity_bytes": file.get("size"), "image.parent": file.get("parent"),
            "image.subformat": {2: "fixed", 3: "dynamic", 4: "differencing"}.get(file.get("kind"))}
    return found


def cdroms_truth(truth, ident):
    found = {}
    for row in drives_of(truth, ident, 16):
        path = file_of(medium_of(truth, ident, row))
        found[row["InstanceID"]] = {
            "native.id": row["InstanceID"], "label": row["ElementName"], **seat_of(truth, ident, row), "image.path": path,
            "image.datastore": truth.store(path), "connected": path is not None, "connect_at_power_on": path is not None}
    return found


def nics_truth(truth, ident):
    found = {}
    for cls, adapter in (("Msvm_SyntheticEthernetPortSettingData", "synthetic"),
                         ("Msvm_EmulatedEthernetPortSettingData", "legacy")):
        for row in truth.of(cls, ident):
            port = next((p for p in truth.of("Msvm_EthernetPortAllocationSettingData", ident)
                         if path_id(p["Parent"]).lower() == row["InstanceID"].lower()), None)
            vlan = truth.vlan(ident, port) if port else None
            access = number((vlan or {}).get("AccessVlanId")) or None
            guard = truth.feature("Msvm_EthernetSwitchPortSecuritySettingData", ident, port)
            band = truth.feature("Msvm_EthernetSwitchPortBandwidthSettingData", ident, port)
            mac = row["Address"]
            network = truth.network(ident, port)
            own = guids(row["InstanceID"])[1]
            addresses = [a for g in truth.of("Msvm_GuestNetworkAdapterConfiguration", ident)
                         if guids(g["InstanceID"])[1:2] == [own] for a in many(g["IPAddresses"])]
            found[row["InstanceID"]] = {
                "native.id": row["InstanceID"], "label": row["ElementName"], "adapter": adapter,
                "mac": ":".join(mac[i:i + 2] for i in range(0, 12, 2)).upper() if mac and mac != "0" * 12 else None,
                "mac_mode": "static" if yes(row["StaticMacAddress"]) else "auto", "network": network,
                "connected": network is not None, "connect_at_power_on": network is not None,
                "vlan.mode": "access" if access else "untagged", "vlan.id": access,
                "security.mac_spoofing": yes(guard.get("AllowMacSpoofing")),
                "security.dhcp_guard": yes(guard.get("EnableDhcpGuard")),
                "security.router_guard": yes(guard.get("EnableRouterGuard")),
                "bandwidth.limit_bps": number(band.get("Limit")) or None,
                "bandwidth.reservation_bps": number(band.get("Reservation")) or None,
                "ip_addresses": sorted(set(addresses))}
    return found


def snapshots_truth(truth, ident):
    rows = truth.snapshots.get(ident, [])
    current = path_id(truth.settings[ident].get("Parent"))
    return {r["InstanceID"]: {
        "native.id": r["InstanceID"], "name": r["ElementName"], "parent": path_id(r.get("Parent")),
        "taken_at": time_ms(r["CreationTime"]), "current": r["InstanceID"].lower() == (current or "").lower(),
        "description": "\n".join(n for n in many(r["Notes"]) if n)} for r in rows}


def depth_of(rows, row):
    depth = 0
    while row:
        depth += 1
        row = next((r for r in rows if r["InstanceID"] == path_id(row.get("Parent"))), None)
    return depth


def boot_truth(truth, ident, row):
    if row["VirtualSystemSubType"].endswith("1"):
        return [{"0": "floppy", "1": "cdrom", "2": "disk", "3": "network", "4": "disk"}[b] for b in many(row["BootOrder"])]
    words = []
    for path in many(row.get("BootSourceOrder")):
        device = (path_id(path) or "")[:-2].lower()
        drive = next((d for d in drives_of(truth, ident, 16, 17) if d["InstanceID"].lower() == device), None)
        words.append({"16": "cdrom", "17": "disk"}[drive["ResourceType"]] if drive else "network")
    return words


def os_family(name):
    if not name:
        return None
    return "windows" if "windows" in name.lower() else "linux"


def vm_truth(truth, ident, files):
    row, system, summary = truth.settings[ident], truth.systems[ident], truth.summaries[ident]
    cpu, memory = truth.of("Msvm_ProcessorSettingData", ident)[0], truth.of("Msvm_MemorySettingData", ident)[0]
    security = (truth.of("Msvm_SecuritySettingData", ident) or [{}])[0]
    state = int(system["EnabledState"])
    power, activity = {**STATES, **CRITICAL}[state]
    gen2 = row["VirtualSystemSubType"].endswith("2")
    dynamic = yes(memory["DynamicMemoryEnabled"])
    count, share = int(cpu["VirtualQuantity"]), int(cpu["Limit"])
    kvp = items_of(truth.kvp.get(ident), "GuestIntrinsicExchangeItems")
    alive = power in ("running", "paused")
    addresses = {a for name in ("NetworkAddressIPv4", "NetworkAddressIPv6") if alive
                 for a in (kvp.get(name) or "").split(";") if a}
    addresses |= {a for g in truth.of("Msvm_GuestNetworkAdapterConfiguration", ident) for a in many(g["IPAddresses"])}
    disks = [files.get(d["image.path"]) for d in disks_truth(truth, ident, files).values()]
    rows = truth.snapshots.get(ident, [])
    nics = nics_truth(truth, ident)
    paths = [file_of(m) for m in truth.of("Msvm_StorageAllocationSettingData", ident) if file_of(m)]
    kvp_settings = (truth.of("Msvm_KvpExchangeComponentSettingData", ident) or [{}])[0]
    name = kvp.get("OSName") or summary.get("GuestOperatingSystem")
    start = int(row["AutomaticStartupAction"])
    return {
        "name": row["ElementName"], "native.id": ident, "native.type": "Msvm_ComputerSystem", "native.state": str(state),
        "power_state": power, "activity": activity, "health": "critical" if state in CRITICAL else "ok",
        "health_reasons": ["storage_unreachable"] if state in CRITICAL else [],
        "host": truth.host_id, "cluster": None, "template": False, "uuid": ident.lower(),
        "bios_uuid": guids(row["BIOSGUID"])[0].lower(), "hardware_version": row["Version"],
        "firmware": "uefi" if gen2 else "bios",
        "secure_boot.on": gen2 and yes(row["SecureBootEnabled"]),
        "secure_boot.template": TEMPLATES.get(row["SecureBootTemplateId"]) if gen2 else None,
        "tpm": yes(security.get("TpmEnabled")), "encryption.on": yes(security.get("ShieldingRequested")),
        "cpu.count": count, "cpu.weight": int(cpu["Weight"]), "cpu.hot_add": False,
        "cpu.reservation_mhz": int(cpu["Reservation"]) * count * truth.mhz // 100000,
        "cpu.limit_mhz": None if share == 100000 else share * count * truth.mhz // 100000,
        "cpu.nested": yes(cpu["ExposeVirtualizationExtensions"]),
        "memory.bytes": int(memory["VirtualQuantity"]) * MIB, "memory.dynamic": dynamic,
        "memory.min_bytes": int(memory["Reservation"]) * MIB if dynamic else None,
        "memory.max_bytes": int(memory["Limit"]) * MIB if dynamic else None,
        "memory.buffer_pct": int(memory["TargetMemoryBuffer"]) if dynamic else None,
        "memory.weight": int(memory["Weight"]), "memory.hot_add": True, "boot.order": sorted(boot_truth(truth, ident, row)),
        "guest.os_name": name, "guest.os_id": kvp.get("OSVersion"), "guest.os_family": os_family(name),
        "guest.hostname": kvp.get("FullyQualifiedDomainName"), "guest.ip_addresses": sorted(addresses),
        "guest.state": HEARTBEATS.get(summary.get("Heartbeat")),
        "guest.tools.state": "not_running" if power != "running" else
        {"2": "running", "6": "running", "12": "not_running", "13": "not_running"}.get(summary.get("Heartbeat")),
        "guest.tools.version": kvp.get("IntegrationServicesVersion"),
        "guest.tools.version_state": {"1": "current", "2": "old"}.get(summary.get("IntegrationServicesVersionState")),
        "guest.tools.services": sorted(word for prefix, word in SERVICES.items()
                                       if any(c["EnabledState"] == "2"
                                              for c in truth.of(f"Msvm_{prefix}ComponentSettingData", ident))),
        **{f"guest.data.{k}": v for k, v in items_of(kvp_settings, "HostExchangeItems").items()},
        "snapshots.count": len(rows), "snapshots.newest_at": max((time_ms(r["CreationTime"]) for r in rows), default=None),
        "snapshots.oldest_at": min((time_ms(r["CreationTime"]) for r in rows), default=None),
        "snapshots.depth": max((depth_of(rows, r) for r in rows), default=0),
        "snapshots.mode": {"2": "disabled", "3": "production", "4": "production_only", "5": "standard"}[
            row["UserSnapshotType"]],
        "snapshots.automatic": yes(row["AutomaticSnapshotsEnabled"]),
        "autostart.on": start > 2, "autostart.start": {2: "never", 3: "if_running", 4: "always"}[start],
        "autostart.delay_s": 0, "autostart.order": number(row["AutomaticStartupActionSequenceNumber"]) or None,
        "autostart.stop": {"2": "stop", "3": "suspend", "4": "shutdown"}[row["AutomaticShutdownAction"]],
        "replication.state": REPLICATION[int(system["ReplicationState"])],
        "change_tracking": bool(disks),
        "storage.provisioned_bytes": sum(d["size"] for d in disks) if all(disks) else None,
        "storage.used_bytes": sum(d["used"] for d in disks) if all(disks) else None,
        "created_natively_at": time_ms(row["CreationTime"]), "metrics.on": False,
        "annotation": "\n".join(n for n in many(row["Notes"]) if n),
        "datastores": sorted({truth.store(p) for p in paths}),
        "networks": sorted({n["network"] for n in nics.values()} - {None}),
    }


def host_truth(truth, info):
    addresses = sorted({a for r in truth.addresses if yes(r["IPEnabled"]) for a in many(r["IPAddress"])
                        if not a.lower().startswith(("fe80:", "169.254."))})
    return {
        "name": truth.box["DNSHostName"], "native.id": truth.host_id, "native.type": "Win32_ComputerSystem",
        "connection_state": "connected", "maintenance_mode": False, "power_state": "on", "cluster": None,
        "product.name": truth.os["Caption"], "product.version": truth.os["Version"], "product.build": truth.os["BuildNumber"],
        "hardware.vendor": truth.box["Manufacturer"], "hardware.model": truth.box["Model"],
        "hardware.serial": truth.bios["SerialNumber"], "hardware.bios_uuid": info.uuid.lower(),
        "hardware.cpu_model": truth.cpus[0]["Name"], "hardware.sockets": len(truth.cpus),
        "hardware.cores": sum(int(c["NumberOfCores"]) for c in truth.cpus),
        "hardware.threads": int(truth.box["NumberOfLogicalProcessors"]), "hardware.cpu_mhz": truth.mhz,
        "hardware.memory_bytes": int(truth.box["TotalPhysicalMemory"]), "hardware.numa_nodes": len(truth.numa),
        "boot_time": time_ms(truth.os["LastBootUpTime"]), "addresses": addresses, "management_ip": addresses[0],
        "virtualization.nested": "yes",
        "limits.live_migrations": int(truth.migration["MaximumActiveVirtualSystemMigration"]),
        "limits.storage_migrations": int(truth.migration["MaximumActiveStorageMigration"]),
        "switches": sorted(truth.switches), "networks": sorted(truth.networks()),
        "datastores": sorted(v["DeviceID"].lower() for v in truth.volumes), "health": "ok",
        **certificate_truth(info),
    }


def certificate_truth(info):
    """Of the listener, as a plain TLS client sees it."""
    found = x509.load_pem_x509_certificate(ssl.get_server_certificate(("127.0.0.1", info.port)).encode())
    return {"certificate.subject": found.subject.rfc4514_string(), "certificate.issuer": found.issuer.rfc4514_string(),
            "certificate.expires_at": int(found.not_valid_after_utc.timestamp()) * 1000,
            "certificate.sha256": info.cert_sha256.lower().replace(":", "")}


def switch_truth(truth, ident):
    leads = [p for port in truth.of("Msvm_EthernetPortAllocationSettingData", ident) for p in many(port["HostResource"])]
    uplinks = sorted(truth.uplinks[path_id(p)]["ElementName"] for p in leads if "ExternalEthernetPort" in p)
    inside = any(":Msvm_ComputerSystem." in p for p in leads)
    return {
        "name": truth.switches[ident]["ElementName"], "native.id": ident, "native.type": "Msvm_VirtualEthernetSwitch",
        "host": truth.host_id, "uplinks": uplinks, "management_os": inside,
        "switch_type": "external" if uplinks else "internal" if inside else "private", "health": "ok",
        "annotation": "\n".join(n for n in many(truth.switch_settings[ident]["Notes"]) if n)}


def network_truth(truth, ident):
    switch, _, vlan = ident.partition(".")
    name = truth.switches[switch]["ElementName"]
    return {"name": f"{name} VLAN {vlan}" if vlan else name, "native.id": ident, "switch": switch, "hosts": [truth.host_id],
            "native.type": "Msvm_VirtualEthernetSwitch", "network_type": "hyperv_switch", "accessible": True,
            "vlan.mode": "access" if vlan else "untagged", "vlan.id": int(vlan) if vlan else None, "health": "ok"}


def datastore_truth(truth, volume):
    return {"name": f"{volume['Label']} ({volume['Name']})", "native.id": volume["DeviceID"].lower(),
            "native.type": "Win32_Volume", "datastore_type": volume["FileSystem"].lower(), "shared": False,
            "capacity_bytes": int(volume["Capacity"]), "free_bytes": int(volume["FreeSpace"]), "accessible": True,
            "root_path": volume["Name"], "maintenance": False, "hosts": [truth.host_id], "supports.thin": "yes",
            "supports.reflink": "no", "supports.offload.ats": "no", "health": "ok"}


# Comparing

def flatten(document, prefix=""):
    for key, value in document.items():
        path = prefix + key
        if path in OURS or key in CHILDREN:
            continue
        if isinstance(value, dict) and path not in REFERENCES:
            yield from flatten(value, path + ".")
        else:
            yield path, value


class Shown:
    """Documents of the API with native ids in place of references."""

    def __init__(self, api):
        self.api = api
        self.native = {}
        for kind in ("clusters", "hosts", "datastores", "networks", "switches", "vms", "disk-images", "snapshots"):
            self.native.update({o["id"]: o["native"]["id"] for o in api.items(kind, fields="id,native.id")})

    def reference(self, value):
        if isinstance(value, list):
            return sorted(self.native.get(v["id"], v["id"]) for v in value)
        return None if value is None else self.native.get(value["id"], value["id"])

    def flat(self, document):
        found = {}
        for path, value in flatten(document):
            if path in REFERENCES:
                value = self.reference(value)
            elif path.endswith(("_at", "boot_time")) and value is not None:
                value = time_ms(value)
            elif isinstance(value, list) and all(isinstance(v, str) for v in value):
                value = sorted(value)
            found[path] = value
        return found


def report(lines):
    assert not lines, f"{len(lines)} differences:\n" + "\n".join(lines[:60])


# The estate

@pytest.fixture(scope="module")
def fake(tmp_path_factory):
    with HypervFake(tmp_path_factory.mktemp("hyperv"), hosts=2, vms=60, domain="corp.example") as fake:
        yield fake


def add(api, host, **settings):
    return api.add_provider(host.name, host.url, host.user, host.password, {"mode": "pin", "pins": [host.cert_sha256]}, "wmi",
                            settings={"events": False, **settings})


@pytest.fixture(scope="module")
def api(module_servers, fake):
    api = module_servers().admin()
    for host in fake.hosts:
        api.wait_provider(add(api, host)["id"])
    # Sizes come after the listing; the listing after them tells them at the disks.
    wait_for(lambda: all(d["capacity_bytes"] for d in api.items("disks", view="full")), "the sizes of all disks", 60)
    return api


@pytest.fixture(scope="module")
def truths(fake, api):
    return [Truth(host) for host in fake.hosts]


@pytest.fixture(scope="module")
def shown(api):
    return Shown(api)


@pytest.fixture(scope="module")
def files(fake):
    return [host.state()["files"] for host in fake.hosts]


def test_every_field_of_every_vm(api, truths, shown, files):
    found = {v["native"]["id"]: v for v in api.items("vms", view="full")}
    lines = []
    assert set(found) == {i for t in truths for i in t.settings}
    for truth, file in zip(truths, files):
        for ident in truth.settings:
            compare(f"vm {found[ident]['name']}", vm_truth(truth, ident, file), shown.flat(found[ident]),
                    {"boot_time", "other_devices"}, lines)
    report(lines)


def devices(api, kind):
    """{native id of the VM: {native id: document}}, each document in full."""
    vms = {v["id"]: v["native"]["id"] for v in api.items("vms")}
    found = {}
    for device in api.items(kind, view="full"):
        found.setdefault(vms[device["vm"]["id"]], {})[device["native"]["id"]] = device
    return found


@pytest.mark.parametrize("kind, of", [("controllers", controllers_truth), ("cdroms", cdroms_truth), ("nics", nics_truth),
                                      ("disks", disks_truth)])
def test_every_field_of_every_device(api, truths, files, shown, kind, of):
    lines, seen = [], devices(api, kind)
    for place, truth in enumerate(truths):
        for ident in truth.settings:
            wanted = of(truth, ident, files[place]) if kind == "disks" else of(truth, ident)
            if set(seen.get(ident, {})) != set(wanted):
                lines.append(f"{ident}: {kind}: {sorted(seen.get(ident, {}))} instead of {sorted(wanted)}")
                continue
            for key, values in wanted.items():
                compare(key, values, shown.flat(seen[ident][key]), {"image.disk_id", "vm"}, lines)
    report(lines)


def test_every_checkpoint_stands_in_its_tree(api, truths, shown):
    lines, count = [], 0
    for vm in api.items("vms"):
        truth = next(t for t in truths if vm["native"]["id"] in t.settings)
        wanted = snapshots_truth(truth, vm["native"]["id"])
        seen = {s["native"]["id"]: s for s in api.items(f"vms/{vm['id']}/snapshots", view="full")} if wanted else {}
        assert set(seen) == set(wanted), vm["name"]
        for key, values in wanted.items():
            count += 1
            compare(f"{vm['name']}: {key}", values, shown.flat(seen[key]),
                    {"snapshot_type", "memory", "quiesced", "power_state", "vm"}, lines)
    assert count > 3
    report(lines)


def test_every_field_of_every_host(api, fake, truths, shown):
    lines = []
    for document in api.items("hosts", view="full"):
        place = next(n for n, t in enumerate(truths) if t.host_id == document["native"]["id"])
        compare(f"host {document['name']}", host_truth(truths[place], fake.hosts[place]), shown.flat(document),
                frozenset(), lines)
    report(lines)


def parts(api, truths, kind):
    """[(truth of a host, {native id: document})]"""
    hosts = {h["native"]["id"]: h["id"] for h in api.items("hosts")}
    return [(t, {d["native"]["id"]: d for d in api.read(f"/hosts/{hosts[t.host_id]}/{kind}", view="full")["items"]})
            for t in truths]


def test_every_physical_adapter_of_every_host(api, truths, shown):
    linked = 0
    for truth, found in parts(api, truths, "host-adapters"):
        of_switch = {path_id(p): s for s in truth.switches
                     for port in truth.of("Msvm_EthernetPortAllocationSettingData", s) for p in many(port["HostResource"])
                     if "ExternalEthernetPort" in p}
        assert set(found) == set(truth.uplinks)
        for ident, port in truth.uplinks.items():
            up, one = port["EnabledState"] == "2", found[ident]
            assert one["name"] == port["ElementName"] and one["adapter_type"] == "nic" and one["link_up"] == up
            assert one["mac"].replace(":", "") == port["PermanentAddress"].upper()
            assert one["speed_bps"] == (int(port["Speed"]) if up else None)
            assert one["full_duplex"] == (yes(port["FullDuplex"]) if up else None)
            assert shown.reference(one["switch"]) == of_switch.get(ident)
            linked += ident in of_switch
    assert linked


def test_the_services_that_the_hypervisor_stands_on(api, truths):
    for truth, found in parts(api, truths, "host-services"):
        rows = {r["Name"]: r for r in truth.client.enumerate("Win32_Service", space=CIMV2)}
        assert {"vmms", "vmcompute", "WinRM"} <= set(found) <= set(rows)
        for name, one in found.items():
            row = rows[name]
            assert (one["name"], one["label"], one["state"]) == (name, row["DisplayName"], row["State"].lower())
            assert one["start_mode"] == {"Auto": "automatic", "Manual": "manual"}[row["StartMode"]]
            assert one["required"] == (name in ("vmms", "WinRM"))


def test_every_field_of_every_switch_and_network(api, truths, shown):
    lines = []
    switches = {s["native"]["id"]: s for s in api.items("switches", view="full")}
    networks = {n["native"]["id"]: n for n in api.items("networks", view="full")}
    assert set(switches) == {i for t in truths for i in t.switches}
    assert set(networks) == {i for t in truths for i in t.networks()}
    for truth in truths:
        for ident in truth.switches:
            compare(f"switch {ident}", switch_truth(truth, ident), shown.flat(switches[ident]), {"mtu", "extensions"}, lines)
        for ident in truth.networks():
            compare(f"network {ident}", network_truth(truth, ident), shown.flat(networks[ident]), frozenset(), lines)
    report(lines)


def test_every_field_of_every_datastore(api, truths, shown):
    lines = []
    seen = {d["native"]["id"]: d for d in api.items("datastores", view="full")}
    wanted = {v["DeviceID"].lower(): (t, v) for t in truths for v in t.volumes}
    assert set(seen) == set(wanted)
    for key, (truth, volume) in wanted.items():
        compare(f"datastore {key}", datastore_truth(truth, volume), shown.flat(seen[key]), frozenset(), lines)
    report(lines)


def test_every_disk_file_that_a_vm_uses(api, truths, shown, files):
    lines, used = [], {}
    for place, truth in enumerate(truths):
        for (cls, owner), rows in truth.by_owner.items():
            vm = owner if owner in truth.settings else next(
                (i for i, all_ in truth.snapshots.items() if any(owner in s["InstanceID"].upper() for s in all_)), None)
            for row in rows if cls == "Msvm_StorageAllocationSettingData" and vm else []:
                if row["ResourceSubType"].endswith("Virtual Hard Disk"):
                    used.setdefault((place, file_of(row)), set()).add(vm)
    seen = {}
    for image in api.items("disk-images", view="full"):
        seen.setdefault(image["path"], []).append(shown.flat(image))
    for (place, path), vms in used.items():
        file = files[place][path]
        truth = {"name": path.rpartition("\\")[2], "path": path, "native.id": path.lower(), "used_by": sorted(vms),
                 "datastore": truths[place].store(path), "host": truths[place].host_id, "format": "vhdx",
                 "subformat": {2: "fixed", 3: "dynamic", 4: "differencing"}[file["kind"]], "capacity_bytes": file["size"],
                 "file_bytes": file["used"], "parent": file["parent"].lower() or None}
        mine = next((i for i in seen.get(path, []) if i["host"] == truths[place].host_id), None)
        if mine is None:
            lines.append(f"{path} is missing")
            continue
        compare(f"image {path}", truth, mine,
                {"block_bytes", "logical_sector", "physical_sector", "disk_id", "chain_depth"}, lines)
    report(lines)


def test_what_the_provider_says_of_itself(api, fake):
    provider = api.one("providers", fake.hosts[0].name)
    assert provider["family"] == "hyperv"
    assert provider["product"]["name"].startswith("Microsoft Windows Server 2022")
    assert provider["product"]["version"] == "10.0.20348"
    assert provider["instance_uuid"] == fake.hosts[0].uuid.lower()
    found = {c["name"]: c for c in api.read(f"/providers/{provider['id']}/capabilities")["items"]}
    assert found["vm.hotadd.cpu"]["state"] == "no" and found["vm.hotadd.cpu"]["reason"]
    assert found["tags.write"]["state"] == "no" and found["tags.write"]["reason"]
    assert json.dumps(found)


def test_the_loads_of_hosts_and_volumes_are_told(api, truths):
    for host in api.items("hosts"):
        truth = next(t for t in truths if t.host_id == host["native"]["id"])
        usage = wait_for(lambda: api.read(f"/hosts/{host['id']}", fields="name,usage").get("usage"), "usage of a host", 60)
        flat = json.dumps(usage)

        def as_the_host_says():
            """The load goes up and down: what was read last is looked at until it is what the host says now."""
            total = next(r for r in truth.client.enumerate("Win32_PerfFormattedData_HvStats_HyperVHypervisorLogicalProcessor",
                                                           space=CIMV2) if r["Name"] == "_Total")
            return value(api.read(f"/hosts/{host['id']}", fields="name,usage")["usage"], "cpu.usage_pct") == int(total["PercentTotalRunTime"])
        wait_for(as_the_host_says, "the load of a host", 120, every=1)
        kib = int(truth.os["TotalVisibleMemorySize"]) - int(truth.os["FreePhysicalMemory"])
        assert value(usage, "mem.usage_bytes") == kib << 10, flat
        assert value(usage, "uptime_s") > 86400, flat
    for store in api.items("datastores", view="full"):
        usage = wait_for(lambda: api.read(f"/datastores/{store['id']}", fields="name,usage").get("usage"), "usage of a volume", 60)
        assert value(usage, "storage.free_bytes") == store["free_bytes"]
        assert value(usage, "storage.used_bytes") == store["capacity_bytes"] - store["free_bytes"]


def value(usage, path):
    """A number of the usage, whether its names are paths or nested."""
    if path in usage:
        return usage[path]
    for part in path.split("."):
        usage = usage[part]
    return usage


def test_loads_of_running_vms_are_told(api, truths):
    vm = api.items("vms", filter="power_state=running")[0]
    usage = wait_for(lambda: api.read(f"/vms/{vm['id']}", fields="name,usage").get("usage"), "usage of a running VM", 20)
    assert usage["mem.usage_bytes" if "mem.usage_bytes" in usage else "mem"]
    wait_equal(lambda: api.read(f"/vms/{vm['id']}")["power_state"], "running", "it goes on")
