# SPDX-License-Identifier: Apache-2.0
"""Numbers over time, who uses most, what changed."""

import time
from datetime import datetime, timedelta, timezone

import pytest

from support.client import said
from support.wait import wait_for


@pytest.fixture(scope="module")
def server(module_servers):
    return module_servers("metrics", demo=True)


@pytest.fixture(scope="module")
def api(server):
    api = server.admin()
    wait_for(lambda: api.count("vms") >= 500, "the estate should be there", 120)
    wait_for(lambda: len(api.read("/api/v1/metrics/top", name="cpu.usage_pct")["items"]) == 10, "numbers should have come", 60)
    return api


def known(series):
    return [value for value in series["values"] if value is not None]


def test_names_have_units(api):
    names = {one["name"]: one["unit"] for one in api.read("/api/v1/metrics/names")["items"]}
    assert names["cpu.usage_pct"] == "percent"
    assert names["mem.usage_bytes"] == "bytes"


def test_the_greatest_are_the_greatest(api):
    def three():
        found = api.read("/api/v1/metrics/top", name="mem.usage_bytes", kind="host", n=3)["items"]
        return found if len(found) == 3 else None

    top = wait_for(three, "numbers of hosts should have come", 60)
    values = [one["value"] for one in top]
    assert values == sorted(values, reverse=True) and len(values) == 3
    newest = api.read(f"/hosts/{top[0]['id']}", fields="name,usage")["usage"]
    assert newest["mem.usage_bytes"] > 0


def test_watched_objects_have_single_values(api):
    vm = api.read("/api/v1/metrics/top", name="cpu.usage_pct")["items"][0]["id"]

    def two():
        answer = api.read("/api/v1/metrics/series", refs=vm, names="cpu.usage_pct,mem.usage_bytes", step=20)
        assert answer["step_s"] == 20
        cpu, memory = answer["series"]
        assert cpu["ref"] == vm and cpu["name"] == "cpu.usage_pct" and memory["unit"] == "bytes"
        assert len(cpu["values"]) in (180, 181)
        return known(cpu) if len(known(cpu)) >= 1 and known(memory) else None

    values = wait_for(two, "the numbers of a watched VM", 60)
    assert all(0 <= value <= 100 for value in values)


def test_several_objects_and_a_fitting_step(api):
    vms = [one["id"] for one in api.read("/api/v1/metrics/top", name="cpu.usage_pct", n=5)["items"]]
    now = datetime.now(timezone.utc)
    answer = api.read("/api/v1/metrics/series", refs=",".join(vms), names="cpu.usage_pct",
                      **{"from": (now - timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%SZ")})
    assert answer["step_s"] == 1800
    assert [one["ref"] for one in answer["series"]] == vms
    assert all(known(one) for one in answer["series"])


def test_a_window_of_a_grid_is_one_question(api):
    vms = [one["id"] for one in api.items("vms")]
    answer = api.read("/api/v1/metrics/series", refs=",".join(vms[:200]), names="cpu.usage_pct", step=60)
    assert [one["ref"] for one in answer["series"]] == vms[:200]
    assert any(known(one) for one in answer["series"])
    one_more = api.get("/api/v1/metrics/series?names=cpu.usage_pct&refs=" + ",".join(vms[:201]))
    assert one_more.status_code == 400, said(one_more)
    names = ",".join(one["name"] for one in api.read("/api/v1/metrics/names")["items"][:20])
    now = datetime.now(timezone.utc)
    begin = (now - timedelta(seconds=1900 * 20)).strftime("%Y-%m-%dT%H:%M:%SZ")
    too_much = api.get(f"/api/v1/metrics/series?names={names}&step=20&from={begin}&refs=" + ",".join(vms[:60]))
    assert too_much.status_code == 400 and "values" in too_much.json()["detail"], said(too_much)


def test_numbers_outlive_a_restart(servers):
    server = servers(demo=True)
    api = server.admin()
    wait_for(lambda: len(api.read("/api/v1/metrics/top", name="cpu.usage_pct")["items"]) == 10, "numbers should have come", 60)
    top = api.read("/api/v1/metrics/top", name="cpu.usage_pct")["items"][0]
    stop = datetime.now(timezone.utc)
    server.restart()
    again = server.admin()
    begin = (stop - timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    end = (stop + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    answer = again.read("/api/v1/metrics/series", refs=top["id"], names="cpu.usage_pct", step=300, to=end, **{"from": begin})
    assert known(answer["series"][0]), answer


@pytest.mark.parametrize("query", ["refs=vm_1&names=cpu.usage_pct", "refs={vm}&names=cpu.nothing", "names=cpu.usage_pct",
                                   "refs={vm}&names=cpu.usage_pct&from=yesterday",
                                   "refs={vm}&names=cpu.usage_pct&from=2020-01-01T00:00:00Z&step=20"])
def test_wrong_questions_are_refused(api, query):
    vm = api.read("/api/v1/metrics/top", name="cpu.usage_pct")["items"][0]["id"]
    answer = api.get("/api/v1/metrics/series?" + query.format(vm=vm))
    assert answer.status_code == 400, said(answer)


# What changed

def test_history_and_difference_of_a_vm(api):
    vm = api.items("vms", filter="power:off template:false")[0]
    before = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    time.sleep(1)
    assert api.patch(f"/vms/{vm['id']}", {"notes": "first", "tags": ["a"]}).status_code == 200
    assert api.patch(f"/vms/{vm['id']}", {"notes": "second", "tags": []}).status_code == 200
    history = api.read("/history", ref=vm["id"], limit=2)["items"]
    assert history[0]["seq"] > history[1]["seq"]
    assert history[0]["changes"][0]["field"] in ("notes", "tags")
    diff = api.read("/diff", ref=vm["id"], **{"from": before})
    fields = {one["field"]: one for one in diff["fields"]}
    assert fields["notes"]["to"] == "second" and fields["notes"]["from"] in (None, vm.get("notes"))
    assert "tags" not in fields or fields["tags"]["from"] != fields["tags"]["to"]
    assert diff["complete"] and diff["to_version"] > diff["from_version"]


def test_history_wants_an_object(api):
    assert api.get("/history").status_code == 400
    assert api.get("/diff?ref=abc").status_code == 400
