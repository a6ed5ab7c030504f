# SPDX-License-Identifier: Apache-2.0
"""Reads at 25,000 and 100,000 simulated VMs: CPU per request beside nginx that serves the same bytes."""

import subprocess
import time

from bench.load import Nginx, wrk
from bench.report import QUICK, Report, folder, middle
from support.certs import Certificate
from support.process import rss_bytes
from support.server import Server
from support.wait import wait_for

SIZES = (5000,) if QUICK else (25000, 100000)
SECONDS = 2 if QUICK else 5
ROUNDS = 2 if QUICK else 3


def simulated(folder, vms: int) -> Server:
    server = Server(folder)
    api = server.admin()
    answer = api.post("/providers", {"name": "sim", "driver": "sim", "endpoint": "sim://bench", "tls": {"mode": "insecure"},
                                     "settings": {"vms": vms, "seed": 1, "change_rate": 0}})
    assert answer.status_code in (201, 202), answer.text
    wait_for(lambda: api.count("vms") == vms, f"{vms} simulated VMs", 900, every=1)
    return server


def main():
    report = Report("reads")
    report.head()
    for vms in SIZES:
        measure(report, vms)
    report.close()


def measure(report, vms):
    base = folder()
    server = simulated(base / "server", vms)
    api = server.admin()
    nginx = Nginx(base, Certificate(base, "nginx"))
    headers = [f"Authorization: Bearer {server.token}", "Accept-Encoding: identity"]
    one = api.items("vms", limit=1000, fields="id")[vms // 50]["id"] if vms <= 5000 else api.read(
        "/vms", limit=1000, fields="id")["items"][500]["id"]
    name = api.read(f"/vms/{one}")["name"]
    middle_cursor = api.read("/vms", limit=1000, sort="name")["next"]
    cases = [
        ("one VM", f"/vms/{one}", ">= 0.7 (1/ratio)"),
        ("page of 100", "/vms?limit=100", ""),
        ("page of 100, sorted by name, filtered", "/vms?limit=100&sort=name&filter=power%3Arunning", ""),
        ("page of 1000 behind a cursor", f"/vms?limit=1000&sort=name&cursor={middle_cursor}", ""),
        ("search for a name", f"/search?q={name}", ""),
        ("health", "/health", ""),
    ]
    for number, (what, path, goal) in enumerate(cases):
        answer = api.request("GET", path, headers={"Accept-Encoding": "identity"})
        assert answer.status_code == 200, answer.text
        url = nginx.put(f"body{number}", answer.content)  # nginx keeps files open: one each
        ours, theirs, rates = [], [], []
        for _ in range(ROUNDS):
            rate, cpu = wrk(server.url + "/api/v1" + path, server.cpu, SECONDS, headers=headers)
            rates.append(rate)
            ours.append(cpu)
            theirs.append(wrk(url, nginx.cpu, SECONDS, headers=headers)[1])
        report.add(f"{vms} VMs: {what}, CPU a request", middle(ours), "us", middle(theirs), goal,
                   note=f"{len(answer.content)} B, {middle(rates):.0f}/s")
    whole(report, server, api, vms)
    nginx.stop()
    server.stop()


def whole(report, server, api, vms):
    """All VMs as NDJSON by curl: time, CPU, and how much memory it takes meanwhile."""
    # The database is mapped: its pages are the kernel's to take back.
    rss, before, began = rss_bytes(server.pid, "RssAnon"), server.cpu(), time.perf_counter()
    curl = subprocess.Popen(
        ["curl", "-sS", "--cacert", api.cert_file, "-H", f"Authorization: Bearer {server.token}", "-H",
         "Accept: application/x-ndjson", "-o", "/dev/null", "-w", "%{size_download} %{http_code}", server.url + "/api/v1/vms"],
        stdout=subprocess.PIPE, text=True)
    peak = rss
    while curl.poll() is None:
        peak = max(peak, rss_bytes(server.pid, "RssAnon"))
        time.sleep(0.02)
    size, code = curl.stdout.read().split()
    assert code == "200", code
    report.add(f"{vms} VMs: all as NDJSON, wall", time.perf_counter() - began, "s", note=f"{int(size) / 1e6:.1f} MB")
    report.add(f"{vms} VMs: all as NDJSON, CPU a VM", (server.cpu() - before) / vms * 1e6, "us")
    report.add(f"{vms} VMs: all as NDJSON, memory it adds", (peak - rss) / 1e6, "MB")


if __name__ == "__main__":
    main()
