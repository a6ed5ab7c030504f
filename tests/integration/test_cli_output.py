# SPDX-License-Identifier: Apache-2.0
"""What the command line prints, to the letter, from answers that are given here; and answers that mean no good."""

import json
import os
import pty
import re
import select
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from support import paths

VMS = [
    {"id": "vm_00000000000000000000000001", "kind": "vm", "name": "web01", "power_state": "running",
     "cpu": {"count": 4}, "memory": {"bytes": 8589934592}, "guest": {"ip_addresses": ["10.0.0.1", "10.0.0.2"]},
     "host": {"id": "hst_00000000000000000000000001", "name": "esx1"},
     "provider": {"id": "prv_00000000000000000000000001", "name": "vc1", "driver": "vapi"}, "health": "ok"},
    {"id": "vm_00000000000000000000000002", "kind": "vm", "name": "=cmd, \"x\"", "power_state": "off",
     "cpu": {"count": 16}, "memory": {"bytes": 1536}, "guest": {"ip_addresses": []}, "host": None,
     "provider": {"id": "prv_00000000000000000000000001", "name": "vc1", "driver": "vapi"}, "health": "unknown"},
]
HOSTILE = "evil\x1b[2J\x1b]0;title\x07\x9b31m\u202egnp.\r\nname\ttab"


class Fake:
    """A server over plain HTTP on this machine. answers: path -> what comes back, a function or a document."""

    def __init__(self):
        fake = self
        self.answers, self.seen = {}, []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def any(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                path = urlsplit(self.path).path
                fake.seen.append((self.command, self.path, dict(self.headers), body))
                answer = fake.answers.get((self.command, path), fake.answers.get(path))
                if answer is None:
                    self.send(404, {"status": 404, "code": "not-found", "detail": f"nothing at {path}"}, "application/problem+json")
                elif callable(answer):
                    answer(self)
                elif isinstance(answer, list) and "ndjson" in self.headers.get("Accept", ""):
                    self.send(200, "".join(json.dumps(item) + "\n" for item in answer), "application/x-ndjson")
                elif isinstance(answer, list):
                    self.send(200, {"items": answer, "next": None, "count": len(answer)})
                else:
                    self.send(200, answer)

            do_GET = do_POST = do_PATCH = do_DELETE = any

            def send(self, status, document, content_type="application/json", headers=()):
                data = (document if isinstance(document, str) else json.dumps(document)).encode()
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(data)))
                for name, value in headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def query(self, n=-1):
        return parse_qs(urlsplit(self.seen[n][1]).query)


@pytest.fixture
def fake():
    made = Fake()
    yield made
    made.close()


@pytest.fixture
def env(fake, tmp_path):
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TZ": "UTC", "POLYVISOR_URL": fake.url, "POLYVISOR_TOKEN": "pv_test",
            "ASAN_OPTIONS": "exitcode=99"}


@pytest.fixture
def cli(env):
    def run(*args, expect=0, **more):
        done = subprocess.run([str(paths.program("polyvisor")), *args], capture_output=True, text=True, timeout=60,
                              env={**env, **more}, stdin=subprocess.DEVNULL)
        assert done.returncode == expect, f"{args} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done
    return run


def on_terminal(env, *args):
    pid, fd = pty.fork()
    if pid == 0:
        program = str(paths.program("polyvisor"))
        os.execve(program, [program, *args], {**env, "TERM": "xterm", "COLUMNS": "200"})
    data, end = b"", time.monotonic() + 60
    while time.monotonic() < end and select.select([fd], [], [], 60)[0]:
        try:
            more = os.read(fd, 65536)
        except OSError:
            break
        if not more:
            break
        data += more
    os.waitpid(pid, 0)
    os.close(fd)
    return data.decode()


