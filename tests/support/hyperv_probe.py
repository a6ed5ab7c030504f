# SPDX-License-Identifier: Apache-2.0
"""The doctor of the Hyper-V driver, run alone: the same code as the server's, without a server around it."""

import json
import os
import subprocess

from . import paths


class Probe:
    """One run of polyvisor-driverhost --probe wmi: its findings by step, and the report if one was asked for."""

    def __init__(self, folder, host, settings=None, username=None, password=None, tls=None, report=None, url=None, env=None):
        config = {"endpoint": url or host.url, "username": host.user if username is None else username,
                  "settings": settings or {}}
        if host.cert_sha256:
            config["tls"] = tls or {"mode": "pin", "pins": [host.cert_sha256]}
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "secrets.json").write_text(json.dumps({"password": host.password if password is None else password}))
        argv = [paths.program("polyvisor-driverhost"), "--probe", "wmi", "--config", folder / "config.json",
                "--secrets", folder / "secrets.json"]
        if report is not None:
            argv += ["--report", folder / "report.json", *report]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False,
                              env={**os.environ, **(env or {})})
        self.code, self.text, self.errors = done.returncode, done.stdout, done.stderr
        self.steps = {}
        for line in done.stdout.splitlines():
            word, _, rest = line.partition("  ")
            if word in ("ok", "FAILED"):
                step, _, detail = rest.strip().partition(": ")
                self.steps[step] = (word == "ok", detail)
        self.report = json.loads((folder / "report.json").read_text()) if report is not None else None

    def failed(self):
        return [step for step, (ok, _) in self.steps.items() if not ok]
