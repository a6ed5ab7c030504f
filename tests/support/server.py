# SPDX-License-Identifier: Apache-2.0
"""polyvisord under test: started from the build tree with a data folder of its own."""

import os
import time
from pathlib import Path

import requests

from . import paths
from .client import Api, said
from .contract import Contract
from .process import Process, children, command_name, cpu_seconds, rss_bytes

ADMIN = "admin"
PASSWORD = "correct horse battery staple 42"
START_TIMEOUT = 60

_contract: Contract | None = None


def contract() -> Contract | None:
    return _contract


class Server:
    """One server. start(), stop() (SIGTERM), kill() (SIGKILL) and start() again on the same data."""

    def __init__(self, folder: Path, demo: bool = False, admin: bool = True, args=(), env=None, config: str | None = None,
                 start: bool = True):
        self.folder = Path(folder)
        self.data = self.folder / "data"
        self.reports = self.folder / "sanitizer"
        self.reports.mkdir(parents=True, exist_ok=True)
        self.demo, self.args, self.extra_env = demo, list(args), dict(env or {})
        self.password_file = None
        if admin:
            self.password_file = self.folder / "admin-password"
            self.password_file.write_text(PASSWORD + "\n")
            self.password_file.chmod(0o600)
        # Tests ask more often than people do; the test of the limit sets its own.
        path = self.folder / "polyvisord.conf"
        path.write_text(config or "rate_per_s = 0\n")
        self.args += ["--config", str(path)]
        self.process: Process | None = None
        self.url = None
        self.listen = "127.0.0.1:0"
        self.token = None
        self.starts = 0
        if start:
            self.start()

    # Life

    def environment(self) -> dict:
        env = {k: v for k, v in os.environ.items() if not k.startswith("POLYVISOR_")}
        env["ASAN_OPTIONS"] = f"log_path={self.reports}/asan:abort_on_error=0:exitcode=99:detect_leaks=1:" + os.environ.get("PV_ASAN", "")
        env["UBSAN_OPTIONS"] = f"log_path={self.reports}/ubsan:print_stacktrace=1"
        env["LSAN_OPTIONS"] = "report_objects=0"
        if self.password_file:
            env["POLYVISOR_ADMIN_PASSWORD_FILE"] = str(self.password_file)
        env.update(self.extra_env)
        return env

    def argv(self) -> list:
        argv = [paths.program("polyvisord"), "--data", self.data, "--listen", self.listen]
        return argv + (["--demo"] if self.demo else []) + self.args

    def start(self, timeout: float = START_TIMEOUT) -> "Server":
        self.starts += 1
        self.started_at = time.monotonic()
        self.process = Process(self.argv(), self.folder / "polyvisord.log", env=self.environment())
        self.url = self.process.line("ready ", timeout).split()[1]
        self.ready_after = time.monotonic() - self.started_at
        self.listen = self.url.split("//")[1].rstrip("/")  # the same port after a restart
        return self

    def stop(self, timeout: float = 60) -> int:
        code = 0
        if self.process is not None:
            code = self.process.stop(timeout)
            self.process = None
        return code

    def kill(self):
        """kill -9, and its driver hosts must notice by themselves."""
        hosts = self.driver_hosts()
        self.process.kill()
        self.process = None
        return hosts

    def restart(self) -> "Server":
        self.stop()
        return self.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    def log(self, lines: int = 60) -> str:
        path = self.folder / "polyvisord.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    def sanitizer_reports(self) -> list[str]:
        return [f"{p.name}:\n{p.read_text(errors='replace')[:4000]}" for p in sorted(self.reports.iterdir())]

    # Figures

    def driver_hosts(self) -> list[int]:
        return [pid for pid in children(self.pid) if command_name(pid).startswith("polyvisor-driv")]

    def cpu(self) -> float:
        """CPU seconds of the server and its driver hosts."""
        return cpu_seconds(self.pid) + sum(cpu_seconds(pid) for pid in self.driver_hosts())

    def rss(self) -> int:
        return rss_bytes(self.pid) + sum(rss_bytes(pid) for pid in self.driver_hosts())

    # Clients

    @property
    def cert_file(self) -> Path:
        return self.data / "tls" / "cert.pem"

    def anonymous(self) -> Api:
        return Api(self.url, self.cert_file, contract=_contract)

    def admin(self) -> Api:
        """A client with an administrator's token; made on first use."""
        if self.token is None:
            self.token = self.make_token("tests")
            self._load_contract()
        return Api(self.url, self.cert_file, self.token, _contract)

    def login(self, username: str = ADMIN, password: str = PASSWORD) -> Api:
        """A client that is signed in like a browser: cookie and CSRF token."""
        api = self.anonymous()
        answer = api.login(username, password)
        assert answer.status_code == 200, said(answer)
        api.session.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
        return api

    def make_token(self, name: str, username: str = ADMIN, password: str = PASSWORD, **more) -> str:
        answer = self.login(username, password).post("/tokens", {"name": name, **more})
        assert answer.status_code == 201, said(answer)
        return answer.json()["token"]

    def _load_contract(self):
        global _contract
        if _contract is None:
            answer = requests.get(f"{self.url}/api/v1/openapi.json", verify=str(self.cert_file), timeout=30,
                                  headers={"Authorization": f"Bearer {self.token}"})
            if answer.status_code == 200:
                _contract = Contract(answer.json())
