# SPDX-License-Identifier: Apache-2.0
"""Starting, stopping and changing services (Win32_Service), with the return values of Microsoft's class page."""

from . import cimtime
from .invoke import method

PENDING_S = 0.4         # how long a service takes, at the speed of jobs
MODES = {"Boot": "Boot", "System": "System", "Automatic": "Auto", "Manual": "Manual", "Disabled": "Disabled"}


def _change(call, row, **to):
    kept = call.host.services.setdefault(row.get("Name"), {"state": row.get("State"), "mode": row.get("StartMode")})
    kept.update(to)
    call.host.note("service changed", row.get("Name"), **{k: v for k, v in to.items() if k != "until"}, cause=call.cause)


def _turn(call, row, pending, state):
    _change(call, row, state=state, pending=pending, until=cimtime.now() + PENDING_S)
    if row.get("Name") == "vmms":
        call.host.vmms_running = call.host.visible = state == "Running"
    return 0


@method("Win32_Service", "StartService")
def start_service(call):
    row = call.target
    if row.get("State") != "Stopped":
        return 10
    return 14 if row.get("StartMode") == "Disabled" else _turn(call, row, "Start Pending", "Running")


@method("Win32_Service", "StopService")
def stop_service(call):
    row = call.target
    if row.get("State") == "Stopped":
        return 5
    return 5 if row.get("State") != "Running" else _turn(call, row, "Stop Pending", "Stopped")


@method("Win32_Service", "ChangeStartMode")
def change_start_mode(call):
    mode = MODES.get(call.need("StartMode"))
    if mode is None:
        return 21
    _change(call, call.target, mode=mode)
    return 0
