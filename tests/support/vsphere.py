# SPDX-License-Identifier: Apache-2.0
"""pyvmomi as the second, independent client of a simulated vCenter: it changes things and tells the truth."""

import time
from contextlib import suppress
from urllib.parse import urlsplit

from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim


class SecondClient:
    """A login of its own. Everything waits until the vCenter is done."""

    def __init__(self, url: str, username: str = "user", password: str = "pass"):
        parts = urlsplit(url)
        self.si = SmartConnect(host=parts.hostname, port=parts.port, user=username, pwd=password,
                               disableSslCertValidation=True)
        self.content = self.si.content

    def close(self):
        with suppress(Exception):
            Disconnect(self.si)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # Looking

    def objects(self, kind) -> list:
        view = self.content.viewManager.CreateContainerView(self.content.rootFolder, [kind], True)
        try:
            return list(view.view)
        finally:
            view.Destroy()

    def read(self, kind, *properties) -> dict[str, dict]:
        """{moid: {property: value}} of every object of a kind, in one paged read."""
        view = self.content.viewManager.CreateContainerView(self.content.rootFolder, [kind], True)
        pc = self.content.propertyCollector
        step = vim.PropertyCollector.TraversalSpec(name="view", path="view", skip=False, type=vim.view.ContainerView)
        spec = vim.PropertyCollector.FilterSpec(
            objectSet=[vim.PropertyCollector.ObjectSpec(obj=view, skip=True, selectSet=[step])],
            propSet=[vim.PropertyCollector.PropertySpec(type=kind, pathSet=list(properties), all=False)],
        )
        found = {}
        page = pc.RetrievePropertiesEx([spec], vim.PropertyCollector.RetrieveOptions(maxObjects=500))
        while page is not None:
            for item in page.objects:
                found[item.obj._moId] = {p.name: p.val for p in item.propSet}
            page = pc.ContinueRetrievePropertiesEx(page.token) if page.token else None
        view.Destroy()
        return found

    def get(self, obj, *paths):
        """Properties by dotted path. The simulator sends empty enums inside VirtualMachine.runtime and .summary, which
        pyvmomi refuses to decode: never read those two whole."""
        spec = vim.PropertyCollector.FilterSpec(
            objectSet=[vim.PropertyCollector.ObjectSpec(obj=obj)],
            propSet=[vim.PropertyCollector.PropertySpec(type=type(obj), pathSet=list(paths))],
        )
        found = self.content.propertyCollector.RetrieveContents([spec])
        values = {p.name: p.val for p in found[0].propSet} if found else {}
        return values.get(paths[0]) if len(paths) == 1 else values

    def power(self, vm) -> str:
        return self.get(vm, "runtime.powerState")

    def vm(self, moid: str):
        return vim.VirtualMachine(moid, self.si._stub)

    def vms(self) -> list:
        return self.objects(vim.VirtualMachine)

    # Changing

    @staticmethod
    def wait(task, timeout: float = 60):
        deadline = time.monotonic() + timeout
        while task.info.state not in ("success", "error"):
            assert time.monotonic() < deadline, f"the vCenter's own task {task._moId} takes more than {timeout} s"
            time.sleep(0.02)
        if task.info.state == "error":
            raise task.info.error
        return task.info.result

    def power_off(self, vm):
        self.wait(vm.PowerOffVM_Task())

    def power_on(self, vm):
        self.wait(vm.PowerOnVM_Task())

    def rename(self, entity, name: str):
        self.wait(entity.Rename_Task(name))

    def destroy(self, vm):
        if self.power(vm) != "poweredOff":
            self.power_off(vm)
        self.wait(vm.Destroy_Task())

    def create_vm(self, name: str, cpus: int = 1, memory_mb: int = 64):
        datacenter = self.objects(vim.Datacenter)[0]
        pool = self.objects(vim.ResourcePool)[0]
        store = datacenter.datastore[0].name
        spec = vim.vm.ConfigSpec(
            name=name, numCPUs=cpus, memoryMB=memory_mb, guestId="otherGuest64",
            files=vim.vm.FileInfo(vmPathName=f"[{store}]"),
        )
        return self.wait(datacenter.vmFolder.CreateVM_Task(config=spec, pool=pool))

    def snapshot(self, vm, name: str, description: str = "", memory: bool = False):
        return self.wait(vm.CreateSnapshot_Task(name, description, memory, False))

    def set_guest(self, vm, **values):
        """Guest data in the simulator comes from extraConfig: set_guest(vm, ipAddress="10.0.0.1")."""
        extra = [vim.option.OptionValue(key=f"SET.guest.{key}", value=value) for key, value in values.items()]
        self.wait(vm.ReconfigVM_Task(vim.vm.ConfigSpec(extraConfig=extra)))

    # Logins

    def set_login_timeout(self, seconds: float):
        """Logins made from now on end after this idle time."""
        option = vim.option.OptionValue(key="config.vmacore.soap.sessionTimeout", value=f"{seconds}s")
        self.content.setting.UpdateOptions([option])

    def logins(self) -> list:
        return [s for s in self.content.sessionManager.sessionList]

    def own_login(self) -> str:
        return self.content.sessionManager.currentSession.key

    def terminate_others(self) -> int:
        """Ends every login but this one, as an administrator would; returns how many."""
        mine = self.own_login()
        others = [s.key for s in self.logins() if s.key != mine]
        if others:
            self.content.sessionManager.TerminateSession(others)
        return len(others)

    # Ledger

    def events(self, *kinds) -> list:
        """All events of these types, oldest first, by a collector (QueryEvents has a limit)."""
        spec = vim.event.EventFilterSpec(eventTypeId=[k.__name__.rsplit(".", 1)[-1] for k in kinds] or None)
        collector = self.content.eventManager.CreateCollectorForEvents(spec)
        try:
            found = []
            collector.RewindCollector()
            while True:
                page = collector.ReadNextEvents(1000)
                if not page:
                    return sorted(found, key=lambda e: e.key)
                found += page
        finally:
            collector.DestroyCollector()
