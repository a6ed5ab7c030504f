# SPDX-License-Identifier: Apache-2.0
"""Associations: for each class the two roles and how to get from one end to the other."""

from . import build, moresources, sources, store
from .inst import Inst
from .model import VM, Snapshot
from .schema import NAMESPACES, V2, cls

LINKS = {}


class Link:
    """An association class: left and right role; pairs(host) lists all pairs, near(host, inst) those of one end."""

    def __init__(self, name, left, right, pairs, near=None):
        self.cls = cls(name)
        self.left = left
        self.right = right
        self.pairs = pairs
        self.near = near
        LINKS.setdefault(name, []).append(self)


def _vms(host):
    return [v for v in host.all_systems()] if host.visible else []


def by_vm(function):
    """Pairs of everything made of pairs per VM; near the VM that an instance belongs to."""
    def pairs(host):
        for vm in _vms(host):
            yield from function(vm)

    def near(host, inst):
        owner = inst.obj
        if isinstance(owner, Snapshot):
            owner = owner.vm
        if isinstance(owner, VM):
            yield from function(owner)
        else:
            yield from pairs(host)
    return pairs, near


def settings_define_state(vm):
    system = sources.computer_system(vm)
    yield system, vm.vssd
    for setting in vm.res:
        for device in sources.devices(vm, setting):
            yield device, setting


def components(vm):
    for setting in vm.res:
        yield vm.vssd, setting
    for snapshot in vm.snapshots.values():
        for setting in snapshot.res:
            yield snapshot.vssd, setting
    for inst in sources.VM_SOURCES.get("Msvm_SecuritySettingData", sources.nothing)(vm):
        yield vm.vssd, inst


def system_devices(vm):
    system = sources.computer_system(vm)
    for setting in vm.res:
        for device in sources.devices(vm, setting):
            yield system, device


def snapshots_of(vm):
    system = sources.computer_system(vm)
    for snapshot in vm.snapshots.values():
        yield system, snapshot.vssd


def most_current(vm):
    if vm.applied in vm.snapshots:
        yield sources.computer_system(vm), vm.snapshots[vm.applied].vssd


def last_applied(vm):
    if vm.applied in vm.snapshots:
        yield vm.snapshots[vm.applied].vssd, sources.computer_system(vm)


def parents(vm):
    for snapshot in vm.snapshots.values():
        if snapshot.parent in vm.snapshots:
            yield vm.snapshots[snapshot.parent].vssd, snapshot.vssd
    if vm.applied in vm.snapshots:
        yield vm.snapshots[vm.applied].vssd, vm.vssd


def features(vm):
    for owner in (vm, *vm.snapshots.values()):
        for feature in owner.features:
            port = feature.over["InstanceID"].rsplit("\\", 2)[0].lower()
            for setting in owner.res:
                if setting.over["InstanceID"].lower() == port:
                    yield setting, feature


def guest_networks(vm):
    for number, nic in enumerate(vm.of("nic")):
        yield nic, sources.guest_network(vm, nic, number)


def element_settings(vm):
    """A switch port and the allocation that made it."""
    if vm.started is not None:
        for setting in vm.of("allocation"):
            made = build.switch_of(vm, setting)
            if made:
                yield sources.switch_port(made, setting), setting


def dependent_resources(vm):
    by_id = {r.over["InstanceID"].lower(): r for r in vm.res}
    for setting in vm.res:
        parent = str(setting.over.get("Parent") or "")
        if '"' in parent:
            found = by_id.get(parent.split('"')[1].replace("\\\\", "\\").lower())
            if found is not None:
                yield found, setting


def controlled(vm):
    """Controllers and the drives on them."""
    for upper, lower in dependent_resources(vm):
        if sources.kind_of(upper) in ("ide", "scsi") and sources.kind_of(lower) in ("disk_drive", "dvd_drive"):
            for one in sources.devices(vm, upper):
                for two in sources.devices(vm, lower):
                    yield one, two


def media(vm):
    for upper, lower in dependent_resources(vm):
        if sources.kind_of(upper) in ("disk_drive", "dvd_drive") and sources.kind_of(lower) in ("disk", "iso"):
            for one in sources.devices(vm, upper):
                for two in sources.devices(vm, lower):
                    yield one, two


