/* SPDX-License-Identifier: Apache-2.0 */
/* Notification targets and webhooks as records: what they may say. */
#include "server/core/deliver.h"

#include <string.h>

#include <polyvisor/filter.h>
#include <polyvisor/mail.h>
#include <polyvisor/outgoing.h>

#include "server/core/records.h"

#define RULES_MAX 500
#define DELIVERIES_AT_ONCE 5000

static int refuse(struct pv_err *err, const char *pointer, const char *what)
{
    int rc = pv_fail(err, PV_EINVAL, "%s", what);

    pv_err_pointer(err, "%s", pointer);
    return rc;
}

static void preset(struct row_diff *d, unsigned field, int64_t number)
{
    struct model_value v = value_number(number);

    if (!model_get(d->row, field)->set)
        diff_set(d, field, &v);
}

static bool is_among(const struct row_diff *d, unsigned field)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->fields[i] == field)
            return true;
    return false;
}

/* Of the same kind: no other has the name, and there is room for one more. */
static int check_others(const struct record_check *c, const struct model_row *row, unsigned name,
                        unsigned enabled, struct pv_err *err)
{
    size_t n, total = 0;
    struct pv_id *ids;
    int rc =
        tx_find(c->tx, row->kind->number, name, model_get(row, name), 2, c->arena, &ids, &n, err);

    for (size_t i = 0; rc == PV_OK && i < n; i++) {
        if (id_eq(&ids[i], &row->id))
            continue;
        rc = pv_fail(err, PV_EEXIST, "the name %s is taken", model_text(row, name));
        pv_err_pointer(err, "/name");
    }
    for (int on = 0; c->created && on < 2 && rc == PV_OK; on++) {
        struct model_value v = value_number(on);

        rc = tx_find(c->tx, row->kind->number, enabled, &v, CORE_CHANNELS_MAX, c->arena, &ids, &n,
                     err);
        total += rc == PV_OK ? n : 0;
    }
    if (rc == PV_OK && total >= CORE_CHANNELS_MAX)
        rc = pv_fail_as(err, "quota-exceeded", "there are at most %d of them", CORE_CHANNELS_MAX);
    return rc;
}

/* What is on its way to it goes, too; what is left after so many goes with the hourly cleaning. */
static int drop_deliveries(const struct record_check *c, unsigned field, const struct pv_id *id,
                           struct pv_err *err)
{
    struct model_value v = value_ref(id);
    struct pv_id *ids;
    size_t n = 0;
    int rc =
        tx_find(c->tx, PV_KIND_delivery, field, &v, DELIVERIES_AT_ONCE, c->arena, &ids, &n, err);

    for (size_t i = 0; i < n && rc == PV_OK; i++)
        rc = tx_row_delete(c->tx, PV_KIND_delivery, &ids[i], err);
    return rc;
}

static int check_url(const char *url, struct pv_err *err)
{
    int rc = *url ? outgoing_check_url(url, err)
                  : pv_fail(err, PV_EINVAL, "a webhook needs the address it posts to");

    if (rc != PV_OK)
        pv_err_pointer(err, "/url");
    return rc;
}

/* ------------------------------------------------------------------ notification targets */

enum {
    FOR_MAIL = 1 << PV_TARGET_TYPE_MAIL,
    FOR_WEBHOOK = 1 << PV_TARGET_TYPE_WEBHOOK,
    FOR_SYSLOG = 1 << PV_TARGET_TYPE_SYSLOG
};

static const struct {
    unsigned field, types;
} uses[] = {
    { F(notification_target, server), FOR_MAIL | FOR_SYSLOG },
    { F(notification_target, port), FOR_MAIL | FOR_SYSLOG },
    { F(notification_target, security), FOR_MAIL | FOR_SYSLOG },
    { F(notification_target, transport), FOR_SYSLOG },
    { F(notification_target, facility), FOR_SYSLOG },
    { F(notification_target, username), FOR_MAIL },
    { F(notification_target, password), FOR_MAIL },
    { F(notification_target, from), FOR_MAIL },
    { F(notification_target, to), FOR_MAIL },
    { F(notification_target, url), FOR_WEBHOOK },
    { F(notification_target, secret), FOR_WEBHOOK },
};

/* Nothing that the type has no use for: it would look as if it did something. */
static int check_uses(const struct model_row *row, struct pv_err *err)
{
    int64_t type = model_number(row, F(notification_target, type));

    for (size_t i = 0; i < PV_COUNT(uses); i++) {
        const struct model_field *f = &row->kind->fields[uses[i].field];
        int rc;

        if ((uses[i].types >> type & 1) || !model_get(row, uses[i].field)->set)
            continue;
        rc = pv_fail(err, PV_EINVAL, "%s: a target of type %s has no such thing", f->path,
                     model_enum_text(PV_ENUM_target_type, type));
        pv_err_pointer(err, "/%s", f->path);
        return rc;
    }
    return PV_OK;
}

