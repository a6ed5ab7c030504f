# SPDX-License-Identifier: Apache-2.0
"""What happens without us: somebody at the host's own console. And the state as it truly is."""

from . import build, cimtime, power, seed, sources
from .model import OFF, RUNNING, SAVED, STATE_CODES, STATE_NAMES, Disk


class Bad(Exception):
    status = 400


def vm_state(vm):
    """A VM as the fake holds it: the truth that tests compare with."""
    disks = []
    for setting in vm.res:
        kind = sources.kind_of(setting)
        if kind in ("disk", "iso", "floppy"):
            disks.append({"id": setting.id, "kind": kind, "path": (setting.get("HostResource") or [None])[0],
                          "parent": setting.get("Parent")})
    nics = []
    for setting in vm.of("nic") + vm.of("legacy_nic"):
        ports = [r for r in vm.children(setting) if sources.kind_of(r) == "allocation"]
        made = build.switch_of(vm, ports[0]) if ports else None
        vlan = next((f.get("AccessVlanId") for f in vm.features
                     if ports and f.id.startswith(ports[0].id) and f.cls.name.endswith("VlanSettingData")), None)
        nics.append({"id": setting.id, "name": setting.get("ElementName"), "mac": setting.get("Address"),
                     "static": setting.get("StaticMacAddress"), "switch": made.name if made else None, "vlan": vlan})
    memory = vm.of("memory")[0] if vm.of("memory") else None
    cpu = vm.of("processor")[0] if vm.of("processor") else None
    return {
        "id": vm.id, "name": vm.name, "state": STATE_NAMES.get(vm.state, str(vm.state)), "generation": vm.generation,
        "planned": vm.planned, "host": vm.host.name, "notes": (vm.vssd.get("Notes") or [""])[0],
        "cpus": cpu.get("VirtualQuantity") if cpu else None, "memory_mb": memory.get("VirtualQuantity") if memory else None,
        "dynamic_memory": memory.get("DynamicMemoryEnabled") if memory else None,
        "memory_min_mb": memory.get("Reservation") if memory else None, "memory_max_mb": memory.get("Limit") if memory else None,
        "disks": disks, "nics": nics, "applied": vm.applied, "busy": vm.job is not None,
        "drives": [r.id for r in vm.res if sources.kind_of(r) in ("disk_drive", "dvd_drive", "floppy_drive", "physical_drive")],
        "empty_drives": [r.id for r in vm.of("disk_drive") if not vm.children(r)],
        "controllers": [r.id for r in vm.res if sources.kind_of(r) in ("ide", "scsi")],
        "snapshots": [{"id": s.id, "name": s.vssd.get("ElementName"), "parent": s.parent, "saved": s.saved,
                       "kind": s.kind, "disks": [(r.get("HostResource") or [None])[0] for r in s.res
                                                 if sources.kind_of(r) == "disk"]} for s in vm.snapshots.values()],
        "keys": list(vm.keys), "kvp_host": dict(vm.kvp_host), "settings": {k: v for k, v in vm.vssd.values().items()
                                                                           if v is not None},
        "replication": vm.replication, "uptime": power.uptime(vm), "metrics": vm.metrics is not None}


def whole_state(vm):
    """With every value of its settings."""
    def rows(instances):
        return {i.id: {k: v for k, v in i.values().items() if v is not None} for i in instances}

    return {**vm_state(vm), "resources": rows(vm.res), "features": rows(vm.features), "security": vm.security,
            "snapshots": {s.id: {"parent": s.parent, "kind": s.kind, "settings": rows([s.vssd]), "resources": rows(s.res)}
                          for s in vm.snapshots.values()}}


