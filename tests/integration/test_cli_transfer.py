# SPDX-License-Identifier: Apache-2.0
"""Files into datastores and out of them by the command line: whole, and on from where they were cut."""

import http.server
import json
import os
import re
import signal
import subprocess
import threading
from urllib.parse import urlencode

import pytest

from integration.test_cli import CONFLICT, ERROR, NOT_FOUND, OK, USAGE, Cli
from support import paths
from support.client import said
from support.operations import add_estates
from support.wait import wait_for

pytestmark = pytest.mark.timeout(300)
MIB = 1 << 20


@pytest.fixture(scope="module")
def server(module_servers):
    return module_servers("transfer")


@pytest.fixture(scope="module")
def api(server):
    api = server.admin()
    add_estates(api, vms=20)
    return api


@pytest.fixture(scope="module")
def store(api):
    return api.items("datastores", filter="provider.family:vmware", sort="-free_bytes")[0]


@pytest.fixture
def cli(server, api, tmp_path):
    return Cli(server, tmp_path)


def make(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    return str(tmp_path / name)


def content(api, store, path):
    answer = api.get(f"/datastores/{store['id']}/files/content?" + urlencode({"path": path}))
    assert answer.status_code == 200, said(answer)
    return answer.content


def begin(api, store, path, size, **more):
    answer = api.post(f"/datastores/{store['id']}/uploads", {"path": path, "size_bytes": size, **more})
    assert answer.status_code == 201, said(answer)
    return answer.json()


def put(api, upload, data, start, total):
    answer = api.request("PUT", f"/uploads/{upload['id']}/content", data=data, headers={
        "Content-Range": f"bytes {start}-{start + len(data) - 1}/{total}", "Content-Type": "application/octet-stream"})
    assert answer.status_code == 200, said(answer)
    return answer.json()


def test_what_goes_in_comes_out_byte_for_byte(cli, api, store, tmp_path):
    data = os.urandom(11 * MIB + 4321)
    file = make(tmp_path, "own disk.iso", data)
    done = cli("datastore", "upload", store["name"], file, "--path", "iso/")
    assert re.search(r"Upload file .*: succeeded", done.stdout) and done.stderr == ""
    assert content(api, store, "iso/own disk.iso") == data
    out = tmp_path / "out"
    out.mkdir()
    done = cli("datastore", "download", store["id"], "iso/own disk.iso", "-o", str(out))
    assert (done.stdout, done.stderr) == ("", "")
    assert (out / "own disk.iso").read_bytes() == data
    assert os.listdir(out) == ["own disk.iso"], "nothing unfinished is left"


def test_a_file_has_its_own_name_unless_told_otherwise(cli, api, store, tmp_path):
    file = make(tmp_path, "plain.bin", b"plain")
    cli("datastore", "upload", store["id"], file)
    assert content(api, store, "plain.bin") == b"plain"
    program = str(paths.program("polyvisor"))
    (tmp_path / "here").mkdir()
    subprocess.run([program, "datastore", "download", store["id"], "plain.bin"], cwd=tmp_path / "here", env=cli.env, check=True, timeout=60)
    assert (tmp_path / "here" / "plain.bin").read_bytes() == b"plain"


def test_a_file_without_a_byte_works(cli, api, store, tmp_path):
    cli("datastore", "upload", store["id"], make(tmp_path, "empty", b""), "--path", "iso/nothing")
    assert content(api, store, "iso/nothing") == b""
    cli("datastore", "download", store["id"], "iso/nothing", "-o", str(tmp_path / "nothing"))
    assert (tmp_path / "nothing").read_bytes() == b"" and not (tmp_path / "nothing.part").exists()


def test_a_name_that_is_taken_is_replaced_only_when_asked(cli, api, store, tmp_path):
    file = make(tmp_path, "one", b"one")
    cli("datastore", "upload", store["id"], file, "--path", "iso/taken")
    file = make(tmp_path, "one", b"other")
    refused = cli("datastore", "upload", store["id"], file, "--path", "iso/taken", expect=CONFLICT)
    assert "iso/taken already" in refused.stderr and "--overwrite" in refused.stderr
    refused = json.loads(cli("datastore", "upload", store["id"], file, "--path", "iso/taken", "-o", "json", expect=CONFLICT).stderr)
    assert refused["code"] == "name-taken" and "--overwrite" in refused["remedy"]
    assert content(api, store, "iso/taken") == b"one"
    cli("datastore", "upload", store["id"], file, "--path", "iso/taken", "--overwrite")
    assert content(api, store, "iso/taken") == b"other"
    here = make(tmp_path, "here", b"mine")
    refused = cli("datastore", "download", store["id"], "iso/taken", "-o", here, expect=CONFLICT)
    assert "--overwrite" in refused.stderr and (tmp_path / "here").read_bytes() == b"mine"
    cli("datastore", "download", store["id"], "iso/taken", "-o", here, "--overwrite")
    assert (tmp_path / "here").read_bytes() == b"other"


def test_an_unfinished_upload_goes_on(cli, api, store, tmp_path):
    data = os.urandom(2 * MIB + 7)
    file = make(tmp_path, "half", data)
    upload = begin(api, store, "iso/half", len(data))
    put(api, upload, data[:MIB], 0, len(data))
    done = cli("datastore", "upload", store["id"], file, "--path", "iso/half")
    assert "Going on with an unfinished upload: 1.0 MiB" in done.stderr
    assert content(api, store, "iso/half") == data
    assert api.read(f"/uploads/{upload['id']}")["state"] == "done", "it is the same one"
    assert api.count("uploads", filter='path="iso/half"') == 1


def test_a_file_that_was_changed_since_is_sent_anew(cli, api, store, tmp_path):
    old, new = os.urandom(MIB), os.urandom(MIB)
    upload = begin(api, store, "iso/changed", MIB)
    put(api, upload, old[:1000], 0, MIB)
    file = make(tmp_path, "changed", new)
    os.utime(file, (os.path.getmtime(file) + 60,) * 2)
    done = cli("datastore", "upload", store["id"], file, "--path", "iso/changed")
    assert "was changed" in done.stderr
    assert content(api, store, "iso/changed") == new
    api.delete(f"/uploads/{upload['id']}")


def test_no_wait_only_brings_it_to_the_server(cli, api, store, tmp_path):
    done = cli("datastore", "upload", store["id"], make(tmp_path, "later", b"later"), "--path", "iso/later", "--no-wait")
    assert done.stdout.startswith("Upload file ")
    wait_for(lambda: api.get(f"/datastores/{store['id']}/files/content?path=iso/later").status_code == 200, "it is there", 60)


def test_what_was_cut_goes_on_with_the_rest(cli, api, store, tmp_path):
    data = os.urandom(3 * MIB)
    cli("datastore", "upload", store["id"], make(tmp_path, "cut", data), "--path", "iso/cut")
    tag = api.request("HEAD", f"/datastores/{store['id']}/files/content?path=iso/cut").headers["ETag"]
    out, part, kept = tmp_path / "c.iso", tmp_path / "c.iso.part", tmp_path / "c.iso.part.etag"
    take = ["datastore", "download", store["id"], "iso/cut", "-o", str(out), "--continue"]
    # What is kept is not asked for again: bytes that only we can have written stay.
    for start in (MIB, 3 * MIB):
        part.write_bytes(b"x" * start)
        kept.write_text(tag + "\n")
        cli(*take)
        assert out.read_bytes() == b"x" * start + data[start:]
        assert not part.exists() and not kept.exists()
        out.unlink()
    for tag_there, why in (('"another"', "another one now"), (None, "starting over")):
        part.write_bytes(b"x" * MIB)
        if tag_there:
            kept.write_text(tag_there)
        assert why in cli(*take).stderr
        assert out.read_bytes() == data
        out.unlink()
    part.write_bytes(b"x" * MIB)
    kept.write_text(tag)
    cli(*[word for word in take if word != "--continue"])
    assert out.read_bytes() == data, "without --continue it begins anew"


def test_standard_output_takes_it_as_it_is(cli, api, store, tmp_path):
    data = bytes(range(256)) * 5000
    cli("datastore", "upload", store["id"], make(tmp_path, "raw", data), "--path", "iso/raw")
    program = str(paths.program("polyvisor"))
    done = subprocess.run([program, "datastore", "download", store["id"], "iso/raw", "-o", "-"], capture_output=True, env=cli.env, timeout=60)
    assert done.returncode == OK and done.stdout == data, done.stderr
    assert "--continue" in cli("datastore", "download", store["id"], "iso/raw", "-o", "-", "--continue", expect=USAGE).stderr


def test_what_is_not_there_is_said_and_leaves_nothing(cli, store, tmp_path):
    out = str(tmp_path / "x")
    assert cli("datastore", "download", store["id"], "iso/no-such", "-o", out, expect=NOT_FOUND).stderr
    cli("datastore", "download", "no such store", "iso/x", "-o", out, expect=NOT_FOUND)
    cli("datastore", "upload", "no such store", make(tmp_path, "f", b"f"), expect=NOT_FOUND)
    assert "cannot read" in cli("datastore", "upload", store["id"], str(tmp_path / "none"), expect=ERROR).stderr
    cli("datastore", "upload", store["id"], str(tmp_path), expect=USAGE)
    assert "folder" in cli("datastore", "upload", store["id"], str(tmp_path / "f"), "--path", "no/folder/f", expect=ERROR).stderr
    assert not [name for name in os.listdir(tmp_path) if name.startswith("x")]


class Cutting(http.server.BaseHTTPRequestHandler):
    """Promises 1,000,000 bytes, sends 300,000."""

    def do_GET(self):
        self.send_response(200)
        for name, value in (("Content-Type", "application/octet-stream"), ("Content-Length", "1000000"), ("ETag", '"t"')):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"y" * 300000)
        self.close_connection = True

    def log_message(self, *_):
        pass


