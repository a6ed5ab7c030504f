# SPDX-License-Identifier: Apache-2.0
"""A member of a group that was granted a role on a part of the inventory sees that part and nothing else, anywhere."""

import json
import time

import pytest

from support.client import problem, said
from support.wait import wait_for

SECRET = "a third long secret 99"


@pytest.fixture(scope="module")
def server(module_servers):
    return module_servers(demo=True)


@pytest.fixture(scope="module")
def api(server):
    return server.admin()


@pytest.fixture(scope="module")
def estate(api):
    """Ten VMs of the ERP system, by tag; of them three run; and one that is somebody else's."""
    vms = api.items("vms", fields="id,name,power_state,provider,tags", sort="name")
    running = [vm for vm in vms if vm["power_state"] == "running"]
    other = [vm for vm in vms if vm["power_state"] != "running"]
    mine = running[:6] + other[:4]
    for vm in mine:
        answer = api.patch(f"/vms/{vm['id']}", {"tags": ["app=erp"]})
        assert answer.status_code == 200, said(answer)
    ids = {vm["id"] for vm in mine}
    theirs = [vm for vm in running if vm["id"] not in ids]
    return {"mine": mine, "ids": ids, "theirs": theirs, "all": vms}


@pytest.fixture(scope="module")
def member(server, api, estate):
    user = api.post("/users", {"name": "erp-member", "password": SECRET}).json()
    assert user["role"] == "none"
    group = api.post("/groups", {"name": "ERP team", "members": ["erp-member"]})
    assert group.status_code == 201, said(group)
    grant = api.post("/grants", {"group": "ERP team", "role": "operator",
                                 "scope": {"type": "selector", "selector": "tag:app=erp"}})
    assert grant.status_code == 201, said(grant)
    assert grant.json()["scope"]["selector"] == "tag:app=erp"
    return server.anonymous().with_token(server.make_token("erp", "erp-member", SECRET))


def test_without_a_grant_nothing_is_allowed(server, api):
    api.post("/users", {"name": "nobody", "password": SECRET})
    who = server.login("nobody", SECRET)
    assert who.get("/me").json()["permissions"] == []
    for path in ("/vms", "/hosts", "/tasks", "/events", "/health", "/users", "/audit"):
        problem(who.get(path), 403, "forbidden")
    assert who.items("folders") == [] and who.items("tags") == []
    assert who.get("/search", q="web").json()["items"] == []


def test_a_list_a_count_and_facets_are_of_what_may_be_seen(member, estate):
    assert {vm["id"] for vm in member.items("vms")} == estate["ids"]
    page = member.read("/vms", count="exact", facets="power_state,host", limit=3)
    assert page["count"] == 10 and len(page["items"]) == 3 and page["next"]
    assert {f["value"]: f["count"] for f in page["facets"]["power_state"]}["running"] == 6
    assert sum(f["count"] for f in page["facets"]["host"]) <= 10
    sums = member.read("/vms", limit=1, sums="cpu.count")["sums"]
    assert sums["cpu.count"] == sum(vm["cpu"]["count"] for vm in member.items("vms", view="full"))
    assert all(f.get("name") is None for f in page["facets"]["host"]), "names of hosts are not theirs to see"
    seen, cursor = [], None
    while True:
        page = member.read("/vms", limit=3, sort="-name", **({"cursor": cursor} if cursor else {}))
        seen += [vm["id"] for vm in page["items"]]
        cursor = page["next"]
        if not cursor:
            break
    assert sorted(seen) == sorted(estate["ids"])
    assert member.count("vms", filter="power:running") == 6