def host_state(host, whole=False):
    shown = whole_state if whole else vm_state
    return {"name": host.name, "fqdn": host.fqdn, "language": host.language, "vms": {i: shown(v) for i, v in host.vms.items()},
            "planned": {i: shown(v) for i, v in host.planned.items()},
            "switches": {s.id: {"name": s.name, "kind": s.kind, "nic": s.nic.description if s.nic else None,
                                "notes": (s.setting.get("Notes") or [""])[0]} for s in host.switches.values()},
            "files": {d.path: {"size": d.size, "used": d.used, "parent": d.parent, "kind": d.kind, "format": d.format}
                      for d in host.all_files()},
            "jobs": {j.id: {"state": j.state, "code": j.code, "name": j.name, "class": j.kind, "text": j.text}
                     for j in host.jobs.values()},
            "contexts": len(host.contexts), "subscriptions": len(host.subscriptions), "shells": len(host.shells),
            "collections": {c.id: {"name": c.name, "members": list(c.members)} for c in host.collections.values()},
            "mounted": list(host.mounted), "connections": len(host.endpoint.connections) if host.endpoint else 0}


def settings(host, change):
    """Limits, behaviour and plain switches of a host."""
    for key, value in (change or {}).items():
        if key in ("language", "user", "password", "vmms_running", "visible", "memory", "cpus", "failed_logons",
                   "locked_until", "domain", "migration_addresses"):
            setattr(host, key, value)
        elif key == "migration":
            host.migration_setting.update(value)
        elif hasattr(host.limits, key):
            setattr(host.limits, key, value)
        elif hasattr(host.behaviour, key):
            setattr(host.behaviour, key, value)
        else:
            raise Bad(f"no setting {key}")
    if change and change.get("vmms_running") is False:
        host.visible = False
    if change and change.get("vmms_running") is True:
        host.visible = True
    return {**vars(host.limits), **vars(host.behaviour), "language": host.language, "vmms_running": host.vmms_running,
            "visible": host.visible}


def route(estate, host, verb, words, data):
    head = words[0]
    if head == "vms":
        return _vms(estate, host, verb, words[1:], data)
    if head == "files":
        if verb == "POST":
            made = host.add_file(Disk(data["path"], data.get("kind", 3), data.get("format", 3), data.get("size", 1 << 30),
                                      data.get("used", 1 << 22), data.get("parent", ""), ident=host.guid()))
            made.stamp = data.get("stamp", made.stamp)
            return None
        if verb == "DELETE":
            if host.drop_file(data["path"]) is None:
                raise Bad(f"no file {data['path']}")
            return None
    if head == "switches" and verb == "POST":
        made = build.switch(host, data["name"], data.get("kind", "private"),
                            host.nics[data.get("nic", 1)] if data.get("kind") == "external" else None)
        return {"id": made.id}
    if head == "switches" and verb == "DELETE":
        found = next((s for s in host.switches.values() if s.name == data["name"]), None)
        if found is None:
            raise Bad(f"no switch {data['name']}")
        if found.nic:
            found.nic.bound = False
        del host.switches[found.id]
        return None
    if head == "jobs" and verb == "DELETE":
        if len(words) > 1:
            host.jobs.pop(words[1].upper(), None)
        else:
            host.jobs.clear()
        return None
    if head == "nics" and verb == "PUT":
        nic = host.nics[int(words[1])]
        for key, value in data.items():
            setattr(nic, key, value)
        return None
    if head == "volumes" and verb == "PUT":
        volume = next(v for v in host.volumes if v.letter == words[1].upper())
        for key, value in data.items():
            setattr(volume, key, value)
        return None
    if head == "commands" and verb == "PUT":
        host.shell_commands[data["command"].lower()] = (data.get("code", 0), data.get("stdout", ""), data.get("stderr", ""),
                                                        data.get("seconds", 0))
        return None
    raise Bad(f"no such thing: {verb} {'/'.join(words)}")


def reboot(host):
    """The host starts again: VMs were saved, shut down or cut off, and start again as their settings say."""
    host.reboot()
    for vm in host.vms.values():
        vm.job = None
        if vm.started is None:
            if vm.state not in (OFF, SAVED):
                power.set_state(vm, OFF, "reboot")
            continue
        action = vm.vssd.get("AutomaticShutdownAction")
        power.set_state(vm, SAVED if action == 3 else OFF, "reboot")
        if vm.vssd.get("AutomaticStartupAction") in (3, 4):
            power.set_state(vm, RUNNING, "reboot")