def test_a_cut_answer_is_no_file(cli, tmp_path):
    cutting = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cutting)
    threading.Thread(target=cutting.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{cutting.server_address[1]}"
        out = tmp_path / "short"
        ended = cli("datastore", "download", "ds", "iso/short", "-o", str(out), expect=ERROR, POLYVISOR_URL=url, POLYVISOR_FINGERPRINT="")
        assert f"datastore download ds iso/short --output-file {out} --continue goes on" in ended.stderr
        assert not out.exists() and (tmp_path / "short.part").stat().st_size == 300000
        assert (tmp_path / "short.part.etag").read_text().strip() == '"t"'
        cli("datastore", "download", "ds", "iso/short", "-o", "-", expect=ERROR, POLYVISOR_URL=url, POLYVISOR_FINGERPRINT="")
    finally:
        cutting.shutdown()
        cutting.server_close()


def test_ctrl_c_says_what_goes_on(cli, api, server, store, tmp_path):
    big = max(api.read(f"/datastores/{store['id']}/files?path=iso")["items"], key=lambda f: f["size_bytes"])
    assert big["size_bytes"] > 1 << 29
    out = tmp_path / "big"
    taking = subprocess.Popen([str(paths.program("polyvisor")), "datastore", "download", store["id"], big["path"], "-o", str(out)],
                              env=cli.env, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: (tmp_path / "big.part").exists() and (tmp_path / "big.part").stat().st_size > MIB, "some of it is here", 60)
    taking.send_signal(signal.SIGINT)
    _, told = taking.communicate(timeout=60)
    assert taking.returncode == 130 and "Stopped" in told and "--continue" in told, told
    assert not out.exists() and (tmp_path / "big.part.etag").exists()
    (tmp_path / "big.part").unlink()


class Stumbling(http.server.BaseHTTPRequestHandler):
    """Takes an upload of any size; each piece meets another fault first."""

    protocol_version = "HTTP/1.1"
    faults, got, total, asked = [], b"", 0, []

    def state(self):
        done = len(self.got) == self.total
        return {"id": "up_1", "state": "sending" if done else "receiving", "offset_bytes": len(self.got),
                "size_bytes": self.total, "task": {"id": "tsk_1"} if done else None}

    def say(self, status, document):
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if status < 300 else "application/problem+json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        path = self.path.partition("?")[0].removeprefix("/api/v1")
        self.say(200, {"/me": {"user": {"id": "usr_1"}}, "/uploads": {"items": []},
                       "/tasks/tsk_1": {"id": "tsk_1", "state": "succeeded", "action": "datastore.file.upload"}}.get(path) or self.state())

    def do_POST(self):
        Stumbling.total = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["size_bytes"]
        self.say(201, self.state())

    def do_PUT(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        first = int(re.match(r"bytes (\d+)-", self.headers["Content-Range"])[1])
        fault = self.faults.pop(0) if self.faults else None
        self.asked.append(first)
        if fault == "busy":
            return self.say(503, {"status": 503, "code": "unavailable", "detail": "no room"})
        if fault == "behind":
            Stumbling.got = self.got[:-1000]
        if first != len(self.got):
            return self.say(409, {"status": 409, "code": "conflict", "detail": "elsewhere", "offset_bytes": len(self.got)})
        if fault == "no":
            return self.say(422, {"status": 422, "code": "validation-failed", "detail": "it is another file"})
        Stumbling.got += data
        if fault == "cut":
            self.close_connection = True
            return None
        return self.say(200, self.state())

    def log_message(self, *_):
        pass


@pytest.fixture
def stumbling():
    Stumbling.faults, Stumbling.got, Stumbling.total, Stumbling.asked = [], b"", 0, []
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stumbling)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield {"POLYVISOR_URL": f"http://127.0.0.1:{made.server_address[1]}", "POLYVISOR_FINGERPRINT": ""}
    made.shutdown()
    made.server_close()


def test_lost_answers_and_busy_servers_are_got_over(cli, stumbling, tmp_path):
    data = os.urandom(20 * MIB + 5)
    Stumbling.faults = ["cut", "busy", "behind"]
    done = cli("datastore", "upload", "ds_00000000000000000000000001", make(tmp_path, "f", data), **stumbling)
    assert Stumbling.got == data, "each byte once, in its place"
    assert len(Stumbling.asked) > 4 and "succeeded" in done.stdout


def test_what_the_server_does_not_want_is_not_tried_again(cli, stumbling, tmp_path):
    Stumbling.faults = ["no"]
    refused = cli("datastore", "upload", "ds_00000000000000000000000001", make(tmp_path, "f", b"data"), expect=ERROR, **stumbling)
    assert "it is another file" in refused.stderr and "goes on" not in refused.stderr
    assert Stumbling.asked == [0]


def test_an_upload_outlasts_a_restart_of_the_server(servers, tmp_path):
    server = servers("restarting")
    api = server.admin()
    add_estates(api, vms=12)
    store = api.items("datastores", filter="provider.family:vmware", sort="-free_bytes")[0]
    cli = Cli(server, tmp_path)
    data = os.urandom(40 * MIB)
    file = make(tmp_path, "large", data)
    sending = subprocess.Popen([str(paths.program("polyvisor")), "datastore", "upload", store["id"], file, "--path", "iso/large"],
                               env=cli.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: any(u["offset_bytes"] > 0 for u in api.items("uploads", view="full")), "some of it is there", 60)
    server.kill()
    server.start()
    out, told = sending.communicate(timeout=200)
    assert sending.returncode == OK, (out, told)
    assert content(server.admin(), store, "iso/large") == data
