# SPDX-License-Identifier: Apache-2.0
"""Holds every answer that the tests see against the served OpenAPI document.

The client calls check() with each answer; what does not fit is collected and fails the running test at its end, so
that the test's own finding is shown first.
"""

import re

import jsonschema_rs


class Contract:
    def __init__(self, document: dict):
        self.document = document
        self.violations: list[str] = []
        self._validators = {}
        self._routes = []
        for path, operations in document["paths"].items():
            # A server entry may carry the prefix.
            pattern = re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(self._full(path)))
            fixed = path.count("{")
            self._routes.append((fixed, re.compile(pattern + r"/?$"), path, operations))
        self._routes.sort(key=lambda route: route[0])

    def _full(self, path: str) -> str:
        for server in self.document.get("servers", []):
            prefix = re.sub(r"^https?://[^/]+", "", server.get("url", "")).rstrip("/")
            if prefix and not path.startswith(prefix):
                return prefix + path
        return path

    def operation(self, method: str, path: str):
        for _, pattern, template, operations in self._routes:
            if pattern.match(path) and method.lower() in operations:
                return template, operations[method.lower()]
        return None, None

    def _resolve(self, node):
        while isinstance(node, dict) and "$ref" in node:
            target = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def _validator(self, template, method, status, media, schema):
        key = (template, method, status, media)
        if key not in self._validators:
            whole = {"components": self.document.get("components", {}), **schema}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole)
        return self._validators[key]

    def check(self, answer):
        method = answer.request.method
        path = answer.request.path_url.split("?")[0]
        if method in ("HEAD", "OPTIONS") or not path.startswith("/api/v1"):
            return
        template, operation = self.operation(method, path)
        if operation is None:
            if answer.status_code not in (404, 405, 400):
                self.violations.append(f"{method} {path} answered {answer.status_code} but is not in the API description")
            return
        responses = operation.get("responses", {})
        status = str(answer.status_code)
        response = responses.get(status) or responses.get(status[0] + "XX") or responses.get("default")
        if response is None:
            self.violations.append(f"{method} {template} answered {status}, documented are {', '.join(sorted(responses))}")
            return
        media = answer.headers.get("Content-Type", "").split(";")[0].strip()
        content = self._resolve(response).get("content", {})
        if not answer.content:
            return
        if content and media not in content:
            self.violations.append(f"{method} {template} {status}: {media or 'no type'} is not one of {', '.join(content)}")
            return
        schema = content.get(media, {}).get("schema")
        if schema is None or not media.endswith("json"):
            return
        validator = self._validator(template, method, status, media, schema)
        for count, error in enumerate(validator.iter_errors(answer.json())):
            if count == 3:
                break
            where = "/".join(str(part) for part in error.instance_path)
            self.violations.append(f"{method} {template} {status}: at /{where}: {error.message[:300]}")
