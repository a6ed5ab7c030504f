# SPDX-License-Identifier: Apache-2.0
"""Hyper-V: a full sync of 8 hosts with 700 VMs, and what 1,000 hosts of 25 VMs cost while they are polled."""

import sys
import time

from bench.report import QUICK, Report, folder
from support.hyperv import HypervFake
from support.process import cpu_seconds, rss_bytes
from support.server import Server
from support.wait import wait_for

FEW, VMS = 8, 700
MANY, EACH = (100, 25) if QUICK else (1000, 25)
POLLED_S, EARLY_S = (60, 12) if QUICK else (600, 120)


def add_all(api, fake):
    for host in fake.hosts:
        api.add_provider(host.name, host.url, host.user, host.password, {"mode": "pin", "pins": [host.cert_sha256]}, "wmi",
                         settings={"events": False})


def listed(api):
    providers = api.items("providers")
    return all((p.get("sync") or {}).get("last_full_at") for p in providers) and providers


def resident(server):
    """Bytes of the server, and of its driver hosts, without the mapped database."""
    return rss_bytes(server.pid, "RssAnon"), sum(rss_bytes(pid, "RssAnon") for pid in server.driver_hosts())


def few_hosts(report, base):
    with HypervFake(base / "few", hosts=FEW, vms=VMS, start_timeout=300) as fake:
        server = Server(base / "server-few")
        api = server.admin()
        api.items("providers")
        began, before = time.perf_counter(), server.cpu()
        add_all(api, fake)
        providers = wait_for(lambda: listed(api), "a full sync of all hosts", 300, 0.05)
        wall, cpu = time.perf_counter() - began, server.cpu() - before
        assert api.count("vms") == VMS
        asked = sorted(p["sync"]["requests_last_full"] for p in providers)
        report.add(f"first full sync of {FEW} Hyper-V hosts with {VMS} VMs", wall, "s", goal="<= 10 s")
        report.add("CPU of ours", cpu, "s")
        report.add("requests of one host, pages included", asked[-1], "requests", note=f"{asked[0]} to {asked[-1]}")
        report.add("memory, server and driver host", server.rss() / 1e6, "MB")
        server.stop()


def many_hosts(report, base):
    with HypervFake(base / "many", hosts=MANY, vms_per_host=EACH, start_timeout=600) as fake:
        server = Server(base / "server-many")
        api = server.admin()
        began, before = time.perf_counter(), server.cpu()
        add_all(api, fake)
        wait_for(lambda: listed(api), "a full sync of all hosts", 900, 1)
        report.add(f"first full sync of {MANY} hosts with {EACH} VMs each", time.perf_counter() - began, "s")
        report.add("CPU of ours", server.cpu() - before, "s")
        assert api.count("vms") == MANY * EACH
        polls = "Msvm_VirtualSystemManagementService.GetSummaryInformation"
        # Disk files are looked up first; only then polls are alone.
        files = "Msvm_ImageManagementService.GetVirtualHardDiskState"
        seen = [-1]

        def quiet():
            last, seen[0] = seen[0], fake.control.counts()["by"].get(files, 0)
            return last == seen[0]

        wait_for(quiet, "disk files should be known", 900, 5)
        memory, cpu, began = resident(server), server.cpu(), time.perf_counter()
        theirs, done = cpu_seconds(fake.process.pid), fake.control.counts()
        curve = []
        while time.perf_counter() - began < POLLED_S:
            time.sleep(min(EARLY_S / 2, max(0.0, POLLED_S - (time.perf_counter() - began))))
            curve.append(resident(server))
        now, early, late = fake.control.counts(), curve[1], curve[-1]
        wall = time.perf_counter() - began
        polled = now["by"].get(polls, 0) - done["by"].get(polls, 0)
        report.add(f"polled for {POLLED_S} s: polls a second", polled / wall, "polls/s")
        report.add("CPU of ours, of one core", 100 * (server.cpu() - cpu) / wall, "%")
        report.add("CPU of ours for one poll", 1000 * (server.cpu() - cpu) / max(1, polled), "ms")
        report.add("requests", (now["total"] - done["total"]) / wall, "requests/s")
        for what, first, second, third in zip(("server", "driver host"), memory, early, late):
            report.add(f"memory of the {what} at the end", third / 1e6, "MB", reference=second / 1e6,
                       note=f"reference: after {EARLY_S} s; at the beginning {first / 1e6:.0f} MB")
        for what, row in zip(("server", "driver host"), zip(*curve)):
            report.add(f"most memory of the {what}", max(row) / 1e6, "MB",
                       note=f"each {EARLY_S // 2} s: " + " ".join(f"{v / 1e6:.0f}" for v in row))
        report.add("memory of both for one host", sum(late) / 1e6 / MANY, "MB")
        report.add("CPU of the fakes, of one core", 100 * (cpu_seconds(fake.process.pid) - theirs) / wall, "%")
        server.stop()


def main():
    report = Report("hyperv")
    base = folder()
    report.head()
    if "--many" not in sys.argv:
        few_hosts(report, base)
    many_hosts(report, base)
    report.close()


if __name__ == "__main__":
    main()