def find_vm(host, text):
    found = host.vms.get(text.upper())
    if found is None:
        named = [v for v in host.vms.values() if v.name.lower() == text.lower()]
        found = named[0] if len(named) == 1 else None
    if found is None:
        raise Bad(f"no VM {text} on {host.name}")
    return found


def _vms(estate, host, verb, words, data):
    if not words:
        if verb == "GET":
            return [vm_state(v) for v in host.vms.values()]
        return _new(estate, host, data)
    vm = find_vm(host, words[0])
    if len(words) == 1:
        if verb == "GET":
            return vm_state(vm)
        if verb == "DELETE":
            del host.vms[vm.id]
            host.note("vm removed", vm.id, name=vm.name, cause="outside")
            estate.gone(vm)
            return None
        if verb == "PUT":
            return _change(estate, vm, data)
    if words[1] == "snapshots" and verb == "POST":
        made = seed.snapshot(vm, data.get("name", "Checkpoint"), vm.snapshots.get(vm.applied), cimtime.now())
        _applied(vm, made)
        host.note("checkpoint", made.id, vm=vm.id, cause="outside")
        return {"id": made.id}
    raise Bad(f"no such thing: {verb} {'/'.join(words)}")


def _applied(vm, made):
    vm.applied = made.id
    vm.vssd.over["Parent"] = build.setting_path(vm.host, made.vssd)


def _new(estate, host, data):
    """A VM that somebody made: plain with data.name, else seeded by number."""
    if "number" in data:
        vm = seed.vm(host, data["number"])
    else:
        vm = build.new_vm(host, data.get("name", "New Virtual Machine"), data.get("generation", 2), data.get("id"))
        host.vms[vm.id] = vm
        if data.get("disk"):
            controller = build.scsi_controller(vm) if vm.generation == 2 else vm.of("ide")[0]
            host.add_file(Disk(data["disk"], 3, 3, data.get("size", 10 << 30), 1 << 22, ident=host.guid()))
            build.medium(vm, "disk", build.drive(vm, "disk_drive", controller, 0), data["disk"])
        if data.get("switch"):
            made = next(s for s in host.switches.values() if s.name == data["switch"])
            build.allocation(vm, build.nic(vm), made)
        vm.guest = data.get("guest", {"os": "Debian GNU/Linux 12 (bookworm)", "version": "6.1.0",
                                      "fqdn": f"{vm.name}.example", "address": "10.200.0.5"})
    if "state" in data:
        power.set_state(vm, STATE_CODES[data["state"]], "outside")
    host.note("vm created", vm.id, name=vm.name, cause="outside")
    estate.appeared(vm)
    return {"id": vm.id, "name": vm.name}


def _change(estate, vm, data):
    data = dict(data)
    previous = estate.before(vm)
    if "state" in data:
        vm.job = None
        power.set_state(vm, STATE_CODES[data.pop("state")], "outside")
    if "name" in data:
        vm.vssd.over["ElementName"] = data.pop("name")
        vm.config_changed = cimtime.now()
        vm.host.note("renamed", vm.id, name=vm.name, cause="outside")
        estate.changed(vm, previous)
    if "notes" in data:
        vm.vssd.over["Notes"] = [data.pop("notes")]
    if "cpus" in data:
        vm.of("processor")[0].over["VirtualQuantity"] = data.pop("cpus")
    if "memory_mb" in data:
        vm.of("memory")[0].over["VirtualQuantity"] = data.pop("memory_mb")
    if "id" in data:
        raise Bad("an id never changes")
    if "new_nic" in data:
        build.nic(vm, data.pop("new_nic"))
        vm.config_changed = cimtime.now()
    if "key_protector" in data:
        vm.security = {**(vm.security or {}), "key_protector": data.pop("key_protector")}
    if "guest" in data:
        given = data.pop("guest")
        vm.guest = None if given is None else {**(vm.guest or {}), **given}
    for key in list(data):
        if key in ("load", "health", "status", "status_text", "heartbeat", "other_state", "critical", "merging", "session",
                   "replication", "kvp_guest"):
            setattr(vm, key, data.pop(key))
    if data:
        raise Bad(f"nothing known of {', '.join(data)}")
    return vm_state(vm)
