# SPDX-License-Identifier: Apache-2.0
"""Lists: paging, filters, sorting, fields, expansion, whole results, and the ways not to fetch or do things twice."""

import csv
import io
import json
import random
import uuid

import pytest

from support.client import problem, said


@pytest.fixture
def api(demo):
    return demo


def pages(api, limit, **params):
    cursor, found = None, []
    while True:
        page = api.read("/vms", limit=limit, **params, **({"cursor": cursor} if cursor else {}))
        found.append(page["items"])
        cursor = page["next"]
        if cursor is None:
            return found


# Paging

@pytest.mark.parametrize("limit", [1000, 100, 37])
@pytest.mark.parametrize("sort", [None, "name", "-memory.bytes,name", "host", "power_state,-cpu.count"])
def test_paging_gives_every_vm_exactly_once(api, limit, sort):
    total = api.count("vms")
    ids = [v["id"] for page in pages(api, limit, sort=sort, fields="id") for v in page]
    assert len(ids) == len(set(ids)), "some VMs came twice"
    assert len(ids) == total, f"{total - len(ids)} VMs were left out"


def test_all_pages_but_the_last_are_full(api):
    sizes = [len(p) for p in pages(api, 60, fields="id")]
    assert set(sizes[:-1]) == {60} and 0 < sizes[-1] <= 60


def test_the_link_header_names_the_next_page(api):
    answer = api.get("/vms", limit=10)
    link = answer.headers["Link"]
    assert link.endswith('rel="next"') and link.startswith("<"), link
    following = api.request("GET", link[1:link.index(">")].removeprefix(api.url))
    assert following.status_code == 200 and len(following.json()["items"]) == 10
    assert following.json()["items"][0]["id"] not in {v["id"] for v in answer.json()["items"]}


def test_a_cursor_of_another_query_is_refused(api):
    cursor = api.read("/vms", limit=10, sort="name")["next"]
    problem(api.get("/vms", limit=10, sort="-name", cursor=cursor), 400, "cursor-mismatch")
    problem(api.get("/vms", limit=10, sort="name", filter="power:off", cursor=cursor), 400, "cursor-mismatch")
    problem(api.get("/hosts", limit=10, cursor=cursor), 400, "cursor-mismatch")


def test_a_changed_cursor_is_refused(api):
    cursor = api.read("/vms", limit=10, sort="name")["next"]
    spots = random.Random(3)
    for _ in range(20):
        at = spots.randrange(len(cursor))
        changed = cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1:]
        answer = api.get("/vms", limit=10, sort="name", cursor=changed)
        assert answer.status_code == 400 or answer.json()["items"] == api.read(
            "/vms", limit=10, sort="name", cursor=cursor)["items"], said(answer)


def test_count_is_given_only_when_asked_for(api):
    assert "count" not in api.read("/vms", limit=1)
    assert api.read("/vms", limit=1, count="exact")["count"] == len(api.items("vms", fields="id"))
    assert api.read("/vms", limit=1, count="exact", filter="power:off")["count"] == len(api.items("vms", filter="power:off"))


def test_a_page_carries_time_and_event_number(api):
    page = api.read("/vms", limit=1)
    assert isinstance(page["event_seq"], int) and page["as_of"].endswith("Z")


# Sorting

@pytest.mark.parametrize("field", ["name", "memory.bytes", "cpu.count", "created_at", "guest.os_name"])
@pytest.mark.parametrize("minus", ["", "-"])
def test_sorting_is_right_over_all_pages(api, field, minus):
    def value(vm):
        for part in field.split("."):
            vm = (vm or {}).get(part)
        return vm

    values = [value(v) for page in pages(api, 100, sort=minus + field) for v in page]
    known = [v.casefold() if isinstance(v, str) else v for v in values if v is not None]
    assert known == sorted(known, reverse=bool(minus)), "text sorts without regard to case"
    edges = [v is None for v in values]
    assert sorted(edges) == edges or sorted(edges, reverse=True) == edges, "VMs without a value stand at one end"


def test_sorting_by_what_cannot_be_sorted_is_refused(api):
    answer = api.get("/vms", sort="question")
    problem(answer, 400)


