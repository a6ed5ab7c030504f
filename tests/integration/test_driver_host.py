# SPDX-License-Identifier: Apache-2.0
"""The driver host as a tool: the vSphere driver keeps the rules against a vCenter that we did not write."""

import json
import os
import subprocess

import pytest

from support import paths


@pytest.fixture(scope="module")
def vcenter(module_vcenters):
    return module_vcenters(dc=2, vm=5, username="svc", password="right-secret")


def run(tmp_path, mode, driver, provider, secret="right-secret"):
    config, secrets = tmp_path / "provider.json", tmp_path / "secrets.json"
    config.write_text(json.dumps(provider))
    secrets.write_text(json.dumps({"password": secret}))
    env = {**os.environ, "ASAN_OPTIONS": f"log_path={tmp_path}/asan", "UBSAN_OPTIONS": f"log_path={tmp_path}/ubsan"}
    done = subprocess.run(
        [str(paths.program("polyvisor-driverhost")), mode, driver, "--config", str(config), "--secrets", str(secrets),
         "--dir", str(paths.DRIVERS)], capture_output=True, text=True, timeout=240, env=env)
    reports = [p.read_text() for p in [*tmp_path.glob("asan*"), *tmp_path.glob("ubsan*")]]
    assert not reports, "\n".join(reports)
    return done


def provider(vcenter, **more):
    return {"name": "vc", "endpoint": vcenter.url, "username": "svc",
            "tls": {"mode": "pin", "pins": [vcenter.sha256]}, **more}


@pytest.mark.timeout(300)
def test_the_vsphere_driver_passes_the_conformance_suite(vcenter, tmp_path):
    done = run(tmp_path, "--conformance", "vapi", provider(vcenter))
    bad = [line for line in done.stdout.splitlines() if line.startswith("not ok")]
    assert done.returncode == 0 and not bad, f"{bad}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert done.stdout.count("\nok ") >= 5, done.stdout


@pytest.mark.timeout(300)
def test_the_conformance_suite_leaves_no_login_behind(vcenter, second, tmp_path):
    run(tmp_path, "--conformance", "vapi", provider(vcenter))
    client = second(vcenter)
    mine = client.own_login()
    assert [s.userAgent for s in client.logins() if s.key != mine] == []


def test_a_probe_of_a_good_vcenter_succeeds(vcenter, tmp_path):
    done = run(tmp_path, "--probe", "vapi", provider(vcenter))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("change, secret, word", [
    ({}, "wrong-secret", "FAILED  sign_in"),
    ({"tls": {"mode": "pin", "pins": ["0" * 64]}}, "right-secret", "FAILED  certificate"),
    ({"tls": {"mode": "ca"}}, "right-secret", "FAILED  certificate"),
    ({"endpoint": "https://127.0.0.1:1/sdk"}, "right-secret", "FAILED  port"),
])
def test_a_probe_names_what_is_wrong(vcenter, tmp_path, change, secret, word):
    done = run(tmp_path, "--probe", "vapi", provider(vcenter, **change), secret)
    assert done.returncode != 0 or word in done.stdout
    assert word in done.stdout + done.stderr, f"{done.stdout}\n{done.stderr}"
    assert secret not in done.stdout + done.stderr


@pytest.mark.parametrize("driver", ["sim", "example"])
def test_the_other_drivers_pass_the_conformance_suite(driver, tmp_path):
    done = run(tmp_path, "--conformance", driver, {"name": "x", "endpoint": "", "username": ""})
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