def test_ids_of_others_are_not_there(member, estate):
    theirs, mine = estate["theirs"][0]["id"], estate["mine"][0]["id"]
    problem(member.get(f"/vms/{theirs}"), 404, "not-found")
    problem(member.get(f"/vms/name:{estate['theirs'][0]['name']}"), 404, "not-found")
    for path in ("events", "tasks", "actions", "disks", "snapshots"):
        problem(member.get(f"/vms/{theirs}/{path}"), 404, "not-found")
        assert member.get(f"/vms/{mine}/{path}").status_code == 200
    problem(member.post(f"/vms/{theirs}/actions/start", {}), 404, "not-found")
    problem(member.patch(f"/vms/{theirs}", {"notes": "x"}), 404, "not-found")
    assert [vm["id"] for vm in member.read("/vms", ids=f"{theirs},{mine}")["items"]] == [mine]
    assert member.get(f"/vms/{mine}").status_code == 200


def test_what_may_be_seen_but_not_done_is_403_with_the_permission(member, api, estate):
    vm = estate["mine"][-1]["id"]
    answer = problem(member.request("DELETE", f"/vms/{vm}"), 403, "forbidden")
    assert "vm.delete" in json.dumps(answer)
    actions = {a["name"]: a for a in member.read(f"/vms/{vm}/actions")["items"]}
    assert actions["vm.start"]["allowed_now"]
    if actions.get("vm.delete", {"state": "no"})["state"] != "no":
        assert "vm.delete" in actions["vm.delete"]["needs"] and not actions["vm.delete"]["allowed_now"]
    problem(member.post("/providers", {"name": "x", "driver": "sim"}), 403, "forbidden")
    problem(member.post("/folders", {"name": "x"}), 403, "forbidden")


def test_no_other_name_is_anywhere(member, api, estate):
    """The texts of everything a member can ask for, searched for the names of what is not theirs."""
    hosts = {h["name"] for h in api.items("hosts", fields="name")}
    mine = {vm["name"] for vm in estate["mine"]}
    others = {vm["name"] for vm in estate["all"]} - mine
    texts = {path: member.get(path).text for path in (
        "/vms?view=full", "/hosts", "/clusters", "/datastores", "/networks", "/providers", "/disks?limit=500", "/nics?limit=500",
        "/tasks", "/events?limit=500", "/tree", "/summary", "/folders", "/tags", "/views", "/search?q=prod&limit=100",
        "/health?format=zabbix", "/health/discovery?kind=vm", "/health/discovery?kind=host", "/me", "/audit", "/users")}
    texts["csv"] = member.request("GET", "/vms", headers={"Accept": "text/csv"}).text
    texts["ndjson"] = member.request("GET", "/vms?view=full", headers={"Accept": "application/x-ndjson"}).text
    texts["metrics"] = member.get("/metrics/vms").text
    texts["expanded"] = member.get("/vms", expand="host").text
    texts["complete"] = member.get("/filter/complete", kind="vm", text="name:", pos=5).text
    for path, text in texts.items():
        found = [n for n in others | hosts if f'"{n}"' in text or f",{n}," in text]
        assert not found, f"{path} tells of {found[:5]}"
    assert all(n in texts["csv"] for n in mine) and texts["csv"].count("\r\n") == 11
    assert texts["ndjson"].count("\n") == 10
    assert texts["metrics"].count("polyvisor_vm_info{") == 10


def test_search_finds_only_what_may_be_seen(member, api, estate):
    theirs, mine = estate["theirs"][0], estate["mine"][0]
    assert api.get("/search", q=theirs["name"]).json()["items"]
    assert member.get("/search", q=theirs["name"]).json()["items"] == [] or \
        all(h["id"] in estate["ids"] for h in member.get("/search", q=theirs["name"]).json()["items"])
    assert mine["id"] in [h["id"] for h in member.get("/search", q=mine["name"]).json()["items"]]


