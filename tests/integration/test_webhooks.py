# SPDX-License-Identifier: Apache-2.0
"""Webhooks: events reach a receiver that we did not write, signed, in order and at least once."""

import hashlib
import hmac
import time

import pytest

from support.client import said
from support.receivers import HttpReceiver
from support.wait import wait_for

SECRET = "a secret that signs what is posted"


@pytest.fixture(scope="module")
def server(module_servers):
    return module_servers("webhooks")


@pytest.fixture(scope="module")
def api(server):
    return server.admin()


@pytest.fixture
def receiver():
    made = HttpReceiver()
    yield made
    made.stop()


@pytest.fixture
def hook(api):
    made = []

    def make(url, **body):
        answer = api.post("/webhooks", {"name": f"hook {len(made)}", "url": url, "secret": SECRET, **body})
        assert answer.status_code == 201, said(answer)
        made.append(answer.json()["id"])
        return answer.json()

    yield make
    for one in made:
        assert api.delete(f"/webhooks/{one}").status_code in (204, 404)


def tag(api, name):
    answer = api.post("/tags", {"name": name})
    assert answer.status_code == 201, said(answer)
    return answer.json()


def came(receiver, n, what="requests should come"):
    return wait_for(lambda: receiver.requests if len(receiver.requests) >= n else None, f"{n} {what}", 90)


def test_events_are_posted_signed_and_in_order(api, receiver, hook):
    one = hook(receiver.url, event_types=["tag.*"])
    since = api.last_seq()
    for i in range(20):
        tag(api, f"in-order-{i}")
    api.post("/folders", {"name": "of no interest"})
    requests = came(receiver, 20)
    events = [e for e in api.events(since, view="full") if e["type"] == "tag.created"]
    assert [r["json"]["event"]["seq"] for r in requests] == [e["seq"] for e in events]
    assert {k: requests[0]["json"]["event"][k] for k in ("id", "type", "message", "ref")} == \
        {k: events[0][k] for k in ("id", "type", "message", "ref")}
    for r in requests:
        stamp, signature = (part.split("=", 1)[1] for part in r["headers"]["Polyvisor-Signature"].split(","))
        wanted = hmac.new(SECRET.encode(), stamp.encode() + b"." + r["raw"], hashlib.sha256).hexdigest()
        assert hmac.compare_digest(signature, wanted) and abs(int(stamp) - time.time()) < 600
        assert r["headers"]["Polyvisor-Delivery"] == r["json"]["id"] and r["headers"]["Polyvisor-Event"] == "tag.created"
        assert r["headers"]["Polyvisor-Attempt"] == "1" and r["headers"]["Content-Type"] == "application/json"
    log = wait_for(lambda: (lambda items: items if [d["state"] for d in items] == ["delivered"] * 20 else None)(
        api.items(f"webhooks/{one['id']}/deliveries", sort="seq", view="full")), "all should be delivered", 60)
    assert len(receiver.requests) == 20 and log[0]["webhook"]["id"] == one["id"]
    assert SECRET not in api.get(f"/webhooks/{one['id']}", view="full").text


def test_a_selector_and_a_failing_receiver(api, receiver, hook):
    receiver.answers = [503, 503]
    one = hook(receiver.url, selector="message~*wanted*", event_types=["tag.created"])
    tag(api, "unwanted-not")  # the selector looks for a part of it
    tag(api, "other")
    tag(api, "wanted-2")
    requests = came(receiver, 4)
    assert [r["json"]["event"]["ref"]["name"] for r in requests] == ["unwanted-not"] * 3 + ["wanted-2"]
    assert [r["headers"]["Polyvisor-Attempt"] for r in requests] == ["1", "2", "3", "1"]
    assert len({r["json"]["id"] for r in requests}) == 2
    # Refused for good: kept, and what follows goes on.
    receiver.answers = [422]
    tag(api, "wanted-3")
    tag(api, "wanted-4")
    came(receiver, 6)
    [dead] = wait_for(lambda: api.items(f"webhooks/{one['id']}/deliveries", filter="state:dead"), "one should be dead", 60)
    again = api.post(f"/deliveries/{dead['id']}/actions/resend")
    assert again.status_code == 200, said(again)
    assert came(receiver, 7)[6]["json"]["event"]["ref"]["name"] == "wanted-3"


def test_what_happens_while_it_is_disabled_or_dead_comes_later(servers, receiver):
    server = servers()
    api = server.admin()
    body = {"name": "later", "url": receiver.url, "secret": SECRET, "event_types": ["tag.created"], "enabled": False}
    one = api.post("/webhooks", body).json()
    tag(api, "while-disabled")
    server.kill()
    server.start()
    api = server.admin()
    tag(api, "after-kill")
    assert api.patch(f"/webhooks/{one['id']}", {"enabled": True}).status_code == 200
    came(receiver, 2)
    receiver.gate.clear()
    tag(api, "on-its-way")
    came(receiver, 3)
    server.kill()
    receiver.gate.set()
    server.start()
    tag(server.admin(), "at-the-end")
    wait_for(lambda: receiver.requests[-1]["json"]["event"]["ref"]["name"] == "at-the-end", "the last should come", 90)
    names = [r["json"]["event"]["ref"]["name"] for r in receiver.requests]
    assert list(dict.fromkeys(names)) == ["while-disabled", "after-kill", "on-its-way", "at-the-end"], names
    assert len({r["json"]["id"] for r in receiver.requests}) == 4


@pytest.mark.parametrize("body, pointer", [
    ({"url": "http://example.com/"}, "/url"), ({"url": "https://169.254.169.254/"}, "/url"),
    ({"url": "https://x.example.com/", "selector": "typo:1"}, "/selector"),
    ({"url": "https://x.example.com/", "event_types": ["VM;drop"]}, "/event_types/0"),
    ({"url": "https://x.example.com/", "secret": "short"}, "/secret")])
def test_wrong_webhooks_are_refused(api, body, pointer):
    answer = api.post("/webhooks", {"name": "wrong", "secret": SECRET, **body})
    assert answer.status_code in (400, 422), said(answer)
    assert answer.json()["errors"][0]["pointer"] == pointer
    missing = api.post("/webhooks", {"name": "wrong", "url": "https://x.example.com/"})
    assert missing.status_code in (400, 422) and missing.json()["errors"][0]["pointer"] == "/secret", said(missing)
