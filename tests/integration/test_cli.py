# SPDX-License-Identifier: Apache-2.0
"""The command line against a real server: what people type, what scripts read, exit codes."""

import json
import os
import pty
import re
import subprocess
import threading

import pytest

from support import paths
from support.certs import served_sha256
from support.client import host_port
from support.server import PASSWORD
from support.wait import wait_for

OK, ERROR, USAGE, NOT_FOUND, DENIED, CONFLICT, TIMEOUT, PARTLY = range(8)


@pytest.fixture(scope="module")
def server(module_servers):
    return module_servers(demo=True)


class Cli:
    def __init__(self, server, home):
        self.home = home
        self.env = {
            "PATH": os.environ["PATH"], "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "LANG": "C.UTF-8",
            "POLYVISOR_URL": server.url, "POLYVISOR_TOKEN": server.token,
            "POLYVISOR_FINGERPRINT": served_sha256(*host_port(server.url)),
            "ASAN_OPTIONS": "exitcode=99", **{k: v for k, v in os.environ.items() if k.startswith("LD_")},
        }

    def __call__(self, *args, expect=OK, text=None, **env):
        done = subprocess.run([str(paths.program("polyvisor")), *args], capture_output=True, text=True, timeout=120,
                              env={**self.env, **env}, input=text)
        assert done.returncode in (expect if isinstance(expect, tuple) else (expect,)), (
            f"polyvisor {' '.join(args)}\nended with {done.returncode}, expected {expect}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
        return done

    def json(self, *args, **more):
        return json.loads(self(*args, "-o", "json", **more).stdout)


@pytest.fixture
def api(server):
    return server.admin()


@pytest.fixture
def cli(server, api, tmp_path):
    return Cli(server, tmp_path)


def rows(document):
    return document["items"] if isinstance(document, dict) and "items" in document else document


def test_vm_list_as_json_equals_the_api(cli, api):
    def both():
        shown = rows(cli.json("vm", "list", "--filter", "power:running"))
        return {v["id"] for v in shown} == {v["id"] for v in api.items("vms", filter="power:running")}

    wait_for(both, "both should list the same (machines start and stop by themselves)", 60)


def test_a_table_has_a_header_and_a_row_for_each(cli, api):
    lines = cli("host", "list", "-o", "table").stdout.splitlines()
    assert re.match(r"^(ID|NAME)\b", lines[0]), lines[0]
    assert len(lines) - 1 == api.count("hosts")


@pytest.mark.parametrize("noun,owner", [("nic", "vm"), ("host-adapter", "host"), ("snapshot", "vm")])
def test_parts_are_listed_with_what_they_are_part_of(cli, noun, owner):
    head, *rows = (line.split("\t") for line in cli(noun, "list", "--limit", "5").stdout.splitlines())
    assert rows and all(row[head.index(owner)] for row in rows), head


@pytest.mark.parametrize("output", ["table", "wide", "json", "yaml", "name"])
@pytest.mark.parametrize("noun", ["vm", "host", "datastore", "network", "task", "provider"])
def test_every_noun_lists_in_every_form(cli, noun, output):
    assert cli(noun, "list", "-o", output).stderr == ""


def test_names_one_a_line_feed_other_programs(cli, api):
    def both():
        return len(cli("vm", "list", "-o", "name", "--filter", "power:off").stdout.split()) == api.count("vms", filter="power:off")

    wait_for(both, "both should list the same (machines start and stop by themselves)", 60)


def test_show_takes_name_or_id(cli, api):
    vm = api.items("vms")[5]
    assert cli.json("vm", "show", vm["id"])["id"] == vm["id"]
    assert cli.json("vm", "show", vm["name"])["id"] == vm["id"]


def test_power_with_wait_ends_when_the_task_has_ended(cli, api):
    vm = api.items("vms", filter="power:running provider.family:hyperv")[4]
    done = cli.json("vm", "stop", vm["id"], "--wait")
    task = done if "state" in done else rows(done)[0]
    assert task["state"] == "succeeded", task
    assert api.read(f"/vms/{vm['id']}")["power_state"] == "off"


def test_a_filter_in_a_script_needs_yes(cli, api):
    refused = cli("vm", "stop", "--filter", "power:running name~*7", expect=USAGE)
    assert "--yes" in refused.stderr
    # A template cannot be started.
    some = "power:off template:false name~*8"
    if api.count("vms", filter=some):
        cli("vm", "start", "--filter", some, "--yes", "--wait", expect=(OK, PARTLY))


@pytest.mark.parametrize("args, code", [
    (["vm", "show", "no such vm"], NOT_FOUND), (["vm", "show", "vm_00000000000000000000000000"], NOT_FOUND),
    (["vm", "fly"], USAGE), (["no-such-noun", "list"], USAGE), (["vm", "list", "--no-such-flag"], USAGE),
    (["vm", "list", "--filter", "(("], ERROR), ([], USAGE),
])
def test_exit_codes_tell_scripts_what_happened(cli, args, code):
    done = cli(*args, expect=code)
    assert done.stdout == "" and done.stderr.strip(), "errors are words on stderr"


def test_errors_name_the_remedy(cli):
    done = cli("vm", "list", "--filter", "pwoer:running", expect=ERROR)
    assert "power" in done.stderr, done.stderr


def test_a_wrong_token_is_exit_code_4(cli):
    cli("vm", "list", expect=DENIED, POLYVISOR_TOKEN="pv_wrong_token")


def test_a_server_that_is_away_is_told_plainly(cli):
    done = cli("vm", "list", expect=ERROR, POLYVISOR_URL="https://127.0.0.1:1")
    assert "127.0.0.1:1" in done.stderr


def test_another_certificate_is_refused(cli):
    done = cli("vm", "list", expect=ERROR, POLYVISOR_FINGERPRINT="0" * 64)
    assert "certificate" in done.stderr.lower() or "fingerprint" in done.stderr.lower(), done.stderr


def test_provider_add_probe_sync_and_delete(cli, api, vcenters, tmp_path):
    vcenter = vcenters(vm=2)
    secret = tmp_path / "password"
    secret.write_text("pass\n")
    cli("provider", "add", "from-cli", "--driver", "vapi", "--endpoint", vcenter.url, "--username", "user",
        "--password-file", str(secret), "--tls-mode", "insecure", "--wait")
    assert api.one("providers", "from-cli")["state"] == "connected"
    assert len(rows(cli.json("vm", "list", "--filter", 'provider="from-cli"'))) == 4
    cli("provider", "sync", "from-cli", "--wait")
    cli("provider", "delete", "from-cli", "--yes")
    assert api.count("providers", filter='name="from-cli"') == 0


def test_search_finds_a_vm(cli, api):
    vm = api.items("vms")[9]
    assert vm["name"] in cli("search", vm["name"]).stdout


def test_task_list_and_wait(cli, api):
    vm = api.items("vms", filter="power:running")[0]
    task = api.act("vms", vm["id"], "reset")["id"]
    cli("task", "wait", task)
    assert task in cli("task", "list", "-o", "name").stdout


def test_event_follow_prints_events_as_they_come(cli, api):
    follow = subprocess.Popen([str(paths.program("polyvisor")), "event", "follow", "-o", "json"], env=cli.env,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        seen, found = [], threading.Event()

        def read():
            for line in follow.stdout:
                seen.append(line)
                if "made while following" in line or "folder.created" in line:
                    found.set()

        threading.Thread(target=read, daemon=True).start()
        # Whether it follows by now cannot be seen from outside: the change is made until it is told.
        wait_for(lambda: api.post("/folders", {"name": f"made while following {len(seen)}"}) and found.wait(1),
                 "a change should be told")
    finally:
        follow.terminate()
        follow.wait(60)


def test_apply_of_a_selector_from_a_file(cli, api, tmp_path):
    vms = [v["id"] for v in api.items("vms", filter="power:running provider.family:hyperv")[5:8]]
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"action": "vm.stop", "targets": vms}))
    cli("apply", "-f", str(plan), "--wait", "--yes")
    assert {api.read(f"/vms/{v}")["power_state"] for v in vms} == {"off"}


