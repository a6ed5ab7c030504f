/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of alerts: what they may say, those that come with the product, and what they find. */
#include "server/core/alert_inner.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/filter.h>

#include "server/core/records.h"

#define FREE_PCT "free_pct"

static const struct builtin {
    const char *word, *name, *of, *filter, *metric;
    enum pv_severity severity;
    uint64_t below, for_s;
} builtins[] = {
    { "provider-unreachable", "Provider unreachable", "provider", "state:disconnected", NULL, PV_SEVERITY_ERROR, 0, 60 },
    { "provider-auth-failed", "Sign-in refused by provider", "provider", "state:auth_failed", NULL, PV_SEVERITY_ERROR, 0, 0 },
    { "provider-cert-changed", "Certificate of provider changed", "provider", "state:cert_changed", NULL,
      PV_SEVERITY_ERROR, 0, 0 },
    { "host-disconnected", "Host disconnected", "host", "connection_state:{disconnected,not_responding}", NULL,
      PV_SEVERITY_ERROR, 0, 60 },
    { "host-certificate", "Certificate of host expires within 30 days", "host",
      "certificate.expires_at<now+30d presence:present", NULL, PV_SEVERITY_WARNING, 0, 0 },
    { "cluster-rule-broken", "Cluster rule is broken", "cluster_rule", "state:violated", NULL, PV_SEVERITY_WARNING, 0, 300 },
    { "datastore-full", "Datastore nearly full", "datastore", "", FREE_PCT, PV_SEVERITY_WARNING, 10, 0 },
    { "vm-critical", "VM in critical health", "vm", "health:critical", NULL, PV_SEVERITY_ERROR, 0, 0 },
    { "vm-missing", "VM missing", "vm", "presence:missing missing_since<now-15m", NULL, PV_SEVERITY_WARNING, 0, 0 },
    { "snapshot-old", "Snapshot older than 7 days", "snapshot", "taken_at<now-7d", NULL, PV_SEVERITY_INFO, 0, 0 },
    { "snapshot-expiry-failed", "Snapshot not deleted in time", "snapshot", "expiry.failures>0", NULL, PV_SEVERITY_WARNING, 0, 0 },
    { "question-pending", "VM waits for an answer", "vm", "health_reasons:question_pending", NULL, PV_SEVERITY_WARNING, 0, 0 },
    /* Of many objects the parts that failed are told, each once; what was left out is no failure. */
    { "task-failed", "Task failed", "task", "state:{failed,lost} -error_code=partly-done finished_at>now-24h", NULL,
      PV_SEVERITY_WARNING, 0, 0 },
};

/* ------------------------------------------------------------------ checking */

static int refuse(struct pv_err *err, const char *pointer, const char *what)
{
    int rc = pv_fail(err, PV_EINVAL, "%s", what);

    pv_err_pointer(err, "%s", pointer);
    return rc;
}

bool rule_may_watch(const struct model_kind *k)
{
    return k && ((k->flags & MODEL_SYNCED) || k->number == PV_KIND_provider || k->number == PV_KIND_task);
}

static int metric_number(const char *name)
{
    size_t n;
    const struct model_metric *m = model_metrics(&n);

    for (size_t i = 0; i < n; i++)
        if (strcmp(m[i].name, name) == 0)
            return (int)i;
    return -1;
}

void rule_of_row(const struct model_row *row, struct core_rule *out)
{
    *out = (struct core_rule){ .of = model_kind_by_name(model_text(row, F(alert_rule, of))),
                               .filter = model_text(row, F(alert_rule, filter)),
                               .metric = model_text(row, F(alert_rule, metric)),
                               .has_below = model_get(row, F(alert_rule, below))->set,
                               .has_above = model_get(row, F(alert_rule, above))->set,
                               .below = (uint64_t)model_number(row, F(alert_rule, below)),
                               .above = (uint64_t)model_number(row, F(alert_rule, above)) };
}

