# SPDX-License-Identifier: Apache-2.0
"""The state of the fake: an estate of hosts, their VMs, checkpoints, switches and files."""

import itertools
import ntpath
import random
from uuid import UUID

from . import cimtime, templates
from .inst import Inst, Ref
from .schema import CLUSTER, cls

OFF, RUNNING, SAVED, PAUSED = 3, 2, 6, 9
STARTING, STOPPING, SAVING, PAUSING, RESUMING = 10, 4, 32773, 32776, 32777
STABLE = (OFF, RUNNING, SAVED, PAUSED)
STATE_NAMES = {OFF: "off", RUNNING: "running", SAVED: "saved", PAUSED: "paused", STARTING: "starting",
               STOPPING: "stopping", SAVING: "saving", PAUSING: "pausing", RESUMING: "resuming"}
STATE_CODES = {name: code for code, name in STATE_NAMES.items()}


class Disk:
    """A virtual disk or another file on a volume of a host."""
    __slots__ = ("path", "kind", "format", "size", "used", "parent", "block", "logical", "physical", "ident", "stamp",
                 "parent_ident", "attached")

    def __init__(self, path, kind=3, format=3, size=0, used=0, parent="", block=33554432, logical=512, physical=4096,
                 ident=""):
        self.path = path
        self.kind = kind  # 2 fixed, 3 dynamic, 4 differencing; 0 is a plain file
        self.format = format
        self.size = size
        self.used = used
        self.parent = parent
        self.block = block
        self.logical = logical
        self.physical = physical
        self.ident = ident
        self.parent_ident = ""
        self.stamp = cimtime.now()
        self.attached = False


class Snapshot:
    """A checkpoint: settings of its own, the parent's id and whether memory belongs to it."""
    __slots__ = ("vm", "id", "vssd", "res", "features", "parent", "created", "saved", "kind", "hidden")

    def __init__(self, vm, ident, vssd, res, features, parent, created, saved):
        self.vm = vm
        self.id = ident
        self.vssd = vssd
        self.res = res
        self.features = features
        self.parent = parent
        self.created = created
        self.saved = saved
        self.kind = "standard"
        self.hidden = False


class VM:
    __slots__ = ("host", "id", "vssd", "res", "features", "state", "planned", "created", "started", "changed",
                 "config_changed", "snapshots", "applied", "guest", "kvp_guest", "kvp_host", "job", "load", "pid",
                 "replication", "metrics", "health", "status", "status_text", "merging", "keys", "mouse", "security",
                 "uptime_before", "session", "boot_sources", "other_state", "thumbnail", "heartbeat",
                 "guest_network", "image_source", "metric_since", "backup", "services", "pressed", "clustered", "critical")

    def __init__(self, host, ident, vssd):
        self.host = host
        self.id = ident
        self.vssd = vssd
        self.res = []
        self.features = []
        self.state = OFF
        self.planned = False
        self.created = cimtime.now()
        self.started = None
        self.changed = self.created
        self.config_changed = self.created
        self.snapshots = {}
        self.applied = None
        self.guest = None
        self.kvp_guest = {}
        self.kvp_host = {}
        self.job = None
        self.load = 0
        self.pid = None
        self.replication = None
        self.metrics = None
        self.health = 5
        self.status = [2]
        self.status_text = None
        self.merging = 0
        self.keys = []
        self.mouse = []
        self.security = None
        self.uptime_before = 0
        self.session = None
        self.boot_sources = []
        self.other_state = None
        self.thumbnail = None
        self.heartbeat = None
        self.guest_network = {}
        self.image_source = None
        self.metric_since = None
        self.backup = None
        self.services = []
        self.pressed = set()
        self.clustered = False
        self.critical = None

    @property
    def name(self):
        return self.vssd.get("ElementName", "")

    @property
    def generation(self):
        return 2 if self.vssd.get("VirtualSystemSubType", "").endswith(":2") else 1

    @property
    def running(self):
        return self.state in (RUNNING, PAUSED, SAVING, PAUSING, RESUMING, STOPPING)

    def ref(self):
        kind = PLANNED_CLASS if self.planned else COMPUTER_CLASS
        return Ref(kind, {"CreationClassName": kind.name, "Name": self.id})

    def of(self, kind):
        """Resource settings of one template kind."""
        base = templates.RASD[kind][1]
        return [r for r in self.res if r.base is base]

    def find(self, instance_id: str):
        wanted = instance_id.lower()
        return find_setting(self.res, wanted) or find_setting(self.features, wanted)

    def children(self, setting):
        """Settings whose Parent is this one."""
        return children_of(self.res, setting)

    def guest_alive(self):
        return self.state == RUNNING and self.guest is not None


COMPUTER_CLASS = cls("Msvm_ComputerSystem")
PLANNED_CLASS = cls("Msvm_PlannedComputerSystem")
SWITCH_CLASS = cls("Msvm_VirtualEthernetSwitch")


def find_setting(settings, wanted_lower):
    for setting in settings:
        if setting.over.get("InstanceID", "").lower() == wanted_lower:
            return setting
    return None


