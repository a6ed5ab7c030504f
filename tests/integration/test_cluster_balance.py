# SPDX-License-Identifier: Apache-2.0
"""Rules of clusters, and advice on moves: of simulated estates, from what is stored."""

import pytest

from support.wait import wait_for

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def api(module_servers):
    api = module_servers().admin()
    for name, family, rate in (("vmware", "vmware", 0), ("hyperv", "hyperv", 0), ("living", "vmware", 1)):
        answer = api.post("/providers", {"name": name, "driver": "sim", "endpoint": f"sim://{name}", "settings": {
            "family": family, "vms": 120, "hosts": 8, "clusters": 2, "seed": 7, "change_rate": rate}})
        assert answer.status_code == 201, answer.text
        api.wait_provider(answer.json()["id"])
    return api


def plan_of(api, cluster, threshold=5):
    return api.read(f"/clusters/{cluster['id']}/balance?threshold_pct={threshold}")


def with_numbers(api, cluster, threshold=5):
    return wait_for(lambda: (p := plan_of(api, cluster, threshold))["no_advice"] is None and p, "numbers of all hosts", 90)


def test_each_family_has_rules_and_one_is_broken(api):
    broken = wait_for(lambda: len(f := [r for r in api.items("cluster-rules", filter="state:violated", view="full")
                                        if r["provider"]["name"] != "living"]) >= 2 and f,
                      "it is looked at whether rules are kept", 60)
    assert {r["provider"]["name"] for r in broken} == {"vmware", "hyperv"}
    for rule in broken:
        assert rule["name"] == "Database nodes apart" and rule["rule_type"] == "separate"
        hosts = {api.read(f"/vms/{v['id']}")["host"]["id"] for v in rule["broken_by"]}
        assert len(rule["broken_by"]) == 2 and len(hosts) == 1, "both are on one host"
    one = broken[0]["cluster"]["id"]
    assert {r["cluster"]["id"] for r in api.read(f"/clusters/{one}/cluster-rules?view=full")["items"]} == {one}
    rules = {r["builtin"]: r for r in api.items("alert-rules")}
    assert rules["cluster-rule-broken"]["enabled"] and rules["cluster-rule-broken"]["of"] == "cluster_rule"


def living(api):
    return [c for c in api.items("clusters", view="full") if c["provider"]["name"] == "living"]


def places(api):
    return {v["id"]: v["host"]["id"] for v in api.items("vms", view="full", filter='provider="living" power_state=running')}


def quiet_plan(api, cluster):
    """A plan, and where the VMs were when it was made: nothing has moved meanwhile."""
    with_numbers(api, cluster)
    return wait_for(lambda: (before := places(api)) and (p := plan_of(api, cluster)) and places(api) == before and (p, before),
                    "a moment in which nothing moves", 60)


def test_advice_lessens_the_spread_and_breaks_no_rule(api):
    moved = 0
    for cluster in living(api):
        plan, at = quiet_plan(api, cluster)
        vms = {v["id"]: v for v in api.items("vms", view="full", filter='provider="living"')}
        hosts = {h["id"]: h for h in api.items("hosts", view="full", filter='provider="living"')}
        went = {m["vm"]["id"]: m["to"]["id"] for m in plan["moves"]}
        assert len(plan["moves"]) <= 20 and len(went) == len(plan["moves"])
        for move in plan["moves"]:
            to = hosts[move["to"]["id"]]
            assert at[move["vm"]["id"]] == move["from"]["id"]
            assert to["cluster"]["id"] == cluster["id"] and not to["maintenance_mode"]
            assert {d["id"] for d in vms[move["vm"]["id"]]["datastores"]} <= {d["id"] for d in to["datastores"]}
            assert move["reason_text"]["code"] == f"balance.{move['bound']}"
            assert move["reason_text"]["params"]["host"] == move["from"]["name"]
        at.update(went)
        for rule in api.items("cluster-rules", filter=f"cluster:{cluster['id']} enabled:true", view="full"):
            for vm in set(went) & {v["id"] for v in rule["vms"]}:
                others = [at[v["id"]] for v in rule["vms"] if v["id"] in at and v["id"] != vm]
                if rule["rule_type"] == "separate":
                    assert went[vm] not in others, rule
                if rule["rule_type"] == "vm_host":
                    assert went[vm] in {h["id"] for h in rule["hosts"]}, rule
        if plan["moves"]:
            moved += 1
            spread = [max(plan[when][of]["deviation_pct"] for of in ("cpu", "memory")) for when in ("now", "after")]
            assert spread[1] < spread[0] and plan["moves"][-1]["after"] == plan["after"]
    assert moved, "a cluster of these is so uneven that there is advice"


def test_nothing_is_advised_where_all_is_within_the_threshold(api):
    for cluster in living(api):
        plan = with_numbers(api, cluster, 100)
        assert plan["moves"] == [] and plan["balanced"] is True and plan["left_out"] == []


def test_without_numbers_nothing_is_advised(api):
    for cluster in api.items("clusters", view="full"):
        if cluster["provider"]["name"] != "living":
            plan = plan_of(api, cluster)
            assert plan["no_advice"] == "usage_missing" and plan["balanced"] is None and plan["moves"] == []


def test_a_fully_automated_cluster_says_so(api):
    for cluster in api.items("clusters", view="full"):
        plan = plan_of(api, cluster)
        assert plan["by_itself"] is (cluster["drs_mode"] == "fully_automated" or cluster["failover"]["auto_balance"] == "always")


def test_wrong_questions_are_refused(api):
    cluster = api.items("clusters")[0]
    answer = api.get(f"/clusters/{cluster['id']}/balance?threshold_pct=0")
    assert answer.status_code in (400, 422), answer.text
    assert api.get("/clusters/cl_00000000000000000000000000/balance").status_code == 404