static int check_server(struct row_diff *d, struct pv_err *err)
{
    const char *server = model_text(d->row, F(notification_target, server));
    int64_t port;
    int rc = *server ? outgoing_check_host(server, err)
                     : pv_fail(err, PV_EINVAL, "the name of the server is needed");

    if (rc != PV_OK) {
        pv_err_pointer(err, "/server");
        return rc;
    }
    port = model_number(d->row, F(notification_target, port));
    return port >= 1 && port <= 65535 ? PV_OK
                                      : refuse(err, "/port", "a port is a number from 1 to 65535");
}

static int check_addresses(const struct model_row *row, struct arena *a, struct pv_err *err)
{
    const char *list = model_text(row, F(notification_target, to));
    size_t n = 0;

    if (!mail_address_ok(model_text(row, F(notification_target, from))))
        return refuse(err, "/from", "this is not a mail address");
    while (*list == '\n' && list[1]) {
        size_t len = strcspn(list + 1, "\n");
        const char *one = arena_text(a, list + 1, len);

        if (!one || !mail_address_ok(one)) {
            int rc = pv_fail(err, PV_EINVAL, "this is not a mail address");

            pv_err_pointer(err, "/to/%zu", n);
            return rc;
        }
        n++;
        list += 1 + len;
    }
    return n > 0 ? PV_OK : refuse(err, "/to", "somebody has to get the mail");
}

static int check_mail(const struct record_check *c, struct row_diff *d, struct pv_err *err)
{
    const struct model_row *row = d->row;
    int64_t security;
    bool account, moved;
    int rc;

    preset(d, F(notification_target, security), PV_CHANNEL_SECURITY_STARTTLS);
    security = model_number(row, F(notification_target, security));
    preset(d, F(notification_target, port),
           security == PV_CHANNEL_SECURITY_TLS        ? 465
           : security == PV_CHANNEL_SECURITY_STARTTLS ? 587
                                                      : 25);
    rc = check_server(d, err);
    if (rc == PV_OK)
        rc = check_addresses(row, c->arena, err);
    if (rc != PV_OK)
        return rc;
    account = model_text(row, F(notification_target, username))[0] != '\0';
    if (is_among(d, F(notification_target, password)) &&
        model_get(row, F(notification_target, password))->set && !account)
        return refuse(err, "/username", "a password needs the account it is of");
    if (account && security == PV_CHANNEL_SECURITY_NONE &&
        !outgoing_is_loopback(model_text(row, F(notification_target, server))))
        return refuse(err, "/security",
                      "a password is not sent over a connection that is not protected");
    /* Else whoever may change a target could have the password sent to himself. */
    moved = is_among(d, F(notification_target, server)) ||
            is_among(d, F(notification_target, port)) ||
            is_among(d, F(notification_target, security)) ||
            is_among(d, F(notification_target, ca_pem));
    if (!c->created && account && moved && !is_among(d, F(notification_target, password)))
        return refuse(err, "/password", "it would go to another server: give the password again");
    return PV_OK;
}

static int check_syslog(struct row_diff *d, struct pv_err *err)
{
    const struct model_row *row = d->row;
    int64_t security;

    preset(d, F(notification_target, security), PV_CHANNEL_SECURITY_TLS);
    preset(d, F(notification_target, facility), 16);
    security = model_number(row, F(notification_target, security));
    preset(d, F(notification_target, port), security == PV_CHANNEL_SECURITY_TLS ? 6514 : 514);
    if (security == PV_CHANNEL_SECURITY_STARTTLS)
        return refuse(err, "/security", "syslog has no STARTTLS; say tls or none");
    if (security == PV_CHANNEL_SECURITY_TLS &&
        model_number(row, F(notification_target, transport)) == PV_SYSLOG_TRANSPORT_UDP)
        return refuse(err, "/transport", "TLS goes over TCP; for UDP say security none");
    if (model_number(row, F(notification_target, facility)) > 23)
        return refuse(err, "/facility", "a facility is a number from 0 to 23");
    return check_server(d, err);
}

/* Rules whose alerts would be told to nobody. */
static int check_unused(const struct record_check *c, const struct pv_id *id, struct pv_err *err)
{
    int rc = PV_OK;

    for (int on = 0; on < 2; on++) {
        struct model_value v = value_number(on);
        struct model_row **rows;
        struct pv_id *ids;
        size_t n = 0;

        rc = tx_find(c->tx, PV_KIND_alert_rule, F(alert_rule, enabled), &v, RULES_MAX, c->arena,
                     &ids, &n, err);
        rows = arena_alloc(c->arena, (n + 1) * sizeof(struct model_row *));
        if (rc == PV_OK && !rows)
            rc = pv_fail(err, PV_ENOMEM, "no memory for the rules");
        if (rc == PV_OK && n > 0)
            rc = tx_rows_get(c->tx, PV_KIND_alert_rule, ids, n, false, c->arena, rows, err);
        if (rc != PV_OK)
            return rc;
        for (size_t i = 0; i < n; i++) {
            const struct model_value *chosen =
                rows[i] ? model_get(rows[i], F(alert_rule, targets)) : NULL;

            for (size_t k = 0; chosen && chosen->set && k < chosen->len; k++)
                if (id_eq(&chosen->refs[k].id, id)) {
                    pv_fail_as(err, "conflict", "the alert rule %s names it",
                               model_text(rows[i], F(alert_rule, name)));
                    pv_err_remedy(err, "Take it out of the rule first, or disable it.");
                    return err ? err->rc : PV_ESTATE;
                }
        }
    }
    return PV_OK;
}