def test_a_context_keeps_address_token_and_fingerprint_in_a_private_file(cli, server, tmp_path):
    bare = {k: "" for k in ("POLYVISOR_URL", "POLYVISOR_TOKEN", "POLYVISOR_FINGERPRINT")}
    env = {k: v for k, v in cli.env.items() if k not in bare}
    program = str(paths.program("polyvisor"))
    password = tmp_path / "pw"
    password.write_text(PASSWORD + "\n")
    login = subprocess.run([program, "login", server.url, "--username", "admin", "--password-file", str(password),
                            "--fingerprint", cli.env["POLYVISOR_FINGERPRINT"]], env=env, capture_output=True, text=True, timeout=60)
    assert login.returncode == 0, login.stderr
    config = tmp_path / ".config" / "polyvisor" / "config.json"
    assert config.stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in config.read_text()
    listed = subprocess.run([program, "vm", "list", "-o", "name"], env=env, capture_output=True, text=True, timeout=60)
    assert listed.returncode == 0 and listed.stdout, listed.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(cli, shell):
    text = cli("completion", shell).stdout
    assert "polyvisor" in text and len(text) > 100
    if shell == "bash":
        assert subprocess.run(["bash", "-n"], input=text, text=True).returncode == 0


def test_help_and_version_need_no_server(cli):
    assert "vm" in cli("--help", POLYVISOR_URL="").stdout
    assert "polyvisor" in cli("--version", POLYVISOR_URL="").stdout
    assert "start" in cli("vm", "--help", POLYVISOR_URL="").stdout
    told = cli("--help", POLYVISOR_URL="").stdout.splitlines()
    meanings = [line.split(None, 1)[1] for line in told if re.match("  [a-z-]+ {3,}", line)]
    assert len(meanings) > 30 and len(set(meanings)) == len(meanings)


