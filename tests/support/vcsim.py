# SPDX-License-Identifier: Apache-2.0
"""The vCenter simulator as a peer: start, count calls, delay, faults, restart on the same port."""

import fcntl
import json
import os
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import requests

from . import paths
from .process import Process

BINARY = paths.PEERS / "vcsim"
SOURCE = paths.TESTS / "peers" / "vcsim"


def build() -> Path:
    """Builds the simulator if its sources are newer than the program."""
    newest = max(p.stat().st_mtime for p in SOURCE.iterdir())
    BINARY.parent.mkdir(parents=True, exist_ok=True)
    with open(BINARY.with_suffix(".lock"), "w") as lock:  # tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if BINARY.exists() and BINARY.stat().st_mtime >= newest:
            return BINARY
        paths.tool("go", "install Go 1.26 or newer (https://go.dev/dl/); tests/run does it where it can")
        done = subprocess.run([str(SOURCE / "build"), str(BINARY)], capture_output=True, text=True)
        if done.returncode != 0:
            raise paths.Missing(f"vcsim did not build:\n{done.stderr}")
        return BINARY


class Vcsim:
    """One simulated vCenter (or ESXi host, esx=True).

    Flags of the program are given as keywords: Vcsim(tmp, dc=3, vm=100, standalone_host=0).
    """

    def __init__(self, where: Path, /, name: str = "vcsim", start_timeout: float = 120, **flags):
        self.folder = Path(where)
        self.name = name
        self.flags = dict(flags)
        self.start_timeout = start_timeout
        self.username = self.flags.get("username", "user")
        self.password = self.flags.get("password", "pass")
        self.process = None
        self._http = requests.Session()
        self.start()

    def _argv(self):
        argv = [build()]
        for key, value in self.flags.items():
            flag = "-" + key.replace("_", "-")
            argv.append(f"{flag}={str(value).lower()}" if isinstance(value, bool) else f"{flag}={value}")
        return argv

    def start(self):
        # Datastores are folders: they go below the test's own folder, and end with the simulator.
        self.folder.mkdir(parents=True, exist_ok=True)
        tmp = tempfile.mkdtemp(prefix="vcsim-", dir=self.folder)
        self.process = Process(self._argv(), self.folder / f"{self.name}.log", env={**os.environ, "TMPDIR": tmp})
        self.info = json.loads(self.process.line("{", self.start_timeout))
        self.url = self.info["url"]
        self.port = urlsplit(self.url).port
        self.control = self.info["control"]
        self.sha256 = self.info["cert_sha256"]
        self.flags["l"] = f"127.0.0.1:{self.port}"

    def stop(self):
        if self.process is not None:
            self.process.stop()
            self.process = None

    def restart(self):
        """A new vCenter on the same port: every login, view and task reference of before is stale."""
        self.stop()
        self.start()

    # What was asked of it

    def calls(self) -> dict:
        return self._http.get(f"{self.control}/calls", timeout=60).json()

    def reset_calls(self):
        self._http.post(f"{self.control}/reset", timeout=60).raise_for_status()

    def soap_total(self) -> int:
        return sum(self.calls()["soap"].values())

    def keys(self) -> list:
        """What was typed on keyboards."""
        return self._http.get(f"{self.control}/keys", timeout=60).json()

    # Misbehaving

    def delay(self, all_ms: int = 0, tasks: dict | None = None, **methods):
        """delay(PowerOffVM_Task=500) delays the call's answer; delay(tasks={"PowerOff": 500}) the task itself,
        which has a name of its own."""
        body = {"all": all_ms, "methods": methods, "tasks": tasks or {}}
        self._http.put(f"{self.control}/delay", json=body, timeout=60).raise_for_status()

    def fault(self, method: str, fault: str, **more):
        """Lets method answer this vim25 fault: fault("PowerOnVM_Task", "NoPermission", max=1)."""
        body = {"method": method, "fault": fault, **more}
        answer = self._http.post(f"{self.control}/faults", json=body, timeout=60)
        assert answer.ok, answer.text

    def no_faults(self):
        self._http.delete(f"{self.control}/faults", timeout=60).raise_for_status()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
