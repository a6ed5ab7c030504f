# SPDX-License-Identifier: Apache-2.0
"""A server with Hyper-V hosts of the fake, and what tests ask of it through REST."""

import json
from types import SimpleNamespace

from .client import said
from .hyperv import HypervFake


class Estate:
    """One server, one fake; every host of the fake is a provider."""

    def __init__(self, server, folder, add=True, settings=None, **fake):
        fake.setdefault("hosts", 1)
        fake.setdefault("vms", 4)
        fake.setdefault("speed", 20)
        folder.mkdir(parents=True, exist_ok=True)
        self._begin(server, HypervFake(folder, **fake), settings)
        if add:
            for host in self.fake.hosts:
                self.add(host)

    def _begin(self, server, fake, settings):
        self.server = server
        self.fake = fake
        self.control = fake.control
        self.api = server.admin()
        self.providers = []
        self.settings = {"poll_interval_s": 10, **(settings or {})}

    @classmethod
    def of(cls, server, fake, settings=None):
        """Another server for the hosts of a fake that runs."""
        estate = cls.__new__(cls)
        estate._begin(server, fake, settings)
        return estate

    def add(self, host, **more):
        provider = self.api.add_provider(host.name, host.url, host.user, host.password, driver="wmi",
                                         tls={"mode": "pin", "pins": [host.cert_sha256]}, settings=self.settings,
                                         **more)
        self.api.wait_provider(provider["id"], timeout=60)
        self.providers.append(provider)
        return provider

    @property
    def host(self):
        return self.fake.hosts[0]

    def again(self):
        """After a restart of the server."""
        self.api = self.server.admin()
        return self.api

    def close(self):
        self.fake.stop()

    # Asking

    def send(self, method, path, body=None, **query):
        """A request that becomes a task, or is refused; answers (status, body)."""
        if method == "delete":
            answer = self.api.delete(path, **query)
        else:
            answer = getattr(self.api, method)(path, body, **query)
        return answer.status_code, answer.json() if answer.content else None

    def end(self, method, path, body=None, timeout=60, **query):
        """The finished task of a request that is accepted."""
        status, got = self.send(method, path, body, **query)
        assert status in (200, 202), f"{method} {path}: {status} {json.dumps(got, indent=1)}"
        return self.api.wait_task(got["id"], timeout)

    def do(self, method, path, body=None, timeout=60, **query):
        """... which has to succeed."""
        task = self.end(method, path, body, timeout, **query)
        assert task["state"] == "succeeded", f"{method} {path} {body}: {json.dumps(task, indent=1)}"
        return task

    def fails(self, method, path, body=None, timeout=60, **query):
        """... which has to fail; answers its error."""
        task = self.end(method, path, body, timeout, **query)
        assert task["state"] == "failed", f"{method} {path} {body}: {json.dumps(task, indent=1)}"
        return task["error"]

    def refused(self, method, path, body=None, **query):
        """A request that is not accepted; answers the problem."""
        status, got = self.send(method, path, body, **query)
        assert status >= 400, f"{method} {path}: {status} {json.dumps(got)[:600]}"
        return got

    def plan(self, method, path, body=None, **query):
        status, got = self.send(method, path, body, dry_run="true", **query)
        assert status == 200, f"{method} {path}: {status} {json.dumps(got, indent=1)}"
        return got

    # Looking

    def vm(self, name):
        return self.api.one("vms", name)

    def real(self, name):
        """What the fake has."""
        found = self.host.vm_named(name)
        assert found is not None, f"the host has no {name}"
        return self.host.vm(found.id)

    def path(self, vm):
        return f"/vms/{vm['id'] if isinstance(vm, dict) else vm}"

    def off(self):
        """A VM of generation 2 that is off."""
        return next(v for v in self.api.items("vms", view="full") if v["power_state"] == "off" and v["firmware"] == "uefi")

    def running(self):
        return next(v for v in self.api.items("vms", view="full") if v["power_state"] == "running" and v["firmware"] == "uefi")

    def children(self, vm, kind):
        return self.api.read(self.path(vm)).get(kind) or self.api.items(kind, filter=f"vm:{vm['id']}")

    def calls(self, method):
        """How often a method was asked for."""
        return sum(1 for row in self.control.ledger() if row.get("method") == method)

    def native_calls(self, plan):
        return [c if isinstance(c, str) else c["operation"] for entry in plan["plan"] for c in entry.get("native_calls", [])]

    def leftovers(self):
        """Planned systems, drives without a disk, our mark in notes: nothing of the kind may be left behind."""
        found = []
        for host in self.fake.hosts:
            state = host.state()
            found += [f"planned {p}" for p in state["planned"]]
            found += [f"empty drive {d} of {v['name']}" for v in state["vms"].values() for d in v["empty_drives"]]
            found += [f"marked: {o['name']}" for kind in ("vms", "switches") for o in state[kind].values()
                      if "Being made by Polyvisor" in o["notes"]]
        return found


def estate(servers, folder, **more):
    server = servers("hv")
    return Estate(server, folder, **more)


__all__ = ["Estate", "SimpleNamespace", "estate", "said"]
