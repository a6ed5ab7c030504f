# SPDX-License-Identifier: Apache-2.0
"""What monitoring systems read: Nagios line, Zabbix objects, Prometheus page."""

import json
import re

import pytest

from support.client import problem, said

PERFDATA = re.compile(r"^('[^'=]+'|[^\s'=]+)=(-?[0-9.]+|U)(s|us|ms|%|B|KB|MB|TB|c)?(;[^;\s]*){0,4}$")


@pytest.fixture
def api(demo):
    return demo


def test_the_nagios_line_has_state_text_and_performance_data(api):
    answer = api.get("/health", format="nagios")
    code = int(answer.headers["X-Exit-Code"])
    assert answer.status_code == {0: 200, 1: 200, 2: 503, 3: 503}[code], said(answer)
    assert answer.headers["Content-Type"].startswith("text/plain")
    first = answer.text.splitlines()[0]
    text, _, perf = first.partition("|")
    assert text.startswith(("OK", "WARNING", "CRITICAL", "UNKNOWN")[code])
    assert len(text) <= 120 and len(answer.text) < 4096
    for item in re.findall(r"(?:'[^']*'|\S+?)=\S+", perf):
        assert PERFDATA.match(item), f"not performance data: {item!r}"
    assert f"vms={api.count('vms')}" in perf.replace("'", ""), perf


def test_health_of_one_vm_and_of_one_host(api):
    vm = api.items("vms", filter="power:running")[0]
    answer = api.get(f"/health/vm/{vm['id']}", format="nagios")
    assert answer.headers["X-Exit-Code"] in "0123" and vm["name"] in answer.text, said(answer)
    document = api.read(f"/health/vm/{vm['id']}")
    assert document[vm["id"]]["name"] == vm["name"] and document[vm["id"]]["health"] in (0, 1, 2, 3)
    host = api.items("hosts")[0]
    assert api.get(f"/health/host/{host['id']}", format="nagios").status_code in (200, 503)
    problem(api.get("/health/vm/vm_00000000000000000000000000"), 404, "not-found")


def test_zabbix_gets_objects_keyed_by_id(api):
    document = api.read("/health", format="zabbix")
    states = {p["id"]: p["state"] for p in api.items("providers")}
    assert {key: document[key]["state"] for key in states} == states
    vms = {v["id"]: v["name"] for v in api.items("vms", fields="id,name")}
    assert {key: document[key]["name"] for key in vms} == vms
    only = api.read("/health", format="zabbix", kind="host")
    assert set(only) == {h["id"] for h in api.items("hosts", fields="id")}


def test_zabbix_discovery_lists_macros(api):
    found = api.read("/health/discovery", kind="vm")
    rows = found["data"] if isinstance(found, dict) else found
    assert {r["{#ID}"] for r in rows} == {v["id"] for v in api.items("vms", fields="id")}
    assert all(r["{#NAME}"] for r in rows)


@pytest.fixture
def page(api):
    answer = api.get("/metrics")
    assert answer.status_code == 200, said(answer)
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return answer.text


SAMPLE = re.compile(r'^([a-z_][a-z0-9_]*)(\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?[0-9.e+-]+|NaN|[+-]Inf)$')


def test_the_prometheus_page_is_well_formed(page):
    helped, typed, current, seen = set(), {}, None, set()
    for line in page.splitlines():
        if line.startswith("# HELP "):
            helped.add(line.split(" ", 3)[2])
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in typed, f"{name} comes in two places"
            typed[name] = kind
        elif line:
            match = SAMPLE.match(line)
            assert match, f"not a sample: {line!r}"
            family = re.sub(r"_(bucket|sum|count)$", "", match[1]) if match[1] not in typed else match[1]
            assert family in typed and family in helped, f"{match[1]} has no HELP or TYPE"
            if family != current:
                assert family not in seen, f"samples of {family} are not together"
                seen.add(family)
                current = family
            assert match[1].startswith(("polyvisor_", "process_")), match[1]
            if typed[family] == "counter":
                assert match[1].endswith("_total"), f"a counter without _total: {match[1]}"


def test_the_prometheus_page_has_what_dashboards_need(page):
    for name in ("polyvisor_provider_up", "polyvisor_provider_sync_age_seconds", "process_cpu_seconds_total",
                 "process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds"):
        assert re.search(rf"^{name}[{{ ]", page, re.M), f"{name} is missing"
    assert page.count("polyvisor_provider_up{") == 8


def test_vm_series_carry_the_id_only_and_info_the_rest(api):
    answer = api.get("/metrics/vms")
    assert answer.status_code == 200, said(answer)
    info = [line for line in answer.text.splitlines() if line.startswith("polyvisor_vm_info{")]
    assert len(info) == api.count("vms")
    assert all('name="' in line and 'vm="vm_' in line for line in info)
    for line in answer.text.splitlines():
        if line.startswith("polyvisor_vm_") and not line.startswith("polyvisor_vm_info{"):
            assert "name=" not in line, f"names change; series are labelled by id: {line}"


def test_health_needs_a_right_but_liveness_does_not(demo_server):
    anonymous = demo_server.anonymous()
    assert anonymous.get("/healthz").status_code == 200
    assert anonymous.get("/readyz").status_code == 200
    assert anonymous.get("/metrics").status_code == 401
    problem(anonymous.get("/health"), 401, "unauthenticated")


def test_the_monitor_role_reads_health_and_metrics_and_nothing_else(demo_server, api):
    token = demo_server.make_token("nagios", role="monitor")
    monitor = demo_server.anonymous().with_token(token)
    assert monitor.get("/health", format="nagios").status_code in (200, 503)
    assert monitor.get("/metrics").status_code == 200
    problem(monitor.get("/users"), 403, "forbidden")
    refused = monitor.post("/folders", {"name": "no"})
    document = problem(refused, 403, "forbidden")
    assert "folder.manage" in json.dumps(document), "the missing permission must be named"


def test_a_stopped_provider_is_critical_with_its_name(servers, vcenters):
    vcenter = vcenters(vm=1)
    api = servers().admin()
    provider = api.wait_provider(api.add_provider("vc-health", vcenter.url)["id"])
    assert api.get("/health", format="nagios").headers["X-Exit-Code"] == "0"
    vcenter.stop()
    api.wait_provider(provider["id"], "disconnected", 90)
    answer = api.get("/health", format="nagios")
    assert answer.headers["X-Exit-Code"] == "2" and answer.status_code == 503, said(answer)
    assert "1 of 1 providers down" in answer.text
    assert api.read("/health", format="zabbix")[provider["id"]]["state"] == "disconnected"
    assert re.search(r'^polyvisor_provider_up\{[^}]*\} 0$', api.get("/metrics").text, re.M)