GOLDEN = {
    "table": """\
NAME         POWER    CPU   MEMORY  IP                  HOST  PROVIDER  HEALTH
web01        running    4  8.0 GiB  10.0.0.1, 10.0.0.2  esx1  vc1       ok
=cmd, "x"    off       16  1.5 KiB                            vc1       unknown
""".replace('=cmd, "x"  ', '=cmd, "x"').replace("web01        r", "web01      r").replace("NAME         P", "NAME       P"),
    "csv": """\
name,power_state,memory.bytes\r
web01,running,8589934592\r
"'=cmd, ""x""\",off,1536\r
""",
    "tsv": "name\tpower_state\tmemory.bytes\nweb01\trunning\t8589934592\n=cmd, \"x\"\toff\t1536\n",
    "name": "web01\n=cmd, \"x\"\n",
}


def test_a_table_to_the_letter(fake, cli):
    fake.answers["/api/v1/vms"] = VMS
    assert cli("vm", "list", "-o", "table").stdout == GOLDEN["table"]


def test_values_for_pipes_to_the_letter(fake, cli):
    fake.answers["/api/v1/vms"] = VMS
    fields = ("--fields", "name,power,memory")
    assert cli("vm", "list", *fields).stdout == GOLDEN["tsv"]
    assert cli("vm", "list", *fields, "--no-header").stdout == GOLDEN["tsv"].split("\n", 1)[1]
    done = subprocess.run([str(paths.program("polyvisor")), "vm", "list", "-o", "csv", *fields], capture_output=True,
                          env={**os.environ, "POLYVISOR_URL": fake.url}, timeout=60)
    assert done.stdout.decode() == GOLDEN["csv"]
    assert cli("vm", "list", "-o", "name").stdout == GOLDEN["name"]


def test_json_and_yaml_are_the_answer_unchanged(fake, cli):
    fake.answers["/api/v1/vms"] = VMS
    assert json.loads(cli("vm", "list", "-o", "json").stdout)["items"] == VMS
    assert [json.loads(line) for line in cli("vm", "list", "-o", "jsonl").stdout.splitlines()] == VMS
    text = cli("vm", "list", "-o", "yaml", "--limit", "1").stdout
    assert text.startswith("- id: vm_00000000000000000000000001\n  kind: vm\n  name: web01\n  power_state: running\n  cpu:\n    count: 4\n")
    assert '      - "10.0.0.1"\n' in text


def test_yaml_quotes_what_could_be_read_as_something_else(fake, cli):
    words = ["no", "Yes", "null", "1.5", "0x1f", "- a", "a: b", "a #b", " a", "a ", "", "*a", "2026-01-31", "~", "line\nline", "ok"]
    fake.answers["/api/v1/tags"] = [{"id": "tag_00000000000000000000000001", "name": w, "list": [w, []], "none": {}} for w in words]
    text = cli("tag", "list", "-o", "yaml").stdout
    shown = re.findall(r"^  name: (.*)$", text, re.M)
    assert [json.loads(s) if s.startswith('"') else s for s in shown] == words
    assert [s for s in shown if not s.startswith('"')] == ["ok"]


def test_only_the_columns_that_are_shown_are_asked_for(fake, cli):
    fake.answers["/api/v1/vms"] = VMS
    cli("vm", "list", "--filter", "power:running & more", "--sort=-memory")
    query = fake.query()
    assert query["filter"] == ["power:running & more"] and query["sort"] == ["-memory.bytes"]
    assert "memory.bytes" in query["fields"][0] and "notes" not in query["fields"][0]
    assert fake.seen[-1][2]["Authorization"] == "Bearer pv_test"


def test_names_go_into_paths_encoded(fake, cli):
    name = "a/b ?#%ü"
    fake.answers["/api/v1/vms/name%3Aa%2Fb%20%3F%23%25%C3%BC"] = VMS[0]
    assert json.loads(cli("vm", "show", name, "-o", "json").stdout) == VMS[0]


# Answers that mean no good


