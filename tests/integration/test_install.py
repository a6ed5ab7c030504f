# SPDX-License-Identifier: Apache-2.0
"""The installed tree runs from any place, with its drivers found beside it."""

import os
import subprocess

from support import paths
from support.client import Api
from support.process import Process
from support.server import PASSWORD
from support.wait import wait_for


def test_an_installed_tree_runs_from_any_prefix(tmp_path):
    cmake = paths.tool("cmake", "on Debian: apt-get install cmake")
    paths.program("polyvisord")
    prefix = tmp_path / "some where" / "else"
    done = subprocess.run([cmake, "--install", str(paths.BUILD), "--prefix", str(prefix)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in ("bin/polyvisord", "bin/polyvisor"):
        assert os.access(prefix / name, os.X_OK), name
    drivers = {p.name for p in (prefix / "lib" / "polyvisor" / "drivers").iterdir()}
    assert any("vapi" in d for d in drivers) and any("sim" in d for d in drivers), drivers

    password = tmp_path / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    data = tmp_path / "data"
    env = {**os.environ, "POLYVISOR_ADMIN_PASSWORD_FILE": str(password), "ASAN_OPTIONS": f"log_path={tmp_path}/asan"}
    server = Process([prefix / "bin" / "polyvisord", "--data", data, "--listen", "127.0.0.1:0", "--demo"],
                     tmp_path / "log", env=env, cwd="/")
    try:
        url = server.line("ready ", 60).split()[1]
        api = Api(url, data / "tls" / "cert.pem")
        assert api.login("admin", PASSWORD).status_code == 200
        wait_for(lambda: api.count("vms") >= 500, "the demonstration estate", 120)
    finally:
        assert server.stop() == 0
    assert not list(tmp_path.glob("asan*"))
