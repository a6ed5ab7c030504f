# SPDX-License-Identifier: Apache-2.0
"""Clusters of vSphere: what HA and DRS are set to, as pyvmomi has set it."""

import pytest
from pyVmomi import vim

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