def test_a_bulk_selector_finds_only_what_may_be_seen_and_targets_of_others_fail(member, api, estate):
    plan = member.post("/bulk", {"action": "vm.stop", "selector": "power:running", "confirm": True}, dry_run="true")
    assert plan.status_code == 200 and plan.json()["count"] == 6, said(plan)
    theirs = estate["theirs"][0]
    task = member.post("/bulk", {"action": "vm.stop", "targets": [theirs["id"]]})
    assert task.status_code == 202, said(task)
    task = member.wait_task(task.json()["id"])
    assert task["state"] == "failed"
    children = member.items(f"tasks/{task['id']}/children")
    assert len(children) == 1 and children[0]["error"]["code"] == "not-found"
    assert theirs["name"] not in json.dumps(children)
    assert api.read(f"/vms/{theirs['id']}")["power_state"] == "running"


def test_tasks_and_events_are_those_of_what_may_be_seen(member, api, estate):
    theirs, mine = estate["theirs"][1], estate["mine"][1]
    since = api.last_seq()
    api.done("vms", theirs["id"], "stop")
    api.done("vms", mine["id"], "stop")
    tasks = member.items("tasks")
    assert any(t["subject_id"] == mine["id"] for t in tasks) and not any(t["subject_id"] == theirs["id"] for t in tasks)
    their_task = api.items("tasks", filter=f"subject_id={theirs['id']}")[0]
    problem(member.get(f"/tasks/{their_task['id']}"), 404, "not-found")
    problem(member.post(f"/tasks/{their_task['id']}/actions/cancel"), 404, "not-found")
    events = member.events(since=since)
    subjects = {e["subject_id"] for e in events}
    assert mine["id"] in subjects and theirs["id"] not in subjects and their_task["id"] not in subjects
    assert member.read("/events", since=since, count="exact")["count"] == len(events)


@pytest.mark.parametrize("more", [{}, {"with": "object"}], ids=["plain", "objects"])
def test_the_stream_carries_only_what_may_be_seen_and_stops_with_the_right(server, api, estate, member, more):
    name = f"leaver-{len(more)}"
    user = api.post("/users", {"name": name, "password": SECRET}).json()
    grant = api.post("/grants", {"user": name, "role": "viewer",
                                 "scope": {"type": "selector", "selector": "tag:app=erp"}}).json()
    who = server.anonymous().with_token(server.make_token("t", name, SECRET))
    theirs, mine = estate["theirs"][2]["id"], estate["mine"][2]["id"]
    with who.stream(**more) as stream:
        api.patch(f"/vms/{theirs}", {"notes": f"a{len(more)}"})
        api.patch(f"/vms/{mine}", {"notes": f"b{len(more)}"})
        item = stream.wait(lambda i: i["event"] == "vm.updated" and i["data"]["ref"]["id"] == mine, "one's own change")
        assert not any(i["data"] and i["data"].get("ref", {}).get("id") == theirs for i in stream.items)
        if more:
            assert item["data"]["object"]["id"] == mine
        assert api.delete(f"/grants/{grant['id']}").status_code == 204
        api.patch(f"/vms/{mine}", {"notes": f"c{len(more)}"})
        wait_for(lambda: stream.ended, "the stream should end with the right to read it")
        assert not any(i["data"] and any(c.get("to") == f"c{len(more)}" for c in i["data"].get("changes") or [])
                       for i in stream.items)
    assert user["id"]


def test_what_is_tagged_later_is_seen_at_once_and_etags_differ(member, api, estate):
    vm = estate["theirs"][3]
    etag = member.get("/vms").headers["ETag"]
    assert etag != api.get("/vms").headers["ETag"]
    assert member.request("GET", "/vms", headers={"If-None-Match": etag}).status_code == 304
    api.patch(f"/vms/{vm['id']}", {"tags": ["app=erp"]})
    assert member.get(f"/vms/{vm['id']}").status_code == 200
    assert member.request("GET", "/vms", headers={"If-None-Match": etag}).status_code == 200
    api.patch(f"/vms/{vm['id']}", {"tags": []})
    problem(member.get(f"/vms/{vm['id']}"), 404, "not-found")