# Filters: each is compared with the same condition in Python

def full(api):
    return api.items("vms", view="full")


FILTERS = [
    ("power:running", lambda v: v["power_state"] == "running"),
    ("power_state=off", lambda v: v["power_state"] == "off"),
    ("-power:running", lambda v: v["power_state"] != "running"),
    ("not power:running", lambda v: v["power_state"] != "running"),
    ("memory>=8GiB", lambda v: v["memory"]["bytes"] >= 8 << 30),
    ("memory.bytes<4096MiB", lambda v: v["memory"]["bytes"] < 4 << 30),
    ("cpu:2..4", lambda v: 2 <= v["cpu"]["count"] <= 4),
    ("cpu:{1,8}", lambda v: v["cpu"]["count"] in (1, 8)),
    ("cpu!=2", lambda v: v["cpu"]["count"] != 2),
    ("power:running cpu>=4", lambda v: v["power_state"] == "running" and v["cpu"]["count"] >= 4),
    ("power:off or cpu>=8", lambda v: v["power_state"] == "off" or v["cpu"]["count"] >= 8),
    ("(power:off or power:suspended) memory<8GiB",
     lambda v: v["power_state"] in ("off", "suspended") and v["memory"]["bytes"] < 8 << 30),
    ("-(power:off or cpu>=4)", lambda v: not (v["power_state"] == "off" or v["cpu"]["count"] >= 4)),
    ("name~*1", lambda v: v["name"].lower().endswith("1")),
    ("name~*0?", lambda v: len(v["name"]) >= 2 and v["name"][-2] == "0"),
    ("provider.family:hyperv", lambda v: v["provider"]["family"] == "hyperv"),
    ("guest.tools.state:running", lambda v: v["guest"]["tools"]["state"] == "running"),
    ("snapshots.count>0", lambda v: (v["snapshots"]["count"] or 0) > 0),
    ("template:true", lambda v: v["template"] is True),
    ("firmware:{bios,uefi} power:running",
     lambda v: v["firmware"] in ("bios", "uefi") and v["power_state"] == "running"),
]


@pytest.mark.parametrize("text, fits", FILTERS, ids=[f[0] for f in FILTERS])
def test_a_filter_finds_what_it_says(api, text, fits):
    for _ in range(5):  # the demonstration changes by itself: compare with a moment in which nothing changed
        before = api.last_seq()
        expected = {v["id"] for v in full(api) if fits(v)}
        found = {v["id"] for v in api.items("vms", filter=text, fields="id")}
        if api.last_seq() == before:
            break
    assert found == expected, f"{len(found - expected)} too many, {len(expected - found)} missing"
    assert api.count("vms", filter=text) == len(expected)


def test_filters_by_reference_take_id_or_name(api):
    vm = next(v for v in full(api) if v["host"])
    by_id = {v["id"] for v in api.items("vms", filter=f'host:{vm["host"]["id"]}')}
    assert vm["id"] in by_id
    by_name = {v["id"] for v in api.items("vms", filter=f'host="{vm["host"]["name"]}"')}
    assert by_id <= by_name


def test_the_short_form_by_query_parameters_means_equal_and_or(api):
    short = api.read("/vms", limit=1, count="exact", power_state="running")["count"]
    assert short == api.count("vms", filter="power_state=running")
    answer = api.get("/vms?power_state=running&power_state=off&limit=1&count=exact")
    assert answer.json()["count"] == api.count("vms", filter="power:{running,off}")


def test_free_words_and_search_find_a_vm_by_a_part_of_its_name(api):
    vm = full(api)[17]
    word = vm["name"][:-1] if len(vm["name"]) > 4 else vm["name"]
    assert vm["id"] in {v["id"] for v in api.items("vms", filter=word)}
    found = api.read("/search", q=vm["name"])["items"]
    assert vm["id"] in json.dumps(found)


def test_facets_count_values(api):
    page = api.read("/vms", limit=1, facets="power_state,provider")
    counts = {}
    for vm in full(api):
        counts[vm["power_state"]] = counts.get(vm["power_state"], 0) + 1
    shown = page["facets"]["power_state"]
    shown = {f["value"]: f["count"] for f in shown} if isinstance(shown, list) else shown
    assert shown == counts


