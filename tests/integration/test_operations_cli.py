# SPDX-License-Identifier: Apache-2.0
"""The command line's verbs follow from the operation table: flags with dots, sizes, files, names."""

import json
import subprocess

import pytest

from support import paths
from support.operations import GIB, add_estates


@pytest.fixture(scope="module")
def cli(module_servers, tmp_path_factory):
    server = module_servers("cli")
    api = server.admin()
    providers = add_estates(api)
    home = tmp_path_factory.mktemp("home")

    def run(*args, code=0, stdin=None):
        env = {"HOME": str(home), "PATH": "/usr/bin:/bin", "POLYVISOR_URL": server.url, "POLYVISOR_TOKEN": api.token,
               "POLYVISOR_CA": str(server.cert_file), "LANG": "C.UTF-8"}
        done = subprocess.run([str(paths.BUILD / "bin" / "polyvisor"), *args], capture_output=True, text=True, env=env,
                              timeout=60, input=stdin)
        assert done.returncode == code, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    run.api = api
    run.providers = providers
    run.home = home
    run.host = api.items("hosts", filter=f"provider:{providers['hv1']['id']}")[0]["name"]
    return run


def test_a_vm_is_made_with_flags(cli):
    cli("vm", "create", "--name", "typed", "--host", cli.host, "--cpu.count", "2", "--memory.bytes", "2GiB",
        "--disks", "capacity_bytes=10GiB", "--disks", "capacity_bytes=1GiB,image.subformat=fixed")
    vm = cli.api.one("vms", "typed")
    assert vm["cpu"]["count"] == 2 and vm["memory"]["bytes"] == 2 * GIB
    assert [d["capacity_bytes"] for d in vm["disks"]] == [10 * GIB, GIB]


def test_a_vm_is_made_from_a_file_and_flags_win(cli):
    body = {"name": "filed", "host": f"name:{cli.host}", "cpu": {"count": 1, "weight": 50}}
    (cli.home / "vm.json").write_text(json.dumps(body))
    cli("vm", "create", "-f", str(cli.home / "vm.json"), "--cpu.count", "3")
    vm = cli.api.one("vms", "filed")
    assert vm["cpu"]["count"] == 3 and vm["cpu"]["weight"] == 50


def test_a_rehearsal_says_what_would_be(cli):
    said = cli("vm", "create", "--name", "maybe", "--host", cli.host, "--dry-run")
    assert "Create VM" in said and not cli.api.items("vms", filter='name="maybe"')


def test_a_vm_is_changed_renamed_and_deleted(cli):
    cli("vm", "create", "--name", "short", "--host", cli.host)
    cli("vm", "reconfigure", "short", "--cpu.count", "4", "--annotation", "by hand")
    vm = cli.api.one("vms", "short")
    assert vm["cpu"]["count"] == 4 and vm["annotation"] == "by hand"
    cli("vm", "rename", "short", "--name", "shorter")
    cli("vm", "disk", "attach", "shorter", "--capacity-bytes", "2GiB")
    assert len(cli.api.one("vms", "shorter")["disks"]) == 1
    cli("vm", "nic", "update", "shorter", cli.api.one("vms", "shorter")["nics"][0]["id"], "--vlan.mode", "access",
        "--vlan.id", "7")
    cli("vm", "delete", "shorter", code=2)
    cli("vm", "delete", "shorter", "--disks", "delete", "--yes")
    assert not cli.api.items("vms", filter='name="shorter" presence:present')


def test_the_screen_is_written_to_a_file(cli):
    vm = cli.api.items("vms", filter=f"provider:{cli.providers['hv1']['id']} power:running")[0]
    cli("vm", "screenshot", vm["id"], "--file", str(cli.home / "screen.png"))
    assert (cli.home / "screen.png").read_bytes().startswith(b"\x89PNG")
    assert "2179" in cli("vm", "console", vm["id"])
    cli("vm", "keystrokes", vm["id"], "--text", "hello")


@pytest.mark.parametrize("args, words", [
    (("vm", "reconfigure", "x", "--cpu.cuont", "2"), "no flag"),
    (("vm", "reconfigure", "x", "--memory.bytes", "lots"), "size"),
    (("vm", "create", "--name", "y", "--disks", "colour=red"), "colour"),
    (("vm", "create",), "needed"),
])
def test_a_slip_is_told_before_anything_is_asked(cli, args, words):
    assert words in cli(*args, code=2)


def test_help_names_the_dotted_flags(cli):
    said = cli("vm", "reconfigure", "--help")
    assert "--cpu.count" in said and "--memory.bytes SIZE" in said
    assert "--disks" in cli("vm", "create", "--help")


def test_disk_images_and_switches_have_verbs(cli):
    cli("disk-image", "create", "--host", cli.host, "--path", "pool/x.vhdx", "--capacity-bytes", "1GiB")
    image = cli.api.items("disk-images", filter='name="x.vhdx"')[0]
    cli("disk-image", "resize", image["id"], "--capacity-bytes", "2GiB")
    cli("disk-image", "delete", image["id"], "--yes")
    cli("switch", "create", "--name", "lab", "--host", cli.host, "--switch-type", "private")
    cli("switch", "delete", cli.api.items("switches", filter='name="lab"')[0]["id"], "--yes")