def test_health_is_of_what_may_be_seen(member, api, estate):
    assert member.read("/health")["vms"]["total"] == 10
    assert member.read("/summary")["vms"]["total"] == 10
    problem(member.get(f"/health/vm/{estate['theirs'][0]['id']}"), 404, "not-found")
    text = member.get("/metrics").text
    assert "polyvisor_http_requests_total" not in text and "polyvisor_vms{" in text


def test_scopes_of_folder_provider_and_object_reach_what_they_say(server, api, estate):
    top = api.post("/folders", {"name": "scope top"}).json()
    below = api.post("/folders", {"name": "below", "parent": top["id"]}).json()
    beside = api.post("/folders", {"name": "beside"}).json()
    vm = estate["theirs"][4]
    api.patch(f"/vms/{vm['id']}", {"folder": below["id"]})
    provider = api.items("providers")[0]

    def someone(name, scope):
        api.post("/users", {"name": name, "password": SECRET})
        answer = api.post("/grants", {"user": name, "role": "viewer", "scope": scope})
        assert answer.status_code == 201, said(answer)
        return server.anonymous().with_token(server.make_token("t", name, SECRET))

    who = someone("by-folder", {"type": "folder", "folder": top["id"]})
    assert [v["id"] for v in who.items("vms")] == [vm["id"]]
    assert {f["id"] for f in who.items("folders")} == {top["id"], below["id"]}
    problem(who.get(f"/folders/{beside['id']}"), 404, "not-found")
    who = someone("by-provider", {"type": "provider", "provider": provider["name"]})
    assert [p["id"] for p in who.items("providers")] == [provider["id"]]
    assert who.count("vms") == api.count("vms", filter=f"provider={provider['id']}") > 0
    assert who.count("hosts") == api.count("hosts", filter=f"provider={provider['id']}")
    assert who.read("/tree")["items"][0]["id"] == provider["id"] and len(who.read("/tree")["items"]) == 1
    who = someone("by-object", {"type": "object", "object": vm["id"]})
    assert [v["id"] for v in who.items("vms")] == [vm["id"]] and who.count("hosts") == 0
    assert {d["vm"]["id"] for d in who.items("disks", view="full")} == {vm["id"]}


def test_a_wrong_grant_is_refused(api):
    for body, pointer in (
            ({"role": "viewer", "scope": {"type": "everything"}}, None),
            ({"user": "erp-member", "group": "ERP team", "role": "viewer", "scope": {"type": "everything"}}, None),
            ({"user": "no such user", "role": "viewer", "scope": {"type": "everything"}}, "/user"),
            ({"user": "erp-member", "role": "no such role", "scope": {"type": "everything"}}, "/role"),
            ({"user": "erp-member", "role": "viewer", "scope": {"type": "selector"}}, None),
            ({"user": "erp-member", "role": "viewer", "scope": {"type": "selector", "selector": "nonsense>=="}}, None),
            ({"user": "erp-member", "role": "viewer", "scope": {"type": "everything", "selector": "tag:x"}}, None),
            ({"user": "erp-member", "role": "viewer", "scope": {"type": "object", "object": "vm_x"}}, None),
            ({"user": "erp-member", "role": "viewer", "scope": {"type": "everything"}, "expires_at": "2001-01-01T00:00:00Z"},
             "/expires_at")):
        answer = api.post("/grants", body)
        assert answer.status_code in (400, 422), said(answer)
        if pointer:
            assert pointer in answer.text


def test_a_grant_ends_with_its_time(server, api, estate):
    api.post("/users", {"name": "guest", "password": SECRET})
    who = server.anonymous().with_token(server.make_token("t", "guest", SECRET))
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 5))
    answer = api.post("/grants", {"user": "guest", "role": "viewer", "scope": {"type": "everything"}, "expires_at": soon})
    assert answer.status_code == 201, said(answer)
    assert who.count("vms") == len(estate["all"])
    wait_for(lambda: who.get("/vms").status_code != 200, "the grant should end", every=0.5)
    problem(who.get("/vms"), 403, "forbidden")


