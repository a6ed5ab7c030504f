# SPDX-License-Identifier: Apache-2.0
"""Who may do what: roles, logins, tokens, cross-site requests, throttling, audit."""

import json
import time

import pytest

from support.client import problem, said
from support.server import ADMIN, PASSWORD
from support.wait import wait_for

SECRET = "another long secret 77"


@pytest.fixture(scope="module")
def server(module_servers):
    return module_servers(demo=True)


@pytest.fixture
def api(server):
    return server.admin()


@pytest.fixture(scope="module")
def people(server):
    """One user per role."""
    api = server.admin()
    for role in ("viewer", "operator", "admin", "monitor"):
        answer = api.post("/users", {"name": f"the-{role}", "password": SECRET, "role": role})
        assert answer.status_code == 201, said(answer)
        assert SECRET not in answer.text and "scrypt" not in answer.text
    return {role: server.make_token(role, f"the-{role}", SECRET) for role in ("viewer", "operator", "admin", "monitor")}


def client(server, token):
    return server.anonymous().with_token(token)


# (method, path, body, roles that may)
MATRIX = [
    ("GET", "/vms", None, {"viewer", "operator", "admin"}),
    ("GET", "/hosts", None, {"viewer", "operator", "admin"}),
    ("GET", "/tasks", None, {"viewer", "operator", "admin"}),
    ("GET", "/providers", None, {"viewer", "operator", "admin"}),
    ("GET", "/health", None, {"viewer", "operator", "admin", "monitor"}),
    ("POST", "/vms/{vm}/actions/start", {}, {"operator", "admin"}),
    ("POST", "/bulk", {"action": "vm.start", "targets": ["{vm}"]}, {"operator", "admin"}),
    ("PATCH", "/vms/{vm}", {"tags": ["x"]}, {"operator", "admin"}),
    ("POST", "/providers/{provider}/actions/sync", {}, {"admin"}),
    ("POST", "/folders", {"name": "made by {role}"}, {"admin"}),
    ("GET", "/users", None, {"admin"}),
    ("POST", "/users", {"name": "made-by-{role}", "password": SECRET, "role": "viewer"}, {"admin"}),
    ("GET", "/audit", None, {"admin"}),
]


@pytest.mark.parametrize("role", ["viewer", "operator", "admin", "monitor"])
@pytest.mark.parametrize("method, path, body, allowed", MATRIX, ids=[f"{m} {p}" for m, p, _, _ in MATRIX])
def test_each_role_may_do_what_it_should_and_no_more(server, api, people, role, method, path, body, allowed):
    vm = api.items("vms", filter="power:running", fields="id")[0]["id"]
    provider = api.items("providers", fields="id")[0]["id"]

    def fill(text):
        return text.replace("{vm}", vm).replace("{provider}", provider).replace("{role}", role)

    who = client(server, people[role])
    data = json.loads(fill(json.dumps(body))) if body is not None else None
    if method == "PATCH":
        answer = who.patch(fill(path), data)
    else:
        answer = who.request(method, fill(path), json=data)
    if role in allowed:
        assert answer.status_code < 400, said(answer)
    else:
        problem(answer, 403, "forbidden")


def test_a_token_narrows_its_owners_rights_and_never_widens_them(server, people):
    narrow = client(server, server.make_token("narrow", role="viewer"))
    assert narrow.get("/vms").status_code == 200
    problem(narrow.get("/users"), 403, "forbidden")
    wide = server.login("the-viewer", SECRET).post("/tokens", {"name": "wide", "role": "admin"})
    if wide.status_code == 201:
        problem(client(server, wide.json()["token"]).get("/users"), 403, "forbidden")
    else:
        problem(wide, wide.status_code)


@pytest.mark.parametrize("token", ["pv_", "pv_x_y", "nonsense", "pv_" + "0" * 26 + "_" + "a" * 43, ""])
def test_a_wrong_token_is_refused(server, token):
    problem(client(server, token or "x").get("/vms"), 401, "unauthenticated")


def test_a_token_whose_secret_was_changed_is_refused(server):
    token = server.make_token("good")
    bad = token[:-1] + ("a" if token[-1] != "a" else "b")
    problem(client(server, bad).get("/vms"), 401, "unauthenticated")
    assert client(server, token).get("/vms").status_code == 200


def test_a_deleted_token_ends_at_once(server, api):
    token = server.make_token("short-lived")
    who = client(server, token)
    assert who.get("/vms").status_code == 200
    mine = next(t for t in server.login().items("tokens") if t["name"] == "short-lived")
    assert server.login().delete(f"/tokens/{mine['id']}").status_code in (200, 204)
    problem(who.get("/vms"), 401, "unauthenticated")


