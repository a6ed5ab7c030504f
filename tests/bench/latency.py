# SPDX-License-Identifier: Apache-2.0
"""From a change at the vCenter to the event at a client, beside pyvmomi that waits for the same change."""

import threading
import time

from pyVmomi import vim

from bench.report import QUICK, Report, folder, middle, percentile
from support.server import Server
from support.vcsim import Vcsim
from support.vsphere import SecondClient

CHANGES = 60 if QUICK else 300


class Watcher(threading.Thread):
    """pyvmomi's own change feed over the power states, as the reference."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.client = SecondClient(url)
        content = self.client.content
        view = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True)
        step = vim.PropertyCollector.TraversalSpec(name="view", path="view", skip=False, type=vim.view.ContainerView)
        content.propertyCollector.CreateFilter(vim.PropertyCollector.FilterSpec(
            objectSet=[vim.PropertyCollector.ObjectSpec(obj=view, skip=True, selectSet=[step])],
            propSet=[vim.PropertyCollector.PropertySpec(type=vim.VirtualMachine, pathSet=["runtime.powerState"])]), False)
        self.seen = {}
        self.ready = threading.Event()
        self.ended = False

    def run(self):
        version = ""
        while not self.ended:
            try:
                update = self.client.content.propertyCollector.WaitForUpdatesEx(
                    version, vim.PropertyCollector.WaitOptions(maxWaitSeconds=5))
            except OSError:
                if self.ended:
                    return
                raise
            now = time.monotonic()
            if update is None:
                continue
            version = update.version
            self.ready.set()
            for part in update.filterSet:
                for item in part.objectSet:
                    for change in item.changeSet:
                        self.seen[(item.obj._moId, change.val)] = now


def main():
    report = Report("latency")
    base = folder()
    with Vcsim(base, vm=10) as vcenter:
        server = Server(base / "server")
        api = server.admin()
        api.wait_provider(api.add_provider("vc", vcenter.url)["id"])
        ours = {v["id"]: v["native"]["id"] for v in api.items("vms", fields="id,native.id")}
        watcher = Watcher(vcenter.url)
        watcher.start()
        watcher.ready.wait(30)
        changer = SecondClient(vcenter.url)
        vms = changer.vms()
        on = {vm._moId: True for vm in vms}
        mine, theirs = [], []
        with api.stream(types="vm.updated") as stream:
            for number in range(CHANGES):
                vm = vms[number % len(vms)]
                moid = vm._moId
                start = len(stream.items)
                began = time.monotonic()
                (changer.power_off if on[moid] else changer.power_on)(vm)
                on[moid] = not on[moid]
                word, native = ("running", "poweredOn") if on[moid] else ("off", "poweredOff")
                item = stream.wait(lambda i: i in stream.items[start:] and ours.get(i["data"]["ref"]["id"]) == moid and any(
                    c["field"] == "power_state" and c["to"] == word for c in i["data"]["changes"]), "the change", 60)
                mine.append(item["at"] - began)
                deadline = time.monotonic() + 10
                while watcher.seen.get((moid, native), 0) < began and time.monotonic() < deadline:
                    time.sleep(0.002)
                if watcher.seen.get((moid, native), 0) >= began:
                    theirs.append(watcher.seen[(moid, native)] - began)
        watcher.ended = True
        changer.close()
        server.stop()

    report.head()
    report.add("change to event stream, median", middle(mine) * 1000, "ms", middle(theirs) * 1000)
    report.add("change to event stream, p99", percentile(mine, 0.99) * 1000, "ms", percentile(theirs, 0.99) * 1000,
               "<= 500 ms", note="reference: pyvmomi waiting for the same change")
    report.add("of it added by us, median", (middle(mine) - middle(theirs)) * 1000, "ms")
    report.close()


if __name__ == "__main__":
    main()