@pytest.mark.parametrize("args", [["vm", "list"], ["vm", "list", "-o", "wide"], ["vm", "list", "-o", "json"], ["vm", "list", "-o", "name"],
                                  ["vm", "list", "-o", "yaml"], ["vm", "list", "-o", "csv"], ["vm", "show", "x"],
                                  ["vm", "show", "x", "-o", "json"], ["vm", "show", "gone"], ["search", "x"], ["summary"],
                                  ["api", "GET", "/text"], ["task", "show", "x"]])
def test_nothing_of_the_server_controls_the_terminal(fake, env, args):
    evil = {**VMS[0], "name": HOSTILE, HOSTILE: HOSTILE, "notes": HOSTILE, "items": [{"name": HOSTILE, "kind": HOSTILE}]}
    fake.answers["/api/v1/vms"] = [evil]
    fake.answers["/api/v1/vms/name%3Ax"] = evil
    fake.answers["/api/v1/tasks/x"] = evil
    fake.answers["/api/v1/search"] = fake.answers["/api/v1/summary"] = evil
    fake.answers["/api/v1/text"] = lambda h: h.send(200, HOSTILE, "text/plain")
    fake.answers["/api/v1/vms/name%3Agone"] = lambda h: h.send(
        404, {"status": 404, "code": HOSTILE, "detail": HOSTILE, "remedy": HOSTILE}, "application/problem+json")
    text = on_terminal({**env, "NO_COLOR": "1"}, *args)
    assert "evil" in text
    assert not re.search("[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f\u202e]", text), repr(text)


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "\x00", "{\"items\":", "{\"a\":1}" * 3, "<html>"])
def test_a_damaged_answer_is_an_error_in_words(fake, cli, body):
    fake.answers["/api/v1/vms/name%3Ax"] = lambda h: h.send(200, body)
    if body in ("[]", "null"):
        cli("vm", "show", "x")
    else:
        assert cli("vm", "show", "x", expect=1).stderr.startswith("polyvisor: ")


def test_a_list_that_breaks_off_is_an_error(fake, cli):
    def cut(h):
        h.send_response(200)
        h.send_header("Content-Type", "application/x-ndjson")
        h.send_header("Content-Length", "100000")
        h.end_headers()
        h.wfile.write((json.dumps(VMS[0]) + "\n").encode())
        h.close_connection = True

    fake.answers["/api/v1/vms"] = cut
    done = cli("vm", "list", "-o", "jsonl", expect=1)
    assert json.loads(done.stdout.splitlines()[0]) == VMS[0]
    assert "ended before" in done.stderr, done.stderr
    assert cli("vm", "list", "-o", "table", expect=1).stdout == "", "half a table would look like a whole one"


def test_a_write_that_is_cut_off_is_sent_again_with_the_same_key(fake, cli):
    keys = []

    def start(h):
        keys.append(h.headers["Idempotency-Key"])
        if len(keys) == 1:
            h.close_connection = True
            h.connection.shutdown(2)
            return
        h.send(200, {"id": "tsk_00000000000000000000000001", "kind": "task", "action": "vm.start", "state": "succeeded",
                     "subjects": [{"name": "web01"}], "changed": True})

    fake.answers["/api/v1/vms/name%3Aweb01/actions/start"] = start
    assert cli("vm", "start", "web01").stdout.startswith("Start web01: succeeded")
    assert len(keys) == 2 and keys[0] == keys[1] and keys[0]


def test_too_many_requests_are_waited_for(fake, cli):
    calls = []

    def limited(h):
        calls.append(1)
        if len(calls) == 1:
            h.send(429, {"status": 429, "code": "rate-limited", "detail": "slowly"}, "application/problem+json", [("Retry-After", "1")])
        else:
            h.send(200, VMS[0])

    fake.answers["/api/v1/vms/name%3Ax"] = limited
    cli("vm", "show", "x")
    assert len(calls) == 2


