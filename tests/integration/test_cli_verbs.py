# SPDX-License-Identifier: Apache-2.0
"""More of the command line against a real server: what is ours, access, waiting, many objects, terminals."""

import itertools
import json
import os
import pty
import select
import signal
import subprocess
import threading
import time

import pytest

from support import paths
from support.certs import served_sha256
from support.client import host_port
from support.server import PASSWORD
from support.wait import PATIENCE, wait_for

from integration.test_cli import CONFLICT, DENIED, ERROR, NOT_FOUND, OK, PARTLY, TIMEOUT, USAGE, Cli, rows


@pytest.fixture(scope="module")
def server(module_servers):
    made = module_servers(demo=True)
    api = made.admin()
    wait_for(lambda: api.count("vms") >= 500, "the demonstration estate should have 500 VMs", 60)
    return made


@pytest.fixture
def api(server):
    return server.admin()


@pytest.fixture
def cli(server, api, tmp_path):
    return Cli(server, tmp_path)


def on_terminal(cli, *args, answers=(), **env):
    """Runs on a terminal. answers: pairs of a text to wait for and bytes to type then. Yields text and exit code."""
    pid, fd = pty.fork()
    if pid == 0:
        program = str(paths.program("polyvisor"))
        os.execve(program, [program, *args], {**cli.env, "TERM": "xterm", **env})
    text, answers, end = "", list(answers), time.monotonic() + 60 * PATIENCE
    while time.monotonic() < end:
        if select.select([fd], [], [], 0.1)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:
                break
            if not data:
                break
            text += data.decode(errors="replace")
        if answers and answers[0][0] in text:
            os.write(fd, answers.pop(0)[1])
    else:
        os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(fd)
    return text.replace("\r\n", "\n"), code


# What is ours


def test_notes_tags_and_folder_of_a_vm_are_changed_and_taken_away(cli, api):
    vm = api.items("vms")[20]
    cli("folder", "create", "a folder")
    cli("vm", "edit", vm["id"], "--notes", "a note", "--folder", "a folder", "--tag", "env=prod", "--tag", "lab", "--attribute", "owner=me")
    now = api.read(f"/vms/{vm['id']}")
    assert (now["notes"], now["folder"]["name"], sorted(now["tags"])) == ("a note", "a folder", ["env=prod", "lab"])
    assert now["attributes"] == {"owner": "me"}
    cli("vm", "edit", vm["id"], "--notes", "", "--folder", "none", "--untag", "env", "--untag", "lab")
    now = api.read(f"/vms/{vm['id']}")
    assert (now["notes"], now["folder"], now["tags"]) == (None, None, [])
    cli("folder", "delete", "a folder", "--yes")


def test_a_tag_with_another_value_replaces_the_one_before(cli, api):
    vm = api.items("vms")[21]
    cli("vm", "tag", vm["id"], "env=prod", "other")
    cli("vm", "tag", vm["id"], "env=test", "other-")
    assert api.read(f"/vms/{vm['id']}")["tags"] == ["env=test"]


def test_delete_in_a_script_needs_yes(cli):
    cli("tag", "create", "short-lived")
    assert "--yes" in cli("tag", "delete", "short-lived", expect=USAGE).stderr
    cli("tag", "delete", "short-lived", "-y")


# Access


