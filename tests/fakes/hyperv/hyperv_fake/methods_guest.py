# SPDX-License-Identifier: Apache-2.0
"""What reaches into the guest: screen, keyboard, mouse, exchange items, addresses, files."""

from . import cimxml
from .cimxml import FAILED, INVALID_PARAMETER, INVALID_STATE, JobError
from .invoke import Refused, method
from .model import PAUSED, RUNNING, Snapshot, VM
from .screen import thumbnail

VSMS = "Msvm_VirtualSystemManagementService"


@method(VSMS, "GetVirtualSystemThumbnailImage")
def get_thumbnail(call):
    inst = call.live("TargetSystem", "CIM_VirtualSystemSettingData")
    width, height = call.need("WidthPixels"), call.need("HeightPixels")
    vm = inst.obj.vm if isinstance(inst.obj, Snapshot) else inst.obj
    if not 1 <= width <= 4096 or not 1 <= height <= 4096:
        raise Refused(INVALID_PARAMETER)
    if not isinstance(vm, VM) or vm.state not in (RUNNING, PAUSED):
        return INVALID_STATE
    call.out["ImageData"] = thumbnail(vm, width, height)
    return 0


def typing(call):
    """The VM whose keyboard this is; only a running one has a keyboard that works."""
    vm = call.target.obj
    if vm.state != RUNNING:
        raise Refused(INVALID_STATE)
    return vm


def typed(call, vm, what):
    vm.keys.append(what)
    del vm.keys[:-1000]
    vm.host.note("typed", vm.id, keys=what, cause=call.cause)
    return 0


@method("Msvm_Keyboard", "TypeText")
def type_text(call):
    vm = typing(call)
    text = call.need("asciiText")
    if any(ord(c) > 126 or ord(c) < 32 and c not in "\t\r\n" for c in text):
        raise Refused(INVALID_PARAMETER)
    return typed(call, vm, {"text": text})


@method("Msvm_Keyboard", "TypeKey", "PressKey", "ReleaseKey")
def type_key(call):
    vm = typing(call)
    code = call.need("keyCode")
    if not 1 <= code <= 254:
        raise Refused(INVALID_PARAMETER)
    if call.name == "PressKey":
        vm.pressed.add(code)
    elif call.name == "ReleaseKey":
        vm.pressed.discard(code)
    return typed(call, vm, {call.name: code})


@method("Msvm_Keyboard", "IsKeyPressed")
def is_key_pressed(call):
    call.out["keyState"] = call.need("keyCode") in typing(call).pressed
    return 0


@method("Msvm_Keyboard", "TypeScancodes")
def type_scancodes(call):
    return typed(call, typing(call), {"scancodes": call.need("Scancodes")})


@method("Msvm_Keyboard", "TypeCtrlAltDel")
def ctrl_alt_del(call):
    return typed(call, typing(call), {"ctrl-alt-del": True})


@method("Msvm_SyntheticMouse", "ClickButton", "SetAbsolutePosition", "SetButtonState", "SetScrollPosition")
def mouse(call):
    vm = typing(call)
    vm.mouse.append({call.name: dict(call.given)})
    del vm.mouse[:-1000]
    vm.host.note("mouse", vm.id, did=call.name, cause=call.cause)
    return 0


@method("Msvm_SyntheticMouse", "GetButtonState")
def button_state(call):
    typing(call)
    call.out["isDown"] = False
    return 0


# Exchange items

@method(VSMS, "AddKvpItems", "ModifyKvpItems", "RemoveKvpItems")
def kvp_items(call):
    vm = call.vm("TargetSystem")
    items = call.need("DataItems")
    for item in items:
        name = item.get("Name")
        if not name or len(name) > 511 or len(item.get("Data", "")) > 2047:
            raise JobError(INVALID_PARAMETER, "An item needs a name of at most 511 characters and data of at most 2047.")
        if item.get("Source", 0) not in (0, 4):
            raise JobError(INVALID_PARAMETER, "Only items of the host (source 0 or 4) can be written.")

    def done():
        for item in items:
            name = item.get("Name")
            if call.name == "AddKvpItems" and name in vm.kvp_host:
                raise JobError(FAILED, f"The item '{name}' exists already.")
            if call.name != "AddKvpItems" and name not in vm.kvp_host:
                raise JobError(FAILED, f"The item '{name}' does not exist.")
        for item in items:
            if call.name == "RemoveKvpItems":
                vm.kvp_host.pop(item.get("Name"), None)
            else:
                vm.kvp_host[item.get("Name")] = item.get("Data", "")
        for setting in vm.of("kvp"):
            setting.over["HostExchangeItems"] = [cimxml.kvp_item(n, v, 0) for n, v in vm.kvp_host.items()]
        vm.host.note("kvp", vm.id, items=dict(vm.kvp_host), cause=call.cause)

    return call.job(0.1, done, [vm.ref()])


@method(VSMS, "SetGuestNetworkAdapterConfiguration")
def set_guest_network(call):
    vm = call.vm()
    given = call.need("NetworkConfiguration")
    for one in given:
        if not one.id.lower().startswith(f"microsoft:guestnetwork\\{vm.id.lower()}\\"):
            raise JobError(INVALID_PARAMETER, f"{one.id!r} is no adapter of the virtual machine.")
        if one.get("ProtocolIFType", 4096) not in (4096, 4097, 4098):
            raise JobError(INVALID_PARAMETER, "ProtocolIFType is 4096, 4097 or 4098.")

    def done():
        if not vm.guest_alive():
            raise JobError(INVALID_STATE, "The guest does not answer.")
        for one in given:
            ident = one.id.rsplit("\\", 1)[1]
            nic = next((n for n in vm.of("nic") if n.id.lower().endswith(ident.lower())), None)
            if nic is None:
                raise JobError(INVALID_PARAMETER, f"{one.id!r} is no adapter of the virtual machine.")
            vm.guest_network[nic.id.split("\\", 1)[1]] = {
                k: v for k, v in one.values.items() if k != "InstanceID" and v is not None}
        vm.host.note("guest network", vm.id, cause=call.cause)

    return call.job(0.3, done, [vm.ref()])


@method("Msvm_GuestFileService", "CopyFilesToGuest")
def copy_files(call):
    vm = call.target.obj
    given = call.need("CopyFileToGuestSettings")

    def done():
        if not vm.guest_alive():
            raise JobError(INVALID_STATE, "The guest does not answer.")
        for one in given:
            if call.host.file(one.get("SourcePath", "")) is None:
                raise JobError(32779, f"The system cannot find the file specified: '{one.get('SourcePath')}'.")
            vm.host.note("file copied", vm.id, source=one.get("SourcePath"), target=one.get("DestinationPath"),
                         cause=call.cause)

    return call.job(0.5, done, [vm.ref()], kind="Msvm_CopyFileToGuestJob")
