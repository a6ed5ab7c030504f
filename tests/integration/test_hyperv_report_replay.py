# SPDX-License-Identifier: Apache-2.0
"""A report of a host, answered again by a read-only host, gives the same inventory; a masked one the same shape."""

import json
import re
import subprocess
from collections import Counter

import pytest

from support import paths
from support.hyperv import HypervFake
from support.wait import wait_for
from support.wsman import WsMan

KINDS = ("hosts", "clusters", "vms", "controllers", "disks", "cdroms", "nics", "snapshots", "switches", "networks", "datastores",
         "disk-images")
# Of the record, not of the host; or later than the report.
OURS = {"id", "provider", "created_at", "updated_at", "observed_at", "version", "usage", "stale", "stale_reason", "boot_time",
        "actions", "missing", "certificate"}
VSMS = "Msvm_VirtualSystemManagementService"


def add(api, host):
    provider = api.add_provider(host.name, host.url, host.user, host.password, {"mode": "pin", "pins": [host.cert_sha256]},
                                "wmi", settings={"events": False})
    api.wait_provider(provider["id"])
    wait_for(lambda: all(d["capacity_bytes"] for d in api.items("disks", view="full")), "the sizes of all disks", 90)
    # What belongs to a VM is told after it: once more from the beginning, and all of it is there.
    task = api.post(f"/providers/{provider['id']}/actions/sync").json()
    ended = api.wait_task(task["id"], 120)
    assert ended["state"] == "succeeded", str(ended["error"])
    return provider


def listed(api, kind):
    if kind != "snapshots":
        return api.items(kind, view="full")
    return [s for vm in api.items("vms", view="full") if vm["snapshots"]["count"]
            for s in api.items(f"vms/{vm['id']}/snapshots", view="full")]


def picture(api):
    """{(kind, native id): document}, with native ids for ours."""
    found = {(kind, o["native"]["id"]): o for kind in KINDS for o in listed(api, kind)}
    ids = {o["id"]: f"{kind} {native}" for (kind, native), o in found.items()}

    def plain(node):
        if isinstance(node, dict):
            return {k: plain(v) for k, v in node.items() if "created_at" not in node or k not in OURS}
        if isinstance(node, list):
            return [plain(v) for v in node]
        return ids.get(node, node) if isinstance(node, str) else node

    return {key: plain(o) for key, o in found.items()}


def shape(node):
    """What stays of a document when nobody's names are left: numbers, words of ours, and how many of what."""
    if isinstance(node, dict):
        return {k: shape(v) for k, v in sorted(node.items())}
    if isinstance(node, list):
        return sorted((shape(v) for v in node), key=repr)
    if isinstance(node, str):
        if re.fullmatch(r"[0-9.]+|[0-9TZ:.-]+|[a-z_]+", node):
            return node if not re.fullmatch(r"\d+\.\d+\.\d+\.\d+", node) else "address"
        return "text"
    return node


def members(documents, kind):
    """{member: how often each shape of it}"""
    found = {}
    for (of, _), document in documents.items():
        if of == kind:
            for name, value in document.items():
                found.setdefault(name, Counter())[json.dumps(shape(value))] += 1
    return found


def write_report(folder, host, *options):
    (folder / "config.json").write_text(json.dumps({"endpoint": host.url, "username": host.user,
                                                    "tls": {"mode": "pin", "pins": [host.cert_sha256]}}))
    (folder / "secrets.json").write_text(json.dumps({"password": host.password}))
    done = subprocess.run([paths.program("polyvisor-driverhost"), "--probe", "wmi", "--config", folder / "config.json",
                           "--secrets", folder / "secrets.json", "--report", folder / "report.json", *options],
                          capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "report.json"


@pytest.fixture(scope="module")
def original(tmp_path_factory, module_servers):
    """A host of a cluster, and what the API shows of it."""
    with HypervFake(tmp_path_factory.mktemp("original"), hosts=2, vms=32, cluster=2, domain="corp.example") as fake:
        api = module_servers().admin()
        add(api, fake.hosts[0])
        yield fake.hosts[0], picture(api)


def differences(wanted, seen):
    lines = [f"{key} is missing" for key in wanted if key not in seen] + [f"{key} is too much" for key in seen if key not in wanted]
    for key in set(wanted) & set(seen):
        for member in sorted(set(wanted[key]) | set(seen[key])):
            if wanted[key].get(member) != seen[key].get(member):
                lines.append(f"{key}: {member}: {wanted[key].get(member)!r} became {seen[key].get(member)!r}")
    return lines


def test_a_replayed_report_gives_the_inventory_of_its_host(tmp_path, servers, original):
    host, wanted = original
    path = write_report(tmp_path, host, "--samples", "100000")
    with HypervFake(tmp_path / "replay", replay_report=path) as fake:
        assert fake.info["hosts"][0]["name"] == host.name and fake.info["hosts"][0]["vms"] == len(host.vms())
        api = servers().admin()
        provider = add(api, fake.hosts[0])
        lines = differences(wanted, picture(api))
        assert not lines, f"{len(lines)} differences:\n" + "\n".join(lines[:40])
        assert api.provider(provider["id"])["product"]["name"].startswith("Microsoft Windows Server 2022")


def test_a_masked_report_gives_an_inventory_of_the_same_shape(tmp_path, servers, original):
    host, wanted = original
    path = write_report(tmp_path, host, "--samples", "100000", "--mask")
    with HypervFake(tmp_path / "replay", replay_report=path) as fake:
        api = servers().admin()
        add(api, fake.hosts[0])
        seen = picture(api)
        names = {o["name"] for (kind, _), o in wanted.items() if kind in ("vms", "hosts", "clusters")}
        assert not [n for n in names if n in json.dumps(list(seen.values()))], "a name got through the mask"
        for kind in KINDS:
            one, two = members(wanted, kind), members(seen, kind)
            for name in sorted(set(one) | set(two)):
                assert one.get(name) == two.get(name), f"{kind}: {name}"


def test_what_was_not_recorded_is_refused_as_a_host_would(tmp_path, original):
    host, _ = original
    path = write_report(tmp_path, host)
    with HypervFake(tmp_path / "replay", replay_report=path, http=True) as fake:
        replayed = fake.hosts[0]
        replayed.settings(allow_unencrypted=True, basic=True)
        client = WsMan(replayed)
        assert len(client.enumerate("Msvm_ComputerSystem")) == 3, "no more than the samples of the report"
        for cls, word in (("Msvm_Battery", "DestinationUnreachable"), ("Msvm_NoSuchClass", "DestinationUnreachable")):
            with pytest.raises(AssertionError, match=word):
                client.enumerate(cls)
        assert "AccessDenied" in client.service(VSMS, "DefineSystem", {"SystemSettings": ""}).fault
        answer = client.service(VSMS, "GetSummaryInformation", {"RequestedInformation": [0, 1]})
        assert answer.returned == 0 and answer.text.count("<p:SummaryInformation ") == len(host.vms())


def test_a_file_of_another_format_is_no_report(tmp_path):
    (tmp_path / "other.json").write_text('{"format": "something/9"}')
    with pytest.raises(AssertionError, match="is no report"):
        HypervFake(tmp_path / "replay", replay_report=tmp_path / "other.json")