def test_users_and_tokens(cli, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("correct horse battery\n")
    cli("user", "add", "vera", "--role", "viewer", "--password-file", str(secret))
    assert "vera" in cli("user", "list", "-o", "name").stdout.split()
    cli("user", "change", "vera", "--full-name", "Vera V", "--no-enabled")
    assert cli.json("user", "show", "vera")["enabled"] is False
    cli("user", "delete", "vera", "--yes")
    cli("user", "show", "vera", expect=NOT_FOUND)

    token = cli("token", "create", "only reads", "--role", "viewer", "--expires-at", "30d").stdout.strip()
    assert token.startswith("pv_")
    cli("vm", "list", "--limit", "1", POLYVISOR_TOKEN=token)
    cli("folder", "create", "not allowed", expect=DENIED, POLYVISOR_TOKEN=token)
    cli("token", "delete", "only reads", "--yes")
    cli("vm", "list", expect=DENIED, POLYVISOR_TOKEN=token)


def test_groups_roles_grants_and_why(cli, api, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("correct horse battery\n")
    vm = api.items("vms", fields="id,name", limit=2)[0]
    cli("user", "add", "gina", "--password-file", str(secret))
    cli("group", "create", "ops", "--members", "gina", "--description", "who operates")
    cli("role", "create", "starter", "--permissions", "vm.read", "--permissions", "vm.power")
    cli("grant", "create", "starter", "--group", "ops", "--on", f"object:{vm['id']}", "--expires-at", "30d")
    why = cli("access", "explain", "vm.start", vm["id"], "--principal", "gina").stdout
    assert why.startswith("yes: role starter") and "ops" in why
    assert cli("access", "explain", "vm.start", vm["name"], "--principal", "gina").stdout == why
    assert cli("access", "explain", "vm.delete", vm["id"], "--principal", "gina", expect=1).stdout.startswith("no: ")
    assert "ops" in cli("group", "list").stdout and "starter" in cli("role", "list").stdout
    grant = next(g for g in cli.json("grant", "list")["items"] if g["role"]["name"] == "starter")
    cli("group", "change", "ops", "--remove", "gina")
    cli("access", "explain", "vm.start", vm["id"], "--principal", "gina", expect=1)
    cli("role", "delete", "starter", "--yes", expect=5)
    cli("grant", "delete", grant["id"], "--yes")
    cli("role", "delete", "starter", "--yes")
    cli("group", "delete", "ops", "--yes")
    token = cli("token", "create", "one object", "--role", "viewer", "--on", f"object:{vm['id']}").stdout.strip()
    assert cli("vm", "list", "-o", "name", POLYVISOR_TOKEN=token).stdout.split() == [vm["name"]]
    cli("user", "delete", "gina", "--yes")


def test_a_token_of_a_context_goes_to_no_other_address(cli, server, tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"current": "here", "contexts": {"here": {
        "url": server.url, "token": server.token, "fingerprint": cli.env["POLYVISOR_FINGERPRINT"]}}}))
    env = dict(POLYVISOR_CONFIG=str(config), POLYVISOR_TOKEN="", POLYVISOR_URL="")
    cli("vm", "list", "--count", **env)
    other = server.url.replace("127.0.0.1", "localhost")
    cli("vm", "list", "--count", "--url", other, expect=DENIED, **env)


def test_logout_ends_the_token(cli, server, api, tmp_path):
    secret = tmp_path / "pw"
    secret.write_text(PASSWORD + "\n")
    env = dict(POLYVISOR_TOKEN="", POLYVISOR_URL="")
    cli("login", server.url, "--username", "admin", "--password-file", str(secret), "--name", "one", **env)
    file = json.loads((tmp_path / ".config" / "polyvisor" / "config.json").read_text())
    token = file["contexts"]["one"]["token"]
    assert file["current"] == "one"
    cli("vm", "list", "--count", **env)
    cli("logout", **env)
    cli("vm", "list", "--count", expect=DENIED, POLYVISOR_TOKEN=token)
    cli("vm", "list", "--count", expect=DENIED, **env)


def test_setup_makes_the_first_administrator_and_signs_in(servers, tmp_path):
    server = servers(admin=False)
    code = server.process.line("setup-code ", 10).split()[1]
    secret = tmp_path / "pw"
    secret.write_text(PASSWORD + "\n")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "POLYVISOR_FINGERPRINT": served_sha256(*host_port(server.url)),
           "ASAN_OPTIONS": "exitcode=99"}

    def run(*args):
        return subprocess.run([str(paths.program("polyvisor")), *args], capture_output=True, text=True, timeout=60, env=env)

    wrong = run("setup", server.url, "--code", "not-the-code", "--password-file", str(secret))
    assert wrong.returncode == DENIED, wrong.stderr
    done = run("setup", server.url, "--code", code, "--password-file", str(secret))
    assert done.returncode == OK, done.stderr
    assert run("user", "list", "-o", "name").stdout == "admin\n"
    again = run("setup", server.url, "--code", code, "--password-file", str(secret))
    assert again.returncode == CONFLICT and "login" in again.stderr, again.stderr


# Providers


def test_a_provider_whose_certificate_nobody_vouches_for_is_not_added(cli, api, vcenters, tmp_path):
    vcenter = vcenters(vm=1)
    secret = tmp_path / "password"
    secret.write_text("pass\n")
    some = ["provider", "add", "unknown", "--driver", "vapi", "--endpoint", vcenter.url, "--username", "user", "--password-file", str(secret)]
    done = cli(*some, "--probe", expect=ERROR)
    assert "FAILED certificate" in done.stdout and "fingerprint sha256:" in done.stdout, done.stdout
    assert api.count("providers", filter="name=unknown") == 0
    text, code = on_terminal(cli, *some, "--probe", answers=[("[y/N]", b"y\n")])
    assert code == OK and "unknown is added: connected" in text, text
    provider = api.one("providers", "unknown")
    assert provider["tls"]["mode"] == "pin" and len(provider["tls"]["pins"]) == 1
    cli("provider", "delete", "unknown", "--yes")