void rule_measure(const struct model_row *rule, struct model_row *alert)
{
    const struct model_value *below = model_get(rule, F(alert_rule, below));
    const struct model_value *above = model_get(rule, F(alert_rule, above));
    const char *metric = model_text(rule, F(alert_rule, metric));
    int number = metric_number(metric);
    size_t n;

    model_set_text(alert, F(alert, metric), metric);
    model_set_text(alert, F(alert, unit), model_unit_text(number >= 0 ? model_metrics(&n)[number].unit : UNIT_PCT));
    if (below->set)
        model_set_number(alert, F(alert, below), below->number);
    if (above->set)
        model_set_number(alert, F(alert, above), above->number);
}

const char *rule_builtin_word(const struct model_row *row)
{
    const char *word = model_text(row, F(alert_rule, builtin)), *name = model_text(row, F(alert_rule, name));

    for (size_t i = 0; i < PV_COUNT(builtins); i++)
        if (strcmp(word, builtins[i].word) == 0 && strcmp(name, builtins[i].name) == 0)
            return builtins[i].word;
    return NULL;
}

static int check_meaning(const struct core_rule *rule, struct arena *a, struct pv_err *err)
{
    const struct filter *f;
    bool metric = rule->metric && *rule->metric;
    int rc;

    if (!rule_may_watch(rule->of))
        return refuse(err, "/of", "of: an inventory kind (vm, host, datastore ...), provider or task");
    if (metric && strcmp(rule->metric, FREE_PCT) == 0) {
        if (rule->of->number != PV_KIND_datastore)
            return refuse(err, "/metric", "free_pct is a number of datastores");
    } else if (metric && metric_number(rule->metric) < 0) {
        return refuse(err, "/metric", "there is no such metric; /metrics/names lists them");
    }
    if (metric != (rule->has_below || rule->has_above))
        return refuse(err, metric ? "/below" : "/metric", "a metric and a bound (below, above) go together");
    if (!metric && (!rule->filter || !*rule->filter))
        return refuse(err, "/filter", "a rule without filter and metric would find everything");
    rc = filter_parse(rule->of, rule->filter ? rule->filter : "", clock_wall_ms(), a, &f, err);
    if (rc != PV_OK)
        pv_err_pointer(err, "/filter");
    return rc;
}

static int check_name(const struct record_check *c, const struct model_row *row, struct pv_err *err)
{
    const struct model_value *name = model_get(row, F(alert_rule, name));
    struct pv_id *ids;
    size_t n;
    int rc = tx_find(c->tx, PV_KIND_alert_rule, F(alert_rule, name), name, 2, c->arena, &ids, &n, err);

    for (size_t i = 0; rc == PV_OK && i < n; i++) {
        if (id_eq(&ids[i], &row->id))
            continue;
        rc = pv_fail(err, PV_EEXIST, "there is a rule %s", name->text);
        pv_err_pointer(err, "/name");
    }
    return rc;
}

/* All are told unless the rule says otherwise; chosen ones have to be there. */
static int check_targets(const struct record_check *c, struct row_diff *d, struct pv_err *err)
{
    const struct model_value *chosen = model_get(d->row, F(alert_rule, targets));

    if (c->created && !model_get(d->row, F(alert_rule, notify))->set) {
        struct model_value all = value_number(chosen->set && chosen->len > 0 ? PV_NOTIFY_CHOSEN : PV_NOTIFY_ALL);

        diff_set(d, F(alert_rule, notify), &all);
    }
    /* Where none is chosen none is kept: a rule that names nobody keeps nobody from being deleted. */
    if (model_number(d->row, F(alert_rule, notify)) != PV_NOTIFY_CHOSEN) {
        struct model_value nobody = value_null();

        diff_set(d, F(alert_rule, targets), &nobody);
        return PV_OK;
    }
    for (size_t i = 0; chosen->set && i < chosen->len; i++) {
        struct model_row *row = NULL;
        int rc = tx_rows_get(c->tx, PV_KIND_notification_target, &chosen->refs[i].id, 1, false, c->arena, &row, err);

        if (rc != PV_OK)
            return rc;
        if (!row)
            return refuse(err, "/targets", "there is no such notification target");
    }
    return PV_OK;
}

