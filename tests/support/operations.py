# SPDX-License-Identifier: Apache-2.0
"""What tests of operations have in common: two small simulated estates, tasks that must end as wanted."""

import json

from .client import said

MIB = 1 << 20
GIB = 1 << 30


def add_estates(api, **settings) -> dict:
    """A simulated vCenter and two simulated Hyper-V hosts; answers their providers by name."""
    made = {}
    for name, family, more in (("vc", "vmware", {"hosts": 4, "clusters": 1}), ("hv1", "hyperv", {}),
                               ("hv2", "hyperv", {"seed": 7})):
        body = {"family": family, "vms": 12, "speed": 100, **more, **settings}
        made[name] = api.add_provider(name, f"sim://{name}", driver="sim", settings=body)
    for provider in made.values():
        api.wait_provider(provider["id"])
    return made


class Operations:
    """One family's estate, seen through the API."""

    def __init__(self, api, provider):
        self.api = api
        self.provider = provider
        self.family = "vmware" if provider["name"].startswith("vc") else "hyperv"

    def vm(self, power="off", template=False, **more) -> dict:
        """A VM in this state, in full."""
        found = [vm for vm in self.api.items("vms", filter=f"provider:{self.provider['id']} power:{power}", fields="id,name,template,snapshots", **more)
                 if bool(vm["template"]) == template]
        assert found, f"no VM of {self.provider['name']} is {power}"
        return self.api.read(f"/vms/{found[0]['id']}")

    def hosts(self) -> list[dict]:
        return self.api.items("hosts", filter=f"provider:{self.provider['id']}", sort="name")

    def of(self, kind: str, **more) -> list[dict]:
        return self.api.items(kind, filter=f"provider:{self.provider['id']}", **more)

    def ask(self, method: str, path: str, body=None, **params) -> dict:
        """A request that must be accepted; answers the finished task, which must have succeeded."""
        answer = self.raw(method, path, body, **params)
        assert answer.status_code in (200, 202), said(answer)
        task = self.api.wait_task(answer.json()["id"])
        assert task["state"] == "succeeded", json.dumps(task, indent=1)
        return task

    def raw(self, method: str, path: str, body=None, headers=None, **params):
        if method == "PATCH":
            return self.api.patch(path, body, headers=headers, **params)
        if method == "DELETE":
            return self.api.delete(path, headers=headers, **params)
        return self.api.post(path, body, headers=headers, **params)

    def create(self, name: str, **more) -> dict:
        """A new VM; answers it."""
        body = {"name": name, "host": self.hosts()[0]["id"], "disks": [{"capacity_bytes": 8 * GIB}], **more}
        task = self.ask("POST", "/vms", body)
        assert task["result"]["ref"]["kind"] == "vm", json.dumps(task, indent=1)
        return self.api.read(f"/vms/{task['result']['ref']['id']}")

    def again(self, vm: dict) -> dict:
        return self.api.read(f"/vms/{vm['id']}")


def problem(answer, status: int, code: str) -> dict:
    assert answer.status_code == status, said(answer)
    body = answer.json()
    assert body["code"] == code, said(answer)
    return body