def test_on_a_terminal_output_is_a_table_and_no_color_is_obeyed(cli):
    def on_terminal(**env):
        out = []

        def read(fd):
            data = os.read(fd, 4096)
            out.append(data)
            return data

        pid, fd = pty.fork()
        if pid == 0:
            program = str(paths.program("polyvisor"))
            os.execve(program, [program, "provider", "list"], {**cli.env, "TERM": "xterm", **env})
        try:
            while True:
                read(fd)
        except OSError:
            pass
        os.waitpid(pid, 0)
        return b"".join(out).decode()

    text = on_terminal(NO_COLOR="1")
    assert "\x1b[" not in text, text[:200]
    assert "NAME" in text


def test_who_is_told_of_alerts_is_settled_by_the_command_line(cli, api, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("a key that nobody guesses\n")
    cli("notification-target", "create", "duty", "--type", "mail", "--server", "127.0.0.1", "--port", "9", "--from", "a@example.com",
        "--to", "b@example.com")
    cli("notification-target", "change", "duty", "--severity", "error")
    assert cli.json("notification-target", "show", "duty")["severity"] == "error"
    failed = cli("notification-target", "test", "duty", expect=ERROR)
    assert "127.0.0.1" in failed.stderr, "it says who does not answer"
    cli("alert-rule", "change", "Host disconnected", "--notify", "chosen", "--targets", "duty")
    rule = cli.json("alert-rule", "show", "Host disconnected")
    assert rule["notify"] == "chosen" and [t["name"] for t in rule["targets"]] == ["duty"]
    refused = cli("notification-target", "delete", "duty", "--yes", expect=CONFLICT)
    assert "Host disconnected" in refused.stderr
    cli("alert-rule", "change", "Host disconnected", "--notify", "all")
    cli("notification-target", "delete", "duty", "--yes")
    cli("webhook", "create", "hook", "--target-url", "https://127.0.0.1:9/x", "--secret-file", str(secret), "--event-types", "vm.*",
        "--no-enabled")
    assert "a key" not in cli("webhook", "show", "hook", "-o", "json").stdout
    cli("webhook", "delete", "hook", "--yes")


def test_silences_are_made_changed_and_ended_by_the_command_line(cli, api):
    cli("alert-silence", "create", "night", "--of", "vm", "--filter", "tag:env=test", "--rule", "VM in critical health", "--ends-at", "4h")
    made = cli.json("alert-silence", "show", "night")
    assert made["of"] == "vm" and made["rule"]["name"] == "VM in critical health" and made["ends_at"] > made["starts_at"]
    cli("alert-silence", "change", "night", "--ends-at", "8h")
    assert cli.json("alert-silence", "show", "night")["ends_at"] > made["ends_at"]
    wrong = cli("alert-silence", "create", "never", "--of", "vm", "--filter", "no such field:1", "--ends-at", "4h", expect=ERROR)
    assert "column 9" in wrong.stderr
    cli("alert-silence", "delete", "night", "--yes")
    assert not cli("alert-silence", "list", "-o", "name").stdout


def test_files_of_a_datastore_are_listed_and_a_folder_goes_after_a_yes(cli, api):
    store = api.items("datastores", filter="provider.family:vmware")[0]
    lines = [line.split("\t") for line in cli("datastore", "files", store["id"]).stdout.splitlines()]
    assert lines[0] == ["name", "type", "size_bytes", "modified_at"] and ["iso", "folder"] in [line[:2] for line in lines]
    assert {f["type"] for f in rows(cli.json("datastore", "files", store["id"], "iso"))} == {"iso"}
    assert "must not have a part that is . or .." in cli("datastore", "files", store["id"], "../x", expect=(ERROR, USAGE)).stderr
    cli("datastore", "folder", "create", store["id"], "--path", "attic")
    assert "--yes" in cli("datastore", "file", "delete", store["id"], "--path", "attic", expect=USAGE).stderr
    cli("datastore", "file", "delete", store["id"], "--path", "attic", "--yes")
    assert "attic" not in cli("datastore", "files", store["id"]).stdout
