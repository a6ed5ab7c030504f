# SPDX-License-Identifier: Apache-2.0
"""wrk as load generator, nginx as reference: the same bytes over the same kind of TLS, measured in turn."""

import os
import re
import socket
import ssl
import subprocess
import time
from pathlib import Path

from support import paths
from support.process import Process, children, cpu_seconds
from support.wait import wait_for


class Nginx:
    """Serves files of a folder over TLS."""

    def __init__(self, folder: Path, certificate):
        self.folder = folder / "nginx"
        self.root = self.folder / "root"
        self.root.mkdir(parents=True)
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
        config = self.folder / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""  # the folder is private
        config.write_text(f"""
{user} daemon off; pid {self.folder}/pid; error_log {self.folder}/error.log; worker_processes 2;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile off; keepalive_requests 1000000; default_type application/json; open_file_cache max=100;
  client_body_temp_path {self.folder}/a; proxy_temp_path {self.folder}/b; fastcgi_temp_path {self.folder}/c;
  uwsgi_temp_path {self.folder}/d; scgi_temp_path {self.folder}/e;
  server {{
    listen 127.0.0.1:{self.port} ssl; root {self.root};
    ssl_certificate {certificate.cert_file}; ssl_certificate_key {certificate.key_file}; ssl_protocols TLSv1.3;
  }}
}}
""")
        nginx = paths.tool("nginx", "on Debian: apt-get install nginx-light")
        self.process = Process([nginx, "-c", config, "-p", self.folder, "-e", self.folder / "error.log"],
                               self.folder / "log")
        wait_for(lambda: ssl.get_server_certificate(("127.0.0.1", self.port)), "nginx should answer", 10, ignore=(OSError,))

    def put(self, name: str, body: bytes) -> str:
        (self.root / name).write_bytes(body)
        return f"https://127.0.0.1:{self.port}/{name}"

    def cpu(self) -> float:
        return sum(cpu_seconds(pid) for pid in [self.process.pid, *children(self.process.pid)])

    def stop(self):
        self.process.stop()


def wrk(url: str, cpu, seconds: int, connections: int = 32, headers=()):
    """Answers requests per second and CPU microseconds per request of the server behind cpu()."""
    argv = [paths.tool("wrk", "on Debian: apt-get install wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"]
    for header in headers:
        argv += ["-H", header]
    before, began = cpu(), time.perf_counter()
    done = subprocess.run([*argv, url], capture_output=True, text=True, timeout=seconds + 60)
    used, took = cpu() - before, time.perf_counter() - began
    assert done.returncode == 0, done.stderr
    count = int(re.search(r"(\d+) requests in", done.stdout)[1])
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    assert count > 0, f"{url} answered nothing:\n{done.stdout}"
    assert not bad, f"{bad[1]} of {count} answers of {url} were errors"
    return count / took, used / count * 1e6


def cores() -> int:
    return os.cpu_count() or 1
