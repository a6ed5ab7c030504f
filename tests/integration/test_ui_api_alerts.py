# SPDX-License-Identifier: Apache-2.0
"""Alerts: what rules find, until it is over; rules that come with the product; what people do with alerts."""

from datetime import datetime, timedelta, timezone

import pytest

from support.client import said
from support.wait import wait_for


@pytest.fixture(scope="module")
def api(module_servers):
    api = module_servers("alerts", demo=True).admin()
    wait_for(lambda: api.count("vms") >= 500, "the estate should be there", 120)
    return api


def rule(api, name, **more):
    made = api.post("/alert-rules", {"name": name, **more})
    assert made.status_code == 201, said(made)
    return made.json()


def alerts_of(api, one, **more):
    return api.items("alerts", filter=f"rule={one['id']}", **more)


def find(api, one, state, count=1):
    def look():
        found = [a for a in alerts_of(api, one) if a["state"] == state]
        return found if len(found) == count else None
    return wait_for(look, f"{count} alerts of {one['name']} should be {state}", 60)


def test_rules_come_with_the_product(api):
    rules = api.items("alert-rules", view="full")
    words = {one["builtin"] for one in rules if one["builtin"]}
    assert words == {"provider-unreachable", "provider-auth-failed", "provider-cert-changed", "host-disconnected",
                     "host-certificate", "datastore-full", "vm-critical", "vm-missing", "snapshot-old", "snapshot-expiry-failed",
                     "question-pending", "task-failed", "cluster-rule-broken"}
    assert all(one["enabled"] for one in rules)
    refused = api.delete(f"/alert-rules/{rules[0]['id']}")
    assert refused.status_code == 409, said(refused)
    for one in rules:
        answer = api.post(f"/alert-rules/{one['id']}/actions/test")
        assert answer.status_code == 200, said(answer)


def test_critical_vms_have_alerts(api):
    [critical] = api.items("alert-rules", filter="builtin=vm-critical")
    wanted = {vm["id"] for vm in api.items("vms", filter="health:critical")}
    found = wait_for(lambda: (lambda a: a if {one["subject_id"] for one in a} >= wanted else None)(
        alerts_of(api, critical)), "each critical VM should have an alert", 60)
    assert wanted and all(one["severity"] == "error" and one["ref"]["name"] for one in found)


def test_the_alert_of_a_snapshot_names_its_vm(api):
    [old] = api.items("alert-rules", filter="builtin=snapshot-old")
    found = wait_for(lambda: alerts_of(api, old, view="full"), "old snapshots should have alerts", 60)
    for alert in found[:20]:
        snapshot = api.read(f"/snapshots/{alert['ref']['id']}")
        assert alert["ref"]["owner"] == {"kind": "vm", **snapshot["vm"]}


def test_an_alert_lives_as_long_as_it_is_found(api):
    vm = api.items("vms", filter="template:false")[0]
    one = rule(api, "marked for test", of="vm", filter="notes=mark-one", severity="error")
    since = api.last_seq()
    assert api.patch(f"/vms/{vm['id']}", {"notes": "mark-one"}).status_code == 200
    [alert] = find(api, one, "firing")
    assert alert["ref"]["id"] == vm["id"] and alert["subject_id"] == vm["id"]
    assert alert["message"] == f"marked for test: {vm['name']}"
    assert alert["provider"]["id"] == vm["provider"]["id"]
    assert api.patch(f"/vms/{vm['id']}", {"notes": ""}).status_code == 200
    [over] = find(api, one, "resolved")
    assert over["id"] == alert["id"] and over["resolved_at"]
    types = [event["type"] for event in api.events(since) if event["type"].startswith("alert.")
             and event["ref"]["id"] == alert["id"]]
    assert types == ["alert.firing", "alert.resolved"]


