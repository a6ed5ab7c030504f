/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/auth_fixture.h"

TestSuite(auth_audit, .init = fixture_start, .fini = fixture_stop, .timeout = 60);

static int write_records(struct store_tx *tx, void *arg, struct pv_err *e)
{
    int n = *(int *)arg, rc = PV_OK;

    for (int i = 0; i < n && rc == PV_OK; i++) {
        struct audit_entry entry = { .actor_type = PV_ACTOR_TYPE_USER,
                                     .actor_id = "usr_x",
                                     .actor_name = "ann",
                                     .address = "10.0.0.1",
                                     .action = "vm.start",
                                     .subject = "vm_1",
                                     .request_id = "r1",
                                     .outcome = PV_OUTCOME_ALLOWED,
                                     .dry_run = i % 3 == 1,
                                     .detail_json = i % 2 ? "{\"a\":1}" : NULL };

        rc = audit_write(tx, &entry, e);
    }
    return rc;
}

static void add(int n)
{
    cr_assert_eq(store_write(store, write_records, &n, &err), PV_OK, "%s", err.message);
}

static uint64_t verify(uint64_t *checked)
{
    uint64_t bad = 99, n;

    cr_assert_eq(audit_verify(store, checked ? checked : &n, &bad, &err), PV_OK, "%s", err.message);
    return bad;
}

Test(auth_audit, a_whole_chain_is_whole)
{
    uint64_t checked;

    cr_assert_eq(verify(&checked), 0);
    cr_assert_eq(checked, 0);
    add(2500);
    cr_assert_eq(verify(&checked), 0);
    cr_assert_eq(checked, 2500);
}

struct third {
    struct model_row *row;
    struct pv_id id;
};

static int find_third(void *ctx, const struct model_row *row, struct pv_err *e)
{
    struct third *t = ctx;

    (void)e;
    if (model_number(row, F(audit, seq)) == 3)
        t->id = row->id;
    return 0;
}

static struct pv_id third_id(void)
{
    static const struct store_sort sort = { .field = F(audit, seq) };
    struct arena *a = arena_new(4096, 1 << 20);
    struct third t = { 0 };
    struct store_query q = { .sort = &sort, .nsort = 1, .limit = 100 };

    cr_assert_eq(
        model_shape_make(model_kind(PV_KIND_audit), NULL, MODEL_VIEW_FULL, a, &q.shape, &err),
        PV_OK);
    cr_assert_eq(store_list(store, &q, find_third, &t, NULL, &err), PV_OK);
    arena_free(a);
    return t.id;
}

struct forge {
    struct pv_id id;
    uint16_t field;
    size_t byte;
    char to;     /* 0: another one than is there */
    int64_t add; /* to numbers */
    char was;
    bool too_far; /* the field has no such byte */
};

static int forge(struct store_tx *tx, void *arg, struct pv_err *e)
{
    struct forge *f = arg;
    struct model_row *row;
    struct model_value *v;
    int rc = tx_rows_get(tx, PV_KIND_audit, &f->id, 1, false, tx_arena(tx), &row, e);
    enum model_type type;

    if (rc != PV_OK)
        return rc;
    v = &row->values[f->field];
    type = row->kind->fields[f->field].type;
    if (type == MODEL_STR || type == MODEL_JSON) {
        char *copy = arena_text(tx_arena(tx), v->set ? v->text : "", v->len);

        f->too_far = f->byte >= v->len;
        if (f->too_far)
            return PV_OK;
        f->was = copy[f->byte];
        copy[f->byte] = f->to ? f->to : f->was == '1' ? '2' : '1';
        model_set_text(row, f->field, copy);
    } else {
        f->too_far = f->byte > 0;
        if (f->too_far)
            return PV_OK;
        v->set = true;
        v->number += f->add;
    }
    return tx_row_update(tx, row, &f->field, 1, e);
}

static const uint16_t forged[] = { F(audit, seq),      F(audit, time),       F(audit, actor_type),
                                   F(audit, actor_id), F(audit, actor_name), F(audit, address),
                                   F(audit, action),   F(audit, subject),    F(audit, outcome),
                                   F(audit, detail),   F(audit, request_id), F(audit, prev_hash),
                                   F(audit, hash),     F(audit, dry_run) };

/* Each changed byte of each field of a record in the middle is noticed; undone, the chain is whole
 * again. */