def test_a_failed_task_is_told_with_its_remedy_and_the_exit_code_of_its_problem(fake, cli):
    fake.answers["/api/v1/vms/name%3Aweb01/actions/reset"] = lambda h: h.send(
        200, {"id": "tsk_00000000000000000000000001", "kind": "task", "action": "vm.reset", "state": "failed", "subjects": [],
              "error": {"status": 409, "code": "vm-invalid-state", "detail": "web01 is off", "remedy": "Start it first."}})
    done = cli("vm", "reset", "web01", expect=5)
    assert done.stderr == "polyvisor: Reset: web01 is off\n  Start it first.\n"


def test_a_task_is_followed_and_time_runs_out(fake, cli):
    task = {"id": "tsk_00000000000000000000000001", "kind": "task", "action": "vm.reset", "state": "running", "subjects": []}
    fake.answers["/api/v1/vms/name%3Aweb01/actions/reset"] = lambda h: h.send(202, task)
    fake.answers["/api/v1/tasks/tsk_00000000000000000000000001"] = task
    done = cli("vm", "reset", "web01", "--timeout", "1s", expect=6)
    assert "polyvisor task wait tsk_00000000000000000000000001" in done.stderr


def test_a_tag_changed_by_somebody_else_meanwhile_is_read_anew(fake, cli):
    patches = []

    def vm(h):
        h.send(200, {**VMS[0], "tags": ["old"] if not patches else ["old", "theirs"]}, headers=[("ETag", f'"vm-{len(patches)}"')])

    def patch(h):
        patches.append(h.headers["If-Match"])
        if len(patches) == 1:
            h.send(412, {"status": 412, "code": "precondition-failed", "detail": "changed"}, "application/problem+json")
        else:
            h.send(200, VMS[0])

    fake.answers[("GET", "/api/v1/vms/name%3Aweb01")] = vm
    fake.answers[("PATCH", "/api/v1/vms/name%3Aweb01")] = patch
    cli("vm", "tag", "web01", "mine")
    assert patches == ['"vm-0"', '"vm-1"']
    assert json.loads(fake.seen[-1][3]) == {"tags": ["old", "theirs", "mine"]}


def test_a_selection_says_how_many_it_means(fake, cli):
    fake.answers["/api/v1/vms"] = VMS
    fake.answers["/api/v1/bulk"] = {"id": "tsk_00000000000000000000000001", "kind": "task", "action": "vm.stop", "state": "succeeded",
                                    "children": {"total": 2, "succeeded": 2}}
    cli("vm", "stop", "--filter", "tag:lab", "--yes", "--force", "--max-parallel", "3", "--on-error", "stop")
    assert json.loads(fake.seen[-1][3]) == {"action": "vm.stop", "selector": "tag:lab", "expected_count": 2, "params": {"force": True},
                                            "options": {"max_parallel": 3, "on_error": "stop"}}


def test_an_empty_selection_means_nothing_and_asks_for_nothing(fake, cli):
    fake.answers["/api/v1/vms"] = []
    assert "nothing to do" in cli("vm", "stop", "--filter", "tag:lab").stderr
    cli("vm", "stop", "--filter", "", "--yes", expect=2)
    assert all(method == "GET" for method, *_ in fake.seen)


# The command line itself


