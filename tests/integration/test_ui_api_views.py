# SPDX-License-Identifier: Apache-2.0
"""Saved views and what completes a filter."""

import pytest

from support.client import said


@pytest.fixture(scope="module")
def people(module_servers):
    server = module_servers("views")
    admin = server.admin()
    for name in ("anna", "boris"):
        made = admin.post("/users", {"name": name, "password": f"{name}s long password 7", "role": "operator"})
        assert made.status_code == 201, said(made)
    return server.login("anna", "annas long password 7"), server.login("boris", "boriss long password 7"), admin


def save(api, name, **more):
    made = api.post("/views", {"name": name, "list": "vms", **more})
    assert made.status_code == 201, said(made)
    return made.json()


def names(api):
    answer = api.get("/views?limit=1000")
    assert answer.status_code == 200, said(answer)
    return {one["name"] for one in answer.json()["items"]}


def test_a_view_keeps_everything_it_was_given(people):
    anna, _, _ = people
    view = save(anna, "big ones", filter="memory.bytes>=8GiB power:running", sort="-memory.bytes",
                columns=["name", "memory.bytes"], layout={"density": "compact", "widths": {"name": 240}})
    again = anna.get(f"/views/{view['id']}").json()
    assert again["filter"] == "memory.bytes>=8GiB power:running"
    assert again["columns"] == ["name", "memory.bytes"]
    assert again["layout"] == {"density": "compact", "widths": {"name": 240}}
    assert again["user"]["name"] == "anna"
    assert anna.delete(f"/views/{view['id']}").status_code == 204
    assert anna.get(f"/views/{view['id']}").status_code == 404


def test_private_views_are_nobody_elses_business(people):
    anna, boris, _ = people
    view = save(anna, "private one")
    assert "private one" not in names(boris)
    assert boris.get(f"/views/{view['id']}").status_code == 404
    assert boris.patch(f"/views/{view['id']}", {"name": "mine"}).status_code == 404
    assert boris.delete(f"/views/{view['id']}").status_code == 404


def test_shared_views_are_seen_but_changed_by_their_user_alone(people):
    anna, boris, admin = people
    view = save(anna, "shared one", shared=True)
    assert "shared one" in names(boris)
    assert boris.patch(f"/views/{view['id']}", {"name": "mine"}).status_code == 403
    assert admin.patch(f"/views/{view['id']}", {"sort": "name"}).status_code == 200


def test_one_default_per_list(people):
    anna, _, _ = people
    first = save(anna, "first", default=True)
    second = save(anna, "second", default=True)
    assert anna.get(f"/views/{first['id']}").json()["default"] is False
    assert anna.get(f"/views/{second['id']}").json()["default"] is True


def test_names_and_filters_are_checked(people):
    anna, boris, _ = people
    save(anna, "twice")
    assert anna.post("/views", {"name": "twice", "list": "vms"}).json()["code"] == "name-taken"
    save(boris, "twice")
    wrong = anna.post("/views", {"name": "wrong", "list": "vms", "filter": "powr:running"}).json()
    assert wrong["code"] == "invalid-filter"
    assert anna.post("/views", {"name": "wrong", "list": "vmss"}).json()["errors"][0]["pointer"] == "/list"


def test_preferences_are_kept_as_they_are(people):
    anna, boris, _ = people
    wish = {"theme": "dark", "grid": {"vms": ["name", "memory.bytes"]}, "lang": "zh-CN"}
    assert anna.patch("/me", {"preferences": wish}).status_code == 200
    assert anna.get("/me").json()["preferences"] == wish
    assert boris.get("/me").json()["preferences"] in (None, {})
    assert anna.patch("/me", {"preferences": {"x": "y" * 70000}}).json()["code"] == "too-large"


def complete(api, text, kind="vm", pos=None):
    answer = api.get("/filter/complete", kind=kind, text=text, **({} if pos is None else {"pos": pos}))
    assert answer.status_code == 200, said(answer)
    return answer.json()


def texts(answer, type):
    return [one["text"] for one in answer["items"] if one["type"] == type]


def test_fields_are_completed(demo):
    found = complete(demo, "power:running mem")
    assert "memory.bytes" in texts(found, "field")
    assert (found["from"], found["to"]) == (14, 17)
    assert "disks.capacity_bytes" in texts(complete(demo, "disks.cap"), "field")
    assert "memory.bytes" in texts(complete(demo, "byt"), "field"), "by a part of the path"
    assert not texts(complete(demo, "zzzz"), "field")


def test_operators_follow_a_whole_field(demo):
    assert "memory.bytes>=" in texts(complete(demo, "memory.bytes"), "operator")
    assert "power_state:" in texts(complete(demo, "power_state"), "operator")


def test_values_come_with_counts_of_the_rest_of_the_filter(demo):
    values = {one["text"]: one.get("count") for one in complete(demo, "power_state:")["items"]}
    assert values["running"] == demo.count("vms", filter="power_state:running")
    family = demo.get("/vms?limit=1").json()["items"][0]["provider"]["name"]
    narrowed = {one["text"]: one.get("count") for one in complete(demo, f'provider="{family}" power_state:r', pos=None)["items"]}
    assert narrowed["running"] == demo.count("vms", filter=f'provider="{family}" power_state:running')
    assert set(narrowed) <= {"running"}


def test_names_of_references_are_completed_and_the_answer_is_a_filter(demo):
    host = demo.get("/hosts?limit=1").json()["items"][0]["name"]
    found = complete(demo, f"host:{host[:4]}")
    assert host in [text.strip('"') for text in texts(found, "value")]
    text = f"host:{texts(found, 'value')[0]}"
    assert demo.count("vms", filter=text) > 0


def test_the_place_in_the_middle_counts(demo):
    found = complete(demo, "power_state:ru memory.bytes>1", pos=14)
    assert texts(found, "value") == ["running"]
    assert (found["from"], found["to"]) == (12, 14)
    inside = complete(demo, "power_state:{off,ru")
    assert texts(inside, "value") == ["running"]
    assert inside["from"] == 17


def test_wrong_questions_are_refused(demo):
    assert demo.get("/filter/complete?kind=vmx&text=a").json()["code"] == "invalid-request"
    assert demo.get("/filter/complete?kind=vm&text=a&pos=7").status_code == 400


def test_a_view_is_shared_with_the_people_of_a_role(people):
    anna, boris, admin = people
    view = save(anna, "of operators", roles=["operator"])
    assert "of operators" in names(boris) and boris.get(f"/views/{view['id']}").status_code == 200
    assert boris.patch(f"/views/{view['id']}", {"name": "mine"}).status_code == 403
    assert anna.patch(f"/views/{view['id']}", {"roles": ["viewer"]}).status_code == 200
    assert "of operators" not in names(boris) and boris.get(f"/views/{view['id']}").status_code == 404
    wrong = anna.patch(f"/views/{view['id']}", {"roles": ["operatr"]})
    assert wrong.status_code == 422 and wrong.json()["errors"][0]["pointer"] == "/roles", said(wrong)
