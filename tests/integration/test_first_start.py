# SPDX-License-Identifier: Apache-2.0
"""The first minute with the server: start, setup code, sign-in, tokens, stop, start again."""

import os
import stat
import subprocess

import requests

from support import paths
from support.client import problem, said
from support.server import ADMIN, PASSWORD
from support.wait import wait_for


def test_a_fresh_start_prints_ready_and_a_setup_code(servers):
    server = servers(admin=False)
    assert server.url.startswith("https://127.0.0.1:")
    code = server.process.line("setup-code ", 10).split()
    assert len(code) == 2, f"'setup-code CODE' expected, got {code}"


def test_health_end_points_answer_without_a_login(servers):
    server = servers()
    api = server.anonymous()
    assert api.get("/healthz").status_code == 200
    assert api.get("/readyz").status_code == 200


def test_the_setup_code_makes_the_first_administrator_once(servers):
    server = servers(admin=False)
    code = server.process.line("setup-code ", 10).split()[1]
    api = server.anonymous()
    wrong = api.post("/auth/setup", {"setup_code": "0000-0000-0000", "username": ADMIN, "password": PASSWORD})
    assert wrong.status_code in (401, 403), said(wrong)
    made = api.post("/auth/setup", {"setup_code": code, "username": ADMIN, "password": PASSWORD})
    assert made.status_code in (200, 201), said(made)
    again = server.anonymous().post("/auth/setup", {"setup_code": code, "username": "second", "password": PASSWORD})
    problem(again, 409, "setup-done")
    assert server.login().read("/me")["user"]["name"] == ADMIN


def test_no_setup_code_once_an_administrator_exists(servers):
    server = servers()
    server.login()
    server.restart()
    server.login()
    assert not [line for line in server.process.lines if line.startswith("setup-code")]


def test_the_certificate_is_made_once_and_its_key_is_private(servers):
    server = servers()
    first = server.cert_file.read_text()
    for path in server.cert_file.parent.iterdir():
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o077 == 0 or path == server.cert_file, f"{path.name} is readable by others ({mode:o})"
    server.restart()
    assert server.cert_file.read_text() == first


def test_without_a_login_everything_but_health_is_refused(servers):
    api = servers().anonymous()
    for path in ("/vms", "/providers", "/events", "/me", "/summary", "/users"):
        problem(api.get(path), 401, "unauthenticated")


def test_a_login_gives_a_strict_cookie_and_a_token_is_shown_once(servers):
    server = servers()
    api = server.anonymous()
    answer = api.login(ADMIN, PASSWORD)
    assert answer.status_code == 200, said(answer)
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-polyvisor="), cookie
    for part in ("HttpOnly", "Secure", "SameSite=Strict", "Path=/"):
        assert part in cookie, f"{part} is missing in {cookie}"
    api.session.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    made = api.post("/tokens", {"name": "for a script"})
    assert made.status_code == 201, said(made)
    token = made.json()["token"]
    assert token.startswith("pv_")
    assert server.anonymous().with_token(token).read("/me")["user"]["name"] == ADMIN
    listed = api.read("/tokens")
    assert token not in str(listed), "a list of tokens must not show the secret"
    assert [t["name"] for t in listed["items"]] == ["for a script"]


def test_data_logins_and_tokens_survive_a_restart(servers):
    server = servers()
    api = server.admin()
    folder = api.post("/folders", {"name": "Erp"})
    assert folder.status_code == 201, said(folder)
    signed_in = server.login()
    server.restart()
    assert [f["name"] for f in api.items("folders")] == ["Erp"]
    signed_in.session.close()
    assert signed_in.read("/me")["user"]["name"] == ADMIN


def test_sigterm_ends_the_server_within_five_seconds_even_with_open_streams(servers):
    server = servers(demo=True)
    api = server.admin()
    with api.stream() as stream:
        hosts = server.driver_hosts()
        assert hosts, "the demonstration runs its driver in a driver host"
        assert server.process.stop(timeout=5) == 0
        server.process = None
        assert not [pid for pid in hosts if os.path.exists(f"/proc/{pid}")], "driver hosts must end with the server"
    assert stream is not None


def test_kill_9_leaves_no_driver_host_behind(servers):
    server = servers(demo=True)
    hosts = server.kill()
    assert hosts
    wait_for(lambda: not [p for p in hosts if os.path.exists(f"/proc/{p}")], "driver hosts should end by themselves", 10)


def test_version_and_check_need_no_server(tmp_path):
    program = str(paths.program("polyvisord"))
    version = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60)
    assert version.returncode == 0 and "polyvisord" in version.stdout, version
    check = subprocess.run([program, "--check", "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0"],
                           capture_output=True, text=True, timeout=60)
    assert check.returncode == 0, check.stderr


def test_a_wrong_option_or_address_is_explained(tmp_path):
    program = str(paths.program("polyvisord"))
    wrong = subprocess.run([program, "--no-such-option"], capture_output=True, text=True, timeout=60)
    assert wrong.returncode != 0 and "--no-such-option" in wrong.stderr, wrong
    port = subprocess.run([program, "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:99999"],
                          capture_output=True, text=True, timeout=60)
    assert port.returncode != 0 and "99999" in port.stderr, port


def test_a_second_server_on_the_same_data_is_refused(servers):
    server = servers()
    done = subprocess.run([str(paths.program("polyvisord")), "--data", str(server.data), "--listen", "127.0.0.1:0"],
                          capture_output=True, text=True, timeout=60, env=server.environment())
    assert done.returncode != 0, "two servers on one data folder would destroy it"
    assert str(server.data) in done.stderr, done.stderr


def test_only_tls_is_spoken(servers):
    server = servers()
    plain = server.url.replace("https://", "http://")
    try:
        answer = requests.get(plain + "/healthz", timeout=60)
    except requests.RequestException:
        return
    assert answer.status_code >= 300, "plain http must not be served"
