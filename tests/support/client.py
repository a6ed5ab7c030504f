# SPDX-License-Identifier: Apache-2.0
"""A client of the server's API as somebody outside would write it: requests, nothing else."""

import json
import threading
import time
from datetime import datetime
from urllib.parse import urlsplit

import requests

from .wait import patience, wait_for

FINAL = ("succeeded", "failed", "canceled", "lost")


class Api:
    """Talks to one server. Verifies its certificate by the file that the server wrote on its first start."""

    def __init__(self, url: str, cert_file, token: str | None = None, contract=None):
        self.url = url.rstrip("/")
        self.base = self.url + "/api/v1"
        self.cert_file = str(cert_file)
        self.contract = contract
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = self.cert_file
        self.token = token
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"

    def with_token(self, token: str | None) -> "Api":
        return Api(self.url, self.cert_file, token, self.contract)

    # Plain requests: any status comes back

    def request(self, method: str, path: str, timeout: float = 90, **more) -> requests.Response:
        url = self.url + path if path.startswith("/") and path.startswith(("/api", "/healthz", "/readyz", "/metrics")) \
            else self.base + path
        answer = self.session.request(method, url, timeout=timeout, **more)
        if self.contract is not None and not more.get("stream"):
            self.contract.check(answer)
        return answer

    def get(self, path, **params):
        return self.request("GET", path, params=_flat(params))

    def post(self, path, body=None, headers=None, **params):
        return self.request("POST", path, json={} if body is None else body, headers=headers, params=_flat(params))

    def patch(self, path, body, headers=None, **params):
        headers = {"Content-Type": "application/merge-patch+json", **(headers or {})}
        return self.request("PATCH", path, data=json.dumps(body), headers=headers, params=_flat(params))

    def delete(self, path, headers=None, **params):
        return self.request("DELETE", path, headers=headers, params=_flat(params))

    # Requests that must work

    def read(self, path, **params) -> dict:
        answer = self.get(path, **params)
        assert answer.status_code == 200, said(answer)
        return answer.json()

    def items(self, kind: str, **params) -> list[dict]:
        """All objects of a kind, by pages."""
        params.setdefault("limit", 1000)
        found, cursor = [], None
        while True:
            page = self.read(f"/{kind}", **params, **({"cursor": cursor} if cursor else {}))
            found += page["items"]
            cursor = page.get("next")
            if not cursor:
                return found

    def count(self, kind: str, **params) -> int:
        return self.read(f"/{kind}", limit=1, count="exact", **params)["count"]

    def one(self, kind: str, name: str, **params) -> dict:
        """The one object with this name, in full."""
        found = self.items(kind, filter=f'name="{name}"', **params)
        assert len(found) == 1, f"{len(found)} {kind} are called {name!r}, expected one"
        return self.read(f"/{kind}/{found[0]['id']}")

    # Sign-in

    def login(self, username: str, password: str) -> requests.Response:
        return self.request("POST", "/auth/login", json={"username": username, "password": password})

    # Providers

    def add_provider(self, name: str, endpoint: str, username="user", password="pass", tls=None, driver="vapi",
                     **more) -> dict:
        body = {"name": name, "driver": driver, "endpoint": endpoint, "username": username, "password": password,
                "tls": tls or {"mode": "insecure"}, **more}
        answer = self.post("/providers", body)
        assert answer.status_code in (201, 202), said(answer)
        provider = answer.json()
        return provider if "driver" in provider else self.one("providers", name)

    def provider(self, provider_id: str) -> dict:
        return self.read(f"/providers/{provider_id}")

    def wait_listed(self, provider_id: str, since: float) -> None:
        """Waits for the end of a full listing that began after a moment (time.time()). A provider may list more than once
        by itself, so that the end of one says nothing about what it has seen."""
        def look():
            sync = self.provider(provider_id).get("sync") or {}
            if not sync.get("last_full_at"):
                return False
            ended = datetime.fromisoformat(sync["last_full_at"].replace("Z", "+00:00")).timestamp()
            return ended - sync["last_full_ms"] / 1000 >= since

        wait_for(look, "a listing from then on", 120)

    def sync(self, provider_id: str) -> None:
        """Lists a provider again, and waits for the end of that."""
        since = time.time()
        answer = self.post(f"/providers/{provider_id}/actions/sync")
        assert answer.status_code in (200, 202), answer.text
        self.wait_listed(provider_id, since)

    def wait_provider(self, provider_id: str, state="connected", timeout: float = 60) -> dict:
        """Waits for a state; "connected" also means that the first full sync is over."""
        wanted = (state,) if isinstance(state, str) else tuple(state)

        def look():
            now = self.provider(provider_id)
            fits = now["state"] in wanted and ("connected" not in wanted or (now.get("sync") or {}).get("last_full_at"))
            look.seen = {k: now.get(k) for k in ("state", "state_reason", "sync")}
            return now if fits else None

        look.seen = None
        try:
            return wait_for(look, f"provider {provider_id} should become {' or '.join(wanted)}", timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\nit is {json.dumps(look.seen, indent=1)}") from None

    # Tasks

    def task(self, task_id: str) -> dict:
        return self.read(f"/tasks/{task_id}")

    def act(self, kind: str, object_id: str, action: str, body=None, **more) -> dict:
        """Asks for an action; answers the task."""
        answer = self.post(f"/{kind}/{object_id}/actions/{action}", body, **more)
        assert answer.status_code in (200, 202), said(answer)
        return answer.json()

    def wait_task(self, task_id: str, timeout: float = 60) -> dict:
        return wait_for(lambda: self._final(task_id), f"task {task_id} should end", timeout)

    def _final(self, task_id):
        task = self.task(task_id)
        return task if task["state"] in FINAL else None

    def done(self, kind: str, object_id: str, action: str, body=None, timeout: float = 60) -> dict:
        """An action that must succeed; answers the finished task."""
        task = self.wait_task(self.act(kind, object_id, action, body)["id"], timeout)
        assert task["state"] == "succeeded", f"{action} of {object_id}: {json.dumps(task, indent=1)}"
        return task

    # Events

    def events(self, since: int = 0, **params) -> list[dict]:
        """The event log by pull, from after `since`."""
        found = []
        while True:
            page = self.read("/events", since=since, limit=1000, **params)
            found += page["items"]
            if not page["items"] or not page.get("next"):
                return found
            since = page["items"][-1]["seq"]

    def last_seq(self) -> int:
        return self.read("/vms", limit=1)["event_seq"]

    def stream(self, **more) -> "EventStream":
        return EventStream(self, **more)


class EventStream:
    """Server-sent events, read by a thread of their own."""

    def __init__(self, api: Api, since: int | None = None, last_event_id: int | None = None, **params):
        headers = {"Accept": "text/event-stream"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = str(last_event_id)
        if since is not None:
            params["since"] = since
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update(api.session.headers)
        self.answer = self._session.get(
            f"{api.base}/events/stream", params=_flat(params), headers=headers, verify=api.cert_file, stream=True,
            timeout=(10, 60),
        )
        assert self.answer.status_code == 200, said(self.answer)
        self.items: list[dict] = []
        self.comments = 0
        self.ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        block: dict = {}
        try:
            for raw in self.answer.iter_lines(chunk_size=1):
                text = raw.decode()
                if text.startswith(":"):
                    self.comments += 1
                elif text:
                    key, _, value = text.partition(":")
                    value = value.removeprefix(" ")
                    block[key] = block[key] + "\n" + value if key == "data" and "data" in block else value
                elif block:
                    self._add(block)
                    block = {}
        except (requests.RequestException, AttributeError, ValueError, OSError):
            pass  # closed by either side
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def _add(self, block):
        item = {"id": block.get("id"), "event": block.get("event"), "at": time.monotonic(),
                "data": json.loads(block["data"]) if block.get("data") else None}
        with self._changed:
            self.items.append(item)
            self._changed.notify_all()

    def wait(self, fits, what: str, timeout: float = 30) -> dict:
        """The first event for which fits(event) is true."""
        deadline = time.monotonic() + patience(timeout)
        with self._changed:
            while True:
                for item in self.items:
                    if fits(item):
                        return item
                left = deadline - time.monotonic()
                if self.ended or left <= 0:
                    break
                self._changed.wait(left)
        kinds = [f"{i['id']} {i['event']}" for i in self.items[-15:]]
        raise AssertionError(f"the event stream should bring {what}; {'it ended' if self.ended else 'it did not'}; "
                             f"last of {len(self.items)} events: {kinds}")

    def seqs(self) -> list[int]:
        return [int(i["id"]) for i in self.items if i["id"]]

    def close(self):
        try:
            self.answer.raw._fp.fp.raw._sock.shutdown(2)
        except (AttributeError, OSError):
            pass
        self.answer.close()
        self._session.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _flat(params: dict) -> dict:
    return {k: ",".join(v) if isinstance(v, (list, tuple)) else str(v).lower() if isinstance(v, bool) else v
            for k, v in params.items() if v is not None}


def said(answer: requests.Response) -> str:
    """An answer as a failure message."""
    request = answer.request
    body = request.body.decode(errors="replace") if isinstance(request.body, bytes) else request.body
    return (f"{request.method} {request.path_url}" + (f" {body[:500]}" if body else "") +
            f"\nanswered {answer.status_code}: {answer.text[:2000]}")


def problem(answer: requests.Response, status: int, code: str | None = None) -> dict:
    """The answer must be a complete problem document with this status (and code)."""
    assert answer.status_code == status, f"expected {status} {code or ''}\n{said(answer)}"
    assert answer.headers.get("Content-Type", "").split(";")[0] == "application/problem+json", \
        f"an error must be application/problem+json, not {answer.headers.get('Content-Type')}\n{said(answer)}"
    document = answer.json()
    missing = [k for k in ("type", "title", "status", "code", "detail", "request_id", "remedy") if k not in document]
    assert not missing, f"the problem document lacks {', '.join(missing)}\n{said(answer)}"
    assert document["status"] == status, said(answer)
    assert document["type"].endswith("/problems/" + document["code"]), said(answer)
    assert document["request_id"] == answer.headers.get("X-Request-Id"), said(answer)
    if code is not None:
        assert document["code"] == code, f"expected code {code}\n{said(answer)}"
    return document


def finish(api: Api, answer: requests.Response, state: str = "succeeded") -> dict:
    """The task that a request became, when it has ended so."""
    assert answer.status_code in (200, 202), said(answer)
    task = api.wait_task(answer.json()["id"])
    assert task["state"] == state, json.dumps(task, indent=1)
    return task


def host_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname, parts.port
