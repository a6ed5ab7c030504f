# SPDX-License-Identifier: Apache-2.0
"""The second factor: enrolling, signing in in one step and in two, recovery codes, taking it away, throttling."""

import base64
import hashlib
import hmac
import struct
import time
from datetime import datetime
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from support.client import problem, said
from support.server import PASSWORD

SECRET = "a fourth long secret 44"


@pytest.fixture
def server(servers):
    """One for each test: failures are counted by address, too."""
    return servers()


def code_of(secret: str, steps: int = 0) -> str:
    """RFC 6238, written a second time."""
    key = base64.b32decode(secret)
    mac = hmac.new(key, struct.pack(">Q", int(time.time()) // 30 + steps), hashlib.sha1).digest()
    at = mac[19] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 1000000:06d}"


def sign_in(server, name, **more):
    return server.anonymous().post("/auth/login", {"username": name, "password": SECRET, **more})


@pytest.fixture
def enrolled(server, request):
    """A user with a second factor: name, a login, the key and the recovery codes."""
    name = f"u-{request.node.name}"[:60]
    assert server.admin().post("/users", {"name": name, "password": SECRET, "role": "viewer"}).status_code == 201
    login = server.login(name, SECRET)
    key = login.post("/me/totp", {"password": SECRET})
    assert key.status_code == 200, said(key)
    secret = key.json()["secret"]
    # The step before now, so that the present one is left for the test.
    answer = login.post("/me/totp/actions/confirm", {"code": code_of(secret, -1)})
    assert answer.status_code == 200, said(answer)
    return name, login, secret, answer.json()["recovery_codes"]


def test_the_key_comes_with_an_address_for_authenticator_apps(server):
    login = server.login()
    problem(login.post("/me/totp", {"password": "not the password"}), 422)
    made = login.post("/me/totp", {"password": PASSWORD})
    assert made.status_code == 200, said(made)
    uri = urlsplit(made.json()["uri"])
    query = parse_qs(uri.query)
    assert uri.scheme == "otpauth" and uri.netloc == "totp" and unquote(uri.path).startswith("/Polyvisor:")
    assert query["secret"] == [made.json()["secret"]] and query["issuer"] == ["Polyvisor"] and query["period"] == ["30"]
    assert login.get("/me").json()["mfa"] == {"enabled": False, "recovery_codes_left": 0}, "not in use before its first code"
    problem(login.post("/me/totp/actions/confirm", {"code": "000000"}), 422)


def test_signing_in_takes_two_steps_or_one(server, enrolled):
    name, login, secret, codes = enrolled
    assert login.get("/me").json()["mfa"] == {"enabled": True, "recovery_codes_left": 10} and len(set(codes)) == 10
    first = problem(sign_in(server, name), 401, "mfa-required")
    assert first["mfa_token"] and "totp" in first["methods"]
    who = server.anonymous()
    answer = who.post("/auth/mfa", {"mfa_token": first["mfa_token"], "code": code_of(secret)})
    assert answer.status_code == 200 and answer.json()["user"]["name"] == name, said(answer)
    assert who.get("/me").status_code == 200
    again = problem(server.anonymous().post("/auth/mfa", {"mfa_token": first["mfa_token"], "code": code_of(secret)}), 401)
    assert again["code"] == "unauthenticated", "a code counts once"
    one = sign_in(server, name, code=code_of(secret, 1))
    assert one.status_code == 200, said(one)


def test_a_challenge_is_no_login_and_cannot_be_changed(server, enrolled):
    name, _, secret, _ = enrolled
    token = problem(sign_in(server, name), 401, "mfa-required")["mfa_token"]
    problem(server.anonymous().with_token(token).get("/me"), 401)
    for bad in (token[:-2] + ("AA" if token[-2:] != "AA" else "BB"), "x", token + "A"):
        problem(server.anonymous().post("/auth/mfa", {"mfa_token": bad, "code": code_of(secret)}), 401)
    server.admin().patch(f"/users/{server.admin().one('users', name)['id']}", {"password": SECRET + "x"})
    problem(server.anonymous().post("/auth/mfa", {"mfa_token": token, "code": code_of(secret)}), 401)


def test_a_recovery_code_counts_once_however_it_is_typed(server, enrolled):
    name, login, _, codes = enrolled
    assert sign_in(server, name, code=codes[0].lower().replace("-", " ")).status_code == 200
    problem(sign_in(server, name, code=codes[0]), 401)
    assert login.get("/me").json()["mfa"]["recovery_codes_left"] == 9
    new = login.post("/me/totp/actions/recovery_codes", {"password": SECRET, "code": codes[1]})
    assert new.status_code == 200 and not set(new.json()["recovery_codes"]) & set(codes), said(new)
    problem(sign_in(server, name, code=codes[2]), 401)
    assert sign_in(server, name, code=new.json()["recovery_codes"][0]).status_code == 200


def test_wrong_codes_are_slowed_down_and_say_for_how_long(server, enrolled):
    name, _, secret, _ = enrolled
    for _ in range(5):
        problem(sign_in(server, name, code="000000"), 401)
    # The pauses grow from a second; a busy machine may take longer than the first ones for an attempt.
    answer = next(a for a in (sign_in(server, name, code="000000") for _ in range(8)) if a.status_code != 401)
    body = problem(answer, 429, "rate-limited")
    assert int(answer.headers["Retry-After"]) >= 1 and answer.headers["Retry-After"] in body["detail"]
    # The address and the second factor wait each on its own, from when the attempt came to them.
    for _ in range(3):
        time.sleep(int(answer.headers["Retry-After"]) + 0.2)
        answer = sign_in(server, name, code=code_of(secret))
        if answer.status_code != 429:
            break
    assert answer.status_code == 200, "the password is not locked by it"


def test_it_is_taken_away_by_both_factors_or_by_who_manages_access(server, enrolled):
    name, login, secret, codes = enrolled
    problem(login.post("/me/totp/actions/disable", {"password": SECRET, "code": "000000"}), 401)
    problem(login.post("/me/totp/actions/disable", {"password": "another password", "code": codes[0]}), 422)
    problem(login.post("/me/totp", {"password": SECRET}), 409)
    assert login.post("/me/totp/actions/disable", {"password": SECRET, "code": codes[0]}).status_code == 204
    assert sign_in(server, name).status_code == 200
    secret = login.post("/me/totp", {"password": SECRET}).json()["secret"]
    assert login.post("/me/totp/actions/confirm", {"code": code_of(secret)}).status_code == 200
    user = server.admin().one("users", name)
    assert user["mfa"] is True and secret not in str(user)
    assert server.admin().delete(f"/users/{user['id']}/totp").status_code == 204
    problem(login.get("/me"), 401)
    assert sign_in(server, name).status_code == 200
    actions = [a["action"] for a in server.admin().items("audit", filter=f"subject={user['id']}")]
    assert {"mfa.start", "mfa.enable", "mfa.disable", "mfa.reset"} <= set(actions)


def test_a_token_has_no_business_with_it(server, enrolled):
    name, login, _, codes = enrolled
    token = login.post("/tokens", {"name": "t"}).json()["token"]
    who = server.anonymous().with_token(token)
    problem(who.post("/me/totp/actions/disable", {"password": SECRET, "code": codes[0]}), 403)
    problem(who.post("/me/totp", {"password": SECRET}), 403)


def test_ones_logins_are_listed_and_ended(server):
    server.admin().post("/users", {"name": "many", "password": SECRET, "role": "viewer"})
    here, there, third = (server.login("many", SECRET) for _ in range(3))
    logins = here.get("/me/logins").json()["items"]
    assert len(logins) == 3 and [x["current"] for x in logins].count(True) == 1
    mine = next(x for x in logins if x["current"])
    other = next(x for x in logins if not x["current"])
    assert here.delete(f"/me/logins/{other['id']}").status_code == 204
    assert sorted(x.get("/me").status_code for x in (here, there, third)) == [200, 200, 401]
    assert here.delete("/me/logins").status_code == 204
    assert [x["id"] for x in here.get("/me/logins").json()["items"]] == [mine["id"]]
    assert here.get("/me").status_code == 200


def test_how_long_a_sign_in_lasts_is_a_setting(server):
    api = server.admin()
    assert api.read("/settings")["sign_in"] == {"idle_minutes": 30, "most_minutes": 720}
    changed = api.patch("/settings", {"sign_in": {"idle_minutes": 5, "most_minutes": 60}})
    assert changed.status_code == 200 and changed.json()["sign_in"] == {"idle_minutes": 5, "most_minutes": 60}
    problem(api.patch("/settings", {"sign_in": {"idle_minutes": 0}}), 422)
    login = server.login()
    made = next(x for x in login.get("/me/logins").json()["items"] if x["current"])
    lasts = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
    assert lasts.total_seconds() == 3600
    server.restart()
    assert server.admin().read("/settings")["sign_in"]["idle_minutes"] == 5
