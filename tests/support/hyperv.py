# SPDX-License-Identifier: Apache-2.0
"""The Hyper-V fake as a peer: start, faults, ledger, state, changes from outside.

    with HypervFake(tmp_path, hosts=2, vms=20) as fake:
        fake.hosts[0].url, .user, .password, .cert_sha256
        fake.control.fault("RequestStateChange", job={"code": 32768, "message": "no"}, count=1)
        fake.hosts[0].vm("web-01-001").state == "running"
"""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import requests

from . import paths
from .process import Process

SOURCE = paths.TESTS / "fakes" / "hyperv"


class Control:
    """The control endpoint of the fake; every method is one request."""

    def __init__(self, url: str):
        self.url = url
        self._http = requests.Session()
        self._http.trust_env = False

    def ask(self, verb: str, path: str, body=None, **query):
        answer = self._http.request(verb, self.url + path, json=body, params=query, timeout=60)
        assert answer.ok, f"{verb} {path}: {answer.text}"
        return answer.json()

    # Misbehaving

    def fault(self, method: str | None = None, **rule) -> int:
        """A rule: host, action, class_, method, match, skip, count, chance choose requests; fault, delay (ms), drop,
        status, body, returns, job, cut, replace say what happens. Action "HTTP" is every request before it is read."""
        for name, real in (("class_", "class"), ("returns", "return")):
            if name in rule:
                rule[real] = rule.pop(name)
        if method is not None:
            rule["method"] = method
        return self.ask("POST", "/faults", rule)["id"]

    def faults(self) -> list[dict]:
        return self.ask("GET", "/faults")

    def hits(self, rule: int) -> int:
        return next(r["hits"] for r in self.faults() if r["id"] == rule)

    def no_faults(self):
        self.ask("DELETE", "/faults")

    # What was asked, and what happened

    def ledger(self, **only) -> list[dict]:
        """Requests in order: number, time, host, action, class, method, selectors,
        digest (of the body), bytes_in, user, fault."""
        return self.ask("GET", "/ledger", **only)

    def effects(self, **only) -> list[dict]:
        """Changes in order: number, time, host, what, target, cause and more."""
        return self.ask("GET", "/effects", **only)

    def counts(self, host: str | None = None) -> dict:
        return self.ask("GET", "/counts", **({"host": host} if host else {}))

    def reset(self):
        self.ask("DELETE", "/ledger")

    def errors(self) -> list[str]:
        """Tracebacks of the fake itself; has to be empty."""
        return self.ask("GET", "/errors")

    def speed(self, factor: float):
        self.ask("PUT", "/speed", {"speed": factor})


