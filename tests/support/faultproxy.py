# SPDX-License-Identifier: Apache-2.0
"""Starts tests/fakes/faultproxy.py in front of a provider and commands it."""

import json
import sys
from pathlib import Path

import requests

from . import paths
from .certs import Certificate
from .process import Process


class FaultProxy:
    def __init__(self, folder: Path, upstream: str, certificates: dict[str, Certificate] | None = None):
        folder = Path(folder) / "faultproxy"
        self.certificates = certificates or {
            "first": Certificate(folder, "first"), "second": Certificate(folder, "second"),
        }
        argv = [sys.executable, paths.TESTS / "fakes" / "faultproxy.py", "--upstream", upstream]
        for name, cert in self.certificates.items():
            argv += ["--cert", f"{name}={cert.cert_file},{cert.key_file}"]
        self.process = Process(argv, folder / "proxy.log")
        info = json.loads(self.process.line("{", 20))
        self.port = info["port"]
        self.url = f"https://127.0.0.1:{self.port}/sdk"
        self.sha256 = next(iter(self.certificates.values())).sha256
        self._control = info["control"]
        self._http = requests.Session()

    def _ask(self, verb: str, path: str, body=None):
        answer = self._http.request(verb, self._control + path, json=body, timeout=60)
        assert answer.ok, f"{verb} {path}: {answer.text}"
        return answer.json()

    def rule(self, action: str, method: str = "*", **more) -> int:
        """method: the SOAP method's name or "GET /path", as a regular expression; count=None means for ever."""
        return self._ask("POST", "/rules", {"action": action, "method": method, **more})["id"]

    def rules(self) -> list[dict]:
        return self._ask("GET", "/rules")

    def hits(self, rule: int) -> int:
        return next(r["hits"] for r in self.rules() if r["id"] == rule)

    def clear(self):
        self._ask("DELETE", "/rules")

    def ledger(self, method: str | None = None) -> list[dict]:
        return [e for e in self._ask("GET", "/ledger") if method is None or e["method"] == method]

    def clear_ledger(self):
        self._ask("DELETE", "/ledger")

    def state(self, **change) -> dict:
        return self._ask("PUT", "/state", change) if change else self._ask("GET", "/state")

    def refuse(self, on: bool = True):
        self.state(refuse=on)

    def drop(self):
        """All connections that are open now end abruptly."""
        self.state(drop=True)

    def certificate(self, name: str):
        self.state(certificate=name)

    def stop(self):
        self.process.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
