# SPDX-License-Identifier: Apache-2.0
"""The event stream: replay, no gap between a list and the stream, filters, many readers."""

import threading
import uuid

import pytest

from support.client import problem
from support.wait import wait_for


@pytest.fixture(scope="module")
def server(module_servers):
    return module_servers()


@pytest.fixture
def api(server):
    return server.admin()


def change(api, name=None):
    answer = api.post("/folders", {"name": name or f"f {uuid.uuid4()}"})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def about(folder):
    return lambda item: ((item["data"] or {}).get("ref") or {}).get("id") == folder


def test_a_change_arrives_with_number_type_and_reference(api):
    with api.stream() as stream:
        folder = change(api)
        item = stream.wait(about(folder), "the new folder")
    assert item["event"] == "folder.created"
    assert int(item["id"]) == item["data"]["seq"]
    assert item["data"]["type"] == "folder.created"
    assert item["data"]["actor"]["type"] in ("token", "user")


def test_last_event_id_replays_everything_since(api):
    with api.stream() as stream:
        first = change(api)
        seen = stream.wait(about(first), "the first folder")
    later = [change(api) for _ in range(20)]
    with api.stream(last_event_id=int(seen["id"])) as stream:
        stream.wait(about(later[-1]), "the last of twenty")
        created = [i["data"]["ref"]["id"] for i in stream.items if i["event"] == "folder.created"]
        assert created == later, "each once, in order, nothing from before"
        seqs = stream.seqs()
        assert seqs == sorted(set(seqs))


def test_since_means_the_same_as_last_event_id(api):
    since = api.last_seq()
    folder = change(api)
    with api.stream(since=since) as stream:
        stream.wait(about(folder), "the folder made before the stream was opened")


def test_list_then_follow_has_no_gap(api):
    """Folders are made all the time; list plus stream from its event_seq is all of them."""
    ended = threading.Event()
    made = []

    def busy():
        own = api.with_token(api.token)
        while not ended.is_set():
            made.append(change(own))

    worker = threading.Thread(target=busy)
    worker.start()
    try:
        for _ in range(5):
            page = api.read("/folders", limit=1000)
            known = {f["id"] for f in page["items"]}
            while page["next"]:
                page_next = api.read("/folders", limit=1000, cursor=page["next"])
                known |= {f["id"] for f in page_next["items"]}
                page = {**page_next, "event_seq": page["event_seq"]}
            with api.stream(since=page["event_seq"]) as stream:
                count = len(made)
                wait_for(lambda: len(made) > count + 10, "more folders")
                expected = list(made[:count + 5])
                stream.wait(about(expected[-1]), "the latest folder")
                known |= {i["data"]["ref"]["id"] for i in stream.items if i["event"] == "folder.created"}
            missing = [f for f in expected if f not in known]
            assert not missing, f"{len(missing)} of {len(expected)} fell into the gap"
    finally:
        ended.set()
        worker.join()


def test_streams_can_be_narrowed_by_type(api):
    with api.stream(types="folder.gone,task.*") as stream:
        folder = change(api)
        assert api.delete(f"/folders/{folder}").status_code in (200, 204)
        stream.wait(about(folder), "the deleted folder")
        assert {i["event"] for i in stream.items if i["event"]} <= {"folder.gone", "task.created", "task.updated",
                                                                    "task.finished"}


def test_events_survive_a_restart_and_numbers_go_on(server, api):
    since = api.last_seq()
    before = change(api)
    server.restart()
    api = server.admin()
    after = change(api)
    with api.stream(last_event_id=since) as stream:
        stream.wait(about(after), "the folder made after the restart")
        created = [i["data"]["ref"]["id"] for i in stream.items if i["event"] == "folder.created"]
        assert created == [before, after]


def test_an_event_number_outside_of_what_is_kept_is_answered_with_reset(api):
    with api.stream(last_event_id=10 ** 15) as stream:
        item = stream.wait(lambda i: i["event"] == "reset", "an event 'reset'")
        assert item is stream.items[0]


def test_a_bad_event_number_is_refused(api):
    answer = api.request("GET", "/events/stream", headers={"Last-Event-ID": "abc"}, stream=True)
    assert answer.status_code == 400
    answer.close()


def test_the_stream_needs_a_login(server):
    problem(server.anonymous().get("/events/stream"), 401, "unauthenticated")


def test_the_pull_log_and_the_stream_tell_the_same(api):
    since = api.last_seq()
    with api.stream(since=since) as stream:
        folders = [change(api) for _ in range(10)]
        stream.wait(about(folders[-1]), "the last folder")
        streamed = [i["data"]["seq"] for i in stream.items if i["event"] == "folder.created"]
    pulled = [e["seq"] for e in api.events(since) if e["type"] == "folder.created"]
    assert streamed == pulled


def test_a_hundred_readers_get_the_same_events(server, api):
    streams = [api.stream() for _ in range(100)]
    try:
        folder = change(api)
        for stream in streams:
            stream.wait(about(folder), "the folder", timeout=60)
    finally:
        for stream in streams:
            stream.close()
    wait_for(lambda: api.get("/healthz").status_code == 200, "the server goes on", 20)


def test_with_object_adds_the_new_representation(api):
    with api.stream(**{"with": "object"}) as stream:
        folder = change(api, name := f"named {uuid.uuid4()}")
        item = stream.wait(about(folder), "the folder")
        assert item["data"]["object"]["name"] == name


def test_a_comment_keeps_an_idle_stream_alive(api):
    with api.stream(types="no.such") as stream:
        wait_for(lambda: stream.comments >= 1, "a comment line every 15 s", 25)