def test_facets_count_as_many_values_as_asked_for(api):
    hosts = {}
    for vm in full(api):
        if vm["host"]:
            hosts[vm["host"]["id"]] = hosts.get(vm["host"]["id"], 0) + 1
    every = api.read("/vms", limit=1, facets="host", facet_limit=5000)["facets"]["host"]
    assert {f["value"]: f["count"] for f in every} == hosts
    assert api.read("/vms", limit=1, facets="host", facet_limit=2)["facets"]["host"] == every[:2]
    assert api.get("/vms?facets=host&facet_limit=0").status_code == 400


def test_sums_add_up_all_that_match_and_not_only_the_page(api):
    running = [vm for vm in full(api) if vm["power_state"] == "running"]
    page = api.read("/vms", limit=1, filter="power:running", count="exact", sums="cpu.count,memory.bytes")
    assert page["count"] == len(running) and len(page["items"]) == 1
    assert page["sums"] == {"cpu.count": sum(vm["cpu"]["count"] for vm in running),
                            "memory.bytes": sum(vm["memory"]["bytes"] for vm in running)}
    nothing = api.read("/vms", limit=1, filter="name:there-is-none", sums="cpu.count")
    assert nothing["sums"] == {"cpu.count": 0}
    found = running[0]["host"]["id"]
    of_host = api.read("/vms", limit=1, filter=f"host:{found}", sums="cpu.count")
    assert of_host["sums"]["cpu.count"] == sum(vm["cpu"]["count"] for vm in full(api)
                                               if (vm["host"] or {}).get("id") == found)


# Fields

def test_fields_give_what_was_asked_for_and_nothing_else(api):
    for vm in api.items("vms", fields="id,name,memory.bytes,host"):
        assert set(vm) - {"kind"} == {"id", "name", "memory", "host"}, vm
        assert set(vm["memory"]) == {"bytes"}


def test_a_list_is_a_summary_and_a_single_object_is_full(api):
    summary = api.read("/vms", limit=1)["items"][0]
    whole = api.read(f"/vms/{summary['id']}")
    assert "disks" in whole and "disks" not in summary
    assert set(summary) < set(whole)


def test_expand_puts_the_object_in_the_place_of_the_reference(api):
    vm = next(v for v in full(api) if v["host"])
    expanded = api.read(f"/vms/{vm['id']}", expand="host,datastores")
    assert expanded["host"]["hardware"]["memory_bytes"] > 0
    assert all("datastore_type" in d for d in expanded["datastores"])
    assert "ETag" not in api.get(f"/vms/{vm['id']}", expand="host").headers


def test_ids_answers_these_objects_in_this_order(api):
    chosen = random.Random(5).sample([v["id"] for v in api.items("vms", fields="id")], 60)
    assert [v["id"] for v in api.read("/vms", ids=chosen, fields="id")["items"]] == chosen


def test_more_than_200_ids_are_refused(api):
    chosen = [v["id"] for v in api.items("vms", fields="id")][:201]
    problem(api.get("/vms", ids=chosen), 400)


# Whole results

def test_ndjson_streams_everything_in_one_answer(api):
    answer = api.request("GET", "/vms", headers={"Accept": "application/x-ndjson"})
    assert answer.status_code == 200, said(answer)
    assert answer.headers["Content-Type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert {v["id"] for v in lines} == {v["id"] for v in api.items("vms", fields="id")}
    assert len(lines) == api.count("vms")
    assert int(answer.headers["X-Event-Seq"]) > 0 and answer.headers["X-As-Of"]


def test_ndjson_follows_filter_fields_and_sort(api):
    answer = api.request("GET", "/vms", headers={"Accept": "application/x-ndjson"},
                         params={"filter": "power:running", "fields": "name,cpu.count", "sort": "name"})
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [v["name"] for v in lines] == [v["name"] for v in api.items("vms", filter="power:running", sort="name")]
    assert all(set(v) - {"id", "kind"} == {"name", "cpu"} for v in lines)


def test_csv_has_the_fields_as_columns(api):
    answer = api.request("GET", "/vms", headers={"Accept": "text/csv"},
                         params={"fields": "id,name,memory.bytes,host", "sort": "name"})
    assert answer.status_code == 200, said(answer)
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0][:3] == ["id", "name", "memory.bytes"]
    expected = api.items("vms", fields="id,name,memory.bytes", sort="name")
    assert [r[:3] for r in rows[1:]] == [[v["id"], v["name"], str(v["memory"]["bytes"])] for v in expected]


