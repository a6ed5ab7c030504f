# SPDX-License-Identifier: Apache-2.0
"""Notification targets: alerts reach receivers that we did not write, through refusals, silence and the server's death."""

import socket

import pytest

from support.certs import Certificate
from support.client import said
from support.receivers import HttpReceiver, MailReceiver, SyslogReceiver
from support.wait import wait_for

SECRET = "a secret that nobody may read"


@pytest.fixture(scope="module")
def server(module_servers):
    server = module_servers("notify", demo=True)
    wait_for(lambda: server.admin().count("vms") >= 500, "the estate should be there", 120)
    return server


@pytest.fixture(scope="module")
def api(server):
    api = server.admin()
    # What the estate itself has to tell is not what these tests are about.
    for one in api.items("alert-rules"):
        assert api.patch(f"/alert-rules/{one['id']}", {"notify": "none"}).status_code == 200
    return api


@pytest.fixture
def receivers():
    made = []

    def make(kind, *args, **more):
        made.append(kind(*args, **more))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def target(api):
    made = []

    def make(**body):
        answer = api.post("/notification-targets", {"name": f"target {len(made)}", **body})
        assert answer.status_code == 201, said(answer)
        made.append(answer.json()["id"])
        return answer.json()

    yield make
    for rule in api.items("alert-rules", filter="name~probe*"):
        assert api.delete(f"/alert-rules/{rule['id']}").status_code == 204
    for one in made:
        assert api.delete(f"/notification-targets/{one}").status_code in (204, 404)


def rule(api, name, mark, **more):
    answer = api.post("/alert-rules", {"name": f"probe {name}", "of": "vm", "filter": f"notes={mark}", "severity": "error",
                                       "notes": "Look at it.", **more})
    assert answer.status_code == 201, said(answer)
    return answer.json()


def mark(api, number, text):
    vm = api.items("vms", filter="template:false", sort="name")[number]
    assert api.patch(f"/vms/{vm['id']}", {"notes": text}).status_code == 200
    return vm


def log_of(api, one, **more):
    return api.items(f"notification-targets/{one['id']}/deliveries", sort="seq", view="full", **more)


def wait_state(api, one, *states):
    def look():
        log = log_of(api, one)
        return log if [d["state"] for d in log] == list(states) else None
    return wait_for(look, f"deliveries should be {states}, are {[d['state'] for d in log_of(api, one)]}", 90)


def mail_target(receiver, **more):
    return {"type": "mail", "server": "127.0.0.1", "port": receiver.port, "security": "none",
            "from": "polyvisor@example.com", "to": ["admin@example.com", "second@example.com"], **more}


def test_a_mail_tells_when_an_alert_fires_and_when_it_is_over(api, receivers, target):
    box = receivers(MailReceiver)
    one = target(**mail_target(box))
    assert one["enabled"] and one["tell_resolved"] and one["severity"] == "info"
    named = rule(api, "mäil ж", "mark-mail", notify="chosen", targets=[one["id"]])
    assert [t["id"] for t in named["targets"]] == [one["id"]] and named["notify"] == "chosen"
    vm = mark(api, 0, "mark-mail")
    wait_for(lambda: len(box.messages) == 1, "a mail should come", 60)
    mark(api, 0, "")
    wait_for(lambda: len(box.messages) == 2, "a second mail should come", 60)
    first, second = box.messages
    assert first["Subject"] == f"[Polyvisor] error: probe mäil ж: {vm['name']}"
    assert second["Subject"] == f"[Polyvisor] resolved: probe mäil ж: {vm['name']}"
    assert box.envelopes[0] == ("polyvisor@example.com", ["admin@example.com", "second@example.com"])
    text = first.get_content()
    assert vm["id"] in text and vm["provider"]["name"] in text and "Look at it." in text
    log = wait_state(api, one, "delivered", "delivered")
    assert [d["type"] for d in log] == ["alert.firing", "alert.resolved"]
    assert all(d["attempts"] == 1 and d["answer"] == "SMTP 250" and d["delivered_at"] for d in log)
    assert first["Message-ID"] == f"<{log[0]['id']}@example.com>"
    assert api.read(f"/notification-targets/{one['id']}")["last"]["sent_at"]