def children_of(settings, setting):
    tail = setting.over["InstanceID"].replace("\\", "\\\\").lower() + '"'
    return [r for r in settings if str(r.over.get("Parent") or "").lower().endswith(tail)
            and f'"{tail}' in str(r.over["Parent"]).lower()]


class Switch:
    """A virtual switch: kind is external, internal or private; ports are its own allocations."""
    __slots__ = ("host", "id", "setting", "ports", "nic", "internal", "features", "created")

    def __init__(self, host, ident, name, notes=""):
        self.host = host
        self.id = ident
        self.nic = None
        self.internal = None
        self.ports = []
        self.features = []
        self.created = cimtime.now()
        self.setting = Inst(SWITCH_SETTING_CLASS, SWITCH_SETTING, {
            "InstanceID": f"Microsoft:{ident}", "ElementName": name, "VirtualSystemIdentifier": ident,
            "Notes": [notes], "CreationTime": cimtime.cim(self.created)}, self)

    @property
    def name(self):
        return self.setting.get("ElementName")

    @property
    def kind(self):
        return "external" if self.nic else "internal" if self.internal else "private"

    def ref(self):
        return Ref(SWITCH_CLASS, {"CreationClassName": "Msvm_VirtualEthernetSwitch", "Name": self.id})


SWITCH_SETTING_CLASS = cls("Msvm_VirtualEthernetSwitchSettingData")
SWITCH_SETTING = {
    "Caption": "Virtual Ethernet Switch Settings", "Description": "Active settings for the virtual Ethernet switch",
    "VirtualSystemType": "Microsoft:Hyper-V:Virtual Ethernet Switch", "MaxNumMACAddress": 1024,
    "IOVPreferred": False, "BandwidthReservationMode": 3, "TeamingEnabled": False, "PacketDirectEnabled": False,
}


class Nic:
    """A physical network adapter of a host (or the host's own end of an internal switch)."""
    __slots__ = ("guid", "name", "mac", "speed", "bound", "index", "up", "description", "address", "prefix", "internal")

    def __init__(self, guid, name, mac, speed, index, description, address="", prefix=24, internal=False):
        self.guid = guid
        self.name = name
        self.mac = mac
        self.speed = speed
        self.bound = False
        self.index = index
        self.up = True
        self.description = description
        self.address = address
        self.prefix = prefix
        self.internal = internal


class Volume:
    __slots__ = ("letter", "label", "size", "free", "guid", "cluster_name")

    def __init__(self, letter, label, size, free, guid):
        self.letter = letter
        self.label = label
        self.size = size
        self.free = free
        self.guid = guid
        self.cluster_name = None


