# SPDX-License-Identifier: Apache-2.0
"""Somebody else at a vCenter: reads ["what", arguments…] a line, does it with pyvmomi, answers a line of JSON.

    outside.py URL USER PASSWORD
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.vsphere import SecondClient  # noqa: E402


def main() -> int:
    with SecondClient(*sys.argv[1:4]) as client:
        def vm(name):
            found = [v for v in client.vms() if client.get(v, "name") == name]
            if len(found) != 1:
                raise LookupError(f"{len(found)} VMs are called {name}")
            return found[0]

        doing = {
            "power_on": lambda name: client.power_on(vm(name)),
            "power_off": lambda name: client.power_off(vm(name)),
            "power": lambda name: client.power(vm(name)),
            "rename": lambda name, to: client.rename(vm(name), to),
            "create": lambda name: client.create_vm(name) and None,
            "destroy": lambda name: client.destroy(vm(name)),
        }
        print(json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            what, *arguments = json.loads(line)
            try:
                answer = {"value": doing[what](*arguments)}
            except Exception as error:  # told to the test, which fails by it
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