class Host:
    """One simulated host."""

    def __init__(self, control: Control, info: dict):
        self._control = control
        self.name, self.fqdn, self.url, self.port = info["name"], info["fqdn"], info["url"], info["port"]
        self.user, self.password, self.uuid = info["user"], info["password"], info["uuid"]
        self.cert_sha256 = info.get("cert_sha256")

    def _ask(self, verb, path, body=None):
        return self._control.ask(verb, f"/hosts/{self.name}{path}", body)

    def state(self) -> dict:
        """Everything of the host: vms, planned, switches, files, jobs, collections."""
        return self._ask("GET", "")

    def whole(self) -> dict:
        """... with every value of the VMs' settings."""
        return self._ask("GET", "?whole=1")

    def vms(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(**v) for v in self._ask("GET", "/vms")]

    def vm(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(**self._ask("GET", f"/vms/{name}"))

    def vm_named(self, name: str):
        """The VM of this name, or None."""
        return next((v for v in self.vms() if v.name == name), None)

    # Somebody changed it outside

    def change(self, vm: str, **what):
        """change("web", state="off", name="new", guest={"locked": True}, heartbeat=13, …)"""
        return self._ask("PUT", f"/vms/{vm}", what)

    def new_vm(self, **what) -> dict:
        return self._ask("POST", "/vms", what)

    def remove_vm(self, vm: str):
        self._ask("DELETE", f"/vms/{vm}")

    def new_checkpoint(self, vm: str, name: str) -> str:
        return self._ask("POST", f"/vms/{vm}/snapshots", {"name": name})["id"]

    def add_file(self, path: str, **what):
        self._ask("POST", "/files", {"path": path, **what})

    def remove_file(self, path: str):
        self._ask("DELETE", "/files", {"path": path})

    def new_switch(self, name: str, kind: str = "private", nic: int = 1) -> str:
        return self._ask("POST", "/switches", {"name": name, "kind": kind, "nic": nic})["id"]

    def remove_switch(self, name: str):
        self._ask("DELETE", "/switches", {"name": name})

    def lose_jobs(self):
        self._ask("DELETE", "/jobs")

    def settings(self, **change) -> dict:
        """Limits and oddities: wql=False, language="de-DE", prefixes="odd", one_item=True, changing_contexts=True,
        job_seconds=3, envelope_kb=150, basic=False, allow_unencrypted=True, lockout=3, vmms_running=False, …"""
        return self._ask("PUT", "/settings", change)

    def roles(self, **what):
        """Of roles of its failover cluster, by name of the VM: classes={name: [...]}, preferred, possible={name: nodes}."""
        return self._ask("PUT", "/cluster", what)

    def down(self):
        """The port is closed, connections end."""
        self._ask("POST", "/down")

    def up(self):
        self._ask("POST", "/up")

    def drop(self):
        self._ask("POST", "/drop")

    def reboot(self):
        """Connections, jobs, contexts, shells are gone; VMs are as their automatic actions say."""
        self._ask("POST", "/reboot")

    def certificate(self, **what) -> str:
        """Another certificate from now on (expired=True, names=[…], clients=[pem, …]); answers its SHA-256."""
        answer = self._ask("POST", "/certificate", what)
        self.cert_sha256 = answer["cert_sha256"]
        return self.cert_sha256

    def command(self, command: str, stdout: str = "", stderr: str = "", code: int = 0, seconds: float = 0):
        """What the remote shell answers to a command line."""
        self._ask("PUT", "/commands", {"command": command, "stdout": stdout, "stderr": stderr, "code": code,
                                       "seconds": seconds})


class HypervFake:
    """One process with all hosts. Options of the program are given as keywords: hosts, vms, vms_per_host, speed, seed,
    build, user, password, domain, locale, cluster, http=True, one_port=True, listen."""

    def __init__(self, where: Path, start_timeout: float = 60, **options):
        self.folder = Path(where)
        argv = [sys.executable, "-m", "hyperv_fake"]
        for key, value in options.items():
            flag = "--" + key.replace("_", "-")
            if value is True:
                argv.append(flag)
            elif isinstance(value, (list, tuple)):
                argv += [part for one in value for part in (flag, str(one))]
            elif value is not False and value is not None:
                argv += [flag, str(value)]
        self.process = Process(argv, self.folder / "hyperv-fake.log",
                               env={**os.environ, "PYTHONPATH": str(SOURCE)})
        self.info = json.loads(self.process.line("{", start_timeout))
        self.control = Control(self.info["control"])
        self.user = self.info["user"]
        self.password = self.info["password"]
        self.hosts = [Host(self.control, row) for row in self.info["hosts"]]

    def stop(self):
        if self.process is not None:
            process, self.process = self.process, None
            errors = self.control.errors() if process.alive() else []
            process.stop()
            assert not errors, "the fake itself failed:\n" + "\n".join(errors)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def go_client() -> Path:
    """The client of tests/peers/winrm, built when its sources are newer."""
    source, binary = paths.TESTS / "peers" / "winrm", paths.PEERS / "winrm"
    newest = max(p.stat().st_mtime for p in source.iterdir())
    binary.parent.mkdir(parents=True, exist_ok=True)
    with open(binary.with_suffix(".lock"), "w") as lock:  # tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists() or binary.stat().st_mtime < newest:
            paths.tool("go", "install Go 1.26 or newer (https://go.dev/dl/); tests/run does it where it can")
            done = subprocess.run([str(source / "build"), str(binary)], capture_output=True, text=True)
            if done.returncode != 0:
                raise paths.Missing(f"the WinRM client did not build:\n{done.stderr}")
    return binary


def run_go_client(host: Host, *arguments: str, password: str | None = None) -> dict:
    """Runs a command line on a host by the Go client; stdout, stderr and code, or error."""
    done = subprocess.run(
        [str(go_client()), "-port", str(host.port), f"-https={str(host.url.startswith('https')).lower()}",
         "-user", host.user, *arguments],
        capture_output=True, text=True, timeout=120, env={**os.environ, "WINRM_PASSWORD": password or host.password})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