for _name, _left, _right, _function in (
        ("Msvm_SettingsDefineState", "ManagedElement", "SettingData", settings_define_state),
        ("Msvm_VirtualSystemSettingDataComponent", "GroupComponent", "PartComponent", components),
        ("Msvm_SystemDevice", "GroupComponent", "PartComponent", system_devices),
        ("Msvm_SnapshotOfVirtualSystem", "Antecedent", "Dependent", snapshots_of),
        ("Msvm_MostCurrentSnapshotInBranch", "Antecedent", "Dependent", most_current),
        ("Msvm_LastAppliedSnapshot", "Antecedent", "Dependent", last_applied),
        ("Msvm_ParentChildSettingData", "Antecedent", "Dependent", parents),
        ("Msvm_EthernetPortSettingDataComponent", "GroupComponent", "PartComponent", features),
        ("Msvm_SettingDataComponent", "GroupComponent", "PartComponent", guest_networks),
        ("Msvm_ElementSettingData", "ManagedElement", "SettingData", element_settings),
        ("Msvm_ResourceDependentOnResource", "Antecedent", "Dependent", dependent_resources),
        ("Msvm_ControlledBy", "Antecedent", "Dependent", controlled),
        ("Msvm_ProtocolControllerForUnit", "Antecedent", "Dependent", controlled),
        ("Msvm_MediaPresent", "Antecedent", "Dependent", media)):
    Link(_name, _left, _right, *by_vm(_function))


def vm_links(name):
    """Associations between a VM and what a source makes of it."""
    def function(vm):
        system = sources.computer_system(vm)
        for inst in sources.VM_SOURCES[name](vm):
            yield system, inst
    return function


def metric_definitions(vm):
    system = sources.computer_system(vm)
    for row in moresources.METRICS:
        yield system, moresources.metric_definition(row)


def metric_instances(vm):
    for value in sources.VM_SOURCES["Msvm_AggregationMetricValue"](vm):
        row = next(r for r in moresources.METRICS if r["Id"] == value.get("MetricDefinitionId"))
        yield moresources.metric_definition(row), value


def boot_identities(vm):
    for source in sources.VM_SOURCES["Msvm_BootSourceSettingData"](vm):
        yield source.obj, source


def boot_components(vm):
    for source in sources.VM_SOURCES["Msvm_BootSourceSettingData"](vm):
        yield vm.vssd, source


def connections(vm):
    for one, two, _, _ in moresources.endpoints(vm):
        yield one, two


def endpoint_devices(vm):
    for one, two, nic, port in moresources.endpoints(vm):
        for device in sources.devices(vm, nic):
            yield device, one
        yield port, two


def collected(vm):
    for made in vm.host.collections.values():
        if vm.id in made.members:
            yield moresources.collection(made), sources.computer_system(vm)


def guest_services(vm):
    for component in sources.VM_SOURCES["Msvm_GuestServiceInterfaceComponent"](vm):
        for service in sources.VM_SOURCES["Msvm_GuestFileService"](vm):
            yield component, service


def video(vm):
    for head in sources.VM_SOURCES["Msvm_VideoHead"](vm):
        for setting in vm.of("display"):
            for device in sources.devices(vm, setting):
                yield device, head


for _name, _left, _right, _function in (
        ("Msvm_MetricForME", "Antecedent", "Dependent", vm_links("Msvm_AggregationMetricValue")),
        ("Msvm_MetricDefForME", "Antecedent", "Dependent", metric_definitions),
        ("Msvm_MetricInstance", "Antecedent", "Dependent", metric_instances),
        ("Msvm_LogicalIdentity", "SystemElement", "SameElement", boot_identities),
        ("Msvm_BootSourceComponent", "GroupComponent", "PartComponent", boot_components),
        ("Msvm_ActiveConnection", "Antecedent", "Dependent", connections),
        ("Msvm_EthernetDeviceSAPImplementation", "Antecedent", "Dependent", endpoint_devices),
        ("Msvm_CollectedVirtualSystems", "Collection", "Member", collected),
        ("Msvm_RegisteredGuestService", "Antecedent", "Dependent", guest_services),
        ("Msvm_VideoHeadOnController", "Antecedent", "Dependent", video),
        ("Msvm_SystemReplicationRelationship", "Antecedent", "Dependent", vm_links("Msvm_ReplicationRelationship")),
        ("Msvm_ElementSettingData", "ManagedElement", "SettingData", vm_links("Msvm_ReplicationSettingData"))):
    Link(_name, _left, _right, *by_vm(_function))


