# SPDX-License-Identifier: Apache-2.0
"""Switches and feature settings of ports."""

from . import build, templates
from .cimxml import FAILED, INVALID_PARAMETER, JobError
from .inst import Inst
from .invoke import Refused, method
from .methods_resources import path_of, wrong
from .model import Switch, VM
from .store import find, setting as find_setting

VSMS = "Msvm_VirtualSystemManagementService"
VESMS = "Msvm_VirtualEthernetSwitchManagementService"


def resource_of(host, given):
    """What one allocation of a switch binds: ("external", nic) or ("internal", None)."""
    paths = given.get("HostResource")
    if not paths or len(paths) != 1:
        raise wrong("HostResource is missing.")
    ref = path_of(paths[0])
    inst = find(host, ref)
    if inst is None:
        raise wrong(f"{paths[0]!r} does not exist.")
    if inst.cls.isa("Msvm_ExternalEthernetPort"):
        if inst.obj.bound:
            raise wrong(f"'{inst.obj.description}' is bound to another switch.")
        return "external", inst.obj
    if inst.cls.isa("Msvm_ComputerSystem") and inst.obj is host:
        return "internal", None
    raise wrong(f"{paths[0]!r} is neither an external port nor the host.")


@method(VESMS, "DefineSystem")
def define_switch(call):
    host = call.host
    given = call.arg("SystemSettings")
    if given is None or not given.get("ElementName"):
        raise wrong("The switch needs a name.")
    bound = [resource_of(host, one) for one in call.arg("ResourceSettings", [])]
    if sum(1 for kind, _ in bound if kind == "external") > 1 or sum(1 for kind, _ in bound if kind == "internal") > 1:
        raise wrong("A switch has one external and one internal connection at most.")

    def done():
        made = build.switch(host, given.get("ElementName"), "private")
        made.setting.over.update({k: v for k, v in given.values.items()
                                  if v is not None and k not in ("InstanceID", "VirtualSystemIdentifier", "CreationTime")})
        for kind, nic in bound:
            if kind == "external":
                if nic.bound:
                    del host.switches[made.id]
                    raise wrong(f"'{nic.description}' is bound to another switch.")
                build.bind_external(made, nic)
            else:
                build.bind_internal(made)
        host.note("switch created", made.id, name=made.name, kind=made.kind, cause=call.cause)
        call.out["ResultingSystem"] = made.ref()
        call.created.append(made.ref())

    result = call.job(0.3, done)
    if host.behaviour.switch_cut and any(kind == "external" for kind, _ in bound):
        host.estate.later(0.0, host.endpoint.drop)
    return result


def connected(host, made):
    return [vm for vm in host.vms.values() for a in vm.of("allocation") if build.switch_of(vm, a) is made]


@method(VESMS, "DestroySystem")
def destroy_switch(call):
    inst = call.live("AffectedSystem")
    made = inst.obj
    if not isinstance(made, Switch):
        raise Refused(INVALID_PARAMETER)

    def done():
        users = connected(call.host, made)
        if users:
            raise JobError(FAILED, f"Failed while removing virtual Ethernet switch '{made.name}': it is used by "
                                   f"{len(users)} network adapters.")
        if made.nic:
            made.nic.bound = False
        call.host.switches.pop(made.id, None)
        call.host.note("switch removed", made.id, name=made.name, cause=call.cause)

    return call.job(0.2, done, [made.ref()])


@method(VESMS, "ModifySystemSettings")
def modify_switch(call):
    given = call.need("SystemSettings")
    owner, live = find_setting(call.host, given.id)
    if not isinstance(owner, Switch) or live is not owner.setting:
        raise wrong(f"There is no switch {given.id!r}.")
    values = {k: v for k, v in given.values.items() if k != "InstanceID" and v is not None}
    if set(values) & {"CreationTime", "VirtualSystemIdentifier", "VirtualSystemType", "Caption", "Description"}:
        raise JobError(FAILED, "A property is read-only.")
    if "ElementName" in values and not values["ElementName"]:
        raise wrong("The switch needs a name.")

    def done():
        live.over.update(values)
        if owner.internal and "ElementName" in values:
            owner.internal.name = f"vEthernet ({values['ElementName']})"
        call.host.note("switch changed", owner.id, name=owner.name, cause=call.cause)

    return call.job(0.1, done, [owner.ref()])


@method(VESMS, "AddResourceSettings")
def add_switch_resources(call):
    inst = call.live("AffectedConfiguration", "Msvm_VirtualEthernetSwitchSettingData")
    made = inst.obj
    bound = [resource_of(call.host, one) for one in call.need("ResourceSettings")]

    def done():
        ports = []
        for kind, nic in bound:
            if kind == "external" and made.nic or kind == "internal" and made.internal:
                raise wrong("The switch has such a connection already.")
            ports.append(build.bind_external(made, nic) if kind == "external" else build.bind_internal(made))
        call.host.note("switch changed", made.id, name=made.name, kind=made.kind, cause=call.cause)
        call.out["ResultingResourceSettings"] = [p.ref() for p in ports]

    return call.job(0.2, done, [made.ref()])


