# SPDX-License-Identifier: Apache-2.0
"""A full sync of 10,000 VMs against the raw download of the same answers, and against pyvmomi reading the same."""

import time

from pyVmomi import vim

from bench.replay import Recorder, replay
from bench.report import QUICK, Report, folder, middle
from support.certs import Certificate
from support.server import Server
from support.vcsim import Vcsim
from support.vsphere import SecondClient

VMS = 1000 if QUICK else 10000
ROUNDS = 3
# What a client that shows the same fields has to read.
PROPERTIES = [
    "name", "parent", "runtime.powerState", "runtime.connectionState", "runtime.host", "runtime.bootTime", "resourcePool",
    "datastore", "network", "config.template", "config.instanceUuid", "config.uuid", "config.version", "config.firmware",
    "config.bootOptions", "config.hardware", "config.cpuAllocation", "config.memoryAllocation", "config.cpuHotAddEnabled",
    "config.memoryHotAddEnabled", "config.guestId", "config.guestFullName", "config.annotation",
    "config.changeTrackingEnabled", "config.createDate", "guest.hostName", "guest.ipAddress", "guest.net",
    "guest.toolsRunningStatus", "guest.toolsVersion", "guest.guestState", "summary.storage", "snapshot",
]


def sync(api, server, provider):
    """(wall, CPU of server and driver host) of one full sync that was asked for."""
    before, began = server.cpu(), time.perf_counter()
    api.wait_task(api.act("providers", provider, "sync")["id"], 1200)
    return time.perf_counter() - began, server.cpu() - before


def main():
    report = Report("full_sync")
    base = folder()
    print(f"   making {VMS} simulated VMs; this takes a while", flush=True)
    with Vcsim(base, vm=VMS // 2, host=20, standalone_host=1, ds=4, autostart=False, start_timeout=1800) as vcenter:
        recorder = Recorder(vcenter.url, Certificate(base, "recorder"))
        recording = Server(base / "recorded")
        api = recording.admin()
        api.wait_provider(api.add_provider("vc", recorder.url)["id"], timeout=1800)
        recording.stop()
        recorder.close()
        calls = list(recorder.calls)

        server = Server(base / "direct")
        api = server.admin()
        before, began = server.cpu(), time.perf_counter()
        provider = api.wait_provider(api.add_provider("vc", vcenter.url)["id"], timeout=1800)
        first_wall, first_cpu = time.perf_counter() - began, server.cpu() - before
        assert api.count("vms") == VMS, f"{api.count('vms')} of {VMS} VMs"

        ours, raw, other, cpus = [], [], [], []
        for _ in range(ROUNDS):
            wall, cpu = sync(api, server, provider["id"])
            ours.append(wall)
            cpus.append(cpu)
            seconds, size = replay(vcenter.url, calls)
            raw.append(seconds)
            client = SecondClient(vcenter.url)
            began = time.perf_counter()
            assert len(client.read(vim.VirtualMachine, *PROPERTIES)) == VMS
            other.append(time.perf_counter() - began)
            client.close()

        report.head()
        report.add(f"first full sync of {VMS} VMs, wall / raw download", first_wall, "s", middle(raw), "<= 1.2")
        report.add(f"first full sync of {VMS} VMs, CPU of ours", first_cpu, "s", goal="<= 3 s")
        report.add(f"full sync again of {VMS} VMs, wall / raw download", middle(ours), "s", middle(raw), "<= 1.2")
        report.add(f"full sync again of {VMS} VMs, CPU of ours", middle(cpus), "s", goal="<= 3 s")
        report.add("full sync again, wall / pyvmomi reading the same", middle(ours), "s", middle(other), "< 1")
        report.add("answers of one sync", size / 1e6, "MB", note=f"{len(calls)} calls")
        server.stop()
    report.close()


if __name__ == "__main__":
    main()