def test_rules_tell_all_none_or_the_chosen(api, receivers, target):
    hook = receivers(HttpReceiver)
    one = target(type="webhook", url=hook.url)
    quiet = target(type="webhook", url=hook.url + "-errors", severity="error")
    everybody = rule(api, "all", "mark-all", severity="warning")
    assert everybody["notify"] == "all"
    rule(api, "none", "mark-all", notify="none")
    rule(api, "other", "mark-all", notify="chosen", targets=[quiet["id"]])
    vm = mark(api, 1, "mark-all")
    log = wait_state(api, one, "delivered")
    assert log[0]["message"] == f"probe all: {vm['name']}"
    log = wait_state(api, quiet, "delivered")
    assert log[0]["message"] == f"probe other: {vm['name']}"
    body = next(r["json"] for r in hook.requests if r["path"] == "/hook")
    assert body["type"] == "alert.firing" and body["id"] and body["alert"]["ref"]["id"] == vm["id"]
    assert body["alert"]["rule"]["name"] == "probe all" and body["alert"]["provider"]["name"] == vm["provider"]["name"]
    refused = api.delete(f"/notification-targets/{quiet['id']}")
    assert refused.status_code == 409 and "probe other" in refused.json()["detail"], said(refused)
    mark(api, 1, "")


def test_refused_then_broken_then_taken(api, receivers, target):
    hook = receivers(HttpReceiver)
    port = hook.port
    hook.stop()
    one = target(type="webhook", url=f"http://127.0.0.1:{port}/hook", secret=SECRET)
    rule(api, "retry", "mark-retry", notify="chosen", targets=[one["id"]])
    mark(api, 2, "mark-retry")
    first = wait_for(lambda: [d for d in log_of(api, one) if d["attempts"] >= 1], "it should be tried", 60)[0]
    assert first["state"] == "pending" and first["error"]["code"] == "receiver-unreachable" and first["next_attempt_at"]
    assert api.read(f"/notification-targets/{one['id']}")["last"]["error"]["code"] == "receiver-unreachable"
    hook = receivers(HttpReceiver, port=port)
    hook.answers = [500]
    mark(api, 2, "")
    log = wait_state(api, one, "delivered", "delivered")
    # In order, the one with the same id and signature key twice.
    assert [r["json"]["type"] for r in hook.requests] == ["alert.firing", "alert.firing", "alert.resolved"]
    assert [r["headers"]["Polyvisor-Delivery"] for r in hook.requests] == [log[0]["id"], log[0]["id"], log[1]["id"]]
    assert log[0]["attempts"] >= 3 and log[0]["error"] is None
    assert api.read(f"/notification-targets/{one['id']}")["last"]["error"] is None


def test_what_is_refused_for_good_is_kept_and_sent_again(api, receivers, target):
    box = receivers(MailReceiver)
    box.refuse = {"gone@example.com": "550 no such user"}
    one = target(**mail_target(box, to=["gone@example.com"]))
    rule(api, "dead", "mark-dead", notify="chosen", targets=[one["id"]])
    mark(api, 3, "mark-dead")
    [dead] = wait_state(api, one, "dead")
    assert dead["error"]["code"] == "receiver-refused" and "550" in dead["error"]["detail"] and dead["attempts"] == 1
    again = api.post(f"/deliveries/{dead['id']}/actions/resend", headers={"If-Match": f'"delivery-{dead["version"] + 9}"'})
    assert again.status_code == 412, said(again)
    box.refuse = {}
    again = api.post(f"/deliveries/{dead['id']}/actions/resend")
    assert again.status_code == 200 and again.json()["state"] == "pending", said(again)
    [sent] = wait_state(api, one, "delivered")
    assert sent["id"] == dead["id"] and sent["attempts"] == 2
    mark(api, 3, "")


def test_what_is_silenced_is_not_told(api, receivers, target):
    hook = receivers(HttpReceiver)
    hook.gate.clear()   # the first answer does not come yet
    one = target(type="webhook", url=hook.url)
    rule(api, "quiet", "mark-quiet", notify="chosen", targets=[one["id"]])
    mark(api, 4, "mark-quiet")
    wait_for(lambda: hook.requests, "it should be on its way", 60)
    mark(api, 5, "mark-quiet")
    [waiting] = wait_for(lambda: [d for d in log_of(api, one) if d["attempts"] == 0][1:], "the next should wait", 60)
    alert = api.read(f"/deliveries/{waiting['id']}")["alert"]["id"]
    assert api.post(f"/alerts/{alert}/actions/silence", {"for_s": 3600}).status_code == 200
    hook.gate.set()
    wait_state(api, one, "delivered", "skipped")
    # Nor is its end.
    mark(api, 4, "")
    mark(api, 5, "")
    wait_state(api, one, "delivered", "skipped", "delivered")
    assert len(hook.requests) == 2