def test_people_take_note_silence_and_resolve(api):
    vm = api.items("vms", filter="template:false")[1]
    one = rule(api, "handled by people", of="vm", filter="notes=mark-two", severity="warning")
    assert api.patch(f"/vms/{vm['id']}", {"notes": "mark-two"}).status_code == 200
    [alert] = find(api, one, "firing")
    act = f"/alerts/{alert['id']}/actions"
    noted = api.post(f"{act}/acknowledge", {"note": "looking at it"})
    assert noted.status_code == 200, said(noted)
    assert noted.json()["state"] == "acknowledged" and noted.json()["owner"] and noted.json()["note"] == "looking at it"
    silenced = api.post(f"{act}/silence", {"for_s": 3600}).json()
    assert silenced["silenced_until"] > silenced["acknowledged_at"]
    assert api.post(f"{act}/silence", {"until": None}).json()["silenced_until"] is None
    done = api.post(f"{act}/resolve", {"note": "replaced"}, headers={"If-Match": f'"alert-{silenced["version"] + 1}"'})
    assert done.status_code == 200, said(done)
    assert done.json()["state"] == "resolved" and done.json()["resolved_by"]
    assert api.post(f"{act}/resolve").status_code == 409
    # It is still found; that is no news until it was away.
    other = rule(api, "later than that", of="vm", filter="notes=mark-two")
    find(api, other, "firing")
    assert [a["state"] for a in alerts_of(api, one)] == ["resolved"]
    assert api.patch(f"/vms/{vm['id']}", {"notes": ""}).status_code == 200
    find(api, other, "resolved")
    assert api.patch(f"/vms/{vm['id']}", {"notes": "mark-two"}).status_code == 200
    find(api, one, "firing")


def test_a_number_beyond_a_bound(api):
    wait_for(lambda: api.read("/api/v1/metrics/top", name="cpu.usage_pct", kind="host")["items"], "numbers", 60)
    tried = api.post("/alert-rules/actions/test", {"of": "host", "metric": "cpu.usage_pct", "below": 101})
    assert tried.status_code == 200, said(tried)
    assert tried.json()["count"] > 0 and all(one["value"] <= 100 for one in tried.json()["items"])
    none = api.post("/alert-rules/actions/test", {"of": "host", "metric": "cpu.usage_pct", "above": 1000}).json()
    assert none["count"] == 0
    full = api.post("/alert-rules/actions/test", {"of": "datastore", "metric": "free_pct", "below": 101}).json()
    assert full["count"] == api.count("datastores", filter="-capacity_bytes:null -free_bytes:null capacity_bytes>0")


@pytest.mark.parametrize("body, pointer", [
    ({"name": "x", "of": "vmx", "filter": "a"}, "/of"), ({"name": "x", "of": "vm"}, "/filter"),
    ({"name": "x", "of": "vm", "filter": "powr:on"}, "/filter"), ({"name": "x", "of": "vm", "metric": "cpu.no", "below": 1}, "/metric"),
    ({"name": "x", "of": "vm", "metric": "cpu.usage_pct"}, "/below"), ({"name": "x", "of": "vm", "filter": "a", "below": 3}, "/metric"),
    ({"name": "x", "of": "vm", "metric": "free_pct", "below": 3}, "/metric")])
def test_wrong_rules_are_refused(api, body, pointer):
    answer = api.post("/alert-rules", body)
    assert answer.status_code in (400, 422), said(answer)
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_a_rule_that_goes_ends_its_alerts(api):
    vm = api.items("vms", filter="template:false")[2]
    one = rule(api, "short lived", of="vm", filter=f"id={vm['id']}")
    [alert] = find(api, one, "firing")
    assert api.delete(f"/alert-rules/{one['id']}").status_code == 204
    wait_for(lambda: api.read(f"/alerts/{alert['id']}")["state"] == "resolved", "its alert should be over", 60)


def test_the_summary_counts_open_alerts(api):
    wait_for(lambda: api.read("/summary")["alerts"]["firing"] == api.count("alerts", filter="state:firing"),
             "the summary should count them", 30)


def test_alerts_are_not_found_again_after_a_restart(servers):
    server = servers(demo=True)
    api = server.admin()
    wait_for(lambda: api.count("vms") >= 500, "the estate should be there", 120)
    [critical] = api.items("alert-rules", filter="builtin=vm-critical")
    wanted = api.count("vms", filter="health:critical")
    before = find(api, critical, "firing", wanted)
    server.restart()
    api = server.admin()
    one = rule(api, "all hosts", of="host", filter="-name=nothing", severity="info")
    find(api, one, "firing", api.count("hosts"))
    assert {a["id"] for a in alerts_of(api, critical) if a["state"] == "firing"} >= {a["id"] for a in before}


def hour(offset):
    return (datetime.now(timezone.utc) + timedelta(hours=offset)).strftime("%Y-%m-%dT%H:%M:%SZ")


def silence(api, **body):
    made = api.post("/alert-silences", {"name": "works", "ends_at": hour(2), **body})
    assert made.status_code == 201, said(made)
    return made.json()