def test_answers_are_compressed_when_the_client_can(api):
    answer = api.request("GET", "/vms", headers={"Accept-Encoding": "gzip"}, params={"limit": 500})
    assert answer.headers.get("Content-Encoding") == "gzip"
    plain = api.request("GET", "/vms", headers={"Accept-Encoding": "identity"}, params={"limit": 500})
    assert "Content-Encoding" not in plain.headers
    assert [v["id"] for v in answer.json()["items"]] == [v["id"] for v in plain.json()["items"]]


# Not twice

def note(api, vm, text, **more):
    return api.patch(f"/vms/{vm}", {"notes": text}, **more)


def test_an_unchanged_object_is_304_and_a_change_makes_a_new_etag(api):
    vm = api.items("vms", fields="id")[3]["id"]
    note(api, vm, "before")
    first = api.get(f"/vms/{vm}")
    tag = first.headers["ETag"]
    assert tag == f'"vm-{first.json()["version"]}"'
    again = api.request("GET", f"/vms/{vm}", headers={"If-None-Match": tag})
    assert again.status_code == 304 and not again.content
    changed = note(api, vm, "after")
    assert changed.status_code == 200 and changed.json()["notes"] == "after", said(changed)
    assert api.request("GET", f"/vms/{vm}", headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize("plural", ["vms", "hosts", "clusters", "datastores", "networks", "providers", "events", "users"])
def test_the_etag_is_that_of_the_version_whatever_is_shown(api, plural):
    one = api.items(plural)[0]
    tag = api.get(f"/{plural}/{one['id']}").headers["ETag"]
    assert tag.rsplit("-", 1)[1].strip('"') != "0", tag
    shown = "time" if plural == "events" else "name"
    part = api.get(f"/{plural}/{one['id']}", fields=shown)
    assert part.headers["ETag"] == tag
    assert "version" not in part.json(), "it is not shown without being asked for"
    assert api.request("GET", f"/{plural}/{one['id']}?fields={shown}", headers={"If-None-Match": tag}).status_code == 304


def test_an_unchanged_list_is_304(api):
    answer = api.get("/folders")
    tag = answer.headers["ETag"]
    assert tag.startswith("W/")
    assert api.request("GET", "/folders", headers={"If-None-Match": tag}).status_code == 304
    made = api.post("/folders", {"name": f"etag {uuid.uuid4()}"})
    assert made.status_code == 201, said(made)
    assert api.request("GET", "/folders", headers={"If-None-Match": tag}).status_code == 200
    api.delete(f"/folders/{made.json()['id']}")


def test_a_change_based_on_an_old_version_is_refused(api):
    vm = api.items("vms", fields="id")[4]["id"]
    old = api.get(f"/vms/{vm}").headers["ETag"]
    assert note(api, vm, f"first {uuid.uuid4()}", headers={"If-Match": old}).status_code == 200
    document = problem(note(api, vm, "second", headers={"If-Match": old}), 412, "precondition-failed")
    assert api.read(f"/vms/{vm}")["notes"].startswith("first")
    assert "version" in json.dumps(document)


def test_a_patch_without_effect_changes_no_version(api):
    vm = api.items("vms", fields="id")[5]["id"]
    note(api, vm, "the same")
    before = api.read(f"/vms/{vm}")["version"]
    assert note(api, vm, "the same").status_code == 200
    assert api.read(f"/vms/{vm}")["version"] == before


def test_our_fields_can_be_patched_and_the_hypervisors_cannot(api):
    vm = api.items("vms", fields="id")[6]["id"]
    answer = api.patch(f"/vms/{vm}", {"tags": ["env=test", "blue"], "attributes": {"owner": "erp"}, "notes": "ours"})
    assert answer.status_code == 200, said(answer)
    now = api.read(f"/vms/{vm}")
    assert sorted(now["tags"]) == ["blue", "env=test"] and now["attributes"] == {"owner": "erp"}
    assert vm in {v["id"] for v in api.items("vms", filter="tag:env=test")}
    cleared = api.patch(f"/vms/{vm}", {"notes": None, "tags": []})
    assert cleared.status_code == 200 and not cleared.json()["notes"], said(cleared)
    refused = api.patch(f"/vms/{vm}", {"power_state": "off"})
    assert refused.status_code in (400, 422), said(refused)


def test_the_same_idempotency_key_gives_the_stored_answer(api):
    key = {"Idempotency-Key": str(uuid.uuid4())}
    name = f"once {uuid.uuid4()}"
    first = api.post("/folders", {"name": name}, headers=key)
    second = api.post("/folders", {"name": name}, headers=key)
    assert (first.status_code, second.status_code) == (201, 201), said(second)
    assert first.json()["id"] == second.json()["id"]
    assert second.headers["Idempotency-Replayed"] == "true" and "Idempotency-Replayed" not in first.headers
    assert api.count("folders", filter=f'name="{name}"') == 1
    problem(api.post("/folders", {"name": name + " other"}, headers=key), 422, "idempotency-key-reused")


def test_an_action_sent_twice_with_one_key_is_one_task(api):
    vm = api.items("vms", filter="power:running", fields="id")[0]["id"]
    key = {"Idempotency-Key": str(uuid.uuid4())}
    tasks = [api.post(f"/vms/{vm}/actions/reset", headers=key) for _ in range(3)]
    assert len({t.json()["id"] for t in tasks}) == 1, [said(t) for t in tasks]
    api.wait_task(tasks[0].json()["id"])


def test_a_dry_run_tells_before_and_after_and_changes_nothing(api):
    vm = api.items("vms", filter="power:running", fields="id,version")[1]
    tasks = api.count("tasks")
    answer = api.post(f"/vms/{vm['id']}/actions/stop", dry_run="true")
    assert answer.status_code == 200, said(answer)
    plan = answer.json()
    assert plan["ok"] is True and plan["changed"] is True
    entry = plan["plan"][0]
    assert entry["operation"] == "vm.stop" and entry["ref"]["id"] == vm["id"]
    assert entry["before"]["power_state"] == "running" and entry["after"]["power_state"] == "off"
    assert api.count("tasks") == tasks
    assert api.read(f"/vms/{vm['id']}")["power_state"] == "running"
    patched = api.patch(f"/vms/{vm['id']}", {"notes": "not really"}, dry_run="true")
    assert patched.status_code == 200 and patched.json()["changed"] is True, said(patched)
    assert api.read(f"/vms/{vm['id']}")["notes"] != "not really"


def test_prefer_wait_answers_with_the_finished_task(api):
    vm = api.items("vms", filter="power:running", fields="id")[2]["id"]
    answer = api.post(f"/vms/{vm}/actions/stop", headers={"Prefer": "wait=60"})
    assert answer.status_code == 200, said(answer)
    assert answer.json()["state"] in ("succeeded", "failed")
    short = api.post(f"/vms/{vm}/actions/start")
    assert short.status_code == 202 and short.headers["Location"] == f"/api/v1/tasks/{short.json()['id']}", said(short)
    api.wait_task(short.json()["id"])


def test_head_and_options_work_everywhere(api):
    for path in ("/vms", "/hosts", "/healthz", "/events"):
        head = api.request("HEAD", path)
        assert head.status_code == 200 and not head.content, path
        options = api.request("OPTIONS", path)
        assert options.status_code in (200, 204) and "GET" in options.headers["Allow"], path


def test_every_answer_has_a_request_id_and_takes_the_callers(api):
    assert api.get("/vms", limit=1).headers["X-Request-Id"]
    answer = api.request("GET", "/vms", headers={"X-Request-Id": "from-the-caller-1"}, params={"limit": 1})
    assert answer.headers["X-Request-Id"] == "from-the-caller-1"
    assert "Server-Timing" in answer.headers