def test_a_role_of_ones_own_allows_what_it_says(server, api, estate):
    made = api.post("/roles", {"name": "starter", "permissions": ["vm.read", "vm.power"]})
    assert made.status_code == 201, said(made)
    problem(api.post("/roles", {"name": "wrong", "permissions": ["vm.reed"]}), 422)
    problem(api.post("/roles", {"name": "starter", "permissions": []}), 409)
    builtin = next(r for r in api.items("roles") if r["name"] == "viewer")
    assert builtin["builtin"] and "vm.read" in builtin["permissions"]
    problem(api.patch(f"/roles/{builtin['id']}", {"permissions": []}), 409)
    api.post("/users", {"name": "starter-user", "password": SECRET})
    api.post("/grants", {"user": "starter-user", "role": "starter", "scope": {"type": "everything"}})
    who = server.anonymous().with_token(server.make_token("t", "starter-user", SECRET))
    vm = estate["mine"][-1]["id"]
    assert who.get("/vms").status_code == 200
    problem(who.get("/hosts"), 403, "forbidden")
    assert who.post(f"/vms/{vm}/actions/start", {}).status_code == 202
    problem(who.post(f"/vms/{vm}/snapshots", {"name": "x"}), 403, "forbidden")
    assert api.patch(f"/roles/{made.json()['id']}", {"permissions": ["vm.read", "vm.snapshot"]}).status_code == 200
    problem(who.post(f"/vms/{vm}/actions/stop", {}), 403, "forbidden")
    problem(api.delete(f"/roles/{made.json()['id']}"), 409)


def test_groups_take_in_and_let_go(server, api, estate):
    api.post("/users", {"name": "comer", "password": SECRET})
    group = api.post("/groups", {"name": "readers"}).json()
    api.post("/grants", {"group": group["id"], "role": "viewer", "scope": {"type": "everything"}})
    who = server.anonymous().with_token(server.make_token("t", "comer", SECRET))
    problem(who.get("/vms"), 403, "forbidden")
    assert api.patch(f"/groups/{group['id']}", {"add": ["comer"]}).json()["members"][0]["name"] == "comer"
    assert who.get("/vms").status_code == 200
    assert api.patch(f"/groups/{group['id']}", {"remove": ["comer"]}).json()["members"] == []
    problem(who.get("/vms"), 403, "forbidden")
    api.patch(f"/groups/{group['id']}", {"members": ["comer"]})
    assert who.get("/vms").status_code == 200
    assert api.delete(f"/groups/{group['id']}").status_code == 204
    problem(who.get("/vms"), 403, "forbidden")


def test_why_is_answered_in_one_sentence(server, api, member, estate):
    mine, theirs = estate["mine"][0]["id"], estate["theirs"][0]["id"]
    answer = api.read("/access/explain", principal="erp-member", action="vm.stop", target=mine)
    assert answer["allowed"] and "operator" in answer["why"] and "ERP team" in answer["why"] and "tag:app=erp" in answer["why"]
    assert answer["grants"][0]["group"]["name"] == "ERP team" and answer["permission"] == "vm.power"
    answer = api.read("/access/explain", principal="erp-member", action="vm.stop", target=theirs)
    assert not answer["allowed"] and answer["missing"] == ["vm.power"] and "does not reach" in answer["why"]
    answer = api.read("/access/explain", principal="erp-member", action="vm.delete", target=mine)
    assert not answer["allowed"] and "vm.delete" in answer["why"]
    assert member.read("/access/explain", action="vm.power", target=mine)["allowed"]
    problem(member.get("/access/explain", action="vm.power", target=theirs), 404, "not-found")
    problem(member.get("/access/explain", principal="admin", action="vm.power"), 403, "forbidden")
    problem(api.get("/access/explain", action="no.such"), 400)