def test_a_provider_is_changed_and_a_wrong_password_is_told(cli, api, vcenters, tmp_path):
    vcenter = vcenters(vm=1, username="user", password="pass")
    secret = tmp_path / "password"
    secret.write_text("wrong\n")
    done = cli("provider", "add", "changed", "--driver", "vapi", "--endpoint", vcenter.url, "--username", "user",
               "--password-file", str(secret), "--tls-mode", "insecure", expect=ERROR)
    assert "auth_failed" in done.stderr, done.stderr
    secret.write_text("pass\n")
    cli("provider", "change", "changed", "--username", "user", "--password-file", str(secret), "--notes", "better")
    cli("provider", "wait", "changed", "--for", "state=connected", "--timeout", "30s")
    assert api.one("providers", "changed")["notes"] == "better"
    cli("provider", "delete", "changed", "--yes", "--force")


# Waiting and many objects


def test_wait_for_a_state_and_for_a_field(cli, api):
    vm = api.items("vms", filter="power:running -ip:null")[0]
    cli("vm", "wait", vm["id"], "--for", "power=running", "--timeout", "20s")
    cli("vm", "wait", vm["id"], "--for", "ip", "--timeout", "20s")
    cli("vm", "wait", vm["id"], "--for", "power=paused", "--timeout", "1s", expect=TIMEOUT)


def test_some_that_fail_are_exit_code_7_and_are_named(cli, api):
    template = (api.items("vms", filter="template:true") or [None])[0]
    if template is None:
        pytest.fail("the demonstration estate should have a template")
    vm = api.items("vms", filter="power:off template:false provider.family:hyperv")[0]
    done = cli("vm", "start", vm["id"], template["id"], expect=PARTLY)
    assert template["name"] in done.stderr, done.stderr


def test_a_name_that_several_have_is_a_conflict_that_names_them(cli, api):
    names = [vm["name"] for vm in api.items("vms", fields="name")]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is None:
        pytest.fail("the demonstration estate should have two VMs of one name")
    done = cli("vm", "show", twice, expect=CONFLICT)
    assert done.stderr.count("vm_") >= 2, done.stderr


def test_dry_run_tells_the_change_and_changes_nothing(cli, api):
    vm = api.items("vms", filter="power:running provider.family:hyperv")[3]
    told = cli("vm", "stop", vm["id"], "--dry-run").stdout
    assert vm["name"] in told and "running -> off" in told, told
    assert api.read(f"/vms/{vm['id']}")["power_state"] == "running"


def test_a_snapshot_is_made_shown_and_deleted_by_name(cli, api):
    vm = api.items("vms", filter="power:running provider.family:hyperv snapshots.count=0")[6]
    cli("vm", "snapshot", "create", vm["id"], "--name", "before the update")
    assert [s["name"] for s in rows(cli.json("snapshot", "list", vm["id"]))] == ["before the update"]
    cli("vm", "snapshot", "delete", vm["id"], "no such snapshot", expect=NOT_FOUND)
    cli("vm", "snapshot", "delete", vm["id"], "before the update")
    assert rows(cli.json("snapshot", "list", vm["id"])) == []


def test_no_wait_answers_with_the_task_that_can_be_waited_for(cli, api):
    vm = api.items("vms", filter="power:running provider.family:hyperv")[8]
    task = cli("vm", "stop", vm["id"], "--no-wait", "-o", "name").stdout.strip()
    assert task.startswith("tsk_")
    cli("task", "wait", task, "--timeout", "60s")


# Lists


def test_limit_count_sort_and_fields(cli, api):
    assert int(cli("vm", "list", "--count").stdout) == api.count("vms")
    lines = cli("vm", "list", "--limit", "7", "--sort=-memory,name", "--fields", "name,memory").stdout.splitlines()
    assert lines[0] == "name\tmemory.bytes" and len(lines) == 8
    sizes = [int(line.split("\t")[1]) for line in lines[1:]]
    assert sizes == sorted(sizes, reverse=True)


def test_jsonl_has_an_object_a_line_and_csv_a_row(cli, api):
    count = api.count("hosts")
    assert [json.loads(line)["kind"] for line in cli("host", "list", "-o", "jsonl").stdout.splitlines()] == ["host"] * count
    assert len(cli("host", "list", "-o", "csv", "--fields", "name,health").stdout.splitlines()) == count + 1