static int check_target(const struct record_check *c, struct row_diff *d, struct pv_err *err)
{
    int rc;

    if (c->removed) {
        rc = check_unused(c, &d->row->id, err);
        return rc == PV_OK ? drop_deliveries(c, F(delivery, target), &d->row->id, err) : rc;
    }
    preset(d, F(notification_target, enabled), 1);
    preset(d, F(notification_target, tell_resolved), 1);
    preset(d, F(notification_target, severity), PV_SEVERITY_INFO);
    rc = check_uses(d->row, err);
    if (rc == PV_OK) {
        switch (model_number(d->row, F(notification_target, type))) {
        case PV_TARGET_TYPE_MAIL:
            rc = check_mail(c, d, err);
            break;
        case PV_TARGET_TYPE_WEBHOOK:
            rc = check_url(model_text(d->row, F(notification_target, url)), err);
            break;
        default:
            rc = check_syslog(d, err);
        }
    }
    return rc == PV_OK ? check_others(c, d->row, F(notification_target, name),
                                      F(notification_target, enabled), err)
                       : rc;
}

static const struct record_rules target_rules = { .kind = PV_KIND_notification_target,
                                                  .check = check_target };

/* ------------------------------------------------------------------ webhooks */

static int check_types(const struct model_row *row, struct pv_err *err)
{
    const char *list = model_text(row, F(webhook, event_types));

    for (size_t n = 0; *list == '\n' && list[1]; n++) {
        size_t len = strcspn(list + 1, "\n");

        if (len > 64 || strspn(list + 1, "abcdefghijklmnopqrstuvwxyz_.*?") != len) {
            int rc = pv_fail(err, PV_EINVAL,
                             "a type of event is a word like vm.updated, with * and ? for any");

            pv_err_pointer(err, "/event_types/%zu", n);
            return rc;
        }
        list += 1 + len;
    }
    return PV_OK;
}

static int check_webhook(const struct record_check *c, struct row_diff *d, struct pv_err *err)
{
    const struct filter *f;
    int rc;

    if (c->removed)
        return drop_deliveries(c, F(delivery, webhook), &d->row->id, err);
    preset(d, F(webhook, enabled), 1);
    if (c->created) {
        struct model_value from = value_number((int64_t)core_event_seq(c->core)),
                           none = value_number(0);

        diff_set(d, F(webhook, position), &from);
        diff_set(d, F(webhook, missed), &none);
        if (!model_get(d->row, F(webhook, secret))->set)
            return refuse(err, "/secret", "a webhook needs a secret to sign with");
    } else if (is_among(d, F(webhook, secret)) && !model_get(d->row, F(webhook, secret))->set) {
        return refuse(err, "/secret", "a webhook needs a secret to sign with");
    }
    rc = check_url(model_text(d->row, F(webhook, url)), err);
    if (rc == PV_OK)
        rc = check_types(d->row, err);
    if (rc == PV_OK) {
        rc = filter_parse(model_kind(PV_KIND_event), model_text(d->row, F(webhook, selector)),
                          clock_wall_ms(), c->arena, &f, err);
        if (rc != PV_OK)
            pv_err_pointer(err, "/selector");
    }
    return rc == PV_OK ? check_others(c, d->row, F(webhook, name), F(webhook, enabled), err) : rc;
}

static const struct record_rules webhook_rules = { .kind = PV_KIND_webhook,
                                                   .check = check_webhook };

/* ------------------------------------------------------------------ both */

static const struct record_rules *rules_of(enum pv_kind kind)
{
    return kind == PV_KIND_webhook ? &webhook_rules : &target_rules;
}

int core_channel_create(struct core *c, const struct core_actor *by, enum pv_kind kind,
                        const struct pv_id *id, const json_t *body, const struct core_options *o,
                        struct pv_err *err)
{
    int rc = record_make(c, rules_of(kind), by, id, body, o, err);

    if (rc == PV_OK)
        deliver_refresh(c);
    return rc;
}

int core_channel_change(struct core *c, const struct core_actor *by, enum pv_kind kind,
                        const struct pv_id *id, const json_t *body, const struct core_options *o,
                        bool *changed, struct pv_err *err)
{
    int rc = record_alter(c, rules_of(kind), by, id, body, o, changed, err);

    if (rc == PV_OK)
        deliver_refresh(c);
    return rc;
}
