# SPDX-License-Identifier: Apache-2.0
"""Put: the few properties of the system's own classes that WMI lets write. Hyper-V's classes have none."""

from . import invoke, wire
from .enumeration import schema_error
from .inst import instance_xml

WRITABLE = {"Win32_Volume": {"Label"}}


def put(request, inst):
    """The whole representation comes; what differs has to be writable. Answers the new one."""
    cls, node = inst.cls, request.content
    if cls.name not in WRITABLE:
        raise wire.wmi_fault("WBEM_E_PROVIDER_NOT_CAPABLE", "The provider does not support the operation.",
                             "w:UnsupportedFeature")
    if node is None or node.local != cls.name or node.uri.lower() != cls.uri.lower():
        raise schema_error(f"the body is not a {cls.name}")
    given = {}
    for child in node.children:
        prop = cls.prop(child.local)
        if prop is None or child.uri.lower() != cls.uri.lower():
            raise schema_error(f"{cls.name} has no property {child.local}")
        if prop.name in given and not prop.array:
            raise schema_error(f"{prop.name} is given twice")
        if child.attr("nil", wire.XSI) == "true":
            given[prop.name] = None
        else:
            given[prop.name] = invoke.scalar(prop, child)
    missing = [k for k in cls.keys if k not in given]
    if missing:
        raise schema_error(f"{missing[0]} is missing: a Put carries the whole representation")
    changed = {name: value for name, value in given.items() if value != inst.get(name)}
    for name in changed:
        if name not in WRITABLE[cls.name]:
            raise wire.wmi_fault("WBEM_E_READ_ONLY", f"{name} is read-only.")
    for volume in request.host.volumes:
        if "Label" in changed and f"{{{volume.guid}}}".lower() in inst.get("DeviceID").lower():
            volume.label = changed["Label"] or ""
            inst.set("Label", volume.label)
            request.host.estate.ledger.effect(request.host, "label", inst.get("DeviceID"), {"label": volume.label})
    return instance_xml(inst, request.host.language)

