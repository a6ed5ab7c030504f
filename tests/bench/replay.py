# SPDX-License-Identifier: Apache-2.0
"""Records the SOAP calls of a sync and makes the same calls again, reading the answers and nothing else.

That is the time a sync could have at best: the same answers from the same server, downloaded and thrown away. Ids
that a vCenter gives per login (views, filters, page tokens) are exchanged for those of the new login on the way.
"""

import http.client
import importlib.util
import re
import ssl
import time
from urllib.parse import urlsplit

from support import paths

GIVEN = re.compile(rb"<(?:returnval|token|version)\b[^>]*>([^<]+)</(?:returnval|token|version)>")


def _proxy_module():
    spec = importlib.util.spec_from_file_location("faultproxy", paths.TESTS / "fakes" / "faultproxy.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Recorder:
    """The fault proxy, without faults, keeping what passes."""

    def __init__(self, upstream: str, certificate):
        module = _proxy_module()
        calls = self.calls = []

        class Recording(module.Proxy):
            def forward(self, request, upstream, entry):
                stream, answer = super().forward(request, upstream, entry)
                if request.first.startswith(b"POST"):
                    calls.append((entry["method"], request.first.split(b" ")[1].decode(), request.body, answer.body))
                return stream, answer

        contexts = module.contexts_of([f"only={certificate.cert_file},{certificate.key_file}"])
        self.proxy = Recording(urlsplit(upstream).netloc, contexts)
        self.url = f"https://127.0.0.1:{self.proxy.port}/sdk"

    def close(self):
        self.proxy.refuse()
        self.proxy.drop()


def given(body: bytes) -> list[bytes]:
    """Ids and page tokens stand at the edges; what is between is objects."""
    return GIVEN.findall(body if len(body) < 8192 else body[:2048] + body[-2048:])


def replay(url: str, calls, skip=("WaitForUpdatesEx", "CurrentTime", "Logout")):
    """Answers (seconds, bytes): the time from the first to the last of these calls."""
    parts = urlsplit(url)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(parts.hostname, parts.port, context=context, timeout=600)
    cookie, names, size = None, {}, 0
    began = time.perf_counter()
    for method, path, body, old in calls:
        if method in skip or not path.startswith("/sdk"):
            continue
        for before, after in names.items():
            body = body.replace(before, after)
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": "urn:vim25/8.0.3.0"}
        if cookie:
            headers["Cookie"] = cookie
        connection.request("POST", path, body=body, headers=headers)
        answer = connection.getresponse()
        new = answer.read()
        size += len(new)
        if answer.getheader("Set-Cookie"):
            cookie = answer.getheader("Set-Cookie").split(";")[0]
        assert answer.status == 200, f"{method} of the replay answered {answer.status}: {new[:300]!r}"
        for before, after in zip(given(old), given(new)):
            if before != after and len(before) >= 8:  # short ones are version counters, equal in both
                names[before] = after
    seconds = time.perf_counter() - began
    connection.close()
    return seconds, size