static int check_rule(const struct record_check *c, struct row_diff *d, struct pv_err *err)
{
    struct core_rule rule;
    int rc;

    if (c->removed)
        return model_text(d->row, F(alert_rule, builtin))[0]
                   ? pv_fail_as(err, "conflict", "this rule comes with the product; disable it instead")
                   : PV_OK;
    if (c->created && !model_get(d->row, F(alert_rule, enabled))->set) {
        struct model_value on = value_number(1);

        diff_set(d, F(alert_rule, enabled), &on);
    }
    if (c->created && c->who) {
        struct model_value word = value_text(c->who);

        diff_set(d, F(alert_rule, builtin), &word);
    }
    rule_of_row(d->row, &rule);
    rc = check_meaning(&rule, c->arena, err);
    if (rc == PV_OK)
        rc = check_targets(c, d, err);
    return rc == PV_OK ? check_name(c, d->row, err) : rc;
}

static const struct record_rules rules = { .kind = PV_KIND_alert_rule, .check = check_rule };

int core_alert_rule_create(struct core *c, const struct core_actor *by, const json_t *body,
                           const struct core_options *o, struct pv_id *id, struct pv_err *err)
{
    return record_create(c, &rules, by, NULL, body, o, id, err);
}

int core_alert_rule_change(struct core *c, const struct core_actor *by, const struct pv_id *id, const json_t *body,
                           const struct core_options *o, struct pv_err *err)
{
    return record_change(c, &rules, by, NULL, id, body, o, err);
}

/* ------------------------------------------------------------------ those that come with the product */

static int make_builtin(struct core *c, const struct builtin *b, struct pv_err *err)
{
    const struct core_actor by = { .type = PV_ACTOR_TYPE_SYSTEM, .name = "" };
    PV_AUTO(json_decref_p) json_t *body =
        json_pack("{s:s,s:s,s:s,s:s,s:I}", "name", b->name, "of", b->of, "filter", b->filter, "severity",
                  model_enum_text(PV_ENUM_severity, b->severity), "for_s", (json_int_t)b->for_s);
    struct pv_id id;

    if (!body || (b->metric && (json_object_set_new(body, "metric", json_string(b->metric)) != 0 ||
                                json_object_set_new(body, "below", json_integer((json_int_t)b->below)) != 0)))
        return pv_fail(err, PV_ENOMEM, "no memory for a rule");
    return record_create(c, &rules, &by, b->word, body, NULL, &id, err);
}

/* Which are there, by word; a rule that was renamed is still that rule. */
struct known {
    bool there[PV_COUNT(builtins)];
};

static int see_rule(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct known *k = ctx;

    (void)err;
    for (size_t i = 0; i < PV_COUNT(builtins); i++)
        k->there[i] = k->there[i] || strcmp(model_text(row, F(alert_rule, builtin)), builtins[i].word) == 0;
    return PV_OK;
}

int rules_seed(struct core *c, struct pv_err *err)
{
    struct store_query q = { .shape = c->kinds[PV_KIND_alert_rule].shape, .limit = 1000 };
    struct known k = { .there = { false } };
    int rc = store_list(c->store, &q, see_rule, &k, NULL, err);

    for (size_t i = 0; i < PV_COUNT(builtins) && rc == PV_OK; i++) {
        if (k.there[i])
            continue;
        rc = make_builtin(c, &builtins[i], err);
        /* Somebody has given this name to a rule of his own: that one stays. */
        if (rc == PV_EEXIST)
            rc = PV_OK;
    }
    return rc;
}

/* ------------------------------------------------------------------ finding */

struct find {
    struct core *core;
    const struct core_rule *rule;
    struct arena *a;
    struct core_finding *list;
    size_t n;
    int metric;     /* -1: none, or free_pct */
    bool free_pct;
};

