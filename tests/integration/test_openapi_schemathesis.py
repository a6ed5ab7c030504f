# SPDX-License-Identifier: Apache-2.0
"""The served API description is valid, and generated requests find no 5xx and no undocumented status.

Answers of all other tests are held against the description by the harness; here requests are generated from it.
"""

import collections
import os

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from support.client import Api

pytestmark = pytest.mark.timeout(1800)

# Each operation gets this many generated requests; the nightly run asks for more.
EXAMPLES = int(os.environ.get("PV_EXAMPLES", "12"))

# These end or hold what the test itself needs: the stream never ends, and logging out ends the login.
NOT_GENERATED = {("get", "/api/v1/events/stream"), ("post", "/api/v1/auth/logout")}


@pytest.fixture(scope="module")
def server(module_servers):
    """A server of its own: generated requests delete providers and users."""
    return module_servers("generated", demo=True)


@pytest.fixture(scope="module")
def document(server):
    return server.admin().read("/openapi.json")


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in ("get", "post", "put", "patch", "delete"):
                yield method, path, operation


def test_the_description_is_openapi_3_1_with_the_essentials(document):
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] and document["info"]["version"]
    assert document["components"]["securitySchemes"]


def test_every_operation_has_a_summary_an_id_schemas_and_problem_answers(document):
    seen = collections.Counter()
    for method, path, operation in operations(document):
        where = f"{method.upper()} {path}"
        assert operation.get("operationId"), where
        seen[operation["operationId"]] += 1
        assert operation.get("summary"), where
        answers = operation["responses"]
        assert any(code.startswith("2") for code in answers), where
        assert any(code.startswith(("4", "d")) for code in answers), f"{where}: no problem answer"
        for code, answer in answers.items():
            for media, content in answer.get("content", {}).items():
                assert media.endswith(("ndjson", "csv", "plain", "event-stream")) or "schema" in content, f"{where} {code} {media}: no schema"
    assert [i for i, n in seen.items() if n > 1] == []


def test_every_listed_route_of_the_foundation_is_described(document):
    paths = {p.removeprefix("/api/v1") for p in document["paths"]}
    wanted = [
        "/drivers", "/providers", "/providers/probe", "/providers/{id}", "/providers/{id}/capabilities",
        "/providers/{id}/actions/sync", "/providers/{id}/actions/test", "/providers/{id}/actions/pause",
        "/providers/{id}/actions/resume", "/providers/{id}/actions/trust_certificate", "/datacenters", "/clusters", "/hosts",
        "/resource-pools", "/datastores", "/networks", "/switches", "/vms", "/vms/{id}", "/vms/{id}/actions",
        "/vms/{id}/actions/start", "/vms/{id}/actions/shutdown", "/vms/{id}/actions/stop", "/vms/{id}/actions/reboot",
        "/vms/{id}/actions/reset", "/vms/{id}/actions/pause", "/vms/{id}/actions/resume", "/vms/{id}/actions/suspend",
        "/vms/{id}/snapshots", "/folders", "/tags", "/tasks", "/tasks/{id}", "/tasks/{id}/children",
        "/tasks/{id}/actions/cancel", "/events", "/events/stream", "/search", "/tree", "/summary", "/bulk", "/health",
        "/auth/setup", "/auth/login", "/auth/logout", "/me", "/users", "/tokens", "/audit", "/problems/{code}", "/version",
    ]
    missing = [p for p in wanted if p not in paths]
    assert missing == []


def test_every_field_of_the_model_that_can_be_sorted_says_so(document):
    vm = document["components"]["schemas"]
    assert any("x-sortable" in str(schema) for schema in vm.values())


def test_parameters_that_name_an_object_say_of_which_kind(document):
    schemas = [
        operation["requestBody"]["content"]
        for path in document["paths"].values()
        for operation in path.values()
        if operation.get("x-operation") in ("vm.clone", "vm.nic.attach", "vm.nic.update")
    ]
    found = {}
    for content in schemas:
        for body in content.values():
            for name, member in body["schema"]["properties"].items():
                if "x-kind" in member:
                    found[name] = member["x-kind"]
    assert found["host"] == "host" and found["datastore"] == "datastore" and found["network"] == "network", found


def test_fields_tell_what_each_family_calls_them(document):
    vm = document["components"]["schemas"]["Vm"]["properties"]
    assert vm["cpu"]["properties"]["count"]["x-native"] == {
        "hyperv": "Msvm_ProcessorSettingData.VirtualQuantity",
        "vmware": "config.hardware.numCPU",
    }
    # What a family has no idea of is left out; what is ours has no other name.
    assert set(vm["memory"]["properties"]["dynamic"]["x-native"]) == {"hyperv"}
    assert "x-native" not in vm["notes"]


def test_every_problem_code_of_the_description_has_its_page(server, document):
    api = server.admin()
    text = str(document)
    codes = {p["code"] for p in api.read("/problems")["items"]}
    assert {"not-found", "vm-invalid-state", "invalid-filter", "unauthenticated", "forbidden"} <= codes
    for code in codes:
        page = api.read(f"/problems/{code}")
        assert page["code"] == code and page["title"], page
    assert "problem" in text


def test_generated_requests_find_no_5xx_and_no_undocumented_status(server, document):
    api: Api = server.admin()
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=server.url)
    token = server.make_token("generated")
    troubles = collections.OrderedDict()
    sent = collections.Counter()

    for result in schema.get_all_operations():
        operation = result.ok()
        if (operation.method, operation.path) in NOT_GENERATED:
            continue
        exercise(operation, api, token, server, troubles, sent)
        if not server.process.alive():
            pytest.fail(f"the server ended during {operation.label}\n{server.log()}")

    assert sum(sent.values()) > 100, "hardly anything was generated"
    assert not troubles, f"{len(troubles)} findings in {sum(sent.values())} requests:\n" + "\n".join(
        f"{key}: {text}" for key, text in list(troubles.items())[:40])


def exercise(operation, api, token, server, troubles, sent):
    documented = operation.definition.raw["responses"]

    @given(case=operation.as_strategy())
    @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))
    def run(case):
        answer = case.call(headers={"Authorization": f"Bearer {token}"}, verify=api.cert_file, timeout=90)
        sent[operation.label] += 1
        code = str(answer.status_code)
        # Critical health is 503 on purpose: that is what simple checkers look at.
        told = operation.definition.raw.get("x-live") or "/health" in operation.path
        if answer.status_code >= 500 and not told:
            note(operation, code, case, answer, "5xx")
        elif code not in documented and code[0] + "XX" not in documented and "default" not in documented:
            note(operation, code, case, answer, "undocumented")
        elif answer.status_code >= 400 and not told and "json" not in (answer.headers.get("content-type") or [""])[0]:
            note(operation, code, case, answer, "no problem document")

    def note(op, code, case, answer, kind):
        key = f"{op.label} {code} {kind}"
        if key not in troubles:
            troubles[key] = f"{case.as_curl_command()[:600]}\n    -> {answer.text[:300]}"

    run()