# Of the host

def host_services(host):
    system = sources.host_system(host)
    for name in sources.SERVICES:
        for service in sources.HOST_SOURCES[name](host):
            yield system, service


def hosted_systems(host):
    system = sources.host_system(host)
    for vm in host.vms.values() if host.visible else ():
        yield system, sources.computer_system(vm)


def affected(host):
    for job in list(host.jobs.values()):
        for ref in (*job.affected, *job.created):
            element = store.find(host, ref)
            if element is not None:
                yield element, job.inst()


def affected_of(kind):
    def pairs(host):
        for element, job in affected(host):
            if (job.cls.name == "Msvm_StorageJob") == (kind == "storage"):
                yield element, job
    return pairs


def owning(host):
    for job in list(host.jobs.values()):
        service = "Msvm_ImageManagementService" if job.kind == "Msvm_StorageJob" else "Msvm_VirtualSystemManagementService"
        yield sources.service_instance(host, service), job.inst()


def switch_state(host):
    for made in host.switches.values():
        yield sources.switch_instance(made), made.setting


def switch_components(host):
    for made in host.switches.values():
        for port in made.ports:
            yield made.setting, port


def switch_devices(host):
    for made in host.switches.values():
        for port in made.ports:
            yield sources.switch_instance(made), sources.switch_port(made, port)
    for vm in host.vms.values():
        for port in sources.VM_SOURCES["Msvm_EthernetSwitchPort"](vm):
            yield sources.switch_instance(port.obj), port
    for inst in sources.HOST_SOURCES["Msvm_ExternalEthernetPort"](host):
        yield sources.host_system(host), inst
    for inst in sources.HOST_SOURCES["Msvm_InternalEthernetPort"](host):
        yield sources.host_system(host), inst


def switch_port_settings(host):
    for made in host.switches.values():
        for port in made.ports:
            yield sources.switch_port(made, port), port


def host_element_settings(host):
    for name, setting in (("Msvm_VirtualSystemManagementService", "Msvm_VirtualSystemManagementServiceSettingData"),
                          ("Msvm_VirtualSystemMigrationService", "Msvm_VirtualSystemMigrationServiceSettingData"),
                          ("Msvm_MetricService", "Msvm_MetricServiceSettingData"),
                          ("Msvm_ReplicationService", "Msvm_ReplicationServiceSettingData"),
                          ("Msvm_TerminalService", "Msvm_TerminalServiceSettingData")):
        for inst in sources.HOST_SOURCES.get(setting, sources.nothing)(host):
            yield sources.service_instance(host, name), inst


def pool_definitions(host):
    """Capabilities of a pool and the default, minimum, maximum and increment settings below them."""
    for capabilities, kind in pool_rows(host):
        for role, inst in sources.definitions(kind):
            yield capabilities, sources.localised(inst, host)


def pool_rows(host):
    for inst in sources.HOST_SOURCES.get("Msvm_AllocationCapabilities", sources.nothing)(host):
        yield inst, inst.obj


def pool_capabilities(host):
    for pool in sources.HOST_SOURCES.get("Msvm_ResourcePool", sources.nothing)(host):
        for inst, kind in pool_rows(host):
            if kind == pool.obj:
                yield pool, inst