class Host:
    """One Hyper-V host. Everything is found by id in dictionaries; order is that of creation."""

    def __init__(self, estate, index, name):
        self.estate = estate
        self.index = index
        self.name = name
        self.domain = "WORKGROUP"
        self.random = random.Random(f"{estate.seed}/{index}")
        self.uuid = self.guid()
        self.user = estate.user
        self.password = estate.password
        self.build = estate.build
        self.language = "en-US"
        self.vms = {}
        self.planned = {}
        self.switches = {}
        self.nics = []
        self.volumes = []
        self.files = {}
        self.folders = set()
        self.jobs = {}
        self.collections = {}
        self.exports = {}
        self.mounted = {}
        self.reference_points = {}
        self.cpus = 32
        self.memory = 256 << 30
        self.processor = "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz"
        self.maker, self.machine = "Contoso", "HV-2000"
        self.serial = f"CN{index:07d}"
        self.booted = cimtime.now() - 86400 * 12 - index
        self.vmms_running = True
        self.services = {}      # name: what somebody has made of it (methods_services.py)
        self.visible = True
        self.service_setting = {}
        self.migration_setting = {}
        self.migration_addresses = None  # None: its own
        self.migration_networks = []
        self.terminal_acl = []
        self.terminal_setting = {}
        self.security = {}
        self.replication_setting = {}
        self.replication_authorizations = {}
        self.relationships = {}
        self.cluster = None
        self.mac_next = itertools.count(1)
        self.endpoint = None
        self.limits = Limits()
        self.shells = {}
        self.subscriptions = {}
        self.contexts = {}
        self.behaviour = Behaviour()
        self.wwpn = 0xC003FF0000FFFF00 + index
        self.failed_logons = 0
        self.locked_until = 0.0
        self.certificate_users = []
        self.shell_commands = {}
        self.events = []
        self.disk_drives = []
        self.metric_settings = {}

    # A host that answers out of a report has one; then it is the host itself (reported.py).
    report = None

    def has_namespace(self, name):
        return name != CLUSTER or self.cluster is not None

    @property
    def vm_count(self):
        return len(self.vms)

    def guid(self) -> str:
        return str(UUID(int=self.random.getrandbits(128), version=4)).upper()

    def mac(self) -> str:
        """Dynamic addresses out of the host's pool."""
        number = next(self.mac_next)
        return f"00155D{self.index & 0xFF:02X}{number >> 8 & 0xFF:02X}{number & 0xFF:02X}"

    @property
    def fqdn(self):
        return self.name if self.domain == "WORKGROUP" else f"{self.name}.{self.domain}"

    def ref(self):
        return Ref(COMPUTER_CLASS, {"CreationClassName": "Msvm_ComputerSystem", "Name": self.name})

    def vm(self, ident: str):
        return self.vms.get(ident.upper())

    def all_systems(self):
        yield from self.vms.values()
        yield from self.planned.values()

    def snapshot(self, ident: str):
        ident = ident.upper()
        for vm in self.all_systems():
            found = vm.snapshots.get(ident)
            if found is not None:
                return found
        return None

    def owner(self, guid: str, planned_first=False):
        """What a GUID in an InstanceID stands for: VM, planned VM, checkpoint or switch."""
        guid = guid.upper()
        if planned_first and guid in self.planned:
            return self.planned[guid]
        return self.vms.get(guid) or self.planned.get(guid) or self.snapshot(guid) or self.switches.get(guid)

    # Files: paths compare without case, with either separator and with or without \\?\ in front.

    @staticmethod
    def norm(path: str) -> str:
        path = path.replace("/", "\\")
        if path.startswith("\\\\?\\"):
            path = path[4:]
        return ntpath.normpath(path).lower()

    def file(self, path: str):
        found = self.files.get(self.norm(path))
        if found is None and self.cluster is not None and "\\clusterstorage\\" in path.lower():
            found = self.cluster.files.get(self.norm(path))
        return found

    def all_files(self):
        """Those on its own volumes, and on the shared ones of its cluster."""
        return [*self.files.values(), *(self.cluster.files.values() if self.cluster is not None else ())]

    def add_file(self, disk: Disk):
        if self.cluster is not None and "\\clusterstorage\\" in disk.path.lower():
            self.cluster.files[self.norm(disk.path)] = disk
        else:
            self.files[self.norm(disk.path)] = disk
        return disk

    def drop_file(self, path: str):
        key = self.norm(path)
        return self.files.pop(key, None) or (self.cluster.files.pop(key, None) if self.cluster else None)

    def chain(self, path: str):
        """The disk and its ancestors."""
        found, seen = [], set()
        while path and self.norm(path) not in seen:
            seen.add(self.norm(path))
            disk = self.file(path)
            if disk is None:
                break
            found.append(disk)
            path = disk.parent
        return found

    def used_by(self, path: str):
        """Settings (owner, setting) that use this very file."""
        wanted = self.norm(path)
        found = []
        for vm in self.all_systems():
            for owner in (vm, *vm.snapshots.values()):
                for setting in owner.res:
                    if any(self.norm(p) == wanted for p in setting.over.get("HostResource") or []
                           if not p.startswith("\\\\") or "root\\" not in p.lower()):
                        found.append((owner, setting))
        return found

    def log_event(self, number, level, text):
        row = {"id": number, "level": level, "text": text}
        self.events.append(row)
        del self.events[:-500]
        self.estate.log_event(self, row)

    def reboot(self):
        """What a restart of the host leaves: jobs, contexts, shells and subscriptions are gone, VMs as their settings say."""
        for job in self.jobs.values():
            if job.handle:
                job.handle.cancel()
        for table in (self.jobs, self.contexts, self.shells, self.subscriptions):
            table.clear()
        self.mounted.clear()
        for disk in self.files.values():
            disk.attached = False
        self.booted = cimtime.now()

    def note(self, what, target="", **more):
        """An effect: written to the ledger with its cause, and told to subscriptions."""
        self.estate.ledger.effect(self, what, target, more)


class Limits:
    def __init__(self):
        self.envelope_kb = 500
        self.timeout_ms = 60000
        self.batch_items = 32000
        self.connections = 300
        self.operations_per_user = 1500
        self.shells_per_user = 30
        self.enumeration_ms = 240000
        self.allow_unencrypted = False
        self.basic = True
        self.negotiate = True
        self.kerberos = False
        self.certificate = False
        self.cbt = "Relaxed"  # Service/Auth/CbtHardeningLevel
        self.lockout = 0


class Behaviour:
    """Switches for a host's oddities."""

    def __init__(self):
        self.wql = True
        self.associations = True
        self.prefixes = "windows"
        self.one_item = False
        self.changing_contexts = False
        self.cim_namespace = False
        self.subscriptions = True
        self.job_seconds = None
        self.job_retention = 300.0
        self.optimized = True
        self.instant = False
        self.shuffle = False
        self.summary_bad_text = False
        self.provider_failure = False
        self.connection_limit_seconds = 120.0
        self.other_channel = False  # somebody is between: the client's TLS connection ends elsewhere
        self.kerberos_error = 0  # answers tickets with this error of RFC 4120
        self.each_request = False  # every request has to sign in, the connection keeps nothing
        self.synchronous = False
        self.switch_cut = False
        self.flaky_modify = 0
