# SPDX-License-Identifier: Apache-2.0
"""Clusters of vSphere: what HA and DRS are set to, as pyvmomi has set it."""

import pytest
from pyVmomi import vim

from support.wait import wait_equal

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def vcenter(module_vcenters):
    return module_vcenters(cluster=1, host=3, vm=4, standalone_host=1)


def cluster_of(other):
    return other.objects(vim.ClusterComputeResource)[0]


def reconfigure(other, **parts):
    cluster = cluster_of(other)
    other.wait(cluster.ReconfigureComputeResource_Task(spec=vim.cluster.ConfigSpecEx(**parts), modify=True))
    return cluster


def shown(api):
    return api.items("clusters", view="full")[0]


def synced(api):
    """The simulator announces no change of a cluster's settings: a listing reads them."""
    api.sync(api.items("providers")[0]["id"])
    return shown(api)


def test_ha_and_drs_are_shown_as_they_are_set(api, other):
    for on, mode, ours in ((True, "partiallyAutomated", "partially_automated"), (False, "manual", "manual")):
        cluster = reconfigure(other, dasConfig=vim.cluster.DasConfigInfo(enabled=on, admissionControlEnabled=on),
                              drsConfig=vim.cluster.DrsConfigInfo(enabled=True, defaultVmBehavior=mode))
        theirs = other.get(cluster, "configurationEx")
        assert theirs.dasConfig.admissionControlEnabled is on, "the peer keeps it"
        found = synced(api)
        assert (found["ha_enabled"], found["ha"]["admission_control"], found["drs_mode"]) == (on, on, ours)
        assert found["drs"]["migration_threshold"] == theirs.drsConfig.vmotionRate


def test_what_a_vcenter_does_not_say_is_not_known(api, other):
    das = other.get(cluster_of(other), "configurationEx").dasConfig
    assert das.vmMonitoring is None and das.admissionControlPolicy is None
    found = synced(api)["ha"]
    assert found["vm_monitoring"] == found["admission_policy"] == "unknown"
    assert found["host_monitoring"] is None and found["cpu_reserved_pct"] is None and found["failover_hosts"] == []


# Rules

def add_rule(other, rule):
    reconfigure(other, rulesSpec=[vim.cluster.RuleSpec(operation="add", info=rule)])


def test_rules_are_shown_with_who_breaks_them(api, other):
    cluster = cluster_of(other)
    by_host = {}
    for vm in cluster.resourcePool.vm:
        by_host.setdefault(other.get(vm, "runtime.host")._moId, []).append(vm)
    together = next(vms for vms in by_host.values() if len(vms) > 1)[:2]
    home = other.get(together[0], "runtime.host")
    elsewhere = [h for h in cluster.host if h._moId != home._moId]
    rules = vim.cluster
    reconfigure(other, groupSpec=[
        rules.GroupSpec(operation="add", info=rules.VmGroup(name="licensed", vm=together[:1])),
        rules.GroupSpec(operation="add", info=rules.HostGroup(name="paid", host=elsewhere))])
    add_rule(other, rules.AntiAffinityRuleSpec(name="apart", enabled=True, mandatory=False, vm=together))
    add_rule(other, rules.AffinityRuleSpec(name="together", enabled=True, vm=together))
    add_rule(other, rules.AntiAffinityRuleSpec(name="not now", enabled=False, vm=together))
    add_rule(other, rules.VmHostRuleInfo(name="where it is paid", enabled=True, mandatory=True, vmGroupName="licensed",
                                         affineHostGroupName="paid"))
    add_rule(other, rules.DependencyRuleInfo(name="first", enabled=True, vmGroup="licensed", dependsOnVmGroup="licensed"))
    synced(api)

    def found():
        return {r["name"]: r for r in api.items("cluster-rules", view="full")}

    wait_equal(lambda: {name: r["state"] for name, r in found().items()},
               {"apart": "violated", "together": "kept", "not now": "off", "where it is paid": "violated", "first": "unknown"},
               "it is looked at whether they are kept", 60)
    natives = {v["id"]: v["native"]["id"] for v in api.items("vms", fields="id,native.id")}
    natives.update({h["id"]: h["native"]["id"] for h in api.items("hosts", fields="id,native.id")})

    def ids(refs):
        return sorted(natives[r["id"]] for r in refs or [])

    theirs = {r.name: r for r in other.get(cluster, "configurationEx").rule}
    shown = found()
    assert {r["native"]["id"] for r in shown.values()} == {str(r.key) for r in theirs.values()}
    assert ids(shown["apart"]["vms"]) == ids(shown["apart"]["broken_by"]) == sorted(v._moId for v in together)
    where = shown["where it is paid"]
    assert (where["rule_type"], where["mandatory"], where["placement"]) == ("vm_host", True, "on_hosts")
    assert ids(where["vms"]) == ids(where["broken_by"]) == [together[0]._moId]
    assert ids(where["hosts"]) == sorted(h._moId for h in elsewhere) and where["host_group"] == "paid"
    assert shown["first"]["rule_type"] == "dependency" and ids(shown["first"]["depends_on"]) == [together[0]._moId]
    # One that is removed is gone with the next listing.
    reconfigure(other, rulesSpec=[vim.cluster.RuleSpec(operation="remove", removeKey=theirs["together"].key)])
    synced(api)
    assert sorted(found()) == ["apart", "first", "not now", "where it is paid"]
