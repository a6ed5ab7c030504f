# SPDX-License-Identifier: Apache-2.0
"""Every route with every built-in role, from the API description and the roles: a new route is in it by itself.

What a request would do does not matter, only whether it is let in: bodies are empty and ids are made up, so who may
gets 2xx, 304 or an answer about the request (400, 404, 405, 409, 412, 415, 422), and who may not gets 403 with the
permission.
"""

import pytest

from support.client import said

SECRET = "a fifth long secret 55"
# Anything else that says no is a bug; 503 is what the server says about the simulated estate's health to Nagios.
LET_IN = {200, 201, 202, 204, 304, 400, 404, 405, 409, 412, 415, 422, 502, 503, 504}
# Routes that decide by themselves, and how: what everybody who has signed in may ask for.
OWN = {"/api/v1/me", "/api/v1/deliveries", "/api/v1/tokens", "/api/v1/views", "/api/v1/access/explain"}


@pytest.fixture(scope="module")
def server(module_servers):
    # So many requests at once are the test's doing.
    return module_servers(demo=True, config="rate_per_s = 0\n")


@pytest.fixture(scope="module")
def api(server):
    return server.admin()


@pytest.fixture(scope="module")
def document(api):
    return api.read("/openapi.json")


@pytest.fixture(scope="module")
def roles(api):
    return {r["name"]: set(r["permissions"]) for r in api.items("roles") if r["builtin"]}


@pytest.fixture(scope="module")
def callers(server, api, roles):
    made = {}
    for role in roles:
        answer = api.post("/users", {"name": f"m-{role}", "password": SECRET, "role": role})
        assert answer.status_code == 201, said(answer)
        made[role] = server.anonymous().with_token(server.make_token("m", f"m-{role}", SECRET))
    api.post("/users", {"name": "m-nothing", "password": SECRET})
    made["nothing"] = server.anonymous().with_token(server.make_token("m", "m-nothing", SECRET))
    # Everything, but on one object alone: other ids are not there for him.
    vm = api.items("vms", fields="id")[0]["id"]
    api.post("/users", {"name": "m-scoped", "password": SECRET})
    api.post("/grants", {"user": "m-scoped", "role": "admin", "scope": {"type": "object", "object": vm}})
    made["scoped"] = server.anonymous().with_token(server.make_token("m", "m-scoped", SECRET))
    return made


def routes(document):
    for path, operations in sorted(document["paths"].items()):
        for method, operation in operations.items():
            if method in ("get", "post", "put", "patch", "delete"):
                yield method.upper(), path, operation


def ask(who, method, path):
    filled = path
    while "{" in filled:
        start, end = filled.index("{"), filled.index("}")
        name = filled[start + 1:end]
        filled = filled[:start] + ("vm" if name == "kind" else "name:no such thing") + filled[end + 1:]
    more = {"json": {}} if method in ("POST", "PUT", "PATCH") else {}
    # Past the client, which knows paths by their first words; and past its check of answers, which has streams to the end.
    answer = who.session.request(method, who.base.removesuffix("/api/v1") + filled, stream=True, timeout=60,
                                 verify=who.cert_file, **more)
    answer.close()
    return answer


def test_every_route_says_what_it_needs(document, roles):
    known = roles["admin"] | {"", "read"}
    unknown = []
    for method, path, operation in routes(document):
        public = operation.get("security") == []
        needed = operation.get("x-permission")
        if not public and needed not in known:
            unknown.append(f"{method} {path} needs {needed!r}")
        if not public and not needed and not any(path.startswith(o) for o in OWN) and method != "GET" and \
                path not in ("/api/v1/auth/logout", "/api/v1/bulk", "/api/v1/tasks/{id}/actions/undo"):
            unknown.append(f"{method} {path} changes something and needs nothing")
    assert not unknown, "\n".join(unknown)


def test_without_signing_in_only_public_routes_answer(server, document):
    wrong = []
    for method, path, operation in routes(document):
        status = ask(server.anonymous(), method, path).status_code
        public = operation.get("security") == []
        if (status == 401) == public and not (public and path.startswith("/api/v1/auth/")):
            wrong.append(f"{method} {path}: {status}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("role", ["viewer", "operator", "vm_admin", "infra_admin", "auditor", "monitor", "automation", "admin"])
def test_each_role_is_let_in_where_it_has_the_permission_and_nowhere_else(callers, document, roles, role):
    who, wrong = callers[role], []
    for method, path, operation in routes(document):
        needed = operation.get("x-permission")
        if operation.get("security") == [] or path == "/api/v1/auth/logout":
            continue
        reads = any(p.endswith(".read") and p not in ("monitor.read", "audit.read") for p in roles[role])
        may = not needed or needed in roles[role] or (needed == "read" and reads)
        status = ask(who, method, path).status_code
        if may and status not in LET_IN and not (status == 403 and not needed):
            wrong.append(f"{method} {path} ({needed}): {status}, but {role} may")
        if not may and status != 403:
            wrong.append(f"{method} {path} ({needed}): {status}, but {role} may not")
    assert not wrong, "\n".join(wrong)


def test_who_was_granted_nothing_gets_nothing(callers, document):
    who, wrong = callers["nothing"], []
    for method, path, operation in routes(document):
        if operation.get("security") == [] or path == "/api/v1/auth/logout" or not operation.get("x-permission"):
            continue
        status = ask(who, method, path).status_code
        if status != 403:
            wrong.append(f"{method} {path}: {status}")
    assert not wrong, "\n".join(wrong)


def test_a_right_on_one_object_is_none_on_the_server(callers, document):
    """Every permission, but on one VM alone: what is about the server as a whole stays closed, other objects are not there."""
    who, wrong = callers["scoped"], []
    whole = {"access.manage", "audit.read", "system.manage", "webhook.manage", "credential.manage"}
    for method, path, operation in routes(document):
        needed = operation.get("x-permission")
        if operation.get("security") == [] or path == "/api/v1/auth/logout" or not needed:
            continue
        status = ask(who, method, path).status_code
        if needed in whole and status != 403:
            wrong.append(f"{method} {path} ({needed}): {status}")
        if "{id}" in path and method != "GET" and status not in (403, 404, 400, 415, 422):
            wrong.append(f"{method} {path} ({needed}): {status}")
    assert not wrong, "\n".join(wrong)
    assert who.count("vms") == 1 and who.count("hosts") == 0


def test_what_is_made_without_a_place_needs_the_right_on_everything(callers, api):
    who = callers["scoped"]
    for path, body in (("/folders", {"name": "scoped folder"}), ("/tags", {"name": "scoped-tag"}),
                       ("/providers", {"name": "scoped provider", "driver": "sim", "endpoint": "sim://x"})):
        answer = who.post(path, body)
        assert answer.status_code == 403, said(answer)
    assert not api.items("folders", filter='name="scoped folder"') and not api.items("tags", filter="name=scoped-tag")
