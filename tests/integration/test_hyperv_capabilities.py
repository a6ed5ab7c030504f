# SPDX-License-Identifier: Apache-2.0
"""What a Hyper-V host cannot do is said by capabilities, with the reason, before anybody asks; who asks hears the same."""

import pytest

from support.wait import wait_for

pytestmark = pytest.mark.timeout(200)

GIB = 1 << 30


@pytest.fixture(scope="module")
def builds(hyperv_hosts):
    """{build: estate}"""
    return {build: hyperv_hosts(f"build{build}", build=build, vms=4) for build in ("2012R2", "2022", "11")}


def capabilities(hv):
    items = hv.api.read(f"/providers/{hv.providers[0]['id']}/capabilities")["items"]
    names = [c["name"] for c in items]
    assert len(names) == len(set(names)), "each is named once"
    return {c["name"]: c for c in items}


@pytest.mark.parametrize("build", ["2012R2", "2022", "11"])
def test_what_is_missing_has_a_reason_and_every_operation_is_named(builds, build):
    hv = builds[build]
    found = capabilities(hv)
    for one in found.values():
        assert (one["state"] == "yes") == (not one["reason"]), one
    vm = hv.off()
    actions = {a["name"]: a for a in hv.api.read(f"{hv.path(vm)}/actions")["items"]}
    for name, action in actions.items():
        assert action["state"] == "yes" or action["reason"], name
        assert action["allowed_now"] or action["reason"], name
        if not name.startswith("object."):
            assert name in found or action["state"] != "no", name


@pytest.mark.parametrize("name, build, words, needs", [
    ("vm.tpm", "2012R2", "Windows Server 2016", "Windows Server 2016"), ("vm.snapshot.quiesce", "2012R2", "Windows Server 2016", "Windows Server 2016"),
    ("vm.hotadd.memory", "2012R2", "Windows Server 2016", "Windows Server 2016"), ("vm.move.live", "11", "client editions", "Windows Server"),
    ("vm.replication", "11", "client editions", "Windows Server"), ("vm.clone_linked", "2022", "shares disks", None),
    ("vm.template", "2022", "templates", None), ("vm.clone", "2022", "export and an import", None)])
def test_the_version_of_the_host_decides(builds, name, build, words, needs):
    one = capabilities(builds[build])[name]
    assert one["state"] == ("limited" if name == "vm.clone" else "no") and words in one["reason"], one
    assert one["needs"] == ([needs] if needs else [])
    if build != "2022":
        assert capabilities(builds["2022"])[name]["state"] == "yes"


@pytest.mark.parametrize("dry_run", ["true", "false"])
@pytest.mark.parametrize("verb, path, body, words", [
    ("patch", "", {"tpm": True}, "TPM"), ("post", "/snapshots", {"name": "calm", "quiesce": True}, "production checkpoints"),
    ("post", "/actions/template", {"template": True}, "templates"), ("post", "/actions/clone", {"name": "twin", "linked": True}, "shares disks")])
def test_who_asks_all_the_same_is_refused_at_once_with_that_reason(builds, verb, path, body, words, dry_run):
    hv = builds["2012R2"]
    hv.control.reset()
    problem = hv.refused(verb, f"{hv.path(hv.off())}{path}", body, dry_run=dry_run)
    assert problem["code"] == "not-supported" and words in problem["detail"], problem
    assert not [r for r in hv.control.ledger() if r["action"] == "Invoke" and r["method"] not in ("GetSummaryInformation",
                "GetVirtualHardDiskSettingData", "GetVirtualHardDiskState")]


def test_live_migration_that_is_turned_off_shows_and_comes_back(builds):
    hv = builds["2022"]
    provider = hv.providers[0]["id"]
    for change, state, words in (({"EnableVirtualSystemMigration": False}, "no", "turned off"), ({"EnableVirtualSystemMigration": True}, "yes", ""),
                                 ({"AuthenticationType": 0}, "no", "CredSSP"), ({"AuthenticationType": 1}, "yes", "")):
        hv.host.settings(migration=change)
        hv.api.post(f"/providers/{provider}/actions/sync")
        one = wait_for(lambda: (lambda c: c if c["state"] == state else None)(capabilities(hv)["vm.move.live"]), f"{change} should show")
        assert words in (one["reason"] or ""), one