def test_a_test_says_what_happened(api, receivers, target):
    box = receivers(MailReceiver)
    one = target(**mail_target(box))
    answer = api.post(f"/notification-targets/{one['id']}/actions/test")
    assert answer.status_code == 200 and answer.json()["ok"] and answer.json()["answer"] == "SMTP 250", said(answer)
    assert "test" in box.messages[0].get_content()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert api.patch(f"/notification-targets/{one['id']}", {"port": closed.getsockname()[1]}).status_code == 200
        failed = api.post(f"/notification-targets/{one['id']}/actions/test").json()
    assert not failed["ok"] and failed["error"]["code"] == "receiver-unreachable" and failed["error"]["remedy"]
    states = [d["state"] for d in log_of(api, one)]
    assert states == ["delivered", "dead"]


def test_certificates_are_checked(api, receivers, target, tmp_path):
    good = Certificate(tmp_path, "mail")
    other = Certificate(tmp_path, "other", hosts=("elsewhere.example.com",))
    box = receivers(MailReceiver, good, starttls=True, account=("robot", "pass word"))
    one = target(**mail_target(box, security="starttls", username="robot", password="pass word"))
    refused = api.post(f"/notification-targets/{one['id']}/actions/test").json()
    assert refused["error"]["code"] == "receiver-certificate" and not box.logins, refused
    trusted = {"ca_pem": good.cert_file.read_text(), "password": "pass word"}
    assert api.patch(f"/notification-targets/{one['id']}", trusted).status_code == 200
    assert api.post(f"/notification-targets/{one['id']}/actions/test").json()["ok"]
    assert box.logins[-1] == ("robot", "pass word")
    assert api.patch(f"/notification-targets/{one['id']}", {"password": "another"}).status_code == 200
    refused = api.post(f"/notification-targets/{one['id']}/actions/test").json()
    assert refused["error"]["code"] == "receiver-auth-failed", refused
    hook = receivers(HttpReceiver, other)
    wrong = target(type="webhook", url=hook.url, ca_pem=other.cert_file.read_text())
    refused = api.post(f"/notification-targets/{wrong['id']}/actions/test").json()
    assert refused["error"]["code"] == "receiver-certificate" and not hook.requests, refused
    plain = receivers(MailReceiver)
    none = target(**mail_target(plain, security="starttls"))
    refused = api.post(f"/notification-targets/{none['id']}/actions/test").json()
    assert "STARTTLS" in refused["error"]["detail"] and not plain.messages, refused


@pytest.mark.parametrize("transport", ["tls", "tcp", "udp"])
def test_syslog(api, receivers, target, tmp_path, transport):
    certificate = Certificate(tmp_path, "syslog") if transport == "tls" else None
    box = receivers(SyslogReceiver, transport, certificate)
    more = {"ca_pem": certificate.cert_file.read_text()} if certificate else {"security": "none", "transport": transport}
    one = target(type="syslog", server="127.0.0.1", port=box.port, facility=17, **more)
    rule(api, "syslog", "mark-syslog", notify="chosen", targets=[one["id"]])
    vm = mark(api, 6, "mark-syslog")
    wait_state(api, one, "delivered")
    wait_for(lambda: box.received, "a line should come", 60)
    line = box.received[0]
    if transport != "udp":
        length, line = line.split(b" ", 1)
        assert int(length) == len(line)
    assert line.startswith(b"<139>1 ")  # local1, error
    assert f"alert.firing - \ufefferror: probe syslog: {vm['name']}".encode() in line
    mark(api, 6, "")


def test_nothing_is_lost_when_the_server_is_killed(servers, receivers):
    server = servers(demo=True)
    api = server.admin()
    wait_for(lambda: api.count("vms") >= 500, "the estate should be there", 120)
    for known in api.items("alert-rules"):
        assert api.patch(f"/alert-rules/{known['id']}", {"notify": "none"}).status_code == 200
    hook = receivers(HttpReceiver)
    hook.gate.clear()
    one = api.post("/notification-targets", {"name": "killed", "type": "webhook", "url": hook.url, "secret": SECRET}).json()
    rule(api, "killed", "mark-killed", notify="chosen", targets=[one["id"]])
    mark(api, 0, "mark-killed")
    mark(api, 1, "mark-killed")
    wait_for(lambda: hook.requests and len(log_of(api, one)) == 2, "both should wait, the first on its way", 60)
    server.kill()
    hook.gate.set()
    server.start()
    api = server.admin()
    log = wait_state(api, one, "delivered", "delivered")
    # The first was sent before the end and again after it, as the same.
    ids = [r["headers"]["Polyvisor-Delivery"] for r in hook.requests]
    assert ids[0] == log[0]["id"] and list(dict.fromkeys(ids)) == [d["id"] for d in log], ids
    shown = api.get(f"/notification-targets/{one['id']}", view="full").text + api.get("/deliveries", view="full").text
    assert SECRET not in shown and SECRET not in server.log(100000)
    assert SECRET.encode() not in b"".join(p.read_bytes() for p in server.data.glob("polyvisor.db*"))


