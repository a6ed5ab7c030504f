# SPDX-License-Identifier: Apache-2.0
"""Settings are checked, recorded, in force at once and after a restart; the server's upkeep is in the API."""

import sqlite3

PRESETS = {
    "sign_in": {"idle_minutes": 720, "most_minutes": 10080},
    "retention": {"events_days": 7, "tasks_days": 30, "alerts_days": 30, "deliveries_days": 14, "gone_days": 90, "series_fine_days": 2,
                  "series_hours_days": 60},
    "security": {"show_grantors": True},
    "sync": {"missing_minutes": 15, "gone_after_days": 7, "tasks_per_host": 4, "tasks_per_provider": 32},
}


def test_settings_have_presets_are_changed_one_by_one_and_outlive_a_restart(servers):
    server = servers()
    api = server.admin()
    first = api.read("/settings")
    assert {k: first[k] for k in ("retention", "sync", "security")} == {k: PRESETS[k] for k in ("retention", "sync", "security")}
    assert first["log"]["level"] in ("error", "warn", "info", "debug")

    answer = api.patch("/settings", {"retention": {"events_days": 14}, "log": {"level": "warn"}, "security": {"show_grantors": False}})
    assert answer.status_code == 200
    wanted = {**first, "security": {"show_grantors": False}, "retention": {**first["retention"], "events_days": 14}, "log": {"level": "warn"}}
    assert answer.json() == wanted
    server.restart()
    assert server.admin().read("/settings") == wanted


def test_a_value_out_of_bounds_changes_nothing_and_names_its_place(servers):
    api = servers().admin()
    before = api.read("/settings")
    for body, pointer in (
        ({"retention": {"events_days": 0}}, "/retention/events_days"),
        ({"retention": {"tasks_days": 20, "events_days": 100000}}, "/retention/events_days"),
        ({"sync": {"tasks_per_host": "four"}}, "/sync/tasks_per_host"),
        ({"security": {"show_grantors": 1}}, "/security/show_grantors"),
        ({"log": {"level": "loud"}}, "/log/level"),
        ({"retention": {"no_such": 1}}, "/retention/no_such"),
        ({"sign_in": {"idle_minutes": 0}}, "/sign_in/idle_minutes"),
    ):
        answer = api.patch("/settings", body)
        assert answer.status_code in (400, 422), body
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert api.read("/settings") == before


def test_a_change_is_in_the_audit_with_what_it_was(servers):
    api = servers().admin()
    api.patch("/settings", {"sync": {"missing_minutes": 20}})
    entry = api.items("audit", filter="action:settings.update", view="full")[0]
    assert entry["outcome"] == "allowed"
    assert entry["detail"] == {"changes": [{"field": "sync.missing_minutes", "from": 15, "to": 20}]}


def test_the_log_level_is_in_force_at_once(servers):
    server = servers()
    api = server.admin()
    api.patch("/settings", {"log": {"level": "error"}})
    quiet = (server.folder / "polyvisord.log").read_text()
    api.add_provider("made-up", "sim://made-up", driver="sim", settings={"vms": 1, "hosts": 1})
    assert " info " not in (server.folder / "polyvisord.log").read_text()[len(quiet):]


def test_a_backup_is_a_database_as_of_one_moment_that_can_be_fetched_and_deleted(servers, tmp_path):
    api = servers().admin()
    made = api.post("/backups", None)
    assert made.status_code == 201
    name = made.json()["name"]
    assert [b["name"] for b in api.read("/backups")["items"]] == [name]
    file = tmp_path / "copy.db"
    answer = api.get(f"/backups/{name}")
    assert answer.status_code == 200
    file.write_bytes(answer.content)
    assert file.stat().st_size == made.json()["size_bytes"]
    with sqlite3.connect(file) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert api.delete(f"/backups/{name}").status_code == 204
    assert api.read("/backups")["items"] == []
    for wrong in (name, "polyvisor-..db", "..%2f..%2fpolyvisor.db", "polyvisor.db"):
        assert api.get(f"/backups/{wrong}").status_code in (400, 404), wrong


def test_the_certificate_that_is_shown_is_described(servers):
    server = servers()
    shown = server.admin().read("/settings/certificate")
    if not server.url.startswith("https"):
        assert shown == {"tls": False}
        return
    assert shown["tls"] and shown["self_signed"] and len(shown["sha256"]) == 64
    assert "localhost" in shown["names"] and shown["subject"] == "CN=polyvisor"


def test_diagnostics_hold_no_secret_no_address_and_no_name_of_the_inventory(servers):
    api = servers().admin()
    api.add_provider("secret-place", "sim://hidden-address", driver="sim", settings={"vms": 3, "hosts": 1},
                     username="hidden-account", password="hidden-password")
    answer = api.get("/diagnostics")
    assert answer.status_code == 200
    assert answer.json()["providers"][0]["driver"] == "sim"
    for hidden in ("secret-place", "hidden-address", "hidden-account", "hidden-password"):
        assert hidden not in answer.text


def test_drivers_say_their_file_and_interface(servers):
    drivers = {d["name"]: d for d in servers().admin().read("/drivers")["items"]}
    assert drivers["sim"]["path"].endswith("/sim.so")
    assert drivers["sim"]["abi"].split(".")[0] == "1"


def test_none_of_it_is_for_somebody_who_does_not_manage_the_system(servers):
    server = servers()
    api = server.admin()
    secret = "another horse battery staple 43"
    assert api.post("/users", {"name": "olga", "password": secret, "role": "infra_admin"}).status_code == 201
    operator = server.anonymous().with_token(server.make_token("o", "olga", secret))
    for path in ("/settings", "/settings/certificate", "/backups", "/diagnostics"):
        assert operator.get(path).status_code == 403, path
    assert operator.post("/backups", None).status_code == 403
    assert operator.patch("/settings", {"sync": {"gone_after_days": 9}}).status_code == 403
    assert api.read("/settings")["sync"]["gone_after_days"] == 7