Link("Msvm_HostedService", "Antecedent", "Dependent", host_services)
Link("Msvm_HostedDependency", "Antecedent", "Dependent", hosted_systems)
Link("Msvm_AffectedJobElement", "AffectedElement", "AffectingElement", affected_of("concrete"))
Link("Msvm_AffectedStorageJobElement", "AffectedElement", "AffectingElement", affected_of("storage"))
Link("Msvm_OwningJobElement", "OwningElement", "OwnedElement", owning)
Link("Msvm_SettingsDefineState", "ManagedElement", "SettingData", switch_state)
Link("Msvm_VirtualSystemSettingDataComponent", "GroupComponent", "PartComponent", switch_components)
Link("Msvm_SystemDevice", "GroupComponent", "PartComponent", switch_devices)
Link("Msvm_ElementSettingData", "ManagedElement", "SettingData", switch_port_settings)
Link("Msvm_ElementSettingData", "ManagedElement", "SettingData", host_element_settings)
Link("Msvm_SettingsDefineCapabilities", "GroupComponent", "PartComponent", pool_definitions)
Link("Msvm_ElementCapabilities", "ManagedElement", "Capabilities", pool_capabilities)


_EXTRA = {"Msvm_SettingsDefineCapabilities": lambda left, right: {
    "ValueRole": {"Default": 0, "Minimum": 3, "Maximum": 3, "Increment": 3}[right.id.rsplit("\\", 1)[1]],
    "ValueRange": {"Default": 0, "Minimum": 1, "Maximum": 2, "Increment": 3}[right.id.rsplit("\\", 1)[1]]}}


def effects(element, job_inst):
    """5 for what the job created, 0 for what it merely touched."""
    ident = element.ref().ident()
    return {"ElementEffects": [5 if any(r.ident() == ident for r in job_inst.obj.created) else 0]}


_EXTRA["Msvm_AffectedJobElement"] = _EXTRA["Msvm_AffectedStorageJobElement"] = effects


def made_of(link, left, right) -> Inst:
    over = {link.left: left.ref(), link.right: right.ref()}
    extra = _EXTRA.get(link.cls.name)
    if extra:
        over.update(extra(left, right))
    return Inst(link.cls, None, over)


def instances(host, wanted):
    rows = []
    for link in LINKS.get(wanted.name, ()):
        rows += [made_of(link, left, right) for left, right in link.pairs(host)]
    return rows


def _links(assoc_class):
    if assoc_class is None:
        return [link for links in LINKS.values() for link in links]
    found = []
    for derived in NAMESPACES[V2].subclasses(assoc_class):
        found += LINKS.get(derived.name, [])
    return found


class _Plain:
    """A link of another namespace, made from the references that its instances hold."""

    def __init__(self, cls):
        self.cls = cls
        self.left, self.right = cls.keys
        self.near = None

    def pairs(self, host):
        for inst in store.instances(host, self.cls, False):
            left, right = store.find(host, inst.get(self.left)), store.find(host, inst.get(self.right))
            if left is not None and right is not None:
                yield left, right


def near(host, source, assoc_class=None, result_class=None, role=None, result_role=None):
    """(link, other end, left, right) for everything that is associated with an instance."""
    ident = source.ref().ident()
    if host.report is not None:
        links = [_Plain(c) for c in host.report.associations(source.cls.namespace) if not assoc_class or c.isa(assoc_class)]
    elif source.cls.namespace != V2:
        space = NAMESPACES[source.cls.namespace]
        links = [_Plain(c) for c in space.classes.values() if c.association and (not assoc_class or c.isa(assoc_class))]
    else:
        links = _links(assoc_class)
    for link in links:
        pairs = link.near(host, source) if link.near else link.pairs(host)
        for left, right in pairs:
            if left.ref().ident() == ident:
                other, own, its = right, link.left, link.right
            elif right.ref().ident() == ident:
                other, own, its = left, link.right, link.left
            else:
                continue
            if result_class and not other.cls.isa(result_class):
                continue
            if role and role.lower() != own.lower() or result_role and result_role.lower() != its.lower():
                continue
            yield link, other, left, right


def associators(host, source, **filters):
    found, seen = [], set()
    for _, other, _, _ in near(host, source, **filters):
        ident = other.ref().ident()
        if ident not in seen:
            seen.add(ident)
            found.append(sources.localised(other, host) if isinstance(other.obj, (VM, Snapshot)) and
                         "Setting" in other.cls.name else other)
    return found


def references(host, source, result_class=None, role=None):
    return [made_of(link, left, right) for link, _, left, right in near(host, source, assoc_class=result_class, role=role)]