@pytest.mark.parametrize("args, words", [
    (["vm", "strat", "x"], 'did you mean "start"'), (["vn", "list"], 'did you mean "vm"'), (["vm", "list", "--fliter", "x"], "did you mean --filter"),
    (["vm", "list", "--limit", "many"], "--limit takes a number"), (["vm", "list", "-o", "xml"], "table|wide|json"),
    (["vm", "list", "--filter"], "--filter needs a value"), (["vm", "show"], "VM"), (["vm", "start"], "--filter"), (["vm"], "further word"),
    (["vm", "list", "web01"], "takes no arguments"), (["vm", "snapshot", "create", "x"], "--name is needed"),
    (["vm", "list", "--force"], "--force"), (["vm", "show", "hst_00000000000000000000000001"], "id of a host"),
    (["vm", "start", "x", "--filter", "y"], "not both"), (["vm", "start", "x", "--timeout", "soon"], "duration"),
    (["apply", "vm.fly", "x"], "vm.fly"), (["apply", "vm.snapshot.create", "x", "--param", "nme=y"], "nme"),
    (["provider", "add", "x"], "--driver"), (["provider", "add", "x", "--driver", "sim", "--set", "novalue"], "key=value"),
    (["token", "create", "x", "--expires-at", "later"], "no time"), (["completion", "tcsh"], "bash, zsh and fish"),
    (["explain", "vm", "powr_state"], "power_state"), (["--url", "ftp://x", "vm", "list"], "https://host:8443"),
    (["vm", "list", "--fingerprint", "12"], "64 hex digits"), (["-z"], "-z"), (["vm", "list", "--no-limit"], "--no-limit"),
])
def test_a_wrong_command_line_is_told_what_is_right(fake, cli, args, words):
    fake.answers["/api/v1/vms/name%3Ax/actions/start"] = {"id": "tsk_00000000000000000000000001", "state": "succeeded"}
    done = cli(*args, expect=2)
    assert done.stdout == "" and words in done.stderr, done.stderr
    assert done.stderr.startswith("polyvisor: ") and len(done.stderr.splitlines()) >= 2


def test_every_command_explains_itself_and_has_its_place_in_the_manual(cli):
    manual = cli("__man").stdout
    nouns = re.findall(r"^  ([a-z][a-z-]*) ", cli("--help").stdout.split("Things")[1], re.M)
    commands = []
    for noun in nouns:
        text = cli(noun, "--help").stdout
        if f"Usage: polyvisor {noun} COMMAND" in text:
            block = text.split("Commands:\n")[1].split("\n\n")[0]
            commands += [f"{noun} {m}" for m in re.findall(r"^  ((?:[a-z-]+ ?)+)", block, re.M)]
        else:
            commands.append(noun)
    assert len(commands) > 80
    for command in commands:
        text = cli(*command.split(), "--help").stdout
        assert f"Usage: polyvisor {command.strip()}" in text, command
        assert "polyvisor " + command.strip().replace("-", "\\-") in manual, command


def test_words_and_names_are_completed(fake, cli):
    fake.answers["/api/v1/vms"] = VMS[:1]
    first = lambda *words: [line.split("\t")[0] for line in cli("__complete", *words).stdout.splitlines()]
    assert first("vm", "sta") == ["start"]
    assert {"list", "show", "start", "stop", "snapshot"} <= set(first("vm", ""))
    assert first("vm", "snapshot", "c") == ["create"]
    assert first("vm", "start", "web") == ["web01"]
    assert fake.query()["filter"] == ['name~"web*"']
    assert first("vm", "list", "--fil") == ["--filter"]
    assert first("vm", "list", "-o", "js") == ["json", "jsonl"]
    assert first("vm", "list", "--sort", "name,mem") == ["name,memory.bytes"]
    assert first("no", "such", "") == []


def test_completion_without_a_server_is_silent_and_quick(cli):
    begun = time.monotonic()
    done = cli("__complete", "vm", "start", "", POLYVISOR_URL="https://127.0.0.1:1")
    assert done.stdout == "" and done.stderr == "" and time.monotonic() - begun < 20


def test_the_manual_is_well_formed(cli, tmp_path):
    page = tmp_path / "polyvisor.1"
    page.write_text(cli("__man").stdout)
    text = page.read_text()
    assert text.startswith(".TH POLYVISOR 1 ")
    for line in text.splitlines():
        assert not line.startswith(".") or re.match(r"\.(TH|SH|SS|B|TP|PP|nf|fi|TS|TE)\b", line), line