Test(auth_audit, every_changed_byte_names_the_record)
{
    struct pv_id id;
    int changes = 0;

    add(5);
    id = third_id();
    for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
        for (size_t byte = 0;; byte++) {
            struct forge f = { .id = id,
                               .field = forged[i],
                               .byte = byte,
                               .add = forged[i] == F(audit, seq) ? 1000 : 1 };
            uint64_t bad;

            cr_assert_eq(store_write(store, forge, &f, &err), PV_OK, "%s", err.message);
            if (f.too_far)
                break;
            changes++;
            bad = verify(NULL);
            cr_assert_eq(bad, 3, "field %zu byte %zu: %llu", i, byte, (unsigned long long)bad);
            f.to = f.was;
            f.add = -f.add;
            cr_assert_eq(store_write(store, forge, &f, &err), PV_OK);
            cr_assert_eq(verify(NULL), 0, "undone");
        }
    }
    cr_assert_gt(changes, 150);
}

static int drop(struct store_tx *tx, void *arg, struct pv_err *e)
{
    return tx_row_delete(tx, PV_KIND_audit, arg, e);
}

Test(auth_audit, a_missing_record_is_noticed)
{
    struct pv_id id;

    add(5);
    id = third_id();
    cr_assert_eq(store_write(store, drop, &id, &err), PV_OK);
    cr_assert_eq(verify(NULL), 3);
}

Test(auth_audit, a_cut_off_end_is_noticed)
{
    struct pv_id id;

    add(3);
    id = third_id();
    cr_assert_eq(store_write(store, drop, &id, &err), PV_OK);
    cr_assert_eq(verify(NULL), 3);
}

static int fail_after(struct store_tx *tx, void *arg, struct pv_err *e)
{
    write_records(tx, arg, e);
    return pv_fail(e, PV_ESTATE, "no");
}

Test(auth_audit, a_change_that_fails_leaves_no_record_and_no_gap)
{
    uint64_t checked;
    int n = 2;

    add(1);
    cr_assert_eq(store_write(store, fail_after, &n, &err), PV_ESTATE);
    add(1);
    cr_assert_eq(verify(&checked), 0);
    cr_assert_eq(checked, 2);
}

struct seen {
    int logins_denied, logins_allowed, created;
    char actor[64], subject[64];
};

static int look(void *ctx, const struct model_row *row, struct pv_err *e)
{
    struct seen *s = ctx;
    const char *action = model_text(row, F(audit, action));
    int64_t outcome = model_number(row, F(audit, outcome));

    (void)e;
    s->logins_denied += strcmp(action, "auth.login") == 0 && outcome == PV_OUTCOME_DENIED;
    s->logins_allowed += strcmp(action, "auth.login") == 0 && outcome == PV_OUTCOME_ALLOWED;
    if (strcmp(action, "user.create") == 0) {
        s->created++;
        snprintf(s->actor, sizeof(s->actor), "%s", model_text(row, F(audit, actor_name)));
        snprintf(s->subject, sizeof(s->subject), "%s", model_text(row, F(audit, subject)));
    }
    return 0;
}

Test(auth_audit, sign_ins_and_changes_are_recorded)
{
    struct audit_entry by = { .actor_type = PV_ACTOR_TYPE_USER,
                              .actor_name = "boss",
                              .request_id = "r-7" };
    struct arena *a = arena_new(4096, 1 << 20);
    struct store_query q = { .limit = 100 };
    struct auth_identity who;
    struct seen s = { 0 };
    char cookie[44], text[PV_ID_TEXT];
    struct pv_id id;

    audit_as(&by);
    id = make_user("ann", PV_ROLE_VIEWER);
    make_user("not recorded: the word of who it is holds for one call", PV_ROLE_VIEWER);
    auth_login(auth, "ann", "wrong wrong wrong", NULL, "10.0.0.1", "", NULL, cookie, &who, &err);
    auth_login(auth, "ann", GOOD_PASSWORD, NULL, "10.0.0.1", "", NULL, cookie, &who, &err);
    cr_assert_eq(verify(NULL), 0);
    cr_assert_eq(
        model_shape_make(model_kind(PV_KIND_audit), NULL, MODEL_VIEW_FULL, a, &q.shape, &err),
        PV_OK);
    cr_assert_eq(store_list(store, &q, look, &s, NULL, &err), PV_OK);
    cr_assert_eq(s.logins_denied, 1);
    cr_assert_eq(s.logins_allowed, 1);
    cr_assert_eq(s.created, 1);
    cr_assert_str_eq(s.actor, "boss");
    id_text("usr", &id, text);
    cr_assert_str_eq(s.subject, text);
    arena_free(a);
}
