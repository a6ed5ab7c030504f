# SPDX-License-Identifier: Apache-2.0
"""Memory of an empty server and per VM, and how long a start with a full database takes."""

from bench.reads import simulated
from bench.report import QUICK, Report, folder, middle
from support.process import rss_bytes
from support.server import Server

VMS = 5000 if QUICK else 25000


def main():
    report = Report("memory")
    report.head()
    base = folder()
    empty = Server(base / "empty")
    empty.admin().read("/vms")
    fresh = Server(base / "fresh")  # without the memory that hashing a password takes and gives back
    report.add("empty server, as started", rss_bytes(fresh.pid) / 2 ** 20, "MiB", goal="<= 30 MiB")
    report.add("empty server, after a sign-in", rss_bytes(empty.pid) / 2 ** 20, "MiB")
    bare = rss_bytes(empty.pid)
    empty.stop()
    fresh.stop()

    server = simulated(base / "full", VMS)
    full = rss_bytes(server.pid)
    report.add(f"server with {VMS} VMs just synced", full / 2 ** 20, "MiB")
    report.add("a VM more, server", (full - bare) / VMS / 1024, "KiB", goal="<= 10 KiB")
    report.add(f"driver hosts with {VMS} VMs", (server.rss() - full) / 2 ** 20, "MiB")

    starts = []
    for _ in range(5):
        server.restart()
        starts.append(server.ready_after)
    report.add(f"start until ready with {VMS} VMs in the database", middle(starts), "s", goal="<= 1 s")
    assert server.admin().count("vms") == VMS
    server.stop()
    report.close()


if __name__ == "__main__":
    main()