@pytest.mark.parametrize("body, pointer", [
    ({"type": "mail", "from": "a@b.c", "to": ["x@y.z"]}, "/server"),
    ({"type": "mail", "server": "mail.example.com", "from": "nobody", "to": ["x@y.z"]}, "/from"),
    ({"type": "mail", "server": "mail.example.com", "from": "a@b.c", "to": ["x@y.z", "b\r\nRCPT"]}, "/to/1"),
    ({"type": "mail", "server": "mail.example.com", "from": "a@b.c", "to": []}, "/to"),
    ({"type": "mail", "server": "169.254.169.254", "from": "a@b.c", "to": ["x@y.z"]}, "/server"),
    ({"type": "mail", "server": "mail.example.com", "from": "a@b.c", "to": ["x@y.z"], "username": "u", "password": "p",
      "security": "none"}, "/security"),
    ({"type": "mail", "server": "mail.example.com", "from": "a@b.c", "to": ["x@y.z"], "url": "https://x.example.com"}, "/url"),
    ({"type": "webhook"}, "/url"), ({"type": "webhook", "url": "http://example.com/"}, "/url"),
    ({"type": "webhook", "url": "https://user:pass@example.com/"}, "/url"), ({"type": "webhook", "url": "file:///etc/passwd"}, "/url"),
    ({"type": "webhook", "url": "https://[fe80::1]/"}, "/url"), ({"type": "webhook", "url": "https://x.example.com", "secret": "short"}, "/secret"),
    ({"type": "syslog", "server": "log.example.com", "transport": "udp"}, "/transport"), ({"type": "pigeon"}, "/type")])
def test_wrong_targets_are_refused(api, body, pointer):
    before = api.count("notification-targets")
    answer = api.post("/notification-targets", {"name": "wrong", **body})
    assert answer.status_code in (400, 422), said(answer)
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert api.count("notification-targets") == before


def test_writes_follow_the_conventions(api, target):
    body = {"name": "kept", "type": "syslog", "server": "log.example.com"}
    plan = api.post("/notification-targets", body, dry_run="true")
    assert plan.status_code == 200 and plan.json()["plan"][0]["operation"] == "notification_target.create", said(plan)
    assert not api.items("notification-targets", filter="name=kept")
    made = api.post("/notification-targets", body, headers={"Idempotency-Key": "once"})
    again = api.post("/notification-targets", body, headers={"Idempotency-Key": "once"})
    assert made.status_code == 201 and again.json()["id"] == made.json()["id"] and again.headers["Idempotency-Replayed"]
    one = made.json()
    assert one["port"] == 6514 and one["security"] == "tls"
    assert api.post("/notification-targets", body).status_code == 409
    at = f"/notification-targets/{one['id']}"
    assert api.patch(at, {"port": 99}, headers={"If-Match": '"notification_target-7"'}).status_code == 412
    plan = api.patch(at, {"port": 99}, dry_run="true")
    assert plan.json()["plan"][0]["before"] == {"port": 6514} and plan.json()["changed"], said(plan)
    assert api.read(at)["port"] == 6514
    assert api.patch(at, {"port": 99}, headers={"If-Match": '"notification_target-1"'}).json()["version"] == 2
    assert api.delete(at, dry_run="true").status_code == 200 and api.read(at)
    assert api.delete(at).status_code == 204 and api.get(at).status_code == 404


def test_only_who_manages_alerts_sees_them(server, api, target):
    one = target(type="syslog", server="log.example.com")
    viewer = api.with_token(server.make_token("viewer", role="viewer"))
    for path in ("/notification-targets", f"/notification-targets/{one['id']}", "/deliveries", "/webhooks"):
        assert viewer.get(path).status_code == 403, path
    assert viewer.post(f"/notification-targets/{one['id']}/actions/test").status_code == 403
    manager = api.with_token(server.make_token("infra", role="infra_admin"))
    assert manager.get(f"/notification-targets/{one['id']}").status_code == 200


def test_numbers_of_deliveries_are_metrics(api):
    text = api.get("/metrics").text
    assert 'polyvisor_deliveries_total{outcome="delivered"}' in text
