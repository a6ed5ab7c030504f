# SPDX-License-Identifier: Apache-2.0
"""Looking instances up: all of a class, one by its keys, what is behind a reference."""

import re

from . import clusterdata, hostdata, moresources, sources
from .inst import Ref
from .schema import CIMV2, CLUSTER, NAMESPACES, STANDARD, V2

_GUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")

moresources.register()
_OTHER = {CIMV2: hostdata.CIMV2_SOURCES, STANDARD: hostdata.STANDARD_SOURCES, CLUSTER: clusterdata.SOURCES}


def _exact(host, cls):
    """Instances of exactly this class."""
    if cls.namespace == V2:
        rows = []
        of_host = sources.HOST_SOURCES.get(cls.name)
        if of_host:
            rows += of_host(host)
        of_vm = sources.VM_SOURCES.get(cls.name)
        if of_vm and host.visible:
            for vm in host.vms.values():
                rows += of_vm(vm)
            for vm in host.planned.values():
                rows += of_vm(vm)
        if cls.association:
            from . import assoc
            rows += assoc.instances(host, cls)
        return rows
    source = _OTHER.get(cls.namespace, {}).get(cls.name)
    if source:
        return source(host)
    if cls.association and cls.namespace == CLUSTER:
        return clusterdata.associations(host, cls)
    return []


def instances(host, cls, deep=True):
    """All instances of a class and, when deep, of the derived ones."""
    if host.report is not None:
        return host.report.instances(cls, deep)
    if not deep:
        return _exact(host, cls)
    rows = []
    for derived in NAMESPACES[cls.namespace].subclasses(cls.name):
        rows += _exact(host, derived)
    return rows


def _candidates(host, cls, keys):
    """A narrowed list when a GUID says to whom the instance belongs; None when it does not."""
    if cls.namespace != V2:
        return None
    text = next((str(v) for k, v in keys.items() if k in ("InstanceID", "DeviceID", "SystemName", "Name")
                 and isinstance(v, str) and _GUID.search(v)), None)
    of_vm = sources.VM_SOURCES.get(cls.name)
    if text is None or of_vm is None:
        return None
    guid = _GUID.search(text).group().upper()
    systems = [s for s in (host.vms.get(guid), host.planned.get(guid)) if s]
    if not systems:
        snapshot = host.snapshot(guid)
        if snapshot:
            systems = [snapshot.vm]
    if not systems:
        return None
    return [inst for system in systems for inst in of_vm(system)]


def matches(inst, cls, keys) -> bool:
    for name, wanted in keys.items():
        value = inst.get(name)
        if isinstance(value, Ref) or isinstance(wanted, Ref):
            if not (isinstance(value, Ref) and isinstance(wanted, Ref) and value.same(wanted)):
                return False
        elif value is None or str(value).lower() != str(wanted).lower():
            if not (isinstance(value, bool) and str(value).lower() == str(wanted).lower()):
                return False
    return True


def find(host, ref):
    """The instance behind a reference, or None. A base class finds instances of derived classes, too."""
    if host.report is not None:
        return host.report.find(ref)
    if ref.cls.name == "Msvm_ComputerSystem":
        name = str(ref.keys.get("Name", ""))
        if str(ref.keys.get("CreationClassName", "")).lower() != "msvm_computersystem":
            return None
        if name.lower() == host.name.lower():
            return sources.host_system(host)
        vm = host.vms.get(name.upper()) if host.visible else None
        return sources.computer_system(vm) if vm else None
    for derived in NAMESPACES[ref.cls.namespace].subclasses(ref.cls.name):
        if derived.embedded_only:
            continue
        rows = _candidates(host, derived, ref.keys)
        if rows is None:
            rows = _exact(host, derived)
        for inst in rows:
            if matches(inst, derived, ref.keys):
                return inst
    return None


def setting(host, instance_id):
    """(owner, live setting) by InstanceID; (None, None) when there is none."""
    found = _GUID.search(instance_id or "")
    if not found:
        return None, None
    guid = found.group().upper()
    wanted = instance_id.lower()
    from .model import Switch, find_setting
    for owner in (host.vms.get(guid), host.planned.get(guid), host.snapshot(guid), host.switches.get(guid)):
        if owner is None:
            continue
        if isinstance(owner, Switch):
            if owner.setting.over["InstanceID"].lower() == wanted:
                return owner, owner.setting
            live = find_setting(owner.ports, wanted) or find_setting(owner.features, wanted)
        else:
            if owner.vssd.over["InstanceID"].lower() == wanted:
                return owner, owner.vssd
            live = find_setting(owner.res, wanted) or find_setting(owner.features, wanted)
        if live is not None:
            return owner, live
    return None, None