def test_an_expired_token_is_refused(server):
    login = server.login()
    for seconds in (4, 15, 60):  # on a busy machine the first may be past by the time it is looked at
        soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
        answer = login.post("/tokens", {"name": "expiring", "expires_at": soon})
        if answer.status_code == 201:
            break
    assert answer.status_code == 201, said(answer)
    who = client(server, answer.json()["token"])
    wait_for(lambda: who.get("/vms").status_code != 200, "the token should expire", 120, every=0.5)
    problem(who.get("/vms"), 401, "unauthenticated")


def test_a_write_with_a_cookie_needs_the_csrf_token_and_the_right_origin(server):
    api = server.login()
    good = dict(api.session.headers)
    del api.session.headers["X-CSRF-Token"]
    problem(api.post("/folders", {"name": "no csrf"}), 403, "forbidden")
    problem(api.post("/folders", {"name": "bad csrf"}, headers={"X-CSRF-Token": "x" * 43}), 403, "forbidden")
    api.session.headers.update(good)
    problem(api.post("/folders", {"name": "origin"}, headers={"Origin": "https://evil.example"}), 403, "forbidden")
    made = api.post("/folders", {"name": "with csrf"}, headers={"Origin": server.url})
    assert made.status_code == 201, said(made)
    assert api.get("/vms", limit=1).status_code == 200, "a read needs none"


def test_logging_out_ends_the_login(server):
    api = server.login()
    cookie = api.session.cookies.copy()
    answer = api.post("/auth/logout")
    assert answer.status_code in (200, 204), said(answer)
    again = server.anonymous()
    again.session.cookies.update(cookie)
    problem(again.get("/me"), 401, "unauthenticated")


def test_each_login_gets_a_new_identity(server):
    first, second = server.login(), server.login()
    name = "__Host-polyvisor"
    assert first.session.cookies[name] != second.session.cookies[name]


def test_a_new_password_ends_the_users_logins(server, api):
    made = api.post("/users", {"name": "changing", "password": SECRET, "role": "viewer"}).json()
    old = server.login("changing", SECRET)
    assert api.patch(f"/users/{made['id']}", {"password": "a different secret 8"}).status_code == 200
    problem(old.get("/me"), 401, "unauthenticated")
    problem(server.anonymous().login("changing", SECRET), 401, "unauthenticated")
    server.login("changing", "a different secret 8")


@pytest.mark.parametrize("password", ["short", "password1234", "x" * 129])
def test_weak_passwords_are_refused(api, password):
    answer = api.post("/users", {"name": "weak", "password": password, "role": "viewer"})
    problem(answer, 422)
    assert api.count("users", filter='name="weak"') == 0


def test_the_last_administrator_cannot_be_removed(servers):
    api = servers().admin()
    me = api.read("/me")["user"]
    for answer in (api.delete(f"/users/{me['id']}"), api.patch(f"/users/{me['id']}", {"role": "viewer"}),
                   api.patch(f"/users/{me['id']}", {"enabled": False})):
        assert answer.status_code in (409, 422), said(answer)
        problem(answer, answer.status_code)


def test_a_disabled_user_is_out_at_once(server, api):
    made = api.post("/users", {"name": "leaving", "password": SECRET, "role": "viewer"}).json()
    token = server.make_token("t", "leaving", SECRET)
    assert client(server, token).get("/vms", limit=1).status_code == 200
    assert api.patch(f"/users/{made['id']}", {"enabled": False}).status_code == 200
    problem(client(server, token).get("/vms", limit=1), 401, "unauthenticated")
    problem(server.anonymous().login("leaving", SECRET), 401, "unauthenticated")


def test_an_unknown_user_and_a_wrong_password_look_the_same(servers):
    server = servers()
    unknown = problem(server.anonymous().login("nobody-here", PASSWORD), 401, "unauthenticated")
    wrong = problem(server.anonymous().login(ADMIN, PASSWORD + "x"), 401, "unauthenticated")
    same = ("type", "title", "detail", "code", "remedy")
    assert {k: unknown[k] for k in same} == {k: wrong[k] for k in same}


def test_guessing_is_slowed_down_and_others_can_still_sign_in(servers):
    server = servers()
    server.admin().post("/users", {"name": "victim", "password": SECRET, "role": "viewer"})
    answers = [server.anonymous().login("victim", f"guess number {n}") for n in range(12)]
    codes = [a.status_code for a in answers]
    assert codes[:4] == [401] * 4 and 429 in codes, codes
    limited = next(a for a in answers if a.status_code == 429)
    problem(limited, 429, "rate-limited")
    assert int(limited.headers["Retry-After"]) >= 1
    assert server.admin().get("/vms", limit=1).status_code == 200, "tokens are not concerned"


