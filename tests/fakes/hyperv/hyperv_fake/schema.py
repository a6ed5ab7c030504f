# SPDX-License-Identifier: Apache-2.0
"""The classes that the fake serves: names, keys, types, arrays and method parameters from schema.json.

Names are case-insensitive in WMI: every look-up goes through lower case and answers the real spelling.
"""

import json
from pathlib import Path

from .extra_classes import EXTRA

V2 = "root/virtualization/v2"
CIMV2 = "root/cimv2"
STANDARD = "root/standardcimv2"
CLUSTER = "root/mscluster"
WMI_BASE = "http://schemas.microsoft.com/wbem/wsman/1/wmi/"

INTEGERS = {
    "uint8": (0, 2**8 - 1), "uint16": (0, 2**16 - 1), "uint32": (0, 2**32 - 1), "uint64": (0, 2**64 - 1),
    "sint8": (-2**7, 2**7 - 1), "sint16": (-2**15, 2**15 - 1), "sint32": (-2**31, 2**31 - 1),
    "sint64": (-2**63, 2**63 - 1),
}

# Embedded instances in string parameters that the published pages do not name.
EMBEDDED_PARAMETERS = {
    ("DefinePlannedSystem", "SystemSettings"): "Msvm_VirtualSystemSettingData",
    ("DefinePlannedSystem", "ResourceSettings"): "CIM_ResourceAllocationSettingData",
    ("AddBootSourceSettings", "BootSourceSettings"): "Msvm_BootSourceSettingData",
    ("AddGuestServiceSettings", "GuestServiceSettings"): "CIM_SettingData",
    ("ModifyGuestServiceSettings", "GuestServiceSettings"): "CIM_SettingData",
    ("AddSystemComponentSettings", "ComponentSettings"): "Msvm_SystemComponentSettingData",
    ("ModifySystemComponentSettings", "ComponentSettings"): "Msvm_SystemComponentSettingData",
    ("ConvertVirtualHardDisk", "VirtualDiskSettingData"): "Msvm_VirtualHardDiskSettingData",
    ("SetVirtualHardDiskSettingData", "VirtualDiskSettingData"): "Msvm_VirtualHardDiskSettingData",
    ("CopyFilesToGuest", "CopyFileToGuestSettings"): "Msvm_CopyFileToGuestSettingData",
    ("ModifySecuritySettings", "SecuritySettingData"): "Msvm_SecuritySettingData",
    ("FormatError", "Errors"): "Msvm_Error",
    ("DefineSystem", "ResourceSettings"): "CIM_ResourceAllocationSettingData",
    ("AddFeatureSettings", "FeatureSettings"): "Msvm_FeatureSettingData",
    ("MigrateVirtualSystemToHost", "NewResourceSettingData"): "CIM_ResourceAllocationSettingData",
    ("MigrateVirtualSystemToSystem", "NewResourceSettingData"): "CIM_ResourceAllocationSettingData",
    ("CheckVirtualSystemIsMigratable", "NewResourceSettingData"): "CIM_ResourceAllocationSettingData",
    ("CheckVirtualSystemIsMigratableToHost", "NewResourceSettingData"): "CIM_ResourceAllocationSettingData",
    ("CheckVirtualSystemIsMigratableToSystem", "NewResourceSettingData"): "CIM_ResourceAllocationSettingData",
    ("CreateReplicationRelationship", "ReplicationSettingData"): "Msvm_ReplicationSettingData",
    ("ModifyReplicationSettings", "ReplicationSettingData"): "Msvm_ReplicationSettingData",
    ("ReverseReplicationRelationship", "ReplicationSettingData"): "Msvm_ReplicationSettingData",
    ("ModifyServiceSettings", "SettingData"): "CIM_SettingData",
    ("ModifyServiceSettings", "ServiceSettingData"): "CIM_SettingData",
    ("ModifyFeatureSettings", "FeatureSettings"): "Msvm_FeatureSettingData",
}


