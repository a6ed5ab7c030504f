# SPDX-License-Identifier: Apache-2.0
"""Methods of VMs, guest components and jobs: state changes, shut-down, cancelling, errors of jobs."""

from . import power
from .cimxml import INVALID_STATE, NOT_SUPPORTED, JobError
from .invoke import Refused, method
from .model import OFF, RUNNING, VM


@method("Msvm_ComputerSystem", "RequestStateChange")
def request_state_change(call):
    vm = call.target.obj
    if not isinstance(vm, VM):
        raise Refused(NOT_SUPPORTED)
    try:
        job = power.request(vm, call.need("RequestedState"), call.cause)
    except JobError as error:
        return error.code
    return call.started(job)


@method("Msvm_ComputerSystem", "InjectNonMaskableInterrupt")
def inject_nmi(call):
    vm = call.target.obj
    if not isinstance(vm, VM) or vm.state != RUNNING:
        return INVALID_STATE
    call.host.note("nmi", vm.id, name=vm.name, cause=call.cause)
    return 0


@method("Msvm_ShutdownComponent", "InitiateShutdown", "InitiateReboot")
def initiate_shutdown(call):
    vm = call.target.obj
    if call.target.get("EnabledState") != 2:
        return 32780
    if vm.job is not None or vm.state == power.STOPPING:
        return 32782
    if vm.state != RUNNING or call.target.get("OperationalStatus", [12])[0] != 2:
        return 32780
    if vm.guest and vm.guest.get("locked") and not call.arg("Force", False):
        return 32781
    wanted = RUNNING if call.name == "InitiateReboot" else OFF
    reason = call.arg("Reason", "")
    call.host.note("guest", vm.id, name=vm.name, what_asked=call.name, reason=reason, cause=call.cause)
    if vm.guest and vm.guest.get("ignores_shutdown"):
        return 0
    before_kind = power.PLAN[4 if wanted == OFF else 10][RUNNING]

    def done():
        vm.job = None
        if wanted == RUNNING:
            vm.started = None
        power.set_state(vm, wanted, call.cause)

    vm.job = power.GUEST_BUSY
    power.set_state(vm, power.STOPPING, call.cause)
    vm.host.estate.later(before_kind[3] / vm.host.estate.speed, done)
    return 0


@method("Msvm_ConcreteJob Msvm_StorageJob Msvm_MigrationJob Msvm_CopyFileToGuestJob", "RequestStateChange")
def job_state_change(call):
    job = call.target.obj
    wanted = call.need("RequestedState")
    if wanted not in (2, 3, 4, 5):
        return 5
    if wanted in (2, 3):
        return 1
    if not call.host.estate.jobs.cancel(job, wanted == 5):
        return 4097
    return 0


@method("Msvm_ConcreteJob", "KillJob")
def kill_job(call):
    job = call.target.obj
    if not call.host.estate.jobs.cancel(job, True):
        return INVALID_STATE
    if call.arg("DeleteOnKill", False):
        call.host.jobs.pop(job.id, None)
    return 0


@method("Msvm_ConcreteJob Msvm_StorageJob Msvm_MigrationJob Msvm_CopyFileToGuestJob", "GetErrorEx")
def get_error_ex(call):
    call.out["Errors"] = call.target.obj.error_instances()
    return 0


@method("Msvm_ConcreteJob Msvm_StorageJob Msvm_MigrationJob Msvm_CopyFileToGuestJob", "GetError")
def get_error(call):
    found = call.target.obj.error_instances()
    call.out["Error"] = found[0] if found else None
    return 0

