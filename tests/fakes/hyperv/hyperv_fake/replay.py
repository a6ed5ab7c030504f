# SPDX-License-Identifier: Apache-2.0
"""Transcripts: what hosts answered, one JSON object a line, to be recorded and to be answered again.

A line has action, uri, selectors, filter, body (the digest of the request's body), status and answer. The first line says
where the transcript is from: {"transcript": 1, "synthetic": true} for what this fake recorded of itself; a capture of a
real host says "synthetic": false, and only that makes it evidence.
"""

import hashlib
import json
import re
from pathlib import Path

from . import wire
from .inst import Ref
from .wire import Fault

_RELATES = re.compile(r"(<\w+:RelatesTo>)[^<]*(</)")


def digest(request) -> str:
    """The request's body without what changes from call to call."""
    def walk(node):
        if node.uri == wire.N and node.local in ("EnumerationContext", "Expires"):
            return ""
        return f"<{node.local}>{node.text.strip()}{''.join(walk(c) for c in node.children)}"
    text = walk(request.content) if request.content is not None else ""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def key(request):
    selectors = {k.lower(): repr(v) if isinstance(v, Ref) else v.lower() for k, v in request.selectors
                 if k.lower() != "__cimnamespace"}
    return [request.action, request.uri.lower(), sorted(selectors.items())]


class Recorder:
    def __init__(self, path):
        self.file = Path(path).open("a", encoding="utf-8")
        self.file.write(json.dumps({"transcript": 1, "synthetic": True, "product": "hyperv_fake"}) + "\n")

    def add(self, host, request, answer):
        action, uri, selectors = key(request)
        self.file.write(json.dumps({"host": host.name, "action": action, "uri": uri, "selectors": selectors,
                                    "body": digest(request), "status": answer.status, "answer": answer.text}) + "\n")
        self.file.flush()


class Player:
    """Answers of a transcript, in their order for requests that are the same; the last one is repeated."""

    def __init__(self, path):
        self.answers = {}
        rows = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
        if not rows or rows[0].get("transcript") != 1 or not isinstance(rows[0].get("synthetic"), bool):
            raise ValueError(f"{path} is no transcript: its first line has to say whether it is synthetic")
        self.synthetic = rows[0]["synthetic"]
        for row in rows[1:]:
            pairs = row["selectors"].items() if isinstance(row["selectors"], dict) else row["selectors"]
            found = (row["action"], row["uri"].lower(), tuple(sorted((k.lower(), v) for k, v in pairs)), row.get("body"))
            self.answers.setdefault(found, []).append((row["status"], row["answer"]))

    def answer(self, request):
        action, uri, selectors = key(request)
        for body in (digest(request), None):
            found = self.answers.get((action, uri, tuple(sorted(tuple(s) for s in selectors)), body))
            if found:
                status, text = found.pop(0) if len(found) > 1 else found[0]
                return status, _RELATES.sub(lambda m: m[1] + request.message_id + m[2], text)
        raise Fault("a:DestinationUnreachable", "ERROR_WSMAN_RESOURCE_NOT_FOUND",
                    "The transcript has no answer to this request.")
