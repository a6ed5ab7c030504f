# SPDX-License-Identifier: Apache-2.0
"""The timed state machine of VMs: what RequestStateChange starts, and what the guest does by itself."""

from . import cimtime
from .cimxml import INVALID_PARAMETER, INVALID_STATE, JobError
from .model import OFF, PAUSED, PAUSING, RESUMING, RUNNING, SAVED, SAVING, STABLE, STARTING, STATE_NAMES, STOPPING

# Requested state -> (allowed from, way, end, job type, seconds). 32773/32776 are aliases of the old interface.
PLAN = {
    2: {OFF: (STARTING, RUNNING, 12, 0.6), SAVED: (STARTING, RUNNING, 15, 0.6), PAUSED: (RESUMING, RUNNING, 27, 0.3)},
    3: {RUNNING: (STOPPING, OFF, 13, 0.5), PAUSED: (STOPPING, OFF, 13, 0.5), SAVED: (STOPPING, OFF, 13, 0.3)},
    6: {RUNNING: (SAVING, SAVED, 14, 0.8), PAUSED: (SAVING, SAVED, 14, 0.8)},
    9: {RUNNING: (PAUSING, PAUSED, 26, 0.3)},
    10: {RUNNING: (STOPPING, RUNNING, 29, 0.8), OFF: (STARTING, RUNNING, 12, 0.6)},
    11: {RUNNING: (STOPPING, RUNNING, 28, 0.6), PAUSED: (STOPPING, RUNNING, 28, 0.6)},
}
PLAN[32773] = PLAN[6]
PLAN[32776] = PLAN[9]
PLAN[32777] = {PAUSED: PLAN[2][PAUSED]}
PLAN[4] = {RUNNING: (STOPPING, OFF, 16, 1.0)}  # shut down through the guest


class Busy:
    """Stands in a VM's job while something goes on that has no job object on the host."""
    running = True


GUEST_BUSY = Busy()


def powered_on(vm, at=None):
    vm.started = cimtime.now() if at is None else at
    vm.uptime_before = 0
    vm.pid = 2000 + (vm.host.random.getrandbits(14) & ~3)
    vm.other_state = None


def powered_off(vm):
    vm.started = None
    vm.uptime_before = 0
    vm.pid = None
    vm.pressed.clear()
    vm.vssd.over["IsSaved"] = False


def set_state(vm, state, cause):
    """Every change of a state goes through here, so that the ledger knows the cause."""
    before = vm.state
    if before == state:
        return
    now = cimtime.now()
    previous = vm.host.estate.before(vm)
    vm.state = state
    vm.changed = now
    if state == RUNNING and before in (OFF, STARTING, STOPPING) and vm.started is None:
        powered_on(vm, now)
    elif state == OFF:
        powered_off(vm)
    elif state == SAVED:
        vm.uptime_before = uptime(vm)
        vm.started = None
        vm.pid = None
        vm.vssd.over["IsSaved"] = True
    if state == RUNNING:
        vm.vssd.over["IsSaved"] = False
    vm.host.note("state", vm.id, name=vm.name, before=STATE_NAMES.get(before, before),
                 after=STATE_NAMES.get(state, state), cause=cause)
    vm.host.estate.changed(vm, previous)


def uptime(vm) -> float:
    if vm.started is None:
        return 0.0
    return max(0.0, cimtime.now() - vm.started)


def check_idle(vm):
    """Whoever writes to a VM in transition is told 32775."""
    if vm.state not in STABLE or vm.job is not None:
        raise JobError(INVALID_STATE, f"'{vm.name}' is {STATE_NAMES.get(vm.state, vm.state)}: "
                                      "the operation cannot be performed while the virtual machine is in its current state.")


def request(vm, wanted, cause):
    """Starts the change and answers its job; raises JobError for what the state does not allow."""
    plan = PLAN.get(wanted)
    if plan is None:
        raise JobError(INVALID_PARAMETER, f"{wanted} is no state that can be asked for")
    check_idle(vm)
    if vm.state not in plan:
        raise JobError(INVALID_STATE, f"'{vm.name}' is {STATE_NAMES[vm.state]}")
    way, end, kind, seconds = plan[vm.state]
    before = vm.state
    trouble = start_trouble(vm) if end == RUNNING and before == OFF else None

    def done():
        vm.job = None
        if way == STOPPING and end == RUNNING:
            vm.started = None
        set_state(vm, end, cause)

    def failed():
        vm.job = None
        set_state(vm, before, cause)

    job = vm.host.estate.jobs.start(vm.host, kind, seconds, done, [vm.ref()], failed=failed, owner=vm,
                                    name=f"state {wanted}", cancellable=False, error=trouble)
    if job.running:
        vm.job = job
        set_state(vm, way, cause)
    return job


def start_trouble(vm):
    """The reason why a start fails, or None: a missing disk, or too little memory."""
    for setting in vm.of("disk") + vm.of("iso"):
        for path in setting.over.get("HostResource") or []:
            chain = vm.host.chain(path)
            if not chain:
                return 32768, f"'{vm.name}' could not initialize. Attachment '{path}' was not found."
            last = chain[-1]
            if last.kind == 4 and last.parent and vm.host.file(last.parent) is None:
                return 32768, f"'{vm.name}' could not initialize. The chain of '{path}' is broken at '{last.parent}'."
    room = start_room(vm, memory_mb(vm))
    if room:
        return 32778, room
    return None


def memory_mb(vm) -> int:
    settings = vm.of("memory")
    return settings[0].get("VirtualQuantity", 0) if settings else 0


def start_room(vm, wanted):
    """Why wanted MB do not fit beside what runs, or None."""
    used = sum(memory_mb(v) for v in vm.host.vms.values() if v.started is not None and v is not vm)
    if (used + wanted) << 20 > vm.host.memory * vm.host.estate.memory_overcommit:
        return f"Not enough memory in the system to start the virtual machine {vm.name}."
    return None