static bool measure(const struct find *f, const struct model_row *row, uint64_t *out)
{
    uint64_t values[PV_RECORD_SLOTS];
    bool have[PV_RECORD_SLOTS];
    int64_t time_ms;

    if (f->free_pct) {
        const struct model_value *all = model_get(row, F(datastore, capacity_bytes));
        const struct model_value *left = model_get(row, F(datastore, free_bytes));

        if (!all->set || !left->set || all->number <= 0)
            return false;
        *out = (uint64_t)left->number * 100 / (uint64_t)all->number;
        return true;
    }
    if (!core_usage(f->core, row->kind->number, &row->id, &time_ms, values, have) || !have[f->metric])
        return false;
    *out = values[f->metric];
    return true;
}

static int find_row(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct find *f = ctx;
    const struct kind_info *k = &f->core->kinds[row->kind->number];
    struct core_finding *found = &f->list[f->n];

    *found = (struct core_finding){ .id = row->id };
    if (f->free_pct || f->metric >= 0) {
        found->has_value = measure(f, row, &found->value);
        if (!found->has_value || (f->rule->has_below && found->value >= f->rule->below) ||
            (f->rule->has_above && found->value <= f->rule->above))
            return PV_OK;
    }
    if (f->n == CORE_FINDINGS_MAX)
        return PV_OK;
    if (k->provider >= 0)
        found->provider = model_get(row, (unsigned)k->provider)->id;
    if (k->owner >= 0)
        found->owner = model_get(row, (unsigned)k->owner)->id;
    found->name = arena_strdup(f->a, k->name >= 0 ? model_text(row, (unsigned)k->name)
                                     : row->kind->number == PV_KIND_task ? model_text(row, F(task, action)) : "");
    if (!found->name)
        return pv_fail(err, PV_ENOMEM, "no memory for findings");
    f->n++;
    return PV_OK;
}

static const char *fields_of(const struct find *f)
{
    const struct kind_info *k = &f->core->kinds[f->rule->of->number];

    if (k->owner >= 0)
        return arena_printf(f->a, "name,provider,%s", f->rule->of->fields[k->owner].path);
    if (f->rule->of->number == PV_KIND_task)
        return "action,provider";
    return f->free_pct ? "name,provider,capacity_bytes,free_bytes"
                       : f->rule->of->number == PV_KIND_provider ? "name" : "name,provider";
}

int core_rule_find(struct core *c, const struct core_rule *rule, struct arena *a, struct core_finding **out, size_t *n,
                   struct pv_err *err)
{
    struct find f = { .core = c, .rule = rule, .a = a, .metric = -1 };
    struct store_position at = { .len = 0 };
    struct store_query q = { .limit = 1000 };
    int rc = check_meaning(rule, a, err);

    if (rc != PV_OK)
        return rc;
    if (rule->metric && *rule->metric) {
        f.free_pct = strcmp(rule->metric, FREE_PCT) == 0;
        f.metric = f.free_pct ? -1 : metric_number(rule->metric);
    }
    f.list = arena_alloc(a, (CORE_FINDINGS_MAX + 1) * sizeof(*f.list));
    if (!f.list)
        return pv_fail(err, PV_ENOMEM, "no memory for findings");
    rc = model_shape_make(rule->of, fields_of(&f), MODEL_VIEW_FULL, a, &q.shape, err);
    if (rc == PV_OK)
        rc = filter_parse(rule->of, rule->filter ? rule->filter : "", clock_wall_ms(), a, &q.filter, err);
    do {
        struct store_position last = { .len = 0 };

        if (rc == PV_OK)
            rc = store_list(c->store, &q, find_row, &f, &last, err);
        at = last;
        q.after = &at;
    } while (rc == PV_OK && at.len > 0 && f.n < CORE_FINDINGS_MAX);
    if (rc == PV_OK) {
        *out = f.list;
        *n = f.n;
    }
    return rc;
}