def hushed(api, alert, by):
    """The alert once it falls into that silence, or into none."""
    def look():
        now = api.read(f"/alerts/{alert['id']}")
        return now if (now["silenced_by"] or {}).get("id") == by else None
    return wait_for(look, f"the alert should fall into {by}", 60)


def test_a_silence_is_about_what_its_filter_finds_for_as_long_as_it_lasts(api):
    inside, beside, late = [vm for vm in api.items("vms", filter="template:false")[2:5]]
    one = rule(api, "watched in silence", of="vm", filter="notes=mark-three")
    for vm in (inside, beside):
        assert api.patch(f"/vms/{vm['id']}", {"notes": "mark-three"}).status_code == 200
    found = {a["subject_id"]: a for a in find(api, one, "firing", 2)}
    assert api.patch(f"/vms/{inside['id']}", {"tags": ["works=now"]}).status_code == 200
    since = api.last_seq()
    quiet = silence(api, of="vm", filter="tag:works=now")
    silent = hushed(api, found[inside["id"]], quiet["id"])
    assert silent["silenced_until"] == quiet["ends_at"] and silent["state"] == "firing"
    assert api.read(f"/alerts/{found[beside['id']]['id']}")["silenced_until"] is None
    # The machine may have alerts of other rules, too.
    mine = {a["id"] for a in found.values()}
    assert [e["ref"]["id"] for e in api.events(since) if e["type"] == "alert.silenced" and e["ref"]["id"] in mine] == \
        [silent["id"]]
    # What is found meanwhile is silent from its first moment.
    assert api.patch(f"/vms/{late['id']}", {"tags": ["works=now"], "notes": "mark-three"}).status_code == 200
    [new] = [a for a in find(api, one, "firing", 3) if a["subject_id"] == late["id"]]
    assert new["silenced_by"]["id"] == quiet["id"] and new["version"] == 1
    # Ended before its time: they are told again.
    assert api.delete(f"/alert-silences/{quiet['id']}").status_code == 204
    for alert in (silent, new):
        assert hushed(api, alert, None)["silenced_until"] is None


def test_a_silence_can_be_about_one_rule_begin_later_and_be_of_the_provider(api):
    vm = api.items("vms", filter="template:false")[6]
    one, other = (rule(api, name, of="vm", filter="notes=mark-four") for name in ("four", "also four"))
    assert api.patch(f"/vms/{vm['id']}", {"notes": "mark-four"}).status_code == 200
    [alert], [beside] = find(api, one, "firing"), find(api, other, "firing")
    quiet = silence(api, of="provider", filter=f"id:{vm['provider']['id']}", rule=one["id"], starts_at=hour(1))
    only = silence(api, of="vm", filter=f"id:{vm['id']}", rule=other["id"])
    assert hushed(api, beside, only["id"])["silenced_until"] == only["ends_at"]
    assert api.read(f"/alerts/{alert['id']}")["silenced_by"] is None
    changed = api.patch(f"/alert-silences/{quiet['id']}", {"starts_at": hour(-1)})
    assert changed.status_code == 200, said(changed)
    hushed(api, alert, quiet["id"])
    for kept in (quiet, only):
        assert api.delete(f"/alert-silences/{kept['id']}").status_code == 204


def test_snapshots_are_silent_with_their_vm(api):
    [old] = api.items("alert-rules", filter="builtin=snapshot-old")
    alert = wait_for(lambda: alerts_of(api, old, view="full"), "old snapshots should have alerts", 60)[0]
    quiet = silence(api, of="vm", filter=f"id:{alert['ref']['owner']['id']}")
    hushed(api, alert, quiet["id"])
    assert api.delete(f"/alert-silences/{quiet['id']}").status_code == 204


@pytest.mark.parametrize("body, pointer", [
    ({"of": "vmx", "filter": "a"}, "/of"), ({"of": "vm", "filter": "powr:on"}, "/filter"),
    ({"of": "vm", "filter": "a", "ends_at": "2020-01-01T00:00:00Z"}, "/ends_at"),
    ({"of": "vm", "filter": "a", "ends_at": "soon"}, "/ends_at"), ({"of": "vm"}, "/filter"),
])
def test_a_silence_that_makes_no_sense_is_refused(api, body, pointer):
    answer = api.post("/alert-silences", {"name": "no", "ends_at": hour(1), **body})
    assert answer.status_code in (400, 422), said(answer)
    assert [e["pointer"] for e in answer.json()["errors"]] == [pointer]