class Prop:
    __slots__ = ("name", "type", "array", "target", "text")

    def __init__(self, row):
        self.name = row[0]
        self.array = row[1].endswith("[]")
        self.type = row[1][:-2] if self.array else row[1]
        self.target = row[2] if len(row) > 2 else ""
        self.text = row[3] if len(row) > 3 else None


class Param:
    __slots__ = ("name", "into", "out", "type", "array", "target", "embedded")

    def __init__(self, row, method):
        self.name = row[0]
        self.into = "in" in row[1].replace("inout", "in")
        self.out = "out" in row[1]
        self.array = row[2].endswith("[]")
        self.type = row[2][:-2] if self.array else row[2]
        self.target = row[3]
        if self.type == "embedded" and (self.out and self.name == "Job" or self.name == "ComputerSystem"):
            self.type = "reference"  # The pages say instance here and reference everywhere else.
        self.embedded = None
        if self.type == "string":
            self.embedded = EMBEDDED_PARAMETERS.get((method, self.name)) or self.target or None


class Class:
    __slots__ = ("name", "namespace", "ancestors", "keys", "abstract", "association", "embedded_only", "props",
                 "by_lower", "methods", "uri", "family", "texts", "nil_all")

    def __init__(self, namespace, name, row):
        self.name = name
        self.namespace = namespace
        self.ancestors = row.get("a", [])
        self.keys = row.get("k", [])
        flags = row.get("f", "")
        self.abstract = "a" in flags
        self.association = "s" in flags
        self.embedded_only = "e" in flags
        # Hosts answer properties in alphabetical order.
        self.props = sorted((Prop(p) for p in row["p"]), key=lambda p: p.name.lower())
        self.by_lower = {p.name.lower(): p for p in self.props}
        self.methods = {}
        for method, params in row.get("m", {}).items():
            self.methods[method.lower()] = (method, [Param(p, method) for p in params])
        self.uri = WMI_BASE + namespace + "/" + name
        self.family = {name.lower(), *(a.lower() for a in self.ancestors)}
        self.texts = {p.name: p.text for p in self.props if p.text}

    def isa(self, name: str) -> bool:
        return name.lower() in self.family

    def prop(self, name: str):
        return self.by_lower.get(name.lower())

    def __repr__(self):
        return f"<class {self.name}>"


class Namespace:
    def __init__(self, name, rows):
        self.name = name
        self.classes = {n.lower(): Class(name, n, row) for n, row in rows.items()}
        self.derived = {}
        for cls in self.classes.values():
            for base in cls.family:
                self.derived.setdefault(base, []).append(cls)

    def get(self, name: str):
        return self.classes.get(name.lower())

    def subclasses(self, name: str):
        """The class itself and what derives from it."""
        return self.derived.get(name.lower(), [])


# Properties that measured hosts show and the published pages do not have.
MEASURED = {"Msvm_ComputerSystem": [["HwThreadsPerCoreRealized", "uint32"], ["ManagementVtlImageFileName", "string"],
                                    ["ManagementVtlImageVersion", "string"]]}

# Methods that hosts have and the published pages only name.
_NAMED = [["FileName", "in", "string", ""]]
METHODS = {"CIM_DataFile": {"Delete": [], "Rename": _NAMED}, "Win32_Directory": {"Delete": [], "Rename": _NAMED},
           "Win32_Service": {"StartService": [], "StopService": [],
                             "ChangeStartMode": [["StartMode", "in", "string", ""]]}}


def _load():
    rows = json.loads(Path(__file__).with_name("schema.json").read_text())["namespaces"]
    for namespace, classes in EXTRA.items():
        rows.setdefault(namespace, {}).update(classes)
    for name, more in MEASURED.items():
        rows[V2][name]["p"] += more
    for name, methods in METHODS.items():
        rows["root/cimv2"][name].setdefault("m", {}).update(methods)
    return {name: Namespace(name, classes) for name, classes in rows.items()}


NAMESPACES = _load()


def namespace(name: str):
    return NAMESPACES.get(name.lower().replace("\\", "/").strip("/"))


def cls(name: str, where: str = V2) -> Class:
    found = NAMESPACES[where].get(name)
    if found is None:
        raise KeyError(f"{where}:{name}")
    return found