@pytest.mark.parametrize("noun", ["cluster", "datacenter", "switch", "resource-pool", "snapshot", "disk", "nic", "event", "folder",
                                  "tag", "user", "token", "audit", "driver"])
def test_further_nouns_list(cli, noun):
    for output in ("table", "json", "csv"):
        assert cli(noun, "list", "-o", output, "--quiet").stderr == ""


def test_every_field_of_explain_can_be_asked_for(cli):
    fields = [f["field"] for f in cli.json("explain", "vm")["fields"]]
    shown = rows(cli.json("vm", "list", "--limit", "1", "--fields", ",".join(fields)))
    assert len(fields) > 60 and len(shown) == 1


def test_a_raw_request_answers_like_the_api(cli, api):
    assert json.loads(cli("api", "GET", "/vms?limit=1").stdout)["items"] == api.read("/vms", limit=1)["items"]
    made = json.loads(cli("api", "POST", "/folders", "-", text='{"name":"raw"}').stdout)
    cli("api", "delete", f"/folders/{made['id']}")
    cli("api", "GET", "/no-such-thing", expect=NOT_FOUND)


def test_problems_are_json_for_who_asks_for_json(cli):
    done = cli("vm", "show", "no such vm", "-o", "json", expect=NOT_FOUND)
    assert json.loads(done.stderr)["code"] == "not-found"
    done = cli("vm", "list", "-o", "json", expect=ERROR, POLYVISOR_URL="https://127.0.0.1:1")
    assert json.loads(done.stderr)["code"] == "server-offline"


# Events


def test_followed_events_go_on_after_the_server_was_away(servers, tmp_path):
    server = servers(demo=True)
    api = server.admin()
    cli = Cli(server, tmp_path)
    follow = subprocess.Popen([str(paths.program("polyvisor")), "event", "follow", "-o", "jsonl", "--types", "folder.*"],
                              env=cli.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    names = []

    def read():
        for line in follow.stdout:
            names.append(json.loads(line)["ref"]["name"])

    threading.Thread(target=read, daemon=True).start()
    try:
        # Whether it follows by now cannot be seen from outside: changes are made until one is told.
        tries = itertools.count()
        wait_for(lambda: api.post("/folders", {"name": f"try {next(tries)}"}) and names, "an event should come", every=0.5)
        api.post("/folders", {"name": "first"})
        wait_for(lambda: "first" in names, "the first event should come", 30)
        server.restart()
        server.admin().post("/folders", {"name": "second"})
        wait_for(lambda: "second" in names, "an event after the restart should come", 60)
        assert [name for name in names if not name.startswith("try ")] == ["first", "second"]
    finally:
        follow.terminate()
        follow.communicate(timeout=60)


# Terminals


def test_login_on_a_terminal_shows_the_fingerprint_and_hides_the_password(cli, server):
    text, code = on_terminal(cli, "login", server.url, POLYVISOR_FINGERPRINT="", POLYVISOR_TOKEN="", POLYVISOR_URL="",
                             answers=[("[y/N]", b"y\n"), ("User name", b"admin\n"), ("Password", PASSWORD.encode() + b"\n")])
    assert code == OK, text
    assert cli.env["POLYVISOR_FINGERPRINT"] in text
    assert PASSWORD not in text


def test_a_selection_is_counted_and_asked_about(cli, api):
    some = "power:running name~*9 template:false"
    text, code = on_terminal(cli, "vm", "stop", "--filter", some, answers=[("[y/N]", b"n\n")])
    assert code == ERROR and f"{api.count('vms', filter=some)} vms" in text, text


def test_ctrl_c_while_waiting_leaves_the_task_alone_and_says_how_to_go_on(cli, api):
    vm = api.items("vms", filter="power:running provider.family:hyperv memory>=16GiB")[1]
    text, code = on_terminal(cli, "vm", "snapshot", "create", vm["id"], "--name", "slow", "--memory",
                             answers=[("%", b"\x03")])
    assert code == 130 and "polyvisor task wait tsk_" in text, text
    task = text[text.index("tsk_"):].split()[0]
    cli("task", "wait", task, "--timeout", "100s")


def test_a_table_is_as_wide_as_the_terminal(cli):
    text, code = on_terminal(cli, "vm", "list", "--limit", "30", COLUMNS="60", NO_COLOR="1")
    assert code == OK
    assert max(len(line) for line in text.splitlines()) <= 60
    assert text.splitlines()[0].startswith("NAME")