@method(VESMS, "ModifyResourceSettings")
def modify_switch_resources(call):
    pairs = []
    for one in call.need("ResourceSettings"):
        owner, live = find_setting(call.host, one.id)
        if not isinstance(owner, Switch) or live not in owner.ports:
            raise wrong(f"There is no port {one.id!r}.")
        pairs.append((owner, live, resource_of(call.host, one) if "HostResource" in one else None))

    def done():
        for owner, live, target in pairs:
            if target is None:
                continue
            kind, nic = target
            if kind == "external":
                if owner.nic:
                    owner.nic.bound = False
                owner.nic = nic
                nic.bound = True
                live.over["HostResource"] = [build.external_ref(call.host, nic).path(call.host.name)]
            call.host.note("switch changed", owner.id, name=owner.name, kind=owner.kind, cause=call.cause)
        call.out["ResultingResourceSettings"] = [live.ref() for _, live, _ in pairs]

    return call.job(0.2, done)


@method(VESMS, "RemoveResourceSettings")
def remove_switch_resources(call):
    doomed = []
    for ref in call.need("ResourceSettings"):
        owner, live = find_setting(call.host, ref.keys.get("InstanceID", ""))
        if not isinstance(owner, Switch) or live not in owner.ports:
            raise Refused(INVALID_PARAMETER)
        doomed.append((owner, live))

    def done():
        for owner, live in doomed:
            owner.ports.remove(live)
            if "ExternalEthernetPort" in (live.get("HostResource") or [""])[0]:
                owner.nic.bound = False
                owner.nic = None
            else:
                owner.internal = None
            call.host.note("switch changed", owner.id, name=owner.name, kind=owner.kind, cause=call.cause)

    return call.job(0.2, done)


# Feature settings

def check_feature(values, cls_name):
    if cls_name != "Msvm_EthernetSwitchPortVlanSettingData":
        return
    mode = values.get("OperationMode", 1)
    if mode not in (1, 2, 3):
        raise wrong(f"OperationMode is {mode}")
    for name in ("AccessVlanId", "NativeVlanId", "PrimaryVlanId", "SecondaryVlanId"):
        if not 0 <= values.get(name, 0) <= 4094:
            raise wrong(f"{name} is {values[name]}")
    for number in values.get("TrunkVlanIdArray") or []:
        if not 1 <= number <= 4094:
            raise wrong(f"TrunkVlanIdArray holds {number}")
    if mode == 1 and not values.get("AccessVlanId"):
        raise wrong("Access mode needs AccessVlanId.")


def _add_features(call):
    inst = call.live("AffectedConfiguration")
    owner, port = find_setting(call.host, str(inst.get("InstanceID", "")))
    if isinstance(owner, VM):
        if not inst.cls.isa("Msvm_EthernetPortAllocationSettingData"):
            raise Refused(INVALID_PARAMETER)
    elif not isinstance(owner, Switch):
        raise Refused(INVALID_PARAMETER)
    given = call.need("FeatureSettings")

    def done():
        rows = []
        for one in given:
            row = templates.FEATURE_BY_CLASS.get(one.cls.name) or (one.cls, call.host.guid(), one.cls.texts)
            own = [f for f in owner.features if f.over["InstanceID"].lower().startswith(port.id.lower() + "\\")]
            if one.cls.name != "Msvm_EthernetSwitchPortAclSettingData" and any(f.cls is one.cls for f in own):
                raise wrong(f"The port has {one.cls.name} already.")
            values = {k: v for k, v in one.values.items() if k != "InstanceID" and v is not None}
            check_feature(values, one.cls.name)
            rows.append((row, values))
        made = [build.add_feature(owner, port, found, guid, base, call.host, values)
                for (found, guid, base), values in rows]
        for feature in made:
            call.host.note("feature added", feature.id, kind=feature.cls.name, cause=call.cause)
        call.out["ResultingFeatureSettings"] = [m.ref() for m in made]

    return call.job(0.1, done)


def _modify_features(call):
    pairs = []
    for one in call.need("FeatureSettings"):
        owner, live = find_setting(call.host, one.id)
        if owner is None or live not in owner.features or live.cls is not one.cls:
            raise wrong(f"There is no feature {one.id!r}.")
        values = {k: v for k, v in one.values.items() if k != "InstanceID" and v is not None}
        check_feature({**live.values(), **values}, live.cls.name)
        pairs.append((live, values))

    def done():
        for live, values in pairs:
            live.over.update(values)
            call.host.note("feature changed", live.id, kind=live.cls.name, changes=values, cause=call.cause)
        call.out["ResultingFeatureSettings"] = [live.ref() for live, _ in pairs]

    return call.job(0.1, done)


def _remove_features(call):
    doomed = []
    for ref in call.need("FeatureSettings"):
        owner, live = find_setting(call.host, ref.keys.get("InstanceID", ""))
        if owner is None or not isinstance(live, Inst) or live not in owner.features:
            raise Refused(INVALID_PARAMETER)
        doomed.append((owner, live))

    def done():
        for owner, live in doomed:
            owner.features.remove(live)
            call.host.note("feature removed", live.id, kind=live.cls.name, cause=call.cause)

    return call.job(0.1, done)


for _service in (VSMS, VESMS):
    method(_service, "AddFeatureSettings")(_add_features)
    method(_service, "ModifyFeatureSettings")(_modify_features)
    method(_service, "RemoveFeatureSettings")(_remove_features)