def test_who_lacks_a_right_is_told_whom_to_ask_by_name_unless_that_is_turned_off(server, api, member, estate):
    mine, theirs = estate["mine"][0]["id"], estate["theirs"][0]["id"]

    def told(**query):
        return member.read("/access/explain", **query)["grantors"]

    lacks = {"action": "vm.delete", "target": mine}
    assert told(**lacks) == {"names": ["admin"], "more": 0}, "by the name to sign in with where there is no other"
    for name, full in (("a-lead", "Abel Lead"), ("b-lead", "Berta Lead")):
        assert api.post("/users", {"name": name, "full_name": full, "password": SECRET, "role": "admin"}).status_code == 201
    group = api.post("/groups", {"name": "Leads", "members": ["b-lead", "erp-member"]}).json()
    role = api.post("/roles", {"name": "grants rights", "permissions": ["access.manage"]}).json()
    for n in range(4):
        api.post("/users", {"name": f"c-lead-{n}", "password": SECRET})
        body = {"user": f"c-lead-{n}", "role": "grants rights", "scope": {"type": "everything"}}
        if n == 3:
            body["expires_at"] = "2020-01-01T00:00:00Z"
        api.post("/grants", body)
    assert told(**lacks) == {"names": ["Abel Lead", "Berta Lead", "admin", "c-lead-0", "c-lead-1"], "more": 1}
    for user in ("a-lead", "c-lead-0"):
        found = next(u for u in api.items("users") if u["name"] == user)
        assert api.patch(f"/users/{found['id']}", {"enabled": False}).status_code == 200
    api.patch(f"/roles/{role['id']}", {"permissions": ["tag.write"]})
    assert told(**lacks) == {"names": ["Berta Lead", "admin"], "more": 0}
    api.patch(f"/users/{next(u for u in api.items('users') if u['name'] == 'b-lead')['id']}", {"role": "none"})
    assert told(**lacks) == {"names": ["admin"], "more": 0}
    grant = api.post("/grants", {"group": "Leads", "role": "admin", "scope": {"type": "provider", "provider": estate["mine"][0]["provider"]["id"]}})
    assert grant.status_code == 201, said(grant)
    assert told(action="vm.delete", target=mine) in (None, {"names": ["admin"], "more": 0}), "it is given on everything alone"
    assert api.delete(f"/grants/{grant.json()['id']}").status_code == 204
    assert told(action="vm.power", target=mine) is None, "nothing is lacking"
    problem(member.get("/access/explain", action="vm.delete", target=theirs), 404, "not-found")
    api.patch("/settings", {"security": {"show_grantors": False}})
    assert told(**lacks) is None and "admin" not in member.get("/access/explain", **lacks).text
    api.patch("/settings", {"security": {"show_grantors": True}})
    assert told(**lacks) == {"names": ["admin"], "more": 0}
    api.delete(f"/groups/{group['id']}")


def test_a_filter_tells_nothing_of_what_may_not_be_seen(api, member, estate):
    mine = api.items("vms", filter="tag:app=erp")
    host = mine[0]["host"]["name"]
    assert api.count("vms", filter=f"host:{host} tag:app=erp") > 0
    for guess in (f"host:{host}", f"host~{host[:3]}*", f"host:{{{host},nowhere}}", "host.name~*"):
        assert api.count("vms", filter=f"{guess} tag:app=erp") > 0, guess
        assert member.count("vms", filter=guess) == 0, guess
    assert member.count("vms", filter=f"-host:{host}") == 10, "what is not seen matches nothing, and so its opposite"
    assert member.count("vms", filter="tag:app=erp") == 10
    provider = mine[0]["provider"]["name"]
    assert member.count("vms", filter=f"provider:{provider}") == sum(v["provider"]["name"] == provider for v in mine)
    seen = member.items("vms", filter="-nics.network:nowhere")
    assert len(seen) == 10


