# SPDX-License-Identifier: Apache-2.0
"""Methods of failover clusters: roles online, offline, to another node."""

from . import methods_move, power
from .cimxml import JobError
from .invoke import method
from .model import OFF, RUNNING, VM

# Win32 codes of the cluster service.
NOT_FOUND, INVALID_STATE, NODE_NOT_FOUND, GROUP_NOT_AVAILABLE = 5013, 5023, 5042, 5012


def vm_of(call):
    vm = call.target.obj
    return vm if isinstance(vm, VM) else None


@method("MSCluster_ResourceGroup MSCluster_Resource", "BringOnline", "TakeOffline")
def on_and_off(call):
    vm = vm_of(call)
    if vm is None:
        return NOT_FOUND
    try:
        if call.name == "BringOnline" and vm.state != RUNNING:
            power.request(vm, 2, call.cause)
        elif call.name == "TakeOffline" and vm.state != OFF:
            power.request(vm, 6 if vm.state == RUNNING else 3, call.cause)
    except JobError:
        return INVALID_STATE
    return 0


@method("MSCluster_ResourceGroup MSCluster_Resource", "MoveToNewNode", "MoveToNewNodeParams", "MigrateVirtualMachine")
def to_new_node(call):
    vm = vm_of(call)
    cluster = call.host.cluster
    if vm is None:
        return NOT_FOUND
    target = next((h for h in cluster.hosts if h.name.lower() == call.arg("NodeName", "").lower()), None)
    if target is None or target.name in cluster.down:
        return NODE_NOT_FOUND
    if target is vm.host:
        return 0
    if vm.job is not None or vm.state not in power.STABLE:
        return INVALID_STATE
    methods_move.move(vm, target, 32768, {}, call.cause)
    return 0