def test_too_many_requests_are_answered_429(servers):
    server = servers(config="rate_per_s = 5\nrate_burst = 10\n")
    api = server.admin()
    first = api.get("/vms", limit=1)
    assert first.headers["RateLimit-Policy"] == '"caller";q=10;w=2' and first.headers["RateLimit"].startswith('"caller";r='), said(first)
    codes = [api.get("/vms", limit=1).status_code for _ in range(60)]
    assert 429 in codes and 200 in codes, codes
    limited = next(a for a in (api.get("/vms", limit=1) for _ in range(60)) if a.status_code == 429)
    problem(limited, 429, "rate-limited")
    assert int(limited.headers["Retry-After"]) >= 1 and limited.headers["RateLimit"].startswith('"caller";r=0;t=')


def test_every_write_and_every_refusal_is_in_the_audit_and_the_chain_is_whole(server, api, people):
    made = api.post("/folders", {"name": "audited"}).json()
    api.patch(f"/folders/{made['id']}", {"notes": "changed"})
    client(server, people["viewer"]).post("/folders", {"name": "refused"})
    server.anonymous().login(ADMIN, "a wrong password 1")
    records = []

    def audited(fits):
        records[:] = api.items("audit", view="full")  # written behind the answer
        return any(fits(r) for r in records)

    for what, fits in (
            ("the change of the folder", lambda r: r["outcome"] == "allowed" and made["id"] in json.dumps(r)
             and "PATCH" in r["action"]),
            ("the refused write", lambda r: r["outcome"] == "denied" and r["actor"]["name"] == "viewer"
             and "POST" in r["action"] and "folders" in r["action"]),
            ("the refused sign-in", lambda r: "login" in r["action"] and r["outcome"] != "allowed")):
        wait_for(lambda: audited(fits), what)
    seqs = sorted(r["seq"] for r in records)
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    by_seq = {r["seq"]: r for r in records}
    assert all(by_seq[n]["prev_hash"] == by_seq[n - 1]["hash"] for n in seqs[1:])
    verified = api.get("/audit/verify")
    if verified.status_code == 200:
        assert verified.json()["ok"] is True, said(verified)


def test_the_audit_names_the_object_that_was_made(api):
    made = api.post("/folders", {"name": "made and audited"}).json()
    wait_for(lambda: [r for r in api.items("audit", view="full") if "POST" in r["action"] and "folders" in r["action"]
                      and made["id"] in json.dumps(r)], "the record of the new folder")


def test_the_audit_tells_a_preview_from_what_was_done(servers):
    api = servers(demo=True).admin()
    wait_for(lambda: api.count("vms", filter="power:running"), "the estate should be there", 120)
    vm = api.items("vms", filter="power:running")[0]
    for query in ("?dry_run=true", ""):
        answer = api.post(f"/vms/{vm['id']}/actions/stop{query}", {})
        assert answer.status_code in (200, 202), said(answer)
    assert api.patch(f"/vms/{vm['id']}?dry_run=true", {"notes": "only looked at"}).status_code == 200
    assert api.post("/bulk", {"action": "vm.start", "targets": [vm["id"]]}, dry_run="true").status_code == 200

    def recorded():
        records = api.items("audit", view="full")
        return records if any(r["action"] == "vm.start" for r in records) else None

    records = wait_for(recorded, "the requests should be recorded", 30)
    stops = sorted(r["dry_run"] for r in records if r["action"] == "vm.stop")
    assert stops == [False, True], records
    assert all(r["dry_run"] for r in records if r["action"] in ("vm.start", "vm.update", "vm.configure")
               or r["action"].startswith("PATCH")), records
    previews = api.items("audit", filter="dry_run:true")
    assert len(previews) == 3 and all(r["dry_run"] for r in previews)
    assert api.read("/audit/verify")["ok"] is True


def test_what_has_no_preview_refuses_to_be_previewed(api):
    made = api.post("/folders", {"name": "kept"}).json()
    document = problem(api.patch(f"/folders/{made['id']}?dry_run=true", {"name": "changed"}), 400, "invalid-request")
    assert "preview" in document["detail"]
    assert api.read(f"/folders/{made['id']}")["name"] == "kept"


def test_pages_carry_the_browsers_protection_headers(server):
    answer = server.anonymous().get("/healthz")
    for header in ("X-Content-Type-Options", "Content-Security-Policy", "Strict-Transport-Security", "Referrer-Policy"):
        assert header in answer.headers, f"{header} is missing"
    assert "Access-Control-Allow-Origin" not in answer.headers