def test_a_token_may_what_it_and_its_owner_may(server, api, estate):
    login = server.login()
    made = login.post("/tokens", {"name": "ci", "role": "automation",
                                  "scope": {"type": "selector", "selector": "tag:app=erp"}})
    assert made.status_code == 201, said(made)
    who = server.anonymous().with_token(made.json()["token"])
    assert who.count("vms") == 10
    problem(who.get("/users"), 403, "forbidden")
    problem(who.post(f"/vms/{estate['theirs'][0]['id']}/actions/start", {}), 404, "not-found")
    problem(who.post("/tokens", {"name": "child"}), 403, "forbidden")
    denied = api.items("audit", filter="outcome:denied actor.name:ci", sort="-seq")
    assert any(d["action"] == "vm.start" for d in denied), "what it tried is in the audit"
    assert api.count("audit", filter="actor:ci action:vm.start outcome:denied") == 1
    scoped = server.login("erp-member", SECRET).post("/tokens", {"name": "wide", "scope": {"type": "everything"}})
    assert scoped.status_code == 201, said(scoped)
    assert server.anonymous().with_token(scoped.json()["token"]).count("vms") == 10


def test_a_token_is_bound_to_its_networks(server):
    login = server.login()
    here = login.post("/tokens", {"name": "here", "networks": ["127.0.0.0/8", "::1"]}).json()["token"]
    there = login.post("/tokens", {"name": "there", "networks": ["192.0.2.0/24"]}).json()["token"]
    assert server.anonymous().with_token(here).get("/vms").status_code == 200
    problem(server.anonymous().with_token(there).get("/vms"), 403, "forbidden")
    problem(login.post("/tokens", {"name": "bad", "networks": ["300.1.1.1/8"]}), 422)


def test_the_last_administrator_cannot_be_ungranted(server, api):
    me = server.login().get("/me").json()["user"]["id"]
    grant = next(g for g in api.items("grants", filter=f"user={me}"))
    problem(api.delete(f"/grants/{grant['id']}"), 409)
    problem(api.patch(f"/grants/{grant['id']}", {"role": "viewer"}), 409)
    problem(api.patch(f"/users/{me}", {"role": "none"}), 409)


def test_the_audit_names_the_session_and_the_token_that_a_change_came_by(server, api):
    me = server.login()
    session = next(one for one in me.get("/me/logins").json()["items"] if one["current"])
    made = me.post("/users", {"name": "by-session", "password": SECRET}).json()
    [record] = api.items("audit", filter=f"action:user.create subject={made['id']}", view="full")
    assert session["id"].startswith(record["detail"]["session"]) and len(record["detail"]["session"]) == 16
    folder = me.post("/folders", {"name": "by-session"}).json()

    def recorded():
        return [one for one in api.items("audit", view="full") if folder["id"] in json.dumps(one["detail"])]
    [generic] = wait_for(recorded, "the folder should be in the audit", 60)
    assert generic["detail"]["session"] == record["detail"]["session"] and generic["detail"]["status"] == 201
    token = me.post("/tokens", {"name": "auditing", "role": "admin"}).json()
    by_token = server.anonymous().with_token(token["token"])
    other = by_token.post("/users", {"name": "by-token", "password": SECRET}).json()
    [record] = api.items("audit", filter=f"action:user.create subject={other['id']}", view="full")
    assert record["actor"]["type"] == "token" and record["actor"]["id"] == token["id"]
    assert "session" not in record["detail"]
    assert api.read("/audit/verify")["ok"]


def test_changes_of_rights_are_in_the_audit_with_before_and_after(api):
    made = api.post("/users", {"name": "audited", "password": SECRET, "role": "viewer"}).json()
    api.patch(f"/users/{made['id']}", {"role": "operator"})
    record = api.items("audit", filter=f"action:user.update subject={made['id']}", view="full")[0]
    assert record["detail"]["before"]["role"] == "viewer" and record["detail"]["after"]["role"] == "operator"
    assert SECRET not in json.dumps(api.items("audit", view="full"))
    lines = api.request("GET", "/audit", headers={"Accept": "application/x-ndjson"}).text.splitlines()
    assert len(lines) == api.count("audit") and json.loads(lines[0])["action"]
    assert api.read("/audit/verify")["ok"]
