# SPDX-License-Identifier: Apache-2.0
"""Adding a field is one line in one file (docs/model.md): a copy of the tree gets the line, is built, and the field is
in the API, its description, the filter language, the command line and the database that was there before."""

import difflib
import json
import os
import re
import shutil
import sqlite3
import subprocess

import pytest

from support import paths
from support.certs import served_sha256
from support.client import Api, host_port, problem
from support.server import Server

NEEDED = ("CMakeLists.txt", "cmake", "lib", "drivers", "db", "server")
DECLARATIONS = "lib/model/kinds/vm.def"
LINE = 'FIELD(vm, {slot}, test_probe_on, "test_probe.on", BOOL, 0, SEARCH | SORT, "A field that only a test has.")\n'
COLUMN = "test_probe_on"


def texts(tree):
    """Every file below the folders that are built, by its path."""
    found = {}
    for top in NEEDED:
        start = tree / top
        for path in [start] if start.is_file() else sorted(p for p in start.rglob("*") if p.is_file()):
            found[str(path.relative_to(tree))] = path.read_text().splitlines()
    return found


def changed_lines(one, other):
    """The lines that a diff of two trees would show, with their files."""
    before, after = texts(one), texts(other)
    return [(name, line) for name in sorted(before.keys() | after.keys())
            for line in difflib.unified_diff(before.get(name, []), after.get(name, []), n=0, lineterm="")
            if line[:1] in "+-" and not line.startswith(("+++", "---"))]


def run(*argv):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, f"{' '.join(map(str, argv))}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """The tree as it is, and the tree with the line, built without tests, optimisation and sanitizers."""
    folder = tmp_path_factory.mktemp("one-line")
    plain, changed = folder / "plain", folder / "changed"
    for copy in (plain, changed):
        copy.mkdir()
        for top in NEEDED:
            source = paths.ROOT / top
            if source.is_dir():
                shutil.copytree(source, copy / top, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
            else:
                shutil.copy2(source, copy / top)
    file = changed / DECLARATIONS
    lines = file.read_text().splitlines(keepends=True)
    slots = [(int(found[1]), i) for i, line in enumerate(lines) if (found := re.match(r"FIELD\(vm, +(\d+),", line))]
    lines.insert(max(slots)[1] + 1, LINE.format(slot=max(slots)[0] + 1))
    file.write_text("".join(lines))
    return plain, changed


@pytest.fixture(scope="module")
def build(copies):
    target = copies[1] / "build"
    run(paths.tool("cmake", "apt install cmake"), "-G", "Ninja", "-S", copies[1], "-B", target, "-DPV_TESTS=OFF",
        "-DCMAKE_C_FLAGS=-O0 -g0")
    run(paths.tool("ninja", "apt install ninja-build"), "-C", target, "polyvisord", "polyvisor")
    return target


class ChangedServer(Server):
    """The server of the copy. The drivers stay those of the tree under test: they do not know the field."""

    def __init__(self, build, folder, **more):
        self.build = build
        super().__init__(folder, args=["--set", f"driver_dir={paths.DRIVERS}",
                                       "--set", f"driver_host={paths.program('polyvisor-driverhost')}"], **more)

    def argv(self):
        return [self.build / "bin" / "polyvisord", *super().argv()[1:]]

    def plain_admin(self):
        """Not held against the API description of the tree under test, which has one field less."""
        self.token = self.token or self.make_token("one line")
        return Api(self.url, self.cert_file, self.token)


def columns(data):
    with sqlite3.connect(f"file:{data}/polyvisor.db?mode=ro", uri=True) as db:
        return {row[1] for row in db.execute("PRAGMA table_info(k_vm)")}


@pytest.fixture(scope="module")
def server(build, tmp_path_factory):
    """The changed server, started on a data folder that the unchanged one has left."""
    folder = tmp_path_factory.mktemp("server")
    before = Server(folder, demo=True)
    try:
        before.admin().count("vms")
    finally:
        assert before.stop() == 0
    assert COLUMN not in columns(before.data)
    after = ChangedServer(build, folder, demo=True)
    try:
        yield after
    finally:
        assert after.stop() == 0
        assert not after.sanitizer_reports()


@pytest.fixture
def api(server):
    return server.plain_admin()


def test_one_line_in_one_file_was_changed(copies):
    [(file, line)] = changed_lines(*copies)
    assert file == DECLARATIONS and line.startswith("+FIELD(vm, ") and "test_probe_on" in line


def test_the_database_that_was_there_has_its_column(server):
    assert COLUMN in columns(server.data)


def test_the_api_description_has_the_field(api):
    vm = api.read("/openapi.json")["components"]["schemas"]["Vm"]
    assert "A field that only a test has." in json.dumps(vm["properties"]["test_probe"])


def test_a_vm_shows_the_field(api):
    some = api.read("/vms", limit=1)["items"][0]
    assert "test_probe" in some and "on" in some["test_probe"], sorted(some)
    vm = api.read(f"/vms/{some['id']}")
    assert vm["test_probe"] == {"on": None}, "no driver has reported it, which is not the same as false"


def test_filter_and_sort_know_the_field(api):
    assert api.read("/vms", filter="test_probe.on:true", count="exact")["count"] == 0
    assert api.read("/vms", filter="test_probe.on:null", count="exact")["count"] == api.count("vms") > 0
    assert api.read("/vms", sort="-test_probe.on", limit=1)["items"]
    problem(api.get("/vms", filter="test_probe.off:true"), 400, "invalid-filter")


def test_the_command_line_explains_the_field(build, server, api, tmp_path):
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8", "POLYVISOR_URL": server.url,
           "POLYVISOR_TOKEN": server.token, "POLYVISOR_FINGERPRINT": served_sha256(*host_port(server.url))}
    done = subprocess.run([build / "bin" / "polyvisor", "explain", "vm"], capture_output=True, text=True, timeout=60, env=env)
    assert done.returncode == 0, done.stderr
    assert "test_probe.on" in done.stdout and "A field that only a test has." in done.stdout
